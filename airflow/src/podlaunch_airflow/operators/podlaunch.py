"""KubernetesPodOperator's arguments, podlaunch's pods.

execute: arguments ─▶ pod ─▶ key (dag, run, task, map index; attempt: the try) ─▶ stream of events
                                                                                    │ TaskLog: the task log
         result for XCom ◀ SUCCEEDED ─┐                                             │
         AirflowSkipException ◀───────┼──────────────── Termination ◀───────────────┘
         AirflowException ◀── else ───┘
on_kill (a user's mark, a timeout): CancelTask over a connection of its own
A worker that just vanishes: nothing; the next try reads the same pod's events from the beginning
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

import yaml
from podlaunch import AcceptedHow, Outcome, PodlaunchError, Retention, Spec, TaskKey, TaskStream, Termination
from podlaunch.model import Accepted

from podlaunch_airflow import attempts, results
from podlaunch_airflow.arguments import choice, set_aside, wanted_logs
from podlaunch_airflow.compat import AirflowException, AirflowSkipException
from podlaunch_airflow.hooks.podlaunch import PodlaunchHook
from podlaunch_airflow.identity import instance_of, launch_task_id
from podlaunch_airflow.manifest import BuiltPod, build_pod, with_message_at
from podlaunch_airflow.operators.pod import PodOperator
from podlaunch_airflow.outcome import exit_codes, failure_text, is_skip
from podlaunch_airflow.tasklog import LogFormatter, TaskLog

FINISH_ACTIONS = ("delete_pod", "keep_pod", "delete_succeeded_pod", "delete_active_pod")
KILL_ACTIONS = ("delete_pod", "keep_pod")
RETENTION_FEATURE = "retention"
CANCEL_WAIT = 20.0
"""How long (s) `on_kill` waits for the cancel to be stored."""


class PodlaunchOperator(PodOperator):
    """Runs a pod through podlaunch and waits for its end.

    The arguments are named, and mean, as KubernetesPodOperator's; objects of the kubernetes client and Airflow's
    `Secret` are taken as they are, and so are plain dicts of the same form. `podlaunch_conn_id` is the connection.
    """

    template_fields: Sequence[str] = (*PodOperator.template_fields, "podlaunch_conn_id")
    ui_color = "#d5e8f7"

    def __init__(
        self,
        *,
        podlaunch_conn_id: str = PodlaunchHook.default_conn_name,
        reattach_on_restart: bool | None = None,
        startup_timeout_seconds: int = 120,
        schedule_timeout_seconds: int | None = None,
        get_logs: bool = True,
        container_logs: Iterable[str] | str | Literal[True] | None = None,
        init_container_logs: Iterable[str] | str | Literal[True] | None = None,
        container_name_log_prefix_enabled: bool = True,
        log_formatter: LogFormatter | None = None,
        log_events_on_startup: bool = True,
        skip_on_exit_code: int | Collection[int] | None = None,
        on_finish_action: str = "delete_pod",
        on_kill_action: str = "delete_pod",
        do_xcom_push: bool = False,
        xcom_from: str = "file",
        **kwargs: Any,
    ) -> None:
        kwargs, not_needed = set_aside(kwargs)
        super().__init__(**kwargs)
        self.podlaunch_conn_id = podlaunch_conn_id
        self.reattach_on_restart = reattach_on_restart is not False
        self.startup_timeout_seconds = startup_timeout_seconds
        self.schedule_timeout_seconds = schedule_timeout_seconds or startup_timeout_seconds
        self.get_logs = get_logs
        self.container_logs = container_logs
        self.init_container_logs = init_container_logs
        self.container_name_log_prefix_enabled = container_name_log_prefix_enabled
        self.log_formatter = log_formatter
        self.log_events_on_startup = log_events_on_startup
        self.skip_on_exit_code = exit_codes(skip_on_exit_code)
        self.on_finish_action = choice("on_finish_action", on_finish_action, FINISH_ACTIONS)
        self.on_kill_action = choice("on_kill_action", on_kill_action, KILL_ACTIONS)
        self.do_xcom_push = do_xcom_push
        self.xcom_from = choice("xcom_from", xcom_from, results.SOURCES)
        self._not_needed = not_needed
        self._key: TaskKey | None = None
        self._killed = False

    @cached_property
    def hook(self) -> PodlaunchHook:
        """The connection to podlaunch."""
        return PodlaunchHook(self.podlaunch_conn_id)

    def execute(self, context: Any) -> Any:
        """Runs the pod to its end; the result for XCom if `do_xcom_push`."""
        try:
            pod = self.build_pod(context)
            spec = self._spec(pod)
        except (ValueError, TypeError, OSError) as error:
            raise AirflowException(f"The pod cannot be built: {error}") from error
        if self._not_needed:
            self.log.info("Not needed with podlaunch: %s", ", ".join(self._not_needed))
        tasklog = TaskLog(
            self.log,
            notices=self.log_events_on_startup,
            prefix=self.container_name_log_prefix_enabled,
            formatter=self.log_formatter,
        )
        try:
            key, spec = self._launch_key(context, pod), self._kept(self._with_result(spec, pod))
            accepted, termination = self._follow(key, spec, tasklog, context)
            outcome = termination.outcome
            # While the pod is there.
            result = self._result(outcome)
            self._clean_up(outcome)
        except PodlaunchError as error:
            raise AirflowException(f"podlaunch: {error}") from error
        finally:
            self.hook.close()
        if is_skip(outcome, self.skip_on_exit_code):
            raise AirflowSkipException(f"Pod ended with exit code {outcome.exit_code}: skipped")
        if not outcome.succeeded:
            raise AirflowException(failure_text(outcome, accepted.pod, tasklog.recent))
        return result

    def build_pod(self, context: Mapping[str, Any]) -> BuiltPod:
        """The pod of the arguments, as it is sent."""
        return build_pod(self.pod_arguments(), {**instance_of(context).labels, "podlaunch_operator": "True"})

    def dry_run(self) -> None:
        """Prints the pod that would be launched, without the labels of a task instance."""
        print(yaml.safe_dump(build_pod(self.pod_arguments(), {}).manifest, sort_keys=False))

    def on_kill(self) -> None:
        """A user marked the task, or a timeout of Airflow passed: the pod is stopped."""
        self._killed = True
        if self.on_kill_action == "keep_pod":
            self.log.info("The task was killed; its pod goes on (on_kill_action=keep_pod)")
        elif self._key is not None:
            self._cancel(self._key)

    def _spec(self, pod: BuiltPod) -> Spec:
        logs = wanted_logs(
            self.get_logs,
            self.container_logs,
            self.init_container_logs,
            pod.primary,
            pod.container_names,
            pod.init_container_names,
        )
        return Spec(
            manifest=pod.manifest,
            container=pod.primary,
            startup_timeout=self.startup_timeout_seconds,
            schedule_timeout=self.schedule_timeout_seconds,
            logs=logs or "none",
        )

    def _launch_key(self, context: Any, pod: BuiltPod) -> TaskKey:
        instance = instance_of(context)
        endpoint = self.hook.endpoint
        return TaskKey(
            task_id=launch_task_id(instance, endpoint.task_id_prefix),
            attempt=instance.try_number,
            namespace=pod.namespace or endpoint.namespace,
            cluster=endpoint.cluster,
        )

    def _follow(self, key: TaskKey, spec: Spec, tasklog: TaskLog, context: Any) -> tuple[Accepted, Termination]:
        self._key = key
        client = self.hook.get_conn()
        stream = attempts.open_stream(client, key, spec, reattach=self.reattach_on_restart, logger=self.log)
        with stream:
            accepted = self._accepted(stream, key, context)
            for event in stream:
                tasklog.feed(event)
            return accepted, stream.wait()

    def _accepted(self, stream: TaskStream, asked: TaskKey, context: Any) -> Accepted:
        accepted = stream.wait_accepted()
        self._key = accepted.key or asked
        if self._killed and self.on_kill_action != "keep_pod":
            # The kill came while the pod was being made.
            self._cancel(self._key)
        if accepted.pod is not None:
            where = f"{accepted.pod.namespace}/{accepted.pod.name}"
            self.log.info("Pod %s: %s, task %s", where, _how(accepted, asked), self._key)
            ti = context["ti"]
            ti.xcom_push(key="pod_name", value=accepted.pod.name)
            ti.xcom_push(key="pod_namespace", value=accepted.pod.namespace)
        if accepted.how == AcceptedHow.REPLAYED:
            self.log.warning("This try's pod had already ended: nothing was started, what is left of it follows")
        return accepted

    def _with_result(self, spec: Spec, pod: BuiltPod) -> Spec:
        """The specification, with where the result for XCom is taken from."""
        if not self.do_xcom_push:
            return spec
        source = results.source_of(self.hook.get_conn(), self.xcom_from)
        if source is not None:
            return replace(spec, result=source)
        return replace(spec, manifest=with_message_at(pod.manifest, results.RESULT_FILE))

    def _result(self, outcome: Outcome) -> Any:
        """The result for XCom of a task that succeeded."""
        if not self.do_xcom_push or not outcome.succeeded or self._key is None:
            return None
        try:
            result = results.read(self.hook.get_conn(), self._key, outcome)
        except ValueError as error:
            raise AirflowException(f"do_xcom_push: {error}") from error
        if result is None:
            self.log.warning("do_xcom_push: the container wrote no result")
        return result

    def _kept(self, spec: Spec) -> Spec:
        """The specification, with the pod kept until somebody deletes it if that is wanted."""
        if self.on_finish_action != "keep_pod":
            return spec
        if not self.hook.get_conn().server_info().has(RETENTION_FEATURE):
            self.log.info("on_finish_action=keep_pod: this server keeps it for its own retention only")
            return spec
        return replace(spec, retention=Retention(keep=True))

    def _clean_up(self, outcome: Outcome) -> None:
        """What is not deleted here is left to podlaunch's retention."""
        wants_delete = self.on_finish_action == "delete_pod" or (
            self.on_finish_action == "delete_succeeded_pod" and outcome.succeeded
        )
        if not wants_delete or self._key is None:
            return
        try:
            deleted = self.hook.delete(self._key)
        except PodlaunchError as error:
            # How the task ended is known: what is left of it does not change that.
            self.log.warning("The pod could not be deleted, podlaunch's retention will: %s", error)
        else:
            if not deleted:
                self.log.info(
                    "on_finish_action=%s: the pod stays until podlaunch's retention", self.on_finish_action
                )

    def _cancel(self, key: TaskKey) -> None:
        # In a thread: this may run in a signal handler that interrupted a call of this thread's.
        thread = threading.Thread(target=self._cancel_now, args=(key,), name="podlaunch-cancel", daemon=True)
        thread.start()
        thread.join(CANCEL_WAIT)
        if thread.is_alive():
            self.log.error("No answer to the cancel of %s within %.0f s", key, CANCEL_WAIT)

    def _cancel_now(self, key: TaskKey) -> None:
        try:
            result = self.hook.cancel_apart(key, f"task {self.dag_id}.{self.task_id} was killed in Airflow")
        except Exception as error:  # a kill goes on whatever happens here
            self.log.error("Task %s could not be cancelled: %s", key, error)
        else:
            self.log.info("Task %s is being cancelled: %s", key, result)


def _how(accepted: Accepted, asked: TaskKey) -> str:
    attached = accepted.key is not None and accepted.key.attempt != asked.attempt
    if attached and accepted.key is not None:
        return f"attached to the pod of try {accepted.key.attempt}"
    return str(accepted.how).lower()
