from google.protobuf import timestamp_pb2 as _timestamp_pb2
from podlaunch._gen.podlaunch.v1 import container_pb2 as _container_pb2
from podlaunch._gen.podlaunch.v1 import outcome_pb2 as _outcome_pb2
from podlaunch._gen.podlaunch.v1 import reason_pb2 as _reason_pb2
from podlaunch._gen.podlaunch.v1 import state_pb2 as _state_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TaskSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_SOURCE_UNSPECIFIED: _ClassVar[TaskSource]
    TASK_SOURCE_POD: _ClassVar[TaskSource]
    TASK_SOURCE_RECORD: _ClassVar[TaskSource]
TASK_SOURCE_UNSPECIFIED: TaskSource
TASK_SOURCE_POD: TaskSource
TASK_SOURCE_RECORD: TaskSource

class TaskKey(_message.Message):
    __slots__ = ("cluster", "namespace", "task_id", "attempt")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    namespace: str
    task_id: str
    attempt: int
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., task_id: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class PodRef(_message.Message):
    __slots__ = ("namespace", "name", "uid", "node_name")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    NODE_NAME_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    name: str
    uid: str
    node_name: str
    def __init__(self, namespace: _Optional[str] = ..., name: _Optional[str] = ..., uid: _Optional[str] = ..., node_name: _Optional[str] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("key", "pod", "state", "reason", "kubernetes_reason", "kubernetes_message", "queue_position", "containers", "outcome", "times", "labels", "stop", "fingerprint", "attached_attempts", "source", "pod_expiry_time", "idempotent_until", "observed_time")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    KUBERNETES_REASON_FIELD_NUMBER: _ClassVar[int]
    KUBERNETES_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_POSITION_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    ATTACHED_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    POD_EXPIRY_TIME_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENT_UNTIL_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_TIME_FIELD_NUMBER: _ClassVar[int]
    key: TaskKey
    pod: PodRef
    state: _state_pb2.TaskState
    reason: _reason_pb2.Reason
    kubernetes_reason: str
    kubernetes_message: str
    queue_position: int
    containers: _containers.RepeatedCompositeFieldContainer[_container_pb2.ContainerStatus]
    outcome: _outcome_pb2.Outcome
    times: _outcome_pb2.TaskTimes
    labels: _containers.ScalarMap[str, str]
    stop: _outcome_pb2.StopInfo
    fingerprint: str
    attached_attempts: _containers.RepeatedScalarFieldContainer[int]
    source: TaskSource
    pod_expiry_time: _timestamp_pb2.Timestamp
    idempotent_until: _timestamp_pb2.Timestamp
    observed_time: _timestamp_pb2.Timestamp
    def __init__(self, key: _Optional[_Union[TaskKey, _Mapping]] = ..., pod: _Optional[_Union[PodRef, _Mapping]] = ..., state: _Optional[_Union[_state_pb2.TaskState, str]] = ..., reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., kubernetes_reason: _Optional[str] = ..., kubernetes_message: _Optional[str] = ..., queue_position: _Optional[int] = ..., containers: _Optional[_Iterable[_Union[_container_pb2.ContainerStatus, _Mapping]]] = ..., outcome: _Optional[_Union[_outcome_pb2.Outcome, _Mapping]] = ..., times: _Optional[_Union[_outcome_pb2.TaskTimes, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., stop: _Optional[_Union[_outcome_pb2.StopInfo, _Mapping]] = ..., fingerprint: _Optional[str] = ..., attached_attempts: _Optional[_Iterable[int]] = ..., source: _Optional[_Union[TaskSource, str]] = ..., pod_expiry_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., idempotent_until: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., observed_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
