"""What to run, in Python's terms.

Spec ──────────┐
dict (JSON) ───┼─▶ v1.TaskSpec
v1.TaskSpec ───┘

The common fields are here; everything else of a pod goes into `manifest`, which the server merges below them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Optional, Union

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration as ProtoDuration

from podlaunch import v1
from podlaunch._open_enum import number
from podlaunch.enums import ImagePullPolicy, LogContainers, Reason, RestartPolicy, ResultKind

Duration = Union[float, timedelta]
"""Seconds, or a timedelta."""

Logs = Union[Literal["primary", "all", "none"], Sequence[str]]
"""Whose logs: a word, or a list of container names."""

_WORDS = {"primary": LogContainers.PRIMARY, "all": LogContainers.ALL, "none": LogContainers.NONE}


@dataclass(frozen=True)
class SecretKey:
    """A key of a secret, for an environment variable."""

    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True)
class ConfigMapKey:
    """A key of a config map, for an environment variable."""

    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True)
class FieldPath:
    """A field of the pod, such as `metadata.name`, for an environment variable."""

    path: str


@dataclass(frozen=True)
class Result:
    """Where a task's result is taken from: `Result.message()` or `Result.file()`."""

    kind: ResultKind
    path: str = ""
    max_bytes: int = 0

    @classmethod
    def message(cls, *, max_bytes: int = 0) -> Result:
        """The termination message, /dev/termination-log: text of less than 4 KiB."""
        return cls(ResultKind.TERMINATION_MESSAGE, max_bytes=max_bytes)

    @classmethod
    def file(cls, path: str = "", *, max_bytes: int = 0) -> Result:
        """A file; default: /airflow/xcom/return.json, 1 MiB at most. Its directory becomes a volume."""
        return cls(ResultKind.FILE, path, max_bytes)

    def to_proto(self) -> v1.ResultSource:
        """As the contract's message."""
        return v1.ResultSource(kind=number(self.kind), path=self.path, max_bytes=self.max_bytes)


@dataclass(frozen=True)
class Retention:
    """How long pod and log of the task are kept after its end; unset: as the server says. `keep`: until `delete`."""

    after_success: Optional[Duration] = None
    after_failure: Optional[Duration] = None
    keep: bool = False

    def to_proto(self) -> v1.RetentionPolicy:
        """As the contract's message."""
        return v1.RetentionPolicy(
            after_success=duration(self.after_success), after_failure=duration(self.after_failure), keep=self.keep
        )


EnvValue = Union[str, SecretKey, ConfigMapKey, FieldPath]


@dataclass(frozen=True)
class Spec:
    """What to run. Two launches of one key must have the same; what is unset does not count.

    `manifest` is a Pod, PodTemplateSpec or PodSpec as a dict or as YAML or JSON text; the other fields are merged over
    it. Either it has an image or `image` is required. `env` keeps its order. `resources` is
    `{"requests": {"cpu": "500m"}, "limits": {...}}`. `container` names the primary container.
    """

    image: str = ""
    command: Sequence[str] = ()
    args: Sequence[str] = ()
    env: Mapping[str, EnvValue] = field(default_factory=dict)
    working_dir: str = ""
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    image_pull_policy: ImagePullPolicy = ImagePullPolicy.UNSPECIFIED
    container: str = ""
    manifest: Union[Mapping[str, Any], str, None] = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    service_account: str = ""
    image_pull_secrets: Sequence[str] = ()
    priority_class: str = ""
    restart_policy: RestartPolicy = RestartPolicy.UNSPECIFIED
    schedule_timeout: Optional[Duration] = None
    startup_timeout: Optional[Duration] = None
    execution_timeout: Optional[Duration] = None
    termination_grace: Optional[Duration] = None
    lost_timeout: Optional[Duration] = None
    pending_graces: Mapping[Reason, Duration] = field(default_factory=dict)
    logs: Optional[Logs] = None
    result: Optional[Result] = None
    retention: Optional[Retention] = None
    template: str = ""

    def to_proto(self) -> v1.TaskSpec:
        """As the contract's message. Parts of which nothing is set are left out."""
        spec = v1.TaskSpec(
            template=self.template,
            manifest=_manifest(self.manifest),
            primary_container=self.container,
        )
        for name, part in (("container", self._container()), ("pod", self._pod()), ("timeouts", self._timeouts())):
            if part.ByteSize():
                getattr(spec, name).CopyFrom(part)
        if self.logs is not None:
            spec.logs.CopyFrom(log_selection(self.logs))
        if self.result is not None:
            spec.result.CopyFrom(self.result.to_proto())
        if self.retention is not None:
            spec.retention.CopyFrom(self.retention.to_proto())
        return spec

    def _container(self) -> v1.ContainerSpec:
        _refuse_text("command", self.command)
        _refuse_text("args", self.args)
        container = v1.ContainerSpec(
            image=self.image,
            command=self.command,
            args=self.args,
            working_dir=self.working_dir,
            env=[_env(name, value) for name, value in self.env.items()],
            image_pull_policy=number(self.image_pull_policy),
        )
        unknown = set(self.resources) - {"requests", "limits"}
        if unknown:
            raise ValueError(f"resources: {sorted(unknown)} unknown, write requests and limits")
        if self.resources:
            container.resources.requests.update(self.resources.get("requests", {}))
            container.resources.limits.update(self.resources.get("limits", {}))
        return container

    def _pod(self) -> v1.PodOptions:
        return v1.PodOptions(
            labels=self.labels,
            annotations=self.annotations,
            node_selector=self.node_selector,
            service_account_name=self.service_account,
            image_pull_secrets=self.image_pull_secrets,
            priority_class_name=self.priority_class,
            restart_policy=number(self.restart_policy),
        )

    def _timeouts(self) -> v1.Timeouts:
        return v1.Timeouts(
            schedule=duration(self.schedule_timeout),
            startup=duration(self.startup_timeout),
            execution=duration(self.execution_timeout),
            termination_grace=duration(self.termination_grace),
            lost=duration(self.lost_timeout),
            pending_graces=[
                v1.PendingGrace(reason=number(reason), grace=duration(grace))
                for reason, grace in self.pending_graces.items()
            ],
        )


AnySpec = Union[Spec, v1.TaskSpec, Mapping[str, Any]]
"""A Spec, the contract's message, or the message as a dict in protobuf's JSON form."""


def task_spec(spec: AnySpec) -> v1.TaskSpec:
    """The contract's message for `spec`."""
    if isinstance(spec, v1.TaskSpec):
        return spec
    if isinstance(spec, Spec):
        return spec.to_proto()
    try:
        return json_format.ParseDict(dict(spec), v1.TaskSpec())
    except json_format.ParseError as error:
        raise ValueError(f"spec: {error}") from error


def duration(value: Optional[Duration]) -> Optional[ProtoDuration]:
    """The contract's message for seconds or a timedelta."""
    if value is None:
        return None
    if not isinstance(value, timedelta):
        value = timedelta(seconds=value)
    message = ProtoDuration()
    message.FromTimedelta(value)
    return message


def log_selection(logs: Logs) -> v1.LogSelection:
    """The contract's message for a word or a list of container names."""
    if not isinstance(logs, str):
        return v1.LogSelection(mode=number(LogContainers.NAMED), containers=logs)
    if logs not in _WORDS:
        raise ValueError(f"logs: {logs!r}: write one of {', '.join(_WORDS)}, or a list of container names")
    return v1.LogSelection(mode=number(_WORDS[logs]))


def _manifest(manifest: Union[Mapping[str, Any], str, None]) -> str:
    if manifest is None or isinstance(manifest, str):
        return manifest or ""
    return json.dumps(manifest, separators=(",", ":"))


def _env(name: str, value: EnvValue) -> v1.EnvVar:
    if isinstance(value, SecretKey):
        return v1.EnvVar(name=name, secret_key=v1.KeyRef(name=value.name, key=value.key, optional=value.optional))
    if isinstance(value, ConfigMapKey):
        return v1.EnvVar(name=name, config_map_key=v1.KeyRef(name=value.name, key=value.key, optional=value.optional))
    if isinstance(value, FieldPath):
        return v1.EnvVar(name=name, field_path=value.path)
    return v1.EnvVar(name=name, value=value)


def _refuse_text(name: str, value: Sequence[str]) -> None:
    # A string is a sequence of strings too, one letter each.
    if isinstance(value, str):
        raise ValueError(f'{name}: write a list of strings; for a shell ["sh", "-c", {value!r}]')
