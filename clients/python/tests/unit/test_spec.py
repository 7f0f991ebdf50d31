"""From Spec to the contract's message."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from podlaunch import ConfigMapKey, FieldPath, Reason, RestartPolicy, Retention, SecretKey, Spec, v1
from podlaunch.spec import task_spec


def test_what_is_unset_is_left_out() -> None:
    assert Spec(manifest={"spec": {}}).to_proto() == v1.TaskSpec(manifest='{"spec":{}}')


def test_all_of_it() -> None:
    spec = Spec(
        image="i",
        command=["c"],
        args=["a"],
        env={
            "B": "1",
            "A": SecretKey("s", "k"),
            "C": ConfigMapKey("m", "k", optional=True),
            "D": FieldPath("metadata.name"),
        },
        resources={"requests": {"cpu": "1"}},
        container="main",
        labels={"l": "1"},
        restart_policy=RestartPolicy.ON_FAILURE,
        schedule_timeout=1.5,
        execution_timeout=timedelta(minutes=1),
        pending_graces={Reason.IMAGE_PULL_FAILED: 0},
        logs=["main", "init"],
        template="t",
    ).to_proto()
    assert [env.name for env in spec.container.env] == ["B", "A", "C", "D"]
    assert spec.container.env[1].secret_key == v1.KeyRef(name="s", key="k")
    assert dict(spec.container.resources.requests) == {"cpu": "1"}
    assert (spec.timeouts.schedule.nanos, spec.timeouts.execution.seconds) == (500_000_000, 60)
    assert spec.timeouts.pending_graces[0].HasField("grace")
    assert (spec.logs.mode, list(spec.logs.containers)) == (4, ["main", "init"])
    assert (spec.primary_container, spec.pod.restart_policy, spec.template) == ("main", 2, "t")


def test_retention() -> None:
    kept = Spec(image="a", retention=Retention(keep=True)).to_proto().retention
    assert (kept.keep, kept.HasField("after_success"), kept.HasField("after_failure")) == (True, False, False)
    for_a_while = Spec(image="a", retention=Retention(after_success=0, after_failure=1.5)).to_proto().retention
    assert (for_a_while.HasField("after_success"), for_a_while.after_failure.nanos) == (True, 500_000_000)
    assert not Spec(image="a").to_proto().HasField("retention")


def test_other_forms() -> None:
    message = v1.TaskSpec(container=v1.ContainerSpec(image="i"))
    assert task_spec(message) is message
    assert task_spec({"container": {"image": "i"}}) == message
    assert json.loads(task_spec(Spec(manifest={"a": [1]})).manifest) == {"a": [1]}
    with pytest.raises(ValueError, match="spec"):
        task_spec({"image": "i"})


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (Spec(args="echo hello"), "list of strings"),
        (Spec(resources={"request": {}}), "requests and limits"),
        (Spec(logs="everything"), "primary, all, none"),
    ],
)
def test_mistakes_are_named(spec: Spec, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        spec.to_proto()
