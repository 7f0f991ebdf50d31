from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ContainerRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTAINER_ROLE_UNSPECIFIED: _ClassVar[ContainerRole]
    CONTAINER_ROLE_PRIMARY: _ClassVar[ContainerRole]
    CONTAINER_ROLE_REGULAR: _ClassVar[ContainerRole]
    CONTAINER_ROLE_INIT: _ClassVar[ContainerRole]
    CONTAINER_ROLE_SIDECAR: _ClassVar[ContainerRole]
CONTAINER_ROLE_UNSPECIFIED: ContainerRole
CONTAINER_ROLE_PRIMARY: ContainerRole
CONTAINER_ROLE_REGULAR: ContainerRole
CONTAINER_ROLE_INIT: ContainerRole
CONTAINER_ROLE_SIDECAR: ContainerRole

class ContainerWaiting(_message.Message):
    __slots__ = ("reason", "message")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class ContainerRunning(_message.Message):
    __slots__ = ("started_time",)
    STARTED_TIME_FIELD_NUMBER: _ClassVar[int]
    started_time: _timestamp_pb2.Timestamp
    def __init__(self, started_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ContainerTerminated(_message.Message):
    __slots__ = ("exit_code", "signal", "reason", "message", "started_time", "finished_time", "container_id")
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STARTED_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISHED_TIME_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    exit_code: int
    signal: int
    reason: str
    message: bytes
    started_time: _timestamp_pb2.Timestamp
    finished_time: _timestamp_pb2.Timestamp
    container_id: str
    def __init__(self, exit_code: _Optional[int] = ..., signal: _Optional[int] = ..., reason: _Optional[str] = ..., message: _Optional[bytes] = ..., started_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., finished_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., container_id: _Optional[str] = ...) -> None: ...

class ContainerStatus(_message.Message):
    __slots__ = ("name", "role", "restart", "waiting", "running", "terminated", "last_terminated", "image", "image_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    TERMINATED_FIELD_NUMBER: _ClassVar[int]
    LAST_TERMINATED_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: ContainerRole
    restart: int
    waiting: ContainerWaiting
    running: ContainerRunning
    terminated: ContainerTerminated
    last_terminated: ContainerTerminated
    image: str
    image_id: str
    def __init__(self, name: _Optional[str] = ..., role: _Optional[_Union[ContainerRole, str]] = ..., restart: _Optional[int] = ..., waiting: _Optional[_Union[ContainerWaiting, _Mapping]] = ..., running: _Optional[_Union[ContainerRunning, _Mapping]] = ..., terminated: _Optional[_Union[ContainerTerminated, _Mapping]] = ..., last_terminated: _Optional[_Union[ContainerTerminated, _Mapping]] = ..., image: _Optional[str] = ..., image_id: _Optional[str] = ...) -> None: ...
