"""Client of podlaunch: launch a Kubernetes pod, receive its transitions and its log lines until it ends.

>>> from podlaunch import Client, Spec, LogChunk
>>> with Client("unix:///run/podlaunch.sock") as client:
...     with client.launch("hello", Spec(image="busybox:1", args=["echo", "hello world"])) as stream:
...         for event in stream:
...             if isinstance(event, LogChunk):
...                 for time, line in event.lines():
...                     print(time, line.decode())
...     print(stream.termination.outcome.state)

`podlaunch.enums` has the enums, `podlaunch.v1` the contract's own messages.
"""

from __future__ import annotations

from podlaunch._channel import Tls, token_file
from podlaunch._session import Retrying
from podlaunch._version import VERSION as __version__  # noqa: N811
from podlaunch.aio import AsyncClient, AsyncTaskStream
from podlaunch.client import Client, TaskStream
from podlaunch.enums import (
    AcceptedHow,
    CancelResult,
    Certainty,
    ContainerRole,
    DeliveryVerdict,
    ErrorReason,
    EventKind,
    FeatureState,
    ImagePullPolicy,
    LogLossCause,
    NoticeKind,
    NoticeSeverity,
    Origin,
    PreviousActivePolicy,
    Reason,
    RestartPolicy,
    RetryAdvice,
    StopCause,
    StreamStart,
    StreamUntil,
    TaskState,
    TimeoutKind,
)
from podlaunch.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ExhaustedError,
    FieldViolation,
    GaveUpError,
    InvalidRequestError,
    NotFoundError,
    PodlaunchError,
    PreconditionError,
    UnavailableError,
    UnimplementedError,
)
from podlaunch.events import (
    ContainerChange,
    Event,
    LogChunk,
    LogEnd,
    LogGap,
    LogPiece,
    PodNotice,
    StateChange,
    Termination,
)
from podlaunch.lines import Line, LineJoiner
from podlaunch.model import (
    TERMINAL_STATES,
    Accepted,
    Cancelled,
    ContainerDelivery,
    ContainerRunning,
    ContainerStatus,
    ContainerTerminated,
    ContainerWaiting,
    Delivery,
    EndOfAvailable,
    Outcome,
    PodRef,
    ServerInfo,
    StopInfo,
    Task,
    TaskKey,
    TaskTimes,
    Validated,
)
from podlaunch.spec import ConfigMapKey, FieldPath, SecretKey, Spec

__all__ = [
    "TERMINAL_STATES",
    "Accepted",
    "AcceptedHow",
    "AccessDeniedError",
    "AlreadyExistsError",
    "AsyncClient",
    "AsyncTaskStream",
    "CancelResult",
    "Cancelled",
    "Certainty",
    "Client",
    "ConfigMapKey",
    "ContainerChange",
    "ContainerDelivery",
    "ContainerRole",
    "ContainerRunning",
    "ContainerStatus",
    "ContainerTerminated",
    "ContainerWaiting",
    "Delivery",
    "DeliveryVerdict",
    "EndOfAvailable",
    "ErrorReason",
    "Event",
    "EventKind",
    "ExhaustedError",
    "FeatureState",
    "FieldPath",
    "FieldViolation",
    "GaveUpError",
    "ImagePullPolicy",
    "InvalidRequestError",
    "Line",
    "LineJoiner",
    "LogChunk",
    "LogEnd",
    "LogGap",
    "LogLossCause",
    "LogPiece",
    "NotFoundError",
    "NoticeKind",
    "NoticeSeverity",
    "Origin",
    "Outcome",
    "PodNotice",
    "PodRef",
    "PodlaunchError",
    "PreconditionError",
    "PreviousActivePolicy",
    "Reason",
    "RestartPolicy",
    "RetryAdvice",
    "Retrying",
    "SecretKey",
    "ServerInfo",
    "Spec",
    "StateChange",
    "StopCause",
    "StopInfo",
    "StreamStart",
    "StreamUntil",
    "Task",
    "TaskKey",
    "TaskState",
    "TaskStream",
    "TaskTimes",
    "Termination",
    "TimeoutKind",
    "Tls",
    "UnavailableError",
    "UnimplementedError",
    "Validated",
    "__version__",
    "token_file",
]
