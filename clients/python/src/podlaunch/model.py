"""What a server tells about tasks and about itself, as frozen dataclasses.

Fields are named, and mean, as in the contract (`proto/podlaunch/v1/*.proto`), where their units, limits and clocks
are said. None: unset, where the contract tells unset from zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Optional, Union

from podlaunch import v1
from podlaunch._convert import of
from podlaunch.enums import (
    AcceptedHow,
    CancelResult,
    Certainty,
    ContainerRole,
    DeletionCoverage,
    DeliveryVerdict,
    FeatureState,
    FirstRead,
    LogLossCause,
    Origin,
    Reason,
    ResultState,
    RetryAdvice,
    StopCause,
    TaskSource,
    TaskState,
    TimeoutKind,
)

TERMINAL_STATES = frozenset(
    (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED, TaskState.DISRUPTED, TaskState.LOST)
)
"""The states a task does not leave."""


@of(v1.TaskKey)
@dataclass(frozen=True)
class TaskKey:
    """The name of one attempt of a task.

    `attempt` 0 means the highest known one; a launch must say it. `namespace` and `cluster` "" are the server's
    defaults; answers always say which.
    """

    task_id: str
    attempt: int = 0
    namespace: str = ""
    cluster: str = ""

    def __str__(self) -> str:
        where = "/".join(part for part in (self.cluster, self.namespace) if part)
        name = f"{self.task_id}#{self.attempt}" if self.attempt else self.task_id
        return f"{where}/{name}" if where else name


@of(v1.PodRef)
@dataclass(frozen=True)
class PodRef:
    """The pod behind a task."""

    namespace: str
    name: str
    uid: str
    node_name: str


@of(v1.ContainerWaiting)
@dataclass(frozen=True)
class ContainerWaiting:
    """A container that does not run (yet, or between two runs)."""

    reason: str
    message: str


@of(v1.ContainerRunning)
@dataclass(frozen=True)
class ContainerRunning:
    """A container that runs."""

    started_time: Optional[datetime]


@of(v1.ContainerTerminated)
@dataclass(frozen=True)
class ContainerTerminated:
    """A container that has ended. `exit_code` None: not known, or it never ran."""

    exit_code: Optional[int]
    signal: Optional[int]
    reason: str
    message: bytes
    started_time: Optional[datetime]
    finished_time: Optional[datetime]
    container_id: str


ContainerState = Union[ContainerWaiting, ContainerRunning, ContainerTerminated]


@of(v1.ContainerStatus)
@dataclass(frozen=True)
class ContainerStatus:
    """One container of a task's pod, as last reported."""

    name: str
    role: ContainerRole
    restart: int
    waiting: Optional[ContainerWaiting]
    running: Optional[ContainerRunning]
    terminated: Optional[ContainerTerminated]
    last_terminated: Optional[ContainerTerminated]
    image: str
    image_id: str

    @property
    def state(self) -> Optional[ContainerState]:
        """The one of `waiting`, `running` and `terminated` that is set. None: the node has not reported on it."""
        return self.waiting or self.running or self.terminated


@of(v1.StopInfo)
@dataclass(frozen=True)
class StopInfo:
    """A stop as recorded with the pod."""

    cause: StopCause
    caller: str
    reason: str
    time: Optional[datetime]
    grace: Optional[timedelta]


@of(v1.TaskResult)
@dataclass(frozen=True)
class TaskResult:
    """What a task gave back. Feature `task_results`."""

    state: ResultState
    data: bytes
    size_bytes: Optional[int]
    sha256: bytes


@of(v1.TaskTimes)
@dataclass(frozen=True)
class TaskTimes:
    """When what happened to a task; by the API server, the node and podlaunch, whose clocks may differ."""

    created_time: Optional[datetime]
    scheduled_time: Optional[datetime]
    started_time: Optional[datetime]
    finished_time: Optional[datetime]


@of(v1.Outcome)
@dataclass(frozen=True)
class Outcome:
    """How a task ended: decided once, the same on every replay."""

    state: TaskState
    reason: Reason
    reason_version: int
    kubernetes_reason: str
    kubernetes_message: str
    origin: Origin
    retry_advice: RetryAdvice
    certainty: Certainty
    exit_code: Optional[int]
    signal: Optional[int]
    oom_killed: bool
    container: str
    containers: tuple[ContainerStatus, ...]
    times: Optional[TaskTimes]
    result: Optional[TaskResult]
    termination_message: bytes
    timeout: TimeoutKind
    stop: Optional[StopInfo]
    node_name: str
    shortened: bool

    @property
    def succeeded(self) -> bool:
        """The state is SUCCEEDED."""
        return self.state == TaskState.SUCCEEDED


@of(v1.Task)
@dataclass(frozen=True)
class Task:
    """A task as it is now. `outcome` is set exactly when it is finished."""

    key: Optional[TaskKey]
    pod: Optional[PodRef]
    state: TaskState
    reason: Reason
    kubernetes_reason: str
    kubernetes_message: str
    queue_position: Optional[int]
    containers: tuple[ContainerStatus, ...]
    outcome: Optional[Outcome]
    times: Optional[TaskTimes]
    labels: Mapping[str, str]
    stop: Optional[StopInfo]
    fingerprint: str
    attached_attempts: tuple[int, ...]
    source: TaskSource
    pod_expiry_time: Optional[datetime]
    idempotent_until: Optional[datetime]
    observed_time: Optional[datetime]


@of(v1.Accepted)
@dataclass(frozen=True)
class Accepted:
    """The task is there, and this is it. Use `key` in further calls."""

    key: Optional[TaskKey]
    requested_attempt: int
    pod: Optional[PodRef]
    how: AcceptedHow
    idempotent_until: Optional[datetime]
    task: Optional[Task]
    cursor: bytes


@of(v1.Validated)
@dataclass(frozen=True)
class Validated:
    """The answer to a dry run. `pod_json` contains the literal values of the request."""

    key: Optional[TaskKey]
    pod_name: str
    fingerprint: str
    pod_json: str
    warnings: tuple[str, ...]


@of(v1.EndOfAvailable)
@dataclass(frozen=True)
class EndOfAvailable:
    """All that was available has been sent; the task is not finished."""

    cursor: bytes
    state: TaskState


@of(v1.CancelTaskResponse)
@dataclass(frozen=True)
class Cancelled:
    """What a cancel came to, and the task."""

    result: CancelResult
    task: Optional[Task]


@of(v1.ContainerDelivery)
@dataclass(frozen=True)
class ContainerDelivery:
    """What a chain of streams, joined by cursors, got of one run of a container."""

    container: str
    restart: int
    verdict: DeliveryVerdict
    cause: LogLossCause
    lines: int
    bytes: int
    gaps: int
    ended_mid_line: bool
    first_read: FirstRead


@of(v1.Delivery)
@dataclass(frozen=True)
class Delivery:
    """What a chain of streams got of the logs of a task."""

    containers: tuple[ContainerDelivery, ...]


@of(v1.Feature)
@dataclass(frozen=True)
class Feature:
    """Something a server may or may not have."""

    name: str
    state: FeatureState
    note: str


@of(v1.ScopeStatus)
@dataclass(frozen=True)
class ScopeStatus:
    """A part of a cluster that is watched, and how fresh the watch is."""

    cluster: str
    namespace: str
    fresh: bool
    last_seen_time: Optional[datetime]


@of(v1.ClusterInfo)
@dataclass(frozen=True)
class ClusterInfo:
    """A cluster a server launches into."""

    name: str
    kubernetes_version: str
    default_namespace: str
    scopes: tuple[ScopeStatus, ...]
    deletion_coverage: DeletionCoverage
    container_log_max_bytes: int
    record_namespace: str


@of(v1.RetentionInfo)
@dataclass(frozen=True)
class RetentionInfo:
    """For how long pods and logs of finished tasks are kept."""

    after_success: Optional[timedelta]
    after_failure: Optional[timedelta]


@of(v1.Limits)
@dataclass(frozen=True)
class Limits:
    """Every bound that a client can meet. 0 and None: none."""

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
    launch_wait: Optional[timedelta]
    log_wait: Optional[timedelta]
    stall_limit: Optional[timedelta]
    watch_resume_window: Optional[timedelta]
    max_wait_for_quota: Optional[timedelta]
    min_cancel_after: Optional[timedelta]
    max_unacknowledged: Optional[timedelta]
    sidecar_grace: Optional[timedelta]


@of(v1.GetServerInfoResponse)
@dataclass(frozen=True)
class ServerInfo:
    """What a server is."""

    version: str
    instance: str
    replica: str
    time: Optional[datetime]
    clusters: tuple[ClusterInfo, ...]
    limits: Optional[Limits]
    retention: Optional[RetentionInfo]
    idempotency_window: Optional[timedelta]
    default_startup_timeout: Optional[timedelta]
    features: tuple[Feature, ...]
    reason_version: int

    def has(self, feature: str) -> bool:
        """The feature of this name can be used."""
        return any(one.name == feature and one.state == FeatureState.AVAILABLE for one in self.features)
