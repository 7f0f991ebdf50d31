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
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from typing import Any, Literal

from podlaunch import AcceptedHow, Outcome, PodlaunchError, Spec, TaskKey, TaskStream, Termination
from podlaunch.model import Accepted

from podlaunch_airflow import attempts
from podlaunch_airflow.arguments import choice, set_aside, wanted_logs
from podlaunch_airflow.compat import AirflowException, AirflowSkipException, BaseOperator
from podlaunch_airflow.hooks.podlaunch import PodlaunchHook
from podlaunch_airflow.identity import instance_of, launch_task_id
from podlaunch_airflow.manifest import BuiltPod, PodArguments, build_pod
from podlaunch_airflow.outcome import exit_codes, failure_text, is_skip, result_of
from podlaunch_airflow.plain import TEMPLATED
from podlaunch_airflow.tasklog import TaskLog

FINISH_ACTIONS = ("delete_pod", "keep_pod", "delete_succeeded_pod", "delete_active_pod")
KILL_ACTIONS = ("delete_pod", "keep_pod")
CANCEL_WAIT = 20.0
"""How long (s) `on_kill` waits for the cancel to be stored."""


class PodlaunchOperator(BaseOperator):
    """Runs a pod through podlaunch and waits for its end.

    The arguments are named, and mean, as KubernetesPodOperator's; objects of the kubernetes client and Airflow's
    `Secret` are taken as they are, and so are plain dicts of the same form. `podlaunch_conn_id` is the connection.
    """

    template_fields: Sequence[str] = (
        "image",
        "name",
        "hostname",
        "cmds",
        "annotations",
        "arguments",
        "env_vars",
        "labels",
        "pod_template_file",
        "pod_template_dict",
        "namespace",
        "container_resources",
        "volumes",
        "volume_mounts",
        "env_from",
        "configmaps",
        "node_selector",
        "base_container_name",
        "podlaunch_conn_id",
    )
    template_fields_renderers = {"env_vars": "py"}
    ui_color = "#d5e8f7"

    def __init__(
        self,
        *,
        podlaunch_conn_id: str = PodlaunchHook.default_conn_name,
        namespace: str | None = None,
        image: str | None = None,
        name: str | None = None,
        cmds: list[str] | None = None,
        arguments: list[str] | None = None,
        ports: list[Any] | None = None,
        volume_mounts: list[Any] | None = None,
        volumes: list[Any] | None = None,
        env_vars: list[Any] | dict[str, str] | None = None,
        env_from: list[Any] | None = None,
        secrets: list[Any] | None = None,
        labels: dict[str, Any] | None = None,
        annotations: dict[str, Any] | None = None,
        reattach_on_restart: bool | None = None,
        startup_timeout_seconds: int = 120,
        schedule_timeout_seconds: int | None = None,
        get_logs: bool = True,
        container_logs: Iterable[str] | str | Literal[True] | None = None,
        init_container_logs: Iterable[str] | str | Literal[True] | None = None,
        container_name_log_prefix_enabled: bool = True,
        log_formatter: Callable[[str, str], str] | None = None,
        log_events_on_startup: bool = True,
        image_pull_policy: str | None = None,
        container_resources: Any = None,
        affinity: Any = None,
        runtime_class_name: str | None = None,
        node_selector: dict[str, str] | None = None,
        image_pull_secrets: list[Any] | str | None = None,
        service_account_name: str | None = None,
        automount_service_account_token: bool | None = None,
        hostnetwork: bool = False,
        host_aliases: list[Any] | None = None,
        tolerations: list[Any] | None = None,
        security_context: Any = None,
        container_security_context: Any = None,
        dnspolicy: str | None = None,
        dns_config: Any = None,
        hostname: str | None = None,
        subdomain: str | None = None,
        schedulername: str | None = None,
        full_pod_spec: Any = None,
        init_containers: list[Any] | None = None,
        do_xcom_push: bool = False,
        pod_template_file: str | None = None,
        pod_template_dict: dict[str, Any] | None = None,
        priority_class_name: str | None = None,
        pod_runtime_info_envs: list[Any] | None = None,
        termination_grace_period: int | None = None,
        configmaps: list[str] | None = None,
        skip_on_exit_code: int | Collection[int] | None = None,
        base_container_name: str | None = None,
        on_finish_action: str = "delete_pod",
        on_kill_action: str = "delete_pod",
        termination_message_policy: str | None = None,
        active_deadline_seconds: int | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs, self._set_aside = set_aside(kwargs)
        super().__init__(**kwargs)
        self.podlaunch_conn_id = podlaunch_conn_id
        self.namespace = namespace
        self.image = image
        self.name = name
        self.cmds = cmds
        self.arguments = arguments
        self.ports = ports
        self.volume_mounts = volume_mounts
        self.volumes = volumes
        self.env_vars = env_vars
        self.env_from = env_from
        self.secrets = secrets
        self.labels = labels
        self.annotations = annotations
        self.reattach_on_restart = reattach_on_restart is not False
        self.startup_timeout_seconds = startup_timeout_seconds
        self.schedule_timeout_seconds = schedule_timeout_seconds or startup_timeout_seconds
        self.get_logs = get_logs
        self.container_logs = container_logs
        self.init_container_logs = init_container_logs
        self.container_name_log_prefix_enabled = container_name_log_prefix_enabled
        self.log_formatter = log_formatter
        self.log_events_on_startup = log_events_on_startup
        self.image_pull_policy = image_pull_policy
        self.container_resources = container_resources
        self.affinity = affinity
        self.runtime_class_name = runtime_class_name
        self.node_selector = node_selector
        self.image_pull_secrets = image_pull_secrets
        self.service_account_name = service_account_name
        self.automount_service_account_token = automount_service_account_token
        self.hostnetwork = hostnetwork
        self.host_aliases = host_aliases
        self.tolerations = tolerations
        self.security_context = security_context
        self.container_security_context = container_security_context
        self.dnspolicy = dnspolicy
        self.dns_config = dns_config
        self.hostname = hostname
        self.subdomain = subdomain
        self.schedulername = schedulername
        self.full_pod_spec = full_pod_spec
        self.init_containers = init_containers
        self.do_xcom_push = do_xcom_push
        self.pod_template_file = pod_template_file
        self.pod_template_dict = pod_template_dict
        self.priority_class_name = priority_class_name
        self.pod_runtime_info_envs = pod_runtime_info_envs
        self.termination_grace_period = termination_grace_period
        self.configmaps = configmaps
        self.skip_on_exit_code = exit_codes(skip_on_exit_code)
        self.base_container_name = base_container_name
        self.on_finish_action = choice("on_finish_action", on_finish_action, FINISH_ACTIONS)
        self.on_kill_action = choice("on_kill_action", on_kill_action, KILL_ACTIONS)
        self.termination_message_policy = termination_message_policy
        self.active_deadline_seconds = active_deadline_seconds
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
        if self._set_aside:
            self.log.info("Not needed with podlaunch: %s", ", ".join(self._set_aside))
        tasklog = TaskLog(
            self.log,
            notices=self.log_events_on_startup,
            prefix=self.container_name_log_prefix_enabled,
            formatter=self.log_formatter,
        )
        try:
            accepted, termination = self._follow(self._launch_key(context, pod), spec, tasklog, context)
        except PodlaunchError as error:
            raise AirflowException(f"podlaunch: {error}") from error
        finally:
            self.hook.close()
        return self._finish(accepted, termination.outcome, tasklog)

    def build_pod(self, context: Mapping[str, Any]) -> BuiltPod:
        """The pod of the arguments, as it is sent."""
        names = [field.name for field in fields(PodArguments)]
        arguments = PodArguments(**{name: getattr(self, name) for name in names})
        labels = {**instance_of(context).labels, "podlaunch_operator": "True"}
        return build_pod(arguments, labels)

    def dry_run(self) -> None:
        """Prints the pod that would be launched, without the labels of a task instance."""
        names = [field.name for field in fields(PodArguments)]
        print(build_pod(PodArguments(**{name: getattr(self, name) for name in names}), {}).manifest)

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

    def _follow(
        self, key: TaskKey, spec: Spec, tasklog: TaskLog, context: Any
    ) -> tuple[Accepted, Termination]:
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

    def _finish(self, accepted: Accepted, outcome: Outcome, tasklog: TaskLog) -> Any:
        self._say_kept(outcome)
        if is_skip(outcome, self.skip_on_exit_code):
            raise AirflowSkipException(f"Pod ended with exit code {outcome.exit_code}: skipped")
        if not outcome.succeeded:
            raise AirflowException(failure_text(outcome, accepted.pod, tasklog.recent))
        if not self.do_xcom_push:
            return None
        try:
            result = result_of(outcome)
        except ValueError as error:
            raise AirflowException(str(error)) from error
        if result is None:
            self.log.warning("do_xcom_push: the container wrote no result")
        return result

    def _say_kept(self, outcome: Outcome) -> None:
        wants_delete = self.on_finish_action == "delete_pod" or (
            self.on_finish_action == "delete_succeeded_pod" and outcome.succeeded
        )
        if wants_delete:
            self.log.info("on_finish_action=%s: podlaunch keeps the pod until its retention", self.on_finish_action)

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

    def _render_nested_template_fields(
        self, value: Any, context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> None:
        names = TEMPLATED.get(type(value).__name__)
        if names is None:
            super()._render_nested_template_fields(value, context, jinja_env, seen_oids)
        elif id(value) not in seen_oids:
            seen_oids.add(id(value))
            self._do_render_template_fields(value, names, context, jinja_env, seen_oids)


def _how(accepted: Accepted, asked: TaskKey) -> str:
    attached = accepted.key is not None and accepted.key.attempt != asked.attempt
    if attached and accepted.key is not None:
        return f"attached to the pod of try {accepted.key.attempt}"
    return str(accepted.how).lower()
