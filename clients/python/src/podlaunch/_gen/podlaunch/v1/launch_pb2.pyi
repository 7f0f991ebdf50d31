from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from podlaunch._gen.podlaunch.v1 import error_pb2 as _error_pb2
from podlaunch._gen.podlaunch.v1 import event_pb2 as _event_pb2
from podlaunch._gen.podlaunch.v1 import spec_pb2 as _spec_pb2
from podlaunch._gen.podlaunch.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PreviousActivePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PREVIOUS_ACTIVE_POLICY_UNSPECIFIED: _ClassVar[PreviousActivePolicy]
    PREVIOUS_ACTIVE_POLICY_REFUSE: _ClassVar[PreviousActivePolicy]
    PREVIOUS_ACTIVE_POLICY_ATTACH: _ClassVar[PreviousActivePolicy]
    PREVIOUS_ACTIVE_POLICY_ALLOW: _ClassVar[PreviousActivePolicy]

class DisconnectMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISCONNECT_MODE_UNSPECIFIED: _ClassVar[DisconnectMode]
    DISCONNECT_MODE_DETACH: _ClassVar[DisconnectMode]
    DISCONNECT_MODE_CANCEL_AFTER: _ClassVar[DisconnectMode]

class AcceptedHow(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCEPTED_HOW_UNSPECIFIED: _ClassVar[AcceptedHow]
    ACCEPTED_HOW_CREATED: _ClassVar[AcceptedHow]
    ACCEPTED_HOW_ATTACHED: _ClassVar[AcceptedHow]
    ACCEPTED_HOW_REPLAYED: _ClassVar[AcceptedHow]
PREVIOUS_ACTIVE_POLICY_UNSPECIFIED: PreviousActivePolicy
PREVIOUS_ACTIVE_POLICY_REFUSE: PreviousActivePolicy
PREVIOUS_ACTIVE_POLICY_ATTACH: PreviousActivePolicy
PREVIOUS_ACTIVE_POLICY_ALLOW: PreviousActivePolicy
DISCONNECT_MODE_UNSPECIFIED: DisconnectMode
DISCONNECT_MODE_DETACH: DisconnectMode
DISCONNECT_MODE_CANCEL_AFTER: DisconnectMode
ACCEPTED_HOW_UNSPECIFIED: AcceptedHow
ACCEPTED_HOW_CREATED: AcceptedHow
ACCEPTED_HOW_ATTACHED: AcceptedHow
ACCEPTED_HOW_REPLAYED: AcceptedHow

class DisconnectPolicy(_message.Message):
    __slots__ = ("mode", "cancel_after")
    MODE_FIELD_NUMBER: _ClassVar[int]
    CANCEL_AFTER_FIELD_NUMBER: _ClassVar[int]
    mode: DisconnectMode
    cancel_after: _duration_pb2.Duration
    def __init__(self, mode: _Optional[_Union[DisconnectMode, str]] = ..., cancel_after: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class LaunchTaskRequest(_message.Message):
    __slots__ = ("key", "spec", "if_previous_active", "disconnect_policy", "wait_for_quota", "validate_only", "required_features")
    KEY_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    IF_PREVIOUS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    DISCONNECT_POLICY_FIELD_NUMBER: _ClassVar[int]
    WAIT_FOR_QUOTA_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FEATURES_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    spec: _spec_pb2.TaskSpec
    if_previous_active: PreviousActivePolicy
    disconnect_policy: DisconnectPolicy
    wait_for_quota: _duration_pb2.Duration
    validate_only: bool
    required_features: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., spec: _Optional[_Union[_spec_pb2.TaskSpec, _Mapping]] = ..., if_previous_active: _Optional[_Union[PreviousActivePolicy, str]] = ..., disconnect_policy: _Optional[_Union[DisconnectPolicy, _Mapping]] = ..., wait_for_quota: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., validate_only: bool = ..., required_features: _Optional[_Iterable[str]] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("key", "requested_attempt", "pod", "how", "idempotent_until", "task", "cursor")
    KEY_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENT_UNTIL_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    requested_attempt: int
    pod: _task_pb2.PodRef
    how: AcceptedHow
    idempotent_until: _timestamp_pb2.Timestamp
    task: _task_pb2.Task
    cursor: bytes
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., requested_attempt: _Optional[int] = ..., pod: _Optional[_Union[_task_pb2.PodRef, _Mapping]] = ..., how: _Optional[_Union[AcceptedHow, str]] = ..., idempotent_until: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., task: _Optional[_Union[_task_pb2.Task, _Mapping]] = ..., cursor: _Optional[bytes] = ...) -> None: ...

class Validated(_message.Message):
    __slots__ = ("key", "pod_name", "fingerprint", "pod_json", "warnings")
    KEY_FIELD_NUMBER: _ClassVar[int]
    POD_NAME_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    POD_JSON_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    pod_name: str
    fingerprint: str
    pod_json: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., pod_name: _Optional[str] = ..., fingerprint: _Optional[str] = ..., pod_json: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class LaunchTaskResponse(_message.Message):
    __slots__ = ("accepted", "event", "draining", "validated")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    VALIDATED_FIELD_NUMBER: _ClassVar[int]
    accepted: Accepted
    event: _event_pb2.Event
    draining: Draining
    validated: Validated
    def __init__(self, accepted: _Optional[_Union[Accepted, _Mapping]] = ..., event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ..., draining: _Optional[_Union[Draining, _Mapping]] = ..., validated: _Optional[_Union[Validated, _Mapping]] = ...) -> None: ...

class Draining(_message.Message):
    __slots__ = ("end_time",)
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BatchLaunchTasksRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[LaunchTaskRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[LaunchTaskRequest, _Mapping]]] = ...) -> None: ...

class BatchLaunchTasksResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchLaunchTasksResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchLaunchTasksResult, _Mapping]]] = ...) -> None: ...

class BatchLaunchTasksResult(_message.Message):
    __slots__ = ("key", "accepted", "error")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    key: _task_pb2.TaskKey
    accepted: Accepted
    error: _error_pb2.ItemStatus
    def __init__(self, key: _Optional[_Union[_task_pb2.TaskKey, _Mapping]] = ..., accepted: _Optional[_Union[Accepted, _Mapping]] = ..., error: _Optional[_Union[_error_pb2.ItemStatus, _Mapping]] = ...) -> None: ...
