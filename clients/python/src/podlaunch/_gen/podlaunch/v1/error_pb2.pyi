from google.protobuf import any_pb2 as _any_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_SPEC_REJECTED: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_TOO_LARGE: _ClassVar[ErrorReason]
    ERROR_REASON_CLUSTER_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_TEMPLATE_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_POLICY_VIOLATED: _ClassVar[ErrorReason]
    ERROR_REASON_FEATURE_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_FEATURE_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_TASK_SPEC_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_OTHER_INSTANCE: _ClassVar[ErrorReason]
    ERROR_REASON_PREVIOUS_ATTEMPT_ACTIVE: _ClassVar[ErrorReason]
    ERROR_REASON_POD_TERMINATING: _ClassVar[ErrorReason]
    ERROR_REASON_TASK_ACTIVE: _ClassVar[ErrorReason]
    ERROR_REASON_POD_UID_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_TASK_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_TASK_RELEASED: _ClassVar[ErrorReason]
    ERROR_REASON_RESULT_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_NAMESPACE_NOT_SERVED: _ClassVar[ErrorReason]
    ERROR_REASON_NAMESPACE_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_NAMESPACE_TERMINATING: _ClassVar[ErrorReason]
    ERROR_REASON_QUOTA_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_SERVICE_ACCOUNT_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_ADMISSION_DENIED: _ClassVar[ErrorReason]
    ERROR_REASON_FORBIDDEN_BY_CLUSTER: _ClassVar[ErrorReason]
    ERROR_REASON_UNAUTHENTICATED: _ClassVar[ErrorReason]
    ERROR_REASON_CALLER_FORBIDDEN: _ClassVar[ErrorReason]
    ERROR_REASON_LAUNCH_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_CLUSTER_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_WATCH_STALE: _ClassVar[ErrorReason]
    ERROR_REASON_SHUTTING_DOWN: _ClassVar[ErrorReason]
    ERROR_REASON_RATE_LIMITED: _ClassVar[ErrorReason]
    ERROR_REASON_LIMIT_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_READER_TOO_SLOW: _ClassVar[ErrorReason]
    ERROR_REASON_CONFLICT: _ClassVar[ErrorReason]
    ERROR_REASON_CURSOR_FOREIGN: _ClassVar[ErrorReason]
    ERROR_REASON_CURSOR_UNSUPPORTED: _ClassVar[ErrorReason]
    ERROR_REASON_CURSOR_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_CURSOR_EXPIRED: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_REQUEST: ErrorReason
ERROR_REASON_SPEC_REJECTED: ErrorReason
ERROR_REASON_REQUEST_TOO_LARGE: ErrorReason
ERROR_REASON_CLUSTER_UNKNOWN: ErrorReason
ERROR_REASON_TEMPLATE_UNKNOWN: ErrorReason
ERROR_REASON_POLICY_VIOLATED: ErrorReason
ERROR_REASON_FEATURE_UNKNOWN: ErrorReason
ERROR_REASON_FEATURE_UNAVAILABLE: ErrorReason
ERROR_REASON_TASK_SPEC_MISMATCH: ErrorReason
ERROR_REASON_OTHER_INSTANCE: ErrorReason
ERROR_REASON_PREVIOUS_ATTEMPT_ACTIVE: ErrorReason
ERROR_REASON_POD_TERMINATING: ErrorReason
ERROR_REASON_TASK_ACTIVE: ErrorReason
ERROR_REASON_POD_UID_MISMATCH: ErrorReason
ERROR_REASON_TASK_UNKNOWN: ErrorReason
ERROR_REASON_TASK_RELEASED: ErrorReason
ERROR_REASON_RESULT_UNAVAILABLE: ErrorReason
ERROR_REASON_NAMESPACE_NOT_SERVED: ErrorReason
ERROR_REASON_NAMESPACE_NOT_FOUND: ErrorReason
ERROR_REASON_NAMESPACE_TERMINATING: ErrorReason
ERROR_REASON_QUOTA_EXCEEDED: ErrorReason
ERROR_REASON_SERVICE_ACCOUNT_NOT_FOUND: ErrorReason
ERROR_REASON_ADMISSION_DENIED: ErrorReason
ERROR_REASON_FORBIDDEN_BY_CLUSTER: ErrorReason
ERROR_REASON_UNAUTHENTICATED: ErrorReason
ERROR_REASON_CALLER_FORBIDDEN: ErrorReason
ERROR_REASON_LAUNCH_UNKNOWN: ErrorReason
ERROR_REASON_CLUSTER_UNAVAILABLE: ErrorReason
ERROR_REASON_WATCH_STALE: ErrorReason
ERROR_REASON_SHUTTING_DOWN: ErrorReason
ERROR_REASON_RATE_LIMITED: ErrorReason
ERROR_REASON_LIMIT_EXCEEDED: ErrorReason
ERROR_REASON_READER_TOO_SLOW: ErrorReason
ERROR_REASON_CONFLICT: ErrorReason
ERROR_REASON_CURSOR_FOREIGN: ErrorReason
ERROR_REASON_CURSOR_UNSUPPORTED: ErrorReason
ERROR_REASON_CURSOR_INVALID: ErrorReason
ERROR_REASON_CURSOR_EXPIRED: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason

class ItemStatus(_message.Message):
    __slots__ = ("code", "message", "details")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    details: _containers.RepeatedCompositeFieldContainer[_any_pb2.Any]
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., details: _Optional[_Iterable[_Union[_any_pb2.Any, _Mapping]]] = ...) -> None: ...
