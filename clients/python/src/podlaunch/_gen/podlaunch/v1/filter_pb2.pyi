from google.protobuf import timestamp_pb2 as _timestamp_pb2
from podlaunch._gen.podlaunch.v1 import log_pb2 as _log_pb2
from podlaunch._gen.podlaunch.v1 import state_pb2 as _state_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_STATE_CHANGE: _ClassVar[EventKind]
    EVENT_KIND_CONTAINER_CHANGE: _ClassVar[EventKind]
    EVENT_KIND_LOG: _ClassVar[EventKind]
    EVENT_KIND_NOTICE: _ClassVar[EventKind]
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_STATE_CHANGE: EventKind
EVENT_KIND_CONTAINER_CHANGE: EventKind
EVENT_KIND_LOG: EventKind
EVENT_KIND_NOTICE: EventKind

class TaskFilter(_message.Message):
    __slots__ = ("cluster", "namespaces", "task_ids", "task_id_prefix", "label_selector", "states", "created_after_time", "created_before_time")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    CREATED_AFTER_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATED_BEFORE_TIME_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    task_ids: _containers.RepeatedScalarFieldContainer[str]
    task_id_prefix: str
    label_selector: str
    states: _containers.RepeatedScalarFieldContainer[_state_pb2.TaskState]
    created_after_time: _timestamp_pb2.Timestamp
    created_before_time: _timestamp_pb2.Timestamp
    def __init__(self, cluster: _Optional[str] = ..., namespaces: _Optional[_Iterable[str]] = ..., task_ids: _Optional[_Iterable[str]] = ..., task_id_prefix: _Optional[str] = ..., label_selector: _Optional[str] = ..., states: _Optional[_Iterable[_Union[_state_pb2.TaskState, str]]] = ..., created_after_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., created_before_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EventFilter(_message.Message):
    __slots__ = ("kinds", "containers", "logs")
    KINDS_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedScalarFieldContainer[EventKind]
    containers: _containers.RepeatedScalarFieldContainer[str]
    logs: _log_pb2.LogSelection
    def __init__(self, kinds: _Optional[_Iterable[_Union[EventKind, str]]] = ..., containers: _Optional[_Iterable[str]] = ..., logs: _Optional[_Union[_log_pb2.LogSelection, _Mapping]] = ...) -> None: ...
