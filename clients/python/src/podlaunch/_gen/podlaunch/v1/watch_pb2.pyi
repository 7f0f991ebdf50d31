from google.protobuf import timestamp_pb2 as _timestamp_pb2
from podlaunch._gen.podlaunch.v1 import event_pb2 as _event_pb2
from podlaunch._gen.podlaunch.v1 import filter_pb2 as _filter_pb2
from podlaunch._gen.podlaunch.v1 import launch_pb2 as _launch_pb2
from podlaunch._gen.podlaunch.v1 import server_info_pb2 as _server_info_pb2
from podlaunch._gen.podlaunch.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RemovedCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REMOVED_CAUSE_UNSPECIFIED: _ClassVar[RemovedCause]
    REMOVED_CAUSE_RELEASED: _ClassVar[RemovedCause]
    REMOVED_CAUSE_EXPIRED: _ClassVar[RemovedCause]
    REMOVED_CAUSE_FILTERED_OUT: _ClassVar[RemovedCause]
    REMOVED_CAUSE_NOT_SERVED: _ClassVar[RemovedCause]
REMOVED_CAUSE_UNSPECIFIED: RemovedCause
REMOVED_CAUSE_RELEASED: RemovedCause
REMOVED_CAUSE_EXPIRED: RemovedCause
REMOVED_CAUSE_FILTERED_OUT: RemovedCause
REMOVED_CAUSE_NOT_SERVED: RemovedCause

class WatchTasksRequest(_message.Message):
    __slots__ = ("filter", "watch_cursor", "events", "task_cursors", "consumer")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    WATCH_CURSOR_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    TASK_CURSORS_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    filter: _filter_pb2.TaskFilter
    watch_cursor: bytes
    events: _filter_pb2.EventFilter
    task_cursors: _containers.RepeatedScalarFieldContainer[bytes]
    consumer: str
    def __init__(self, filter: _Optional[_Union[_filter_pb2.TaskFilter, _Mapping]] = ..., watch_cursor: _Optional[bytes] = ..., events: _Optional[_Union[_filter_pb2.EventFilter, _Mapping]] = ..., task_cursors: _Optional[_Iterable[bytes]] = ..., consumer: _Optional[str] = ...) -> None: ...

class WatchTasksResponse(_message.Message):
    __slots__ = ("watch_cursor", "snapshot", "snapshot_end", "event", "removed", "heartbeat", "draining")
    WATCH_CURSOR_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_END_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    watch_cursor: bytes
    snapshot: Snapshot
    snapshot_end: SnapshotEnd
    event: _event_pb2.Event
    removed: Removed
    heartbeat: Heartbeat
    draining: _launch_pb2.Draining
    def __init__(self, watch_cursor: _Optional[bytes] = ..., snapshot: _Optional[_Union[Snapshot, _Mapping]] = ..., snapshot_end: _Optional[_Union[SnapshotEnd, _Mapping]] = ..., event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ..., removed: _Optional[_Union[Removed, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., draining: _Optional[_Union[_launch_pb2.Draining, _Mapping]] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("tasks",)
    TASKS_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[_task_pb2.Task]
    def __init__(self, tasks: _Optional[_Iterable[_Union[_task_pb2.Task, _Mapping]]] = ...) -> None: ...

class SnapshotEnd(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class Removed(_message.Message):
    __slots__ = ("key", "pod_uid", "cause")
    KEY_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    pod_uid: str
    cause: RemovedCause
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., pod_uid: _Optional[str] = ..., cause: _Optional[_Union[RemovedCause, str]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("time", "scopes")
    TIME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    scopes: _containers.RepeatedCompositeFieldContainer[_server_info_pb2.ScopeStatus]
    def __init__(self, time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., scopes: _Optional[_Iterable[_Union[_server_info_pb2.ScopeStatus, _Mapping]]] = ...) -> None: ...
