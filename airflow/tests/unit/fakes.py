"""A podlaunch that is told what happens, and its events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import grpc
from podlaunch import Event, LogChunk, NotFoundError, PodRef, StateChange, TaskKey, TaskState, Termination, v1
from podlaunch._convert import from_proto
from podlaunch.enums import AcceptedHow, FeatureState, LogStream, NoticeKind, NoticeSeverity, Reason
from podlaunch.events import PodNotice
from podlaunch.model import Accepted, Cancelled, Outcome, ServerInfo, Task

from podlaunch_airflow.hooks.podlaunch import Endpoint

T0 = datetime(2024, 5, 6, 7, 8, 9, 250_000, tzinfo=timezone.utc)
MAX_RESULT = 4 << 20
POD = PodRef("default", "pod-1", "uid-1", "node-1")


def head(time: datetime | None = T0) -> dict[str, Any]:
    return {
        "key": TaskKey("t", 1, "default"),
        "pod_uid": "uid-1",
        "cursor": b"c",
        "stream_sequence": 1,
        "event_uid": "u",
        "occurred_time": time,
        "observed_time": time,
        "redelivered": False,
    }


def state(now: TaskState, reason: Reason = Reason.UNSPECIFIED, word: str = "", message: str = "") -> StateChange:
    return StateChange(
        **head(),
        state=now,
        previous=TaskState.UNSPECIFIED,
        reason=reason,
        kubernetes_reason=word,
        kubernetes_message=message,
        node_name="node-1",
        queue_position=None,
    )


def notice(
    reason: str, message: str, severity: NoticeSeverity = NoticeSeverity.NORMAL, count: int = 1
) -> PodNotice:
    return PodNotice(
        **head(),
        kind=NoticeKind.KUBERNETES_EVENT,
        severity=severity,
        reason=reason,
        message=message,
        component="kubelet",
        container="",
        count=count,
        first_time=T0,
    )


def chunk(data: bytes, *, continues: bool = False, first_line: int = 1, container: str = "base") -> LogChunk:
    ends = tuple(index + 1 for index, byte in enumerate(data) if byte == ord("\n"))
    begun = len(ends) + (not data.endswith(b"\n"))
    return LogChunk(
        **head(),
        container=container,
        restart=0,
        stream=LogStream.UNSPECIFIED,
        first_line=first_line,
        data=data,
        line_ends=ends,
        first_time_ns=int(T0.timestamp()) * 10**9 + T0.microsecond * 1000,
        time_deltas=tuple(1_000_000 * (index + 1) for index in range(begun - 1)),
        continues=continues,
    )


def outcome(now: TaskState, **changes: Any) -> Outcome:
    message = v1.Outcome(state=now.value, container="base", node_name="node-1")
    fields = dict(vars(from_proto(Outcome, message)))
    return Outcome(**{**fields, **changes})


def end(result: Outcome) -> Termination:
    return Termination(**head(), outcome=result, delivery=None)


def task(key: TaskKey, now: TaskState, *, stop: Any = None) -> Task:
    return Task(**{**vars(from_proto(Task, v1.Task())), "key": key, "state": now, "stop": stop})


class FakeStream:
    """What TaskStream shows."""

    def __init__(self, accepted: Accepted, events: Sequence[Event]) -> None:
        self.accepted = accepted
        self._events = list(events)
        self.termination: Termination | None = None
        self.closed = False

    def wait_accepted(self) -> Accepted:
        return self.accepted

    def wait(self) -> Termination:
        for _ in self:
            pass
        assert self.termination is not None
        return self.termination

    def __iter__(self) -> Iterator[Event]:
        while self._events:
            event = self._events.pop(0)
            if isinstance(event, Termination):
                self.termination = event
            yield event

    def __enter__(self) -> FakeStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True


class FakeResult(BytesIO):
    """What ResultStream shows."""


class FakeClient:
    """What Client shows; notes each call."""

    def __init__(self, events: Sequence[Event] = (), features: Sequence[str] = ()) -> None:
        self.events = events
        self.features = features
        self.tasks: dict[int, Task] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.before_launch: Callable[[], None] = lambda: None
        self.launch_error: Exception | None = None
        self.delete_error: Exception | None = None
        self.how = AcceptedHow.CREATED
        self.stored = b""

    def launch(self, key: TaskKey, spec: Any, **options: Any) -> FakeStream:
        self.calls.append(("launch", key, spec, options))
        self.before_launch()
        if self.launch_error is not None:
            raise self.launch_error
        return self._stream(key)

    def attach(self, key: TaskKey, **options: Any) -> FakeStream:
        self.calls.append(("attach", key, options))
        return self._stream(key)

    def get(self, key: TaskKey) -> Task:
        self.calls.append(("get", key))
        if not self.tasks:
            raise NotFoundError(grpc.StatusCode.NOT_FOUND, "there is no such task")
        return self.tasks[max(self.tasks)]

    def cancel(self, key: TaskKey, *, reason: str = "") -> Cancelled:
        self.calls.append(("cancel", key, reason))
        return from_proto(Cancelled, v1.CancelTaskResponse(result=1))

    def server_info(self) -> ServerInfo:
        features = [v1.Feature(name=name, state=FeatureState.AVAILABLE.value) for name in self.features]
        limits = v1.Limits(max_result_bytes=MAX_RESULT)
        return from_proto(ServerInfo, v1.GetServerInfoResponse(version="0.1.0", features=features, limits=limits))

    def result(self, key: TaskKey) -> FakeResult:
        self.calls.append(("result", key))
        return FakeResult(self.stored)

    def delete(self, key: TaskKey) -> None:
        self.calls.append(("delete", key))
        if self.delete_error is not None:
            raise self.delete_error

    def close(self) -> None:
        self.calls.append(("close",))

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [call for call in self.calls if call[0] == name]

    def _stream(self, key: TaskKey) -> FakeStream:
        accepted = Accepted(key, key.attempt, POD, self.how, None, None, b"c")
        return FakeStream(accepted, self.events)


class FakeHook:
    """What PodlaunchHook shows."""

    def __init__(self, client: FakeClient, endpoint: Endpoint | None = None) -> None:
        self.client = client
        self.endpoint = endpoint or Endpoint("unix:///s.sock")

    def get_conn(self) -> FakeClient:
        return self.client

    def close(self) -> None:
        self.client.close()

    def delete(self, key: TaskKey) -> bool:
        self.client.delete(key)
        return False

    def cancel_apart(self, key: TaskKey, reason: str) -> str:
        return str(self.client.cancel(key, reason=reason).result)


class FakeTi:
    """A task instance of Airflow."""

    def __init__(self, **changes: Any) -> None:
        self.dag_id, self.run_id, self.task_id = "etl", "manual__1", "load"
        self.map_index, self.try_number = -1, 1
        self.pushed: dict[str, Any] = {}
        vars(self).update(changes)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def context(**changes: Any) -> dict[str, Any]:
    ti = FakeTi(**changes)
    return {"ti": ti, "run_id": ti.run_id, "dag": SimpleNamespace(dag_id=ti.dag_id)}
