from google.protobuf import timestamp_pb2 as _timestamp_pb2
from podlaunch._gen.podlaunch.v1 import container_pb2 as _container_pb2
from podlaunch._gen.podlaunch.v1 import log_pb2 as _log_pb2
from podlaunch._gen.podlaunch.v1 import outcome_pb2 as _outcome_pb2
from podlaunch._gen.podlaunch.v1 import reason_pb2 as _reason_pb2
from podlaunch._gen.podlaunch.v1 import state_pb2 as _state_pb2
from podlaunch._gen.podlaunch.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NoticeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTICE_KIND_UNSPECIFIED: _ClassVar[NoticeKind]
    NOTICE_KIND_KUBERNETES_EVENT: _ClassVar[NoticeKind]
    NOTICE_KIND_SECOND_START: _ClassVar[NoticeKind]
    NOTICE_KIND_CHILD_OOM_KILLED: _ClassVar[NoticeKind]
    NOTICE_KIND_LATE_CHANGE: _ClassVar[NoticeKind]

class NoticeSeverity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTICE_SEVERITY_UNSPECIFIED: _ClassVar[NoticeSeverity]
    NOTICE_SEVERITY_NORMAL: _ClassVar[NoticeSeverity]
    NOTICE_SEVERITY_WARNING: _ClassVar[NoticeSeverity]
NOTICE_KIND_UNSPECIFIED: NoticeKind
NOTICE_KIND_KUBERNETES_EVENT: NoticeKind
NOTICE_KIND_SECOND_START: NoticeKind
NOTICE_KIND_CHILD_OOM_KILLED: NoticeKind
NOTICE_KIND_LATE_CHANGE: NoticeKind
NOTICE_SEVERITY_UNSPECIFIED: NoticeSeverity
NOTICE_SEVERITY_NORMAL: NoticeSeverity
NOTICE_SEVERITY_WARNING: NoticeSeverity

class Event(_message.Message):
    __slots__ = ("key", "pod_uid", "cursor", "stream_sequence", "event_uid", "occurred_time", "observed_time", "redelivered", "state_change", "container_change", "log_chunk", "log_gap", "log_end", "notice", "termination")
    KEY_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    STREAM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_UID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_TIME_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_TIME_FIELD_NUMBER: _ClassVar[int]
    REDELIVERED_FIELD_NUMBER: _ClassVar[int]
    STATE_CHANGE_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_CHANGE_FIELD_NUMBER: _ClassVar[int]
    LOG_CHUNK_FIELD_NUMBER: _ClassVar[int]
    LOG_GAP_FIELD_NUMBER: _ClassVar[int]
    LOG_END_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    TERMINATION_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    pod_uid: str
    cursor: bytes
    stream_sequence: int
    event_uid: str
    occurred_time: _timestamp_pb2.Timestamp
    observed_time: _timestamp_pb2.Timestamp
    redelivered: bool
    state_change: StateChange
    container_change: ContainerChange
    log_chunk: _log_pb2.LogChunk
    log_gap: _log_pb2.LogGap
    log_end: _log_pb2.LogEnd
    notice: PodNotice
    termination: Termination
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., pod_uid: _Optional[str] = ..., cursor: _Optional[bytes] = ..., stream_sequence: _Optional[int] = ..., event_uid: _Optional[str] = ..., occurred_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., observed_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., redelivered: bool = ..., state_change: _Optional[_Union[StateChange, _Mapping]] = ..., container_change: _Optional[_Union[ContainerChange, _Mapping]] = ..., log_chunk: _Optional[_Union[_log_pb2.LogChunk, _Mapping]] = ..., log_gap: _Optional[_Union[_log_pb2.LogGap, _Mapping]] = ..., log_end: _Optional[_Union[_log_pb2.LogEnd, _Mapping]] = ..., notice: _Optional[_Union[PodNotice, _Mapping]] = ..., termination: _Optional[_Union[Termination, _Mapping]] = ...) -> None: ...

class StateChange(_message.Message):
    __slots__ = ("state", "previous", "reason", "kubernetes_reason", "kubernetes_message", "node_name", "queue_position")
    STATE_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    KUBERNETES_REASON_FIELD_NUMBER: _ClassVar[int]
    KUBERNETES_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NODE_NAME_FIELD_NUMBER: _ClassVar[int]
    QUEUE_POSITION_FIELD_NUMBER: _ClassVar[int]
    state: _state_pb2.TaskState
    previous: _state_pb2.TaskState
    reason: _reason_pb2.Reason
    kubernetes_reason: str
    kubernetes_message: str
    node_name: str
    queue_position: int
    def __init__(self, state: _Optional[_Union[_state_pb2.TaskState, str]] = ..., previous: _Optional[_Union[_state_pb2.TaskState, str]] = ..., reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., kubernetes_reason: _Optional[str] = ..., kubernetes_message: _Optional[str] = ..., node_name: _Optional[str] = ..., queue_position: _Optional[int] = ...) -> None: ...

class ContainerChange(_message.Message):
    __slots__ = ("container", "role", "restart", "waiting", "running", "terminated")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    TERMINATED_FIELD_NUMBER: _ClassVar[int]
    container: str
    role: _container_pb2.ContainerRole
    restart: int
    waiting: _container_pb2.ContainerWaiting
    running: _container_pb2.ContainerRunning
    terminated: _container_pb2.ContainerTerminated
    def __init__(self, container: _Optional[str] = ..., role: _Optional[_Union[_container_pb2.ContainerRole, str]] = ..., restart: _Optional[int] = ..., waiting: _Optional[_Union[_container_pb2.ContainerWaiting, _Mapping]] = ..., running: _Optional[_Union[_container_pb2.ContainerRunning, _Mapping]] = ..., terminated: _Optional[_Union[_container_pb2.ContainerTerminated, _Mapping]] = ...) -> None: ...

class PodNotice(_message.Message):
    __slots__ = ("kind", "severity", "reason", "message", "component", "container", "count", "first_time")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_FIELD_NUMBER: _ClassVar[int]
    kind: NoticeKind
    severity: NoticeSeverity
    reason: str
    message: str
    component: str
    container: str
    count: int
    first_time: _timestamp_pb2.Timestamp
    def __init__(self, kind: _Optional[_Union[NoticeKind, str]] = ..., severity: _Optional[_Union[NoticeSeverity, str]] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., component: _Optional[str] = ..., container: _Optional[str] = ..., count: _Optional[int] = ..., first_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Termination(_message.Message):
    __slots__ = ("outcome", "delivery")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    outcome: _outcome_pb2.Outcome
    delivery: _log_pb2.Delivery
    def __init__(self, outcome: _Optional[_Union[_outcome_pb2.Outcome, _Mapping]] = ..., delivery: _Optional[_Union[_log_pb2.Delivery, _Mapping]] = ...) -> None: ...
