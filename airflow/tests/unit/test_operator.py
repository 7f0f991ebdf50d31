"""The operator with a podlaunch that is told what happens."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from datetime import datetime
from typing import Any

import grpc
import pytest
from fakes import MAX_RESULT, FakeClient, FakeHook, chunk, context, end, outcome, state
from podlaunch import (
    AcceptedHow,
    InvalidRequestError,
    Reason,
    Result,
    Retention,
    TaskKey,
    TaskState,
    UnavailableError,
)
from podlaunch.enums import ResultState
from podlaunch.model import TaskResult

from podlaunch_airflow.compat import AirflowException, AirflowSkipException
from podlaunch_airflow.hooks.podlaunch import Endpoint
from podlaunch_airflow.operators.podlaunch import PodlaunchOperator
from podlaunch_airflow.results import RESULT_FILE

SUCCESS = [state(TaskState.RUNNING), chunk(b"hello world\n"), end(outcome(TaskState.SUCCEEDED, exit_code=0))]
KEY = TaskKey("etl/manual__1/load", 1, "default")


def operator(client: FakeClient, endpoint: Endpoint | None = None, **arguments: Any) -> PodlaunchOperator:
    made = PodlaunchOperator(**{"task_id": "load", "image": "a", "namespace": "default", **arguments})
    made.__dict__["hook"] = FakeHook(client, endpoint)
    return made


def failed(**changes: Any) -> list[Any]:
    return [state(TaskState.RUNNING), end(outcome(TaskState.FAILED, reason=Reason.EXIT_CODE, **changes))]


def test_a_task_is_launched_and_followed() -> None:
    client = FakeClient(SUCCESS)
    ctx = context()
    assert operator(client, cmds=["x"]).execute(ctx) is None
    ((_, key, spec, _),) = client.named("launch")
    assert key == KEY
    assert spec.container == "base"
    assert spec.manifest["metadata"]["labels"]["task_id"] == "load"
    assert (spec.startup_timeout, spec.schedule_timeout) == (120, 120)
    assert list(spec.to_proto().logs.containers) == ["base"]
    assert ctx["ti"].pushed == {"pod_name": "pod-1", "pod_namespace": "default"}
    assert client.calls[-1] == ("close",)


def test_the_connection_fills_what_the_operator_leaves_open() -> None:
    client = FakeClient(SUCCESS)
    endpoint = Endpoint("unix:///s", namespace="cns", cluster="c", task_id_prefix="prod")
    operator(client, endpoint, namespace=None).execute(context(map_index=3, try_number=1))
    assert client.named("launch")[0][1] == TaskKey("prod/etl/manual__1/load/3", 1, "cns", "c")


def test_a_failure_says_why() -> None:
    with pytest.raises(AirflowException, match=r"(?s)EXIT_CODE.*exit code: 3.*Task is RUNNING"):
        operator(FakeClient(failed(exit_code=3))).execute(context())


def test_an_exit_code_can_mean_skip() -> None:
    with pytest.raises(AirflowSkipException):
        operator(FakeClient(failed(exit_code=3)), skip_on_exit_code=[3]).execute(context())


@pytest.mark.parametrize("now", [TaskState.CANCELLED, TaskState.DISRUPTED, TaskState.LOST])
def test_only_success_is_success(now: TaskState) -> None:
    with pytest.raises(AirflowException, match=str(now)):
        operator(FakeClient([end(outcome(now, exit_code=0))]), skip_on_exit_code=0).execute(context())


def test_a_refused_launch_is_told() -> None:
    client = FakeClient()
    client.launch_error = InvalidRequestError(grpc.StatusCode.INVALID_ARGUMENT, "spec.manifest: no image")
    with pytest.raises(AirflowException, match="no image"):
        operator(client).execute(context())


def test_a_pod_that_cannot_be_built_is_told() -> None:
    client = FakeClient()
    with pytest.raises(AirflowException, match="cannot be built: cmds"):
        operator(client, cmds="echo").execute(context())
    assert not client.calls


MESSAGE = [end(outcome(TaskState.SUCCEEDED, termination_message=b'{"rows": 3}'))]


def ended_with(state: ResultState, data: bytes = b"", size: int | None = None) -> list[Any]:
    return [end(outcome(TaskState.SUCCEEDED, result=TaskResult(state, data, size, b"")))]


@pytest.mark.parametrize(
    ("features", "source", "by_file"),
    [(["task_results"], "file", True), ([], "file", False), (["task_results"], "message", False)],
)
def test_where_the_result_is_taken_from(features: list[str], source: str, by_file: bool) -> None:
    client = FakeClient(MESSAGE, features)
    assert operator(client, do_xcom_push=True, xcom_from=source).execute(context()) == {"rows": 3}
    spec = client.named("launch")[0][2]
    path = spec.manifest["spec"]["containers"][0].get("terminationMessagePath")
    assert (spec.result, path) == (
        (Result.file(RESULT_FILE, max_bytes=MAX_RESULT), None) if by_file else (None, RESULT_FILE)
    )


def test_without_do_xcom_push_there_is_no_result() -> None:
    client = FakeClient(MESSAGE, ["task_results"])
    assert operator(client).execute(context()) is None
    assert client.named("launch")[0][2].result is None


def test_a_result_in_the_outcome_and_a_large_one() -> None:
    inline = FakeClient(ended_with(ResultState.INLINE, b"[1, 2]"), ["task_results"])
    assert operator(inline, do_xcom_push=True).execute(context()) == [1, 2]
    assert not inline.named("result")
    stored = FakeClient(ended_with(ResultState.STORED, size=9000), ["task_results", "delete_task"])
    stored.stored = json.dumps(["x" * 9000]).encode()
    assert operator(stored, do_xcom_push=True).execute(context()) == ["x" * 9000]
    # It is read while the pod is there.
    names = [call[0] for call in stored.calls]
    assert names.index("result") < names.index("delete")
    assert stored.named("result") == [("result", KEY)]


def test_a_container_that_wrote_no_result() -> None:
    client = FakeClient(ended_with(ResultState.MISSING), ["task_results"])
    assert operator(client, do_xcom_push=True).execute(context()) is None


@pytest.mark.parametrize("state", [ResultState.TOO_LARGE, ResultState.GONE, ResultState.UNREADABLE])
def test_a_lost_result_fails_the_task_instance(state: ResultState) -> None:
    client = FakeClient(ended_with(state, size=5_000_000), ["task_results"])
    with pytest.raises(AirflowException, match=r"the result of 5000000 bytes .* cannot be had"):
        operator(client, do_xcom_push=True).execute(context())


def test_whose_logs_are_wanted() -> None:
    pod = {"spec": {"containers": [{"name": "x"}, {"name": "side", "image": "s"}]}}
    init = [{"name": "i", "image": "i"}]

    def wanted(**arguments: Any) -> Any:
        client = FakeClient(SUCCESS)
        operator(client, full_pod_spec=pod, init_containers=init, **arguments).execute(context())
        return client.named("launch")[0][2].logs

    assert wanted() == ["base"]
    assert wanted(get_logs=False) == "none"
    assert wanted(container_logs=True) == ["base", "side"]
    assert wanted(get_logs=False, container_logs="side") == ["side"]
    assert wanted(init_container_logs=["i"]) == ["i", "base"]
    with pytest.raises(AirflowException, match="container_logs: the pod has no container nope"):
        wanted(container_logs=["nope"])


@pytest.mark.parametrize(
    ("action", "features", "keeps"),
    [
        ("keep_pod", ["retention"], True),
        ("keep_pod", [], False),
        ("delete_pod", ["retention"], False),
        ("delete_succeeded_pod", ["retention"], False),
        ("delete_active_pod", ["retention"], False),
    ],
)
def test_a_pod_to_be_kept_is_kept(action: str, features: list[str], keeps: bool) -> None:
    client = FakeClient(SUCCESS, features)
    operator(client, on_finish_action=action).execute(context())
    assert client.named("launch")[0][2].retention == (Retention(keep=True) if keeps else None)


@pytest.mark.parametrize(
    ("action", "now", "deletes"),
    [
        ("delete_pod", TaskState.SUCCEEDED, True),
        ("delete_pod", TaskState.FAILED, True),
        ("delete_succeeded_pod", TaskState.SUCCEEDED, True),
        ("delete_succeeded_pod", TaskState.FAILED, False),
        ("keep_pod", TaskState.SUCCEEDED, False),
        ("delete_active_pod", TaskState.SUCCEEDED, False),
    ],
)
def test_what_is_left_of_the_pod(action: str, now: TaskState, deletes: bool) -> None:
    client = FakeClient([end(outcome(now))])
    with contextlib.suppress(AirflowException):
        operator(client, on_finish_action=action).execute(context())
    assert client.named("delete") == ([("delete", KEY)] if deletes else [])


def test_a_delete_that_fails_does_not_change_the_end() -> None:
    client = FakeClient(SUCCESS)
    client.delete_error = UnavailableError(grpc.StatusCode.UNAVAILABLE, "gone")
    assert operator(client).execute(context()) is None


def test_a_kill_cancels_what_was_accepted() -> None:
    client = FakeClient(SUCCESS)
    made = operator(client)
    made.execute(context())
    made.on_kill()
    assert client.named("cancel")[0][1] == KEY


def test_a_kill_while_the_pod_is_made_cancels_it_then() -> None:
    client = FakeClient(SUCCESS)
    made = operator(client)
    client.before_launch = made.on_kill
    made.execute(context())
    assert len(client.named("cancel")) == 2


def test_a_kill_before_anything_or_with_keep_pod_does_nothing() -> None:
    client = FakeClient(SUCCESS)
    operator(client).on_kill()
    kept = operator(client, on_kill_action="keep_pod")
    kept.execute(context())
    kept.on_kill()
    assert not client.named("cancel")


def test_a_kill_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podlaunch_airflow.operators.podlaunch.CANCEL_WAIT", 0.05)
    client = FakeClient(SUCCESS)
    made = operator(client)
    made.execute(context())
    made.hook.cancel_apart = lambda *_: time.sleep(2)  # type: ignore[method-assign]
    begin = time.monotonic()
    made.on_kill()
    assert time.monotonic() - begin < 1


def test_what_was_replayed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.Logger("test", logging.INFO)
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    monkeypatch.setattr(PodlaunchOperator, "log", logger)
    for how, said in ((AcceptedHow.CREATED, False), (AcceptedHow.REPLAYED, True)):
        records.clear()
        client = FakeClient(SUCCESS)
        client.how = how
        operator(client).execute(context())
        assert any("already ended" in text for text in records) is said
        assert "[base] hello world" in records


def test_arguments_that_are_not_needed_are_taken() -> None:
    client = FakeClient(SUCCESS)
    made = operator(client, kubernetes_conn_id="k", in_cluster=True, random_name_suffix=True, deferrable=False)
    made.execute(context())
    with pytest.raises(ValueError, match="deferrable"):
        operator(client, deferrable=True)
    with pytest.raises(ValueError, match="on_finish_action"):
        operator(client, on_finish_action="delete")
    with pytest.raises((TypeError, AirflowException), match="nonsense"):
        operator(client, nonsense=1)


def test_templates_are_rendered_where_kubernetespodoperator_renders_them() -> None:
    k8s = pytest.importorskip("kubernetes.client.models")
    made = operator(
        FakeClient(),
        image="{{ run_id }}",
        arguments=["{{ run_id }}"],
        env_vars=[k8s.V1EnvVar(name="A", value="{{ run_id }}")],
        volumes=[
            k8s.V1Volume(
                name="{{ run_id }}",
                persistent_volume_claim=k8s.V1PersistentVolumeClaimVolumeSource(claim_name="{{ run_id }}"),
            )
        ],
        volume_mounts=[k8s.V1VolumeMount(name="{{ run_id }}", mount_path="{{ run_id }}")],
        container_resources=k8s.V1ResourceRequirements(limits={"memory": "{{ run_id }}"}),
        labels={"a": "{{ run_id }}"},
    )
    made.render_template_fields({"run_id": "r1"})
    pod = made.build_pod(context()).manifest
    base = pod["spec"]["containers"][0]
    assert (base["image"], base["args"]) == ("r1", ["r1"])
    assert base["env"] == [{"name": "A", "value": "r1"}]
    assert pod["spec"]["volumes"] == [{"name": "r1", "persistentVolumeClaim": {"claimName": "r1"}}]
    # As there: a mount's path is no template.
    assert base["volumeMounts"] == [{"name": "r1", "mountPath": "{{ run_id }}"}]
    assert base["resources"] == {"limits": {"memory": "r1"}}
    assert pod["metadata"]["labels"]["a"] == "r1"


def test_the_arguments_are_kubernetespodoperators() -> None:
    import inspect

    module = pytest.importorskip("airflow.providers.cncf.kubernetes.operators.pod")
    from podlaunch_airflow.arguments import NOT_NEEDED, NOT_SUPPORTED
    from podlaunch_airflow.operators.pod import PodOperator

    theirs = set(inspect.signature(module.KubernetesPodOperator.__init__).parameters) - {"self", "kwargs"}
    ours = set(NOT_NEEDED) | set(NOT_SUPPORTED)
    for made in (PodlaunchOperator, PodOperator):
        ours |= set(inspect.signature(made.__init__).parameters)
    assert theirs - ours == set()
    missing = set(module.KubernetesPodOperator.template_fields) - set(PodlaunchOperator.template_fields)
    assert missing == {"config_file", "cluster_context", "kubernetes_conn_id", "trigger_kwargs"}


def test_default_args_of_a_dag_reach_both_kinds_of_arguments() -> None:
    try:
        from airflow.sdk import DAG
    except ImportError:
        from airflow import DAG
    args = {"image": "from-dag", "namespace": "dns", "get_logs": False, "retries": 4}
    with DAG("d", start_date=datetime(2024, 1, 1), schedule=None, default_args=args):
        made = PodlaunchOperator(task_id="t", cmds=["x"])
    assert (made.image, made.namespace, made.get_logs, made.retries) == ("from-dag", "dns", False, 4)
    assert made.do_xcom_push is False
