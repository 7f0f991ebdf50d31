from podlaunch._gen.podlaunch.v1 import error_pb2 as _error_pb2
from podlaunch._gen.podlaunch.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Acknowledgement(_message.Message):
    __slots__ = ("key", "cursor")
    KEY_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    cursor: bytes
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., cursor: _Optional[bytes] = ...) -> None: ...

class AcknowledgeEventsRequest(_message.Message):
    __slots__ = ("consumer", "acknowledgements")
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENTS_FIELD_NUMBER: _ClassVar[int]
    consumer: str
    acknowledgements: _containers.RepeatedCompositeFieldContainer[Acknowledgement]
    def __init__(self, consumer: _Optional[str] = ..., acknowledgements: _Optional[_Iterable[_Union[Acknowledgement, _Mapping]]] = ...) -> None: ...

class AcknowledgeEventsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[AcknowledgeResult]
    def __init__(self, results: _Optional[_Iterable[_Union[AcknowledgeResult, _Mapping]]] = ...) -> None: ...

class AcknowledgeResult(_message.Message):
    __slots__ = ("key", "error")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    error: _error_pb2.ItemStatus
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., error: _Optional[_Union[_error_pb2.ItemStatus, _Mapping]] = ...) -> None: ...
