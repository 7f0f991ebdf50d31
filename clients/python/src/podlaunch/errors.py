"""What can go wrong, with all that the server said about it.

grpc.RpcError ─▶ google.rpc.Status in its trailing metadata ─▶ PodlaunchError, the subclass by its code
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Union

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from podlaunch.enums import ResultState

DOMAIN = "podlaunch.dev"
"""The domain of podlaunch's reasons."""

_DETAILS_KEY = "grpc-status-details-bin"


@dataclass(frozen=True)
class FieldViolation:
    """A field of the request that is wrong, and how."""

    field: str
    description: str


@dataclass(frozen=True)
class Violation:
    """A quota that is used up or a precondition that does not hold."""

    type: str
    subject: str
    description: str


@dataclass(frozen=True)
class Resource:
    """What an error is about."""

    type: str
    name: str
    owner: str
    description: str


@dataclass(frozen=True)
class ErrorDetails:
    """What the server said beside code and message."""

    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_delay: Optional[float] = None
    field_violations: tuple[FieldViolation, ...] = ()
    violations: tuple[Violation, ...] = ()
    resource: Optional[Resource] = None


class PodlaunchError(Exception):
    """A call that failed.

    `code` is gRPC's. `message` is for people. `reason` is the stable name of what happened, a value of
    `enums.ErrorReason` such as "TASK_SPEC_MISMATCH"; "" if the error is not podlaunch's own. `metadata` has what the
    reason is about. `retry_delay` in seconds: repeating helps, not before that. `from_server`: a server answered so.
    """

    def __init__(self, code: grpc.StatusCode, message: str, details: Optional[ErrorDetails] = None) -> None:
        super().__init__(code, message, details)
        known = details or ErrorDetails()
        self.code = code
        self.message = message
        self.reason = known.reason
        self.metadata = known.metadata
        self.retry_delay = known.retry_delay
        self.field_violations = known.field_violations
        self.violations = known.violations
        self.resource = known.resource
        self.from_server = details is not None

    @property
    def repeatable(self) -> bool:
        """The same call, made again, may succeed: its effect is unknown or it was refused for the moment."""
        if self.code in _REPEATABLE:
            return True
        return self.code in _REPEATABLE_IF_ASKED and self.retry_delay is not None

    def __str__(self) -> str:
        head = f"{self.code.name}/{self.reason}" if self.reason else self.code.name
        fields = [f"{one.field}: {one.description}" for one in self.field_violations]
        missing = [text for text in fields if text not in self.message]
        return "; ".join([f"{head}: {self.message}", *missing])


class InvalidRequestError(PodlaunchError):
    """INVALID_ARGUMENT, OUT_OF_RANGE: mend the request; `field_violations` name its fields."""


class NotFoundError(PodlaunchError):
    """NOT_FOUND: there is no such task, or what is asked of it is gone."""


class ResultUnavailableError(NotFoundError):
    """NOT_FOUND: the task has no result, or none that is to be had any more.

    `state` says which; UNSPECIFIED: the task asked for none.
    """

    @property
    def state(self) -> ResultState:
        """How the outcome has it."""
        name = str(self.metadata.get("result_state", "")).replace("RESULT_STATE_", "", 1)
        return ResultState.__members__.get(name, ResultState.UNSPECIFIED)


class DamagedResultError(PodlaunchError):
    """DATA_LOSS: the bytes that came are not those that the server announced. Nothing of them is to be used."""


class AlreadyExistsError(PodlaunchError):
    """ALREADY_EXISTS: the key was launched with another spec, or the pod's name is somebody else's."""


class PreconditionError(PodlaunchError):
    """FAILED_PRECONDITION: something must change first; `resource` or `violations` say what."""


class AccessDeniedError(PodlaunchError):
    """UNAUTHENTICATED, PERMISSION_DENIED: the caller is not known or may not, or podlaunch itself may not."""


class ExhaustedError(PodlaunchError):
    """RESOURCE_EXHAUSTED: a quota or a limit is reached."""


class UnimplementedError(PodlaunchError):
    """UNIMPLEMENTED: this server does not have the feature; `metadata["feature"]` names it."""


class UnavailableError(PodlaunchError):
    """UNAVAILABLE, UNKNOWN, INTERNAL, DEADLINE_EXCEEDED, CANCELLED, ABORTED: the effect of the call is not known."""


class GaveUpError(UnavailableError):
    """No progress for as long as `retry_for` allows. Says nothing about the task: attach later. `seconds`: how long.

    Has code and details of the last failure, which is its `__cause__`.
    """

    seconds: float = 0.0

    @classmethod
    def after(cls, seconds: float, last: PodlaunchError) -> GaveUpError:
        """Given up `seconds` after the first failure, when `last` came."""
        message = f"gave up after {seconds:.0f} s without progress: {last.message}"
        error = cls(last.code, message, details_of(last) if last.from_server else None)
        error.seconds = seconds
        error.__cause__ = last
        return error


_REPEATABLE = frozenset(
    (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
    )
)
_REPEATABLE_IF_ASKED = frozenset((grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.FAILED_PRECONDITION))

_CLASSES: dict[grpc.StatusCode, type[PodlaunchError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequestError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExistsError,
    grpc.StatusCode.FAILED_PRECONDITION: PreconditionError,
    grpc.StatusCode.UNAUTHENTICATED: AccessDeniedError,
    grpc.StatusCode.PERMISSION_DENIED: AccessDeniedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ExhaustedError,
    grpc.StatusCode.UNIMPLEMENTED: UnimplementedError,
    **dict.fromkeys(_REPEATABLE, UnavailableError),
}

Trailers = Iterable[tuple[str, Union[str, bytes]]]


def error_of(code: grpc.StatusCode, message: str, trailers: Optional[Trailers] = None) -> PodlaunchError:
    """The error of a call that ended with `code`."""
    status = _status(trailers)
    details = None if status is None else _details(status)
    if details is not None and details.reason == "RESULT_UNAVAILABLE":
        return ResultUnavailableError(code, message, details)
    return _CLASSES.get(code, PodlaunchError)(code, message, details)


def error_of_rpc(error: Any) -> PodlaunchError:
    """The error that `grpc` or `grpc.aio` raised. `error` is a `grpc.RpcError` that is a `grpc.Call` too."""
    result = error_of(error.code(), error.details() or "", error.trailing_metadata())
    result.__cause__ = error
    return result


def details_of(error: PodlaunchError) -> ErrorDetails:
    """What the server said with `error`."""
    return ErrorDetails(
        error.reason,
        error.metadata,
        error.retry_delay,
        error.field_violations,
        error.violations,
        error.resource,
    )


def _status(trailers: Optional[Trailers]) -> Optional[status_pb2.Status]:
    for key, value in trailers or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None


def _details(status: status_pb2.Status) -> ErrorDetails:
    found: dict[str, Any] = {}
    for packed in status.details:
        name = packed.type_url.rpartition("/")[2].rpartition(".")[2]
        reader = _READERS.get(name)
        if reader is None:
            continue
        try:
            reader(packed.value, found)
        except DecodeError:
            continue
    return ErrorDetails(**found)


def _error_info(data: bytes, found: dict[str, Any]) -> None:
    info = error_details_pb2.ErrorInfo.FromString(data)
    if info.domain == DOMAIN:
        found["reason"] = info.reason
        found["metadata"] = dict(info.metadata)


def _retry_info(data: bytes, found: dict[str, Any]) -> None:
    delay = error_details_pb2.RetryInfo.FromString(data).retry_delay
    found["retry_delay"] = max(0.0, delay.seconds + delay.nanos / 1e9)


def _bad_request(data: bytes, found: dict[str, Any]) -> None:
    fields = error_details_pb2.BadRequest.FromString(data).field_violations
    found["field_violations"] = tuple(FieldViolation(one.field, one.description) for one in fields)


def _quota(data: bytes, found: dict[str, Any]) -> None:
    failure = error_details_pb2.QuotaFailure.FromString(data)
    found["violations"] = tuple(Violation("quota", one.subject, one.description) for one in failure.violations)


def _precondition(data: bytes, found: dict[str, Any]) -> None:
    failure = error_details_pb2.PreconditionFailure.FromString(data)
    found["violations"] = tuple(Violation(one.type, one.subject, one.description) for one in failure.violations)


def _resource(data: bytes, found: dict[str, Any]) -> None:
    info = error_details_pb2.ResourceInfo.FromString(data)
    found["resource"] = Resource(info.resource_type, info.resource_name, info.owner, info.description)


_READERS = {
    "ErrorInfo": _error_info,
    "RetryInfo": _retry_info,
    "BadRequest": _bad_request,
    "QuotaFailure": _quota,
    "PreconditionFailure": _precondition,
    "ResourceInfo": _resource,
}
