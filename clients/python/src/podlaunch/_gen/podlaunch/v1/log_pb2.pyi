from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LogContainers(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_CONTAINERS_UNSPECIFIED: _ClassVar[LogContainers]
    LOG_CONTAINERS_PRIMARY: _ClassVar[LogContainers]
    LOG_CONTAINERS_ALL: _ClassVar[LogContainers]
    LOG_CONTAINERS_NONE: _ClassVar[LogContainers]
    LOG_CONTAINERS_NAMED: _ClassVar[LogContainers]

class LogStream(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_STREAM_UNSPECIFIED: _ClassVar[LogStream]
    LOG_STREAM_STDOUT: _ClassVar[LogStream]
    LOG_STREAM_STDERR: _ClassVar[LogStream]

class LogLossCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_LOSS_CAUSE_UNSPECIFIED: _ClassVar[LogLossCause]
    LOG_LOSS_CAUSE_ROTATED: _ClassVar[LogLossCause]
    LOG_LOSS_CAUSE_POD_DELETED: _ClassVar[LogLossCause]
    LOG_LOSS_CAUSE_RESTARTED: _ClassVar[LogLossCause]
    LOG_LOSS_CAUSE_NODE_UNREACHABLE: _ClassVar[LogLossCause]
    LOG_LOSS_CAUSE_CLOCK_STEPPED: _ClassVar[LogLossCause]
    LOG_LOSS_CAUSE_CONTAINER_REMOVED: _ClassVar[LogLossCause]
    LOG_LOSS_CAUSE_WAIT_EXCEEDED: _ClassVar[LogLossCause]
    LOG_LOSS_CAUSE_FORBIDDEN: _ClassVar[LogLossCause]
    LOG_LOSS_CAUSE_READ_FAILED: _ClassVar[LogLossCause]
    LOG_LOSS_CAUSE_UNKNOWN: _ClassVar[LogLossCause]

class DeliveryVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_VERDICT_UNSPECIFIED: _ClassVar[DeliveryVerdict]
    DELIVERY_VERDICT_COMPLETE: _ClassVar[DeliveryVerdict]
    DELIVERY_VERDICT_UNVERIFIED: _ClassVar[DeliveryVerdict]
    DELIVERY_VERDICT_TRUNCATED: _ClassVar[DeliveryVerdict]
    DELIVERY_VERDICT_NOT_REQUESTED: _ClassVar[DeliveryVerdict]

class FirstRead(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FIRST_READ_UNSPECIFIED: _ClassVar[FirstRead]
    FIRST_READ_AT_START: _ClassVar[FirstRead]
    FIRST_READ_WHILE_RUNNING: _ClassVar[FirstRead]
    FIRST_READ_AFTER_END: _ClassVar[FirstRead]
LOG_CONTAINERS_UNSPECIFIED: LogContainers
LOG_CONTAINERS_PRIMARY: LogContainers
LOG_CONTAINERS_ALL: LogContainers
LOG_CONTAINERS_NONE: LogContainers
LOG_CONTAINERS_NAMED: LogContainers
LOG_STREAM_UNSPECIFIED: LogStream
LOG_STREAM_STDOUT: LogStream
LOG_STREAM_STDERR: LogStream
LOG_LOSS_CAUSE_UNSPECIFIED: LogLossCause
LOG_LOSS_CAUSE_ROTATED: LogLossCause
LOG_LOSS_CAUSE_POD_DELETED: LogLossCause
LOG_LOSS_CAUSE_RESTARTED: LogLossCause
LOG_LOSS_CAUSE_NODE_UNREACHABLE: LogLossCause
LOG_LOSS_CAUSE_CLOCK_STEPPED: LogLossCause
LOG_LOSS_CAUSE_CONTAINER_REMOVED: LogLossCause
LOG_LOSS_CAUSE_WAIT_EXCEEDED: LogLossCause
LOG_LOSS_CAUSE_FORBIDDEN: LogLossCause
LOG_LOSS_CAUSE_READ_FAILED: LogLossCause
LOG_LOSS_CAUSE_UNKNOWN: LogLossCause
DELIVERY_VERDICT_UNSPECIFIED: DeliveryVerdict
DELIVERY_VERDICT_COMPLETE: DeliveryVerdict
DELIVERY_VERDICT_UNVERIFIED: DeliveryVerdict
DELIVERY_VERDICT_TRUNCATED: DeliveryVerdict
DELIVERY_VERDICT_NOT_REQUESTED: DeliveryVerdict
FIRST_READ_UNSPECIFIED: FirstRead
FIRST_READ_AT_START: FirstRead
FIRST_READ_WHILE_RUNNING: FirstRead
FIRST_READ_AFTER_END: FirstRead

class LogSelection(_message.Message):
    __slots__ = ("mode", "containers")
    MODE_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    mode: LogContainers
    containers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, mode: _Optional[_Union[LogContainers, str]] = ..., containers: _Optional[_Iterable[str]] = ...) -> None: ...

class LogChunk(_message.Message):
    __slots__ = ("container", "restart", "stream", "first_line", "data", "line_ends", "first_time", "time_deltas", "continues")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    FIRST_LINE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    LINE_ENDS_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_FIELD_NUMBER: _ClassVar[int]
    TIME_DELTAS_FIELD_NUMBER: _ClassVar[int]
    CONTINUES_FIELD_NUMBER: _ClassVar[int]
    container: str
    restart: int
    stream: LogStream
    first_line: int
    data: bytes
    line_ends: _containers.RepeatedScalarFieldContainer[int]
    first_time: _timestamp_pb2.Timestamp
    time_deltas: _containers.RepeatedScalarFieldContainer[int]
    continues: bool
    def __init__(self, container: _Optional[str] = ..., restart: _Optional[int] = ..., stream: _Optional[_Union[LogStream, str]] = ..., first_line: _Optional[int] = ..., data: _Optional[bytes] = ..., line_ends: _Optional[_Iterable[int]] = ..., first_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., time_deltas: _Optional[_Iterable[int]] = ..., continues: bool = ...) -> None: ...

class LogGap(_message.Message):
    __slots__ = ("container", "restart", "cause", "lines", "after_time", "before_time")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    AFTER_TIME_FIELD_NUMBER: _ClassVar[int]
    BEFORE_TIME_FIELD_NUMBER: _ClassVar[int]
    container: str
    restart: int
    cause: LogLossCause
    lines: int
    after_time: _timestamp_pb2.Timestamp
    before_time: _timestamp_pb2.Timestamp
    def __init__(self, container: _Optional[str] = ..., restart: _Optional[int] = ..., cause: _Optional[_Union[LogLossCause, str]] = ..., lines: _Optional[int] = ..., after_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., before_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class LogEnd(_message.Message):
    __slots__ = ("container", "restart", "delivery")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    container: str
    restart: int
    delivery: ContainerDelivery
    def __init__(self, container: _Optional[str] = ..., restart: _Optional[int] = ..., delivery: _Optional[_Union[ContainerDelivery, _Mapping]] = ...) -> None: ...

class ContainerDelivery(_message.Message):
    __slots__ = ("container", "restart", "verdict", "cause", "lines", "bytes", "gaps", "ended_mid_line", "first_read")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    ENDED_MID_LINE_FIELD_NUMBER: _ClassVar[int]
    FIRST_READ_FIELD_NUMBER: _ClassVar[int]
    container: str
    restart: int
    verdict: DeliveryVerdict
    cause: LogLossCause
    lines: int
    bytes: int
    gaps: int
    ended_mid_line: bool
    first_read: FirstRead
    def __init__(self, container: _Optional[str] = ..., restart: _Optional[int] = ..., verdict: _Optional[_Union[DeliveryVerdict, str]] = ..., cause: _Optional[_Union[LogLossCause, str]] = ..., lines: _Optional[int] = ..., bytes: _Optional[int] = ..., gaps: _Optional[int] = ..., ended_mid_line: bool = ..., first_read: _Optional[_Union[FirstRead, str]] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("containers",)
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    containers: _containers.RepeatedCompositeFieldContainer[ContainerDelivery]
    def __init__(self, containers: _Optional[_Iterable[_Union[ContainerDelivery, _Mapping]]] = ...) -> None: ...
