from podlaunch._gen.podlaunch.v1 import outcome_pb2 as _outcome_pb2
from podlaunch._gen.podlaunch.v1 import task_pb2 as _task_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetTaskResultRequest(_message.Message):
    __slots__ = ("key", "offset")
    KEY_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    offset: int
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., offset: _Optional[int] = ...) -> None: ...

class GetTaskResultResponse(_message.Message):
    __slots__ = ("header", "data")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    header: _outcome_pb2.TaskResult
    data: bytes
    def __init__(self, header: _Optional[_Union[_outcome_pb2.TaskResult, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...
