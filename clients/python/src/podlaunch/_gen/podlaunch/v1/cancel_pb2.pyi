from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from podlaunch._gen.podlaunch.v1 import error_pb2 as _error_pb2
from podlaunch._gen.podlaunch.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CancelResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANCEL_RESULT_UNSPECIFIED: _ClassVar[CancelResult]
    CANCEL_RESULT_STOPPING: _ClassVar[CancelResult]
    CANCEL_RESULT_ALREADY_STOPPING: _ClassVar[CancelResult]
    CANCEL_RESULT_ALREADY_FINISHED: _ClassVar[CancelResult]
    CANCEL_RESULT_RECORDED: _ClassVar[CancelResult]
CANCEL_RESULT_UNSPECIFIED: CancelResult
CANCEL_RESULT_STOPPING: CancelResult
CANCEL_RESULT_ALREADY_STOPPING: CancelResult
CANCEL_RESULT_ALREADY_FINISHED: CancelResult
CANCEL_RESULT_RECORDED: CancelResult

class CancelTaskRequest(_message.Message):
    __slots__ = ("key", "grace", "reason", "allow_missing")
    KEY_FIELD_NUMBER: _ClassVar[int]
    GRACE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    grace: _duration_pb2.Duration
    reason: str
    allow_missing: bool
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., grace: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ..., allow_missing: bool = ...) -> None: ...

class CancelTaskResponse(_message.Message):
    __slots__ = ("result", "task")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    result: CancelResult
    task: _task_pb2.Task
    def __init__(self, result: _Optional[_Union[CancelResult, str]] = ..., task: _Optional[_Union[_task_pb2.Task, _Mapping]] = ...) -> None: ...

class BatchCancelTasksRequest(_message.Message):
    __slots__ = ("keys", "grace", "reason", "allow_missing")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    GRACE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[_task_pb2.TaskKey]
    grace: _duration_pb2.Duration
    reason: str
    allow_missing: bool
    def __init__(self, keys: _Optional[_Iterable[_Union[_task_pb2.TaskKey, _Mapping]]] = ..., grace: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ..., allow_missing: bool = ...) -> None: ...

class BatchCancelTasksResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchCancelTasksResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchCancelTasksResult, _Mapping]]] = ...) -> None: ...

class BatchCancelTasksResult(_message.Message):
    __slots__ = ("key", "cancelled", "error")
    KEY_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    cancelled: CancelTaskResponse
    error: _error_pb2.ItemStatus
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., cancelled: _Optional[_Union[CancelTaskResponse, _Mapping]] = ..., error: _Optional[_Union[_error_pb2.ItemStatus, _Mapping]] = ...) -> None: ...

class DeleteTaskRequest(_message.Message):
    __slots__ = ("key", "pod_uid")
    KEY_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    pod_uid: str
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., pod_uid: _Optional[str] = ...) -> None: ...

class DeleteTaskResponse(_message.Message):
    __slots__ = ("key", "idempotent_until")
    KEY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENT_UNTIL_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    idempotent_until: _timestamp_pb2.Timestamp
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., idempotent_until: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
