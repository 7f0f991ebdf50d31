"""Requests from arguments, and what is made of their answers: the same for both clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Callable, Generic, Optional, TypeVar, Union

from google.protobuf.timestamp_pb2 import Timestamp

from podlaunch import v1
from podlaunch._convert import from_proto
from podlaunch._open_enum import number
from podlaunch.enums import DisconnectMode, EventKind, PreviousActivePolicy, StreamStart, StreamUntil
from podlaunch.model import Cancelled, ServerInfo, Task, TaskKey
from podlaunch.spec import AnySpec, Duration, Logs, duration, log_selection, task_spec

AnyKey = Union[TaskKey, v1.TaskKey, str]
"""A key, or a task id: the first attempt of it in a launch, the highest known one elsewhere."""

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """A call with one answer."""

    method: str
    request: Any
    read: Callable[[Any], T]
    """What the caller gets of the answer."""


def task_key(key: AnyKey) -> v1.TaskKey:
    """The contract's message for `key`."""
    if isinstance(key, v1.TaskKey):
        return key
    if isinstance(key, str):
        return v1.TaskKey(task_id=key)
    return v1.TaskKey(task_id=key.task_id, attempt=key.attempt, namespace=key.namespace, cluster=key.cluster)


def launch_key(key: AnyKey) -> v1.TaskKey:
    """As `task_key`, for what must say its attempt."""
    if isinstance(key, str):
        return v1.TaskKey(task_id=key, attempt=1)
    message = task_key(key)
    if message.attempt < 1:
        raise ValueError("key.attempt: it must be said here, from 1")
    return message


def launch_request(
    key: AnyKey,
    spec: AnySpec,
    *,
    if_previous_active: PreviousActivePolicy = PreviousActivePolicy.UNSPECIFIED,
    cancel_after_disconnect: Optional[Duration] = None,
    wait_for_quota: Optional[Duration] = None,
    required_features: Sequence[str] = (),
) -> v1.LaunchTaskRequest:
    """The request to launch `spec` as `key`."""
    request = v1.LaunchTaskRequest(
        key=launch_key(key),
        spec=task_spec(spec),
        if_previous_active=number(if_previous_active),
        wait_for_quota=duration(wait_for_quota),
        required_features=required_features,
    )
    if cancel_after_disconnect is not None:
        request.disconnect_policy.mode = number(DisconnectMode.CANCEL_AFTER)
        request.disconnect_policy.MergeFrom(v1.DisconnectPolicy(cancel_after=duration(cancel_after_disconnect)))
    return request


def attach_request(
    key: AnyKey,
    *,
    cursor: bytes = b"",
    start: StreamStart = StreamStart.UNSPECIFIED,
    tail_lines: Optional[int] = None,
    since: Optional[datetime] = None,
    until: StreamUntil = StreamUntil.UNSPECIFIED,
    kinds: Sequence[EventKind] = (),
    containers: Sequence[str] = (),
    logs: Optional[Logs] = None,
) -> v1.AttachTaskRequest:
    """The request to attach to `key`."""
    starts = [
        name
        for name, given in (
            ("cursor", cursor),
            ("start", start),
            ("tail_lines", tail_lines is not None),
            ("since", since),
        )
        if given
    ]
    if len(starts) > 1:
        raise ValueError(f"{', '.join(starts)}: give only one of them")
    request = v1.AttachTaskRequest(key=task_key(key), until=number(until))
    if cursor:
        request.cursor = cursor
    elif start:
        request.start = number(start)
    elif tail_lines is not None:
        request.tail_lines = tail_lines
    elif since is not None:
        request.since_time.CopyFrom(timestamp(since))
    request.filter.kinds.extend(number(kind) for kind in kinds)
    request.filter.containers.extend(containers)
    if logs is not None:
        request.filter.logs.CopyFrom(log_selection(logs))
    if not request.filter.ByteSize():
        request.ClearField("filter")
    return request


def validate_request(key: AnyKey, spec: AnySpec) -> v1.LaunchTaskRequest:
    """The request for a dry run of a launch."""
    request = launch_request(key, spec)
    request.validate_only = True
    return request


def get(key: AnyKey) -> Call[Task]:
    """GetTask."""
    request = v1.GetTaskRequest(key=task_key(key))
    return Call("GetTask", request, lambda response: from_proto(Task, response.task))


def cancel(key: AnyKey, grace: Optional[Duration], reason: str, allow_missing: bool) -> Call[Cancelled]:
    """CancelTask."""
    request = v1.CancelTaskRequest(
        key=task_key(key),
        grace=duration(grace),
        reason=reason,
        allow_missing=allow_missing,
    )
    return Call("CancelTask", request, lambda response: from_proto(Cancelled, response))


def delete(key: AnyKey, pod_uid: str) -> Call[Optional[datetime]]:
    """DeleteTask. A task id alone is its first attempt, as in a launch: what goes must be said."""
    request = v1.DeleteTaskRequest(key=launch_key(key), pod_uid=pod_uid)
    return Call("DeleteTask", request, _idempotent_until)


def _idempotent_until(response: v1.DeleteTaskResponse) -> Optional[datetime]:
    if not response.HasField("idempotent_until"):
        return None
    return response.idempotent_until.ToDatetime(timezone.utc)


def server_info() -> Call[ServerInfo]:
    """GetServerInfo."""
    return Call("GetServerInfo", v1.GetServerInfoRequest(), lambda response: from_proto(ServerInfo, response))


def timestamp(time: datetime) -> Timestamp:
    """The contract's message for an aware datetime."""
    if time.tzinfo is None:
        raise ValueError("since: give a datetime with a time zone")
    stamp = Timestamp()
    stamp.FromDatetime(time.astimezone(timezone.utc).replace(tzinfo=None))
    return stamp
