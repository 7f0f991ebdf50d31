from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FeatureState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEATURE_STATE_UNSPECIFIED: _ClassVar[FeatureState]
    FEATURE_STATE_AVAILABLE: _ClassVar[FeatureState]
    FEATURE_STATE_ABSENT: _ClassVar[FeatureState]
    FEATURE_STATE_DISABLED: _ClassVar[FeatureState]

class DeletionCoverage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELETION_COVERAGE_UNSPECIFIED: _ClassVar[DeletionCoverage]
    DELETION_COVERAGE_FINALIZER: _ClassVar[DeletionCoverage]
    DELETION_COVERAGE_WHILE_WATCHING: _ClassVar[DeletionCoverage]
FEATURE_STATE_UNSPECIFIED: FeatureState
FEATURE_STATE_AVAILABLE: FeatureState
FEATURE_STATE_ABSENT: FeatureState
FEATURE_STATE_DISABLED: FeatureState
DELETION_COVERAGE_UNSPECIFIED: DeletionCoverage
DELETION_COVERAGE_FINALIZER: DeletionCoverage
DELETION_COVERAGE_WHILE_WATCHING: DeletionCoverage

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "instance", "replica", "time", "clusters", "limits", "retention", "idempotency_window", "default_startup_timeout", "features", "reason_version")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_WINDOW_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_STARTUP_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    REASON_VERSION_FIELD_NUMBER: _ClassVar[int]
    version: str
    instance: str
    replica: str
    time: _timestamp_pb2.Timestamp
    clusters: _containers.RepeatedCompositeFieldContainer[ClusterInfo]
    limits: Limits
    retention: RetentionInfo
    idempotency_window: _duration_pb2.Duration
    default_startup_timeout: _duration_pb2.Duration
    features: _containers.RepeatedCompositeFieldContainer[Feature]
    reason_version: int
    def __init__(self, version: _Optional[str] = ..., instance: _Optional[str] = ..., replica: _Optional[str] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., clusters: _Optional[_Iterable[_Union[ClusterInfo, _Mapping]]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., retention: _Optional[_Union[RetentionInfo, _Mapping]] = ..., idempotency_window: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., default_startup_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., features: _Optional[_Iterable[_Union[Feature, _Mapping]]] = ..., reason_version: _Optional[int] = ...) -> None: ...

class Feature(_message.Message):
    __slots__ = ("name", "state", "note")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: FeatureState
    note: str
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[FeatureState, str]] = ..., note: _Optional[str] = ...) -> None: ...

class ClusterInfo(_message.Message):
    __slots__ = ("name", "kubernetes_version", "default_namespace", "scopes", "deletion_coverage", "container_log_max_bytes", "record_namespace")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KUBERNETES_VERSION_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    DELETION_COVERAGE_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_LOG_MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    RECORD_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    name: str
    kubernetes_version: str
    default_namespace: str
    scopes: _containers.RepeatedCompositeFieldContainer[ScopeStatus]
    deletion_coverage: DeletionCoverage
    container_log_max_bytes: int
    record_namespace: str
    def __init__(self, name: _Optional[str] = ..., kubernetes_version: _Optional[str] = ..., default_namespace: _Optional[str] = ..., scopes: _Optional[_Iterable[_Union[ScopeStatus, _Mapping]]] = ..., deletion_coverage: _Optional[_Union[DeletionCoverage, str]] = ..., container_log_max_bytes: _Optional[int] = ..., record_namespace: _Optional[str] = ...) -> None: ...

class ScopeStatus(_message.Message):
    __slots__ = ("cluster", "namespace", "fresh", "last_seen_time")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    FRESH_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    namespace: str
    fresh: bool
    last_seen_time: _timestamp_pb2.Timestamp
    def __init__(self, cluster: _Optional[str] = ..., namespace: _Optional[str] = ..., fresh: bool = ..., last_seen_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RetentionInfo(_message.Message):
    __slots__ = ("after_success", "after_failure")
    AFTER_SUCCESS_FIELD_NUMBER: _ClassVar[int]
    AFTER_FAILURE_FIELD_NUMBER: _ClassVar[int]
    after_success: _duration_pb2.Duration
    after_failure: _duration_pb2.Duration
    def __init__(self, after_success: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., after_failure: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_request_bytes", "max_manifest_bytes", "max_chunk_bytes", "max_batch_items", "max_page_size", "max_active_tasks", "max_streams", "max_streams_per_connection", "max_consumers_per_task", "max_result_bytes", "max_inline_result_bytes", "launch_wait", "log_wait", "stall_limit", "watch_resume_window", "max_wait_for_quota", "min_cancel_after", "max_unacknowledged", "sidecar_grace")
    MAX_REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_MANIFEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_CHUNK_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_ITEMS_FIELD_NUMBER: _ClassVar[int]
    MAX_PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    MAX_ACTIVE_TASKS_FIELD_NUMBER: _ClassVar[int]
    MAX_STREAMS_FIELD_NUMBER: _ClassVar[int]
    MAX_STREAMS_PER_CONNECTION_FIELD_NUMBER: _ClassVar[int]
    MAX_CONSUMERS_PER_TASK_FIELD_NUMBER: _ClassVar[int]
    MAX_RESULT_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_INLINE_RESULT_BYTES_FIELD_NUMBER: _ClassVar[int]
    LAUNCH_WAIT_FIELD_NUMBER: _ClassVar[int]
    LOG_WAIT_FIELD_NUMBER: _ClassVar[int]
    STALL_LIMIT_FIELD_NUMBER: _ClassVar[int]
    WATCH_RESUME_WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_WAIT_FOR_QUOTA_FIELD_NUMBER: _ClassVar[int]
    MIN_CANCEL_AFTER_FIELD_NUMBER: _ClassVar[int]
    MAX_UNACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    SIDECAR_GRACE_FIELD_NUMBER: _ClassVar[int]
    max_request_bytes: int
    max_manifest_bytes: int
    max_chunk_bytes: int
    max_batch_items: int
    max_page_size: int
    max_active_tasks: int
    max_streams: int
    max_streams_per_connection: int
    max_consumers_per_task: int
    max_result_bytes: int
    max_inline_result_bytes: int
    launch_wait: _duration_pb2.Duration
    log_wait: _duration_pb2.Duration
    stall_limit: _duration_pb2.Duration
    watch_resume_window: _duration_pb2.Duration
    max_wait_for_quota: _duration_pb2.Duration
    min_cancel_after: _duration_pb2.Duration
    max_unacknowledged: _duration_pb2.Duration
    sidecar_grace: _duration_pb2.Duration
    def __init__(self, max_request_bytes: _Optional[int] = ..., max_manifest_bytes: _Optional[int] = ..., max_chunk_bytes: _Optional[int] = ..., max_batch_items: _Optional[int] = ..., max_page_size: _Optional[int] = ..., max_active_tasks: _Optional[int] = ..., max_streams: _Optional[int] = ..., max_streams_per_connection: _Optional[int] = ..., max_consumers_per_task: _Optional[int] = ..., max_result_bytes: _Optional[int] = ..., max_inline_result_bytes: _Optional[int] = ..., launch_wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., log_wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., stall_limit: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., watch_resume_window: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_wait_for_quota: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., min_cancel_after: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_unacknowledged: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., sidecar_grace: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...
