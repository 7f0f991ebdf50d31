from google.protobuf import duration_pb2 as _duration_pb2
from podlaunch._gen.podlaunch.v1 import log_pb2 as _log_pb2
from podlaunch._gen.podlaunch.v1 import pod_spec_pb2 as _pod_spec_pb2
from podlaunch._gen.podlaunch.v1 import reason_pb2 as _reason_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ResultKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESULT_KIND_UNSPECIFIED: _ClassVar[ResultKind]
    RESULT_KIND_TERMINATION_MESSAGE: _ClassVar[ResultKind]
    RESULT_KIND_FILE: _ClassVar[ResultKind]
RESULT_KIND_UNSPECIFIED: ResultKind
RESULT_KIND_TERMINATION_MESSAGE: ResultKind
RESULT_KIND_FILE: ResultKind

class TaskSpec(_message.Message):
    __slots__ = ("template", "manifest", "container", "pod", "primary_container", "timeouts", "logs", "result", "retention")
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_CONTAINER_FIELD_NUMBER: _ClassVar[int]
    TIMEOUTS_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    template: str
    manifest: str
    container: _pod_spec_pb2.ContainerSpec
    pod: _pod_spec_pb2.PodOptions
    primary_container: str
    timeouts: Timeouts
    logs: _log_pb2.LogSelection
    result: ResultSource
    retention: RetentionPolicy
    def __init__(self, template: _Optional[str] = ..., manifest: _Optional[str] = ..., container: _Optional[_Union[_pod_spec_pb2.ContainerSpec, _Mapping]] = ..., pod: _Optional[_Union[_pod_spec_pb2.PodOptions, _Mapping]] = ..., primary_container: _Optional[str] = ..., timeouts: _Optional[_Union[Timeouts, _Mapping]] = ..., logs: _Optional[_Union[_log_pb2.LogSelection, _Mapping]] = ..., result: _Optional[_Union[ResultSource, _Mapping]] = ..., retention: _Optional[_Union[RetentionPolicy, _Mapping]] = ...) -> None: ...

class Timeouts(_message.Message):
    __slots__ = ("schedule", "startup", "execution", "termination_grace", "lost", "pending_graces")
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    STARTUP_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    TERMINATION_GRACE_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    PENDING_GRACES_FIELD_NUMBER: _ClassVar[int]
    schedule: _duration_pb2.Duration
    startup: _duration_pb2.Duration
    execution: _duration_pb2.Duration
    termination_grace: _duration_pb2.Duration
    lost: _duration_pb2.Duration
    pending_graces: _containers.RepeatedCompositeFieldContainer[PendingGrace]
    def __init__(self, schedule: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., startup: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., execution: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., termination_grace: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., lost: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., pending_graces: _Optional[_Iterable[_Union[PendingGrace, _Mapping]]] = ...) -> None: ...

class PendingGrace(_message.Message):
    __slots__ = ("reason", "grace")
    REASON_FIELD_NUMBER: _ClassVar[int]
    GRACE_FIELD_NUMBER: _ClassVar[int]
    reason: _reason_pb2.Reason
    grace: _duration_pb2.Duration
    def __init__(self, reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., grace: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ResultSource(_message.Message):
    __slots__ = ("kind", "path", "max_bytes")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    kind: ResultKind
    path: str
    max_bytes: int
    def __init__(self, kind: _Optional[_Union[ResultKind, str]] = ..., path: _Optional[str] = ..., max_bytes: _Optional[int] = ...) -> None: ...

class RetentionPolicy(_message.Message):
    __slots__ = ("after_success", "after_failure", "keep")
    AFTER_SUCCESS_FIELD_NUMBER: _ClassVar[int]
    AFTER_FAILURE_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    after_success: _duration_pb2.Duration
    after_failure: _duration_pb2.Duration
    keep: bool
    def __init__(self, after_success: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., after_failure: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., keep: bool = ...) -> None: ...
