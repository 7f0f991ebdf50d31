from google.protobuf import timestamp_pb2 as _timestamp_pb2
from podlaunch._gen.podlaunch.v1 import event_pb2 as _event_pb2
from podlaunch._gen.podlaunch.v1 import filter_pb2 as _filter_pb2
from podlaunch._gen.podlaunch.v1 import launch_pb2 as _launch_pb2
from podlaunch._gen.podlaunch.v1 import state_pb2 as _state_pb2
from podlaunch._gen.podlaunch.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StreamStart(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STREAM_START_UNSPECIFIED: _ClassVar[StreamStart]
    STREAM_START_BEGINNING: _ClassVar[StreamStart]
    STREAM_START_NOW: _ClassVar[StreamStart]

class StreamUntil(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STREAM_UNTIL_UNSPECIFIED: _ClassVar[StreamUntil]
    STREAM_UNTIL_TERMINATION: _ClassVar[StreamUntil]
    STREAM_UNTIL_AVAILABLE: _ClassVar[StreamUntil]
STREAM_START_UNSPECIFIED: StreamStart
STREAM_START_BEGINNING: StreamStart
STREAM_START_NOW: StreamStart
STREAM_UNTIL_UNSPECIFIED: StreamUntil
STREAM_UNTIL_TERMINATION: StreamUntil
STREAM_UNTIL_AVAILABLE: StreamUntil

class AttachTaskRequest(_message.Message):
    __slots__ = ("key", "cursor", "start", "tail_lines", "since_time", "until", "filter", "consumer")
    KEY_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    TAIL_LINES_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    cursor: bytes
    start: StreamStart
    tail_lines: int
    since_time: _timestamp_pb2.Timestamp
    until: StreamUntil
    filter: _filter_pb2.EventFilter
    consumer: str
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., cursor: _Optional[bytes] = ..., start: _Optional[_Union[StreamStart, str]] = ..., tail_lines: _Optional[int] = ..., since_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[StreamUntil, str]] = ..., filter: _Optional[_Union[_filter_pb2.EventFilter, _Mapping]] = ..., consumer: _Optional[str] = ...) -> None: ...

class AttachTaskResponse(_message.Message):
    __slots__ = ("accepted", "event", "end_of_available", "draining")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    END_OF_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    accepted: _launch_pb2.Accepted
    event: _event_pb2.Event
    end_of_available: EndOfAvailable
    draining: _launch_pb2.Draining
    def __init__(self, accepted: _Optional[_Union[_launch_pb2.Accepted, _Mapping]] = ..., event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ..., end_of_available: _Optional[_Union[EndOfAvailable, _Mapping]] = ..., draining: _Optional[_Union[_launch_pb2.Draining, _Mapping]] = ...) -> None: ...

class EndOfAvailable(_message.Message):
    __slots__ = ("cursor", "state")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    cursor: bytes
    state: _state_pb2.TaskState
    def __init__(self, cursor: _Optional[bytes] = ..., state: _Optional[_Union[_state_pb2.TaskState, str]] = ...) -> None: ...
