from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from podlaunch._gen.podlaunch.v1 import container_pb2 as _container_pb2
from podlaunch._gen.podlaunch.v1 import reason_pb2 as _reason_pb2
from podlaunch._gen.podlaunch.v1 import state_pb2 as _state_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Origin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORIGIN_UNSPECIFIED: _ClassVar[Origin]
    ORIGIN_USER: _ClassVar[Origin]
    ORIGIN_CALLER: _ClassVar[Origin]
    ORIGIN_CLUSTER: _ClassVar[Origin]
    ORIGIN_EXECUTOR: _ClassVar[Origin]
    ORIGIN_UNKNOWN: _ClassVar[Origin]

class RetryAdvice(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETRY_ADVICE_UNSPECIFIED: _ClassVar[RetryAdvice]
    RETRY_ADVICE_SAFE_NEVER_STARTED: _ClassVar[RetryAdvice]
    RETRY_ADVICE_MAY_HAVE_SIDE_EFFECTS: _ClassVar[RetryAdvice]
    RETRY_ADVICE_USELESS: _ClassVar[RetryAdvice]

class Certainty(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CERTAINTY_UNSPECIFIED: _ClassVar[Certainty]
    CERTAINTY_OBSERVED: _ClassVar[Certainty]
    CERTAINTY_INFERRED: _ClassVar[Certainty]
    CERTAINTY_MAY_STILL_BE_RUNNING: _ClassVar[Certainty]

class TimeoutKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIMEOUT_KIND_UNSPECIFIED: _ClassVar[TimeoutKind]
    TIMEOUT_KIND_SCHEDULE: _ClassVar[TimeoutKind]
    TIMEOUT_KIND_STARTUP: _ClassVar[TimeoutKind]
    TIMEOUT_KIND_EXECUTION: _ClassVar[TimeoutKind]
    TIMEOUT_KIND_LOST: _ClassVar[TimeoutKind]

class StopCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STOP_CAUSE_UNSPECIFIED: _ClassVar[StopCause]
    STOP_CAUSE_CANCEL: _ClassVar[StopCause]
    STOP_CAUSE_SCHEDULE_TIMEOUT: _ClassVar[StopCause]
    STOP_CAUSE_STARTUP_TIMEOUT: _ClassVar[StopCause]
    STOP_CAUSE_EXECUTION_TIMEOUT: _ClassVar[StopCause]
    STOP_CAUSE_DISCONNECT: _ClassVar[StopCause]

class ResultState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESULT_STATE_UNSPECIFIED: _ClassVar[ResultState]
    RESULT_STATE_INLINE: _ClassVar[ResultState]
    RESULT_STATE_STORED: _ClassVar[ResultState]
    RESULT_STATE_MISSING: _ClassVar[ResultState]
    RESULT_STATE_TOO_LARGE: _ClassVar[ResultState]
    RESULT_STATE_GONE: _ClassVar[ResultState]
    RESULT_STATE_UNREADABLE: _ClassVar[ResultState]
ORIGIN_UNSPECIFIED: Origin
ORIGIN_USER: Origin
ORIGIN_CALLER: Origin
ORIGIN_CLUSTER: Origin
ORIGIN_EXECUTOR: Origin
ORIGIN_UNKNOWN: Origin
RETRY_ADVICE_UNSPECIFIED: RetryAdvice
RETRY_ADVICE_SAFE_NEVER_STARTED: RetryAdvice
RETRY_ADVICE_MAY_HAVE_SIDE_EFFECTS: RetryAdvice
RETRY_ADVICE_USELESS: RetryAdvice
CERTAINTY_UNSPECIFIED: Certainty
CERTAINTY_OBSERVED: Certainty
CERTAINTY_INFERRED: Certainty
CERTAINTY_MAY_STILL_BE_RUNNING: Certainty
TIMEOUT_KIND_UNSPECIFIED: TimeoutKind
TIMEOUT_KIND_SCHEDULE: TimeoutKind
TIMEOUT_KIND_STARTUP: TimeoutKind
TIMEOUT_KIND_EXECUTION: TimeoutKind
TIMEOUT_KIND_LOST: TimeoutKind
STOP_CAUSE_UNSPECIFIED: StopCause
STOP_CAUSE_CANCEL: StopCause
STOP_CAUSE_SCHEDULE_TIMEOUT: StopCause
STOP_CAUSE_STARTUP_TIMEOUT: StopCause
STOP_CAUSE_EXECUTION_TIMEOUT: StopCause
STOP_CAUSE_DISCONNECT: StopCause
RESULT_STATE_UNSPECIFIED: ResultState
RESULT_STATE_INLINE: ResultState
RESULT_STATE_STORED: ResultState
RESULT_STATE_MISSING: ResultState
RESULT_STATE_TOO_LARGE: ResultState
RESULT_STATE_GONE: ResultState
RESULT_STATE_UNREADABLE: ResultState

class StopInfo(_message.Message):
    __slots__ = ("cause", "caller", "reason", "time", "grace")
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    GRACE_FIELD_NUMBER: _ClassVar[int]
    cause: StopCause
    caller: str
    reason: str
    time: _timestamp_pb2.Timestamp
    grace: _duration_pb2.Duration
    def __init__(self, cause: _Optional[_Union[StopCause, str]] = ..., caller: _Optional[str] = ..., reason: _Optional[str] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., grace: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class TaskResult(_message.Message):
    __slots__ = ("state", "data", "size_bytes", "sha256")
    STATE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    state: ResultState
    data: bytes
    size_bytes: int
    sha256: bytes
    def __init__(self, state: _Optional[_Union[ResultState, str]] = ..., data: _Optional[bytes] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class TaskTimes(_message.Message):
    __slots__ = ("created_time", "scheduled_time", "started_time", "finished_time")
    CREATED_TIME_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    STARTED_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISHED_TIME_FIELD_NUMBER: _ClassVar[int]
    created_time: _timestamp_pb2.Timestamp
    scheduled_time: _timestamp_pb2.Timestamp
    started_time: _timestamp_pb2.Timestamp
    finished_time: _timestamp_pb2.Timestamp
    def __init__(self, created_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., scheduled_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., started_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., finished_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("state", "reason", "reason_version", "kubernetes_reason", "kubernetes_message", "origin", "retry_advice", "certainty", "exit_code", "signal", "oom_killed", "container", "containers", "times", "result", "termination_message", "timeout", "stop", "node_name", "shortened")
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REASON_VERSION_FIELD_NUMBER: _ClassVar[int]
    KUBERNETES_REASON_FIELD_NUMBER: _ClassVar[int]
    KUBERNETES_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    RETRY_ADVICE_FIELD_NUMBER: _ClassVar[int]
    CERTAINTY_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    OOM_KILLED_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    TERMINATION_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    NODE_NAME_FIELD_NUMBER: _ClassVar[int]
    SHORTENED_FIELD_NUMBER: _ClassVar[int]
    state: _state_pb2.TaskState
    reason: _reason_pb2.Reason
    reason_version: int
    kubernetes_reason: str
    kubernetes_message: str
    origin: Origin
    retry_advice: RetryAdvice
    certainty: Certainty
    exit_code: int
    signal: int
    oom_killed: bool
    container: str
    containers: _containers.RepeatedCompositeFieldContainer[_container_pb2.ContainerStatus]
    times: TaskTimes
    result: TaskResult
    termination_message: bytes
    timeout: TimeoutKind
    stop: StopInfo
    node_name: str
    shortened: bool
    def __init__(self, state: _Optional[_Union[_state_pb2.TaskState, str]] = ..., reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., reason_version: _Optional[int] = ..., kubernetes_reason: _Optional[str] = ..., kubernetes_message: _Optional[str] = ..., origin: _Optional[_Union[Origin, str]] = ..., retry_advice: _Optional[_Union[RetryAdvice, str]] = ..., certainty: _Optional[_Union[Certainty, str]] = ..., exit_code: _Optional[int] = ..., signal: _Optional[int] = ..., oom_killed: bool = ..., container: _Optional[str] = ..., containers: _Optional[_Iterable[_Union[_container_pb2.ContainerStatus, _Mapping]]] = ..., times: _Optional[_Union[TaskTimes, _Mapping]] = ..., result: _Optional[_Union[TaskResult, _Mapping]] = ..., termination_message: _Optional[bytes] = ..., timeout: _Optional[_Union[TimeoutKind, str]] = ..., stop: _Optional[_Union[StopInfo, _Mapping]] = ..., node_name: _Optional[str] = ..., shortened: bool = ...) -> None: ...
