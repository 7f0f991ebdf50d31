"""A server that plays a task of given events, and breaks its streams as a script says.

script: one Fault per stream, in order; streams beyond it are played to their end
cursor of the n-th event: b"<n>"; of Accepted: where the stream starts
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Iterable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any, Optional, Union

import grpc
from google.protobuf.any_pb2 import Any as ProtoAny
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2

from podlaunch import v1
from podlaunch._open_enum import number
from podlaunch.enums import AcceptedHow, CancelResult, FeatureState, ResultState, TaskState

KEY = v1.TaskKey(cluster="c", namespace="n", task_id="t", attempt=1)


@dataclass(frozen=True)
class Refuse:
    """Ends the call before its first message."""

    code: grpc.StatusCode
    details: tuple[Any, ...] = ()


@dataclass(frozen=True)
class End:
    """Ends the stream after Accepted and so many events. `code` None: with OK."""

    events: int
    code: Optional[grpc.StatusCode] = None


@dataclass(frozen=True)
class Drain:
    """Announces its end after so many events, gives `more`, ends with UNAVAILABLE."""

    events: int
    more: int


Fault = Union[Refuse, End, Drain]


def state(value: TaskState) -> v1.Event:
    return v1.Event(state_change=v1.StateChange(state=number(value)))


def log(data: bytes) -> v1.Event:
    return v1.Event(log_chunk=v1.LogChunk(container="main", data=data, line_ends=[len(data)]))


def end(value: TaskState = TaskState.SUCCEEDED, exit_code: int = 0) -> v1.Event:
    return v1.Event(termination=v1.Termination(outcome=v1.Outcome(state=number(value), exit_code=exit_code)))


def five_events() -> list[v1.Event]:
    return [state(TaskState.PENDING), state(TaskState.RUNNING), log(b"one\n"), log(b"two\n"), end()]


def cursors(count: int) -> list[bytes]:
    return [str(place).encode() for place in range(1, count + 1)]


def packed(*details: Any) -> list[ProtoAny]:
    result = []
    for detail in details:
        one = ProtoAny()
        one.Pack(detail)
        result.append(one)
    return result


def retry_info(seconds: float) -> Any:
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromNanoseconds(int(seconds * 1e9))
    return info


@dataclass
class Fake(v1.PodlaunchServiceServicer):
    events: list[v1.Event] = field(default_factory=five_events)
    script: Iterable[Fault] = ()
    calls: list[Any] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    """With `hold_after`: streams stand still after so many events until this is set."""
    hold_after: Optional[int] = None
    result: bytes = b""
    announced: Optional[bytes] = None
    """What the header is of, if not of `result`."""

    def __post_init__(self) -> None:
        self._faults = iter(self.script)

    def LaunchTask(self, request: Any, context: Any) -> Iterator[Any]:
        return self._stream(request, context, v1.LaunchTaskResponse, 0)

    def AttachTask(self, request: Any, context: Any) -> Iterator[Any]:
        return self._stream(request, context, v1.AttachTaskResponse, int(request.cursor or b"0"))

    def GetTask(self, request: Any, context: Any) -> Any:
        self._note(request, context)
        fault = next(self._faults, None)
        if isinstance(fault, Refuse):
            self._abort(context, fault.code, fault.details)
        return v1.GetTaskResponse(task=v1.Task(key=request.key, state=number(TaskState.RUNNING)))

    def GetTaskResult(self, request: Any, context: Any) -> Iterator[Any]:
        """Breaks after as many bytes as `End.events` says."""
        self._note(request, context)
        fault = next(self._faults, None)
        if isinstance(fault, Refuse):
            self._abort(context, fault.code, fault.details)
        whole = self.result if self.announced is None else self.announced
        header = v1.TaskResult(
            state=number(ResultState.STORED), size_bytes=len(whole), sha256=hashlib.sha256(whole).digest()
        )
        yield v1.GetTaskResultResponse(header=header)
        yield v1.GetTaskResultResponse()  # a message newer than the client
        rest = self.result[request.offset :]
        if isinstance(fault, End):
            rest = rest[: fault.events]
        for place in range(0, len(rest), 1000):
            yield v1.GetTaskResultResponse(data=rest[place : place + 1000])
        if isinstance(fault, End) and fault.code is not None:
            self._abort(context, fault.code, ())

    def CancelTask(self, request: Any, context: Any) -> Any:
        self._note(request, context)
        return v1.CancelTaskResponse(result=number(CancelResult.STOPPING), task=v1.Task(key=request.key))

    def DeleteTask(self, request: Any, context: Any) -> Any:
        self._note(request, context)
        return v1.DeleteTaskResponse(key=request.key, idempotent_until=Timestamp(seconds=3))

    def GetServerInfo(self, request: Any, context: Any) -> Any:
        self._note(request, context)
        return v1.GetServerInfoResponse(
            version="1", features=[v1.Feature(name="launch", state=number(FeatureState.AVAILABLE))]
        )

    def _stream(self, request: Any, context: Any, response: Any, start: int) -> Iterator[Any]:
        self._note(request, context)
        fault = next(self._faults, None)
        if isinstance(fault, Refuse):
            self._abort(context, fault.code, fault.details)
        if getattr(request, "validate_only", False):
            yield response(validated=v1.Validated(key=KEY, pod_name="pod"))
            return
        yield response(accepted=v1.Accepted(key=KEY, how=number(AcceptedHow.CREATED), cursor=str(start).encode()))
        yield response()  # a message newer than the client
        limit = fault.events if isinstance(fault, (End, Drain)) else None
        yield from self._play(response, start, limit, context)
        if isinstance(fault, Drain):
            yield response(draining=v1.Draining())
            yield from self._play(response, start + fault.events, fault.more, context)
            if start + fault.events + fault.more < len(self.events):
                self._abort(context, grpc.StatusCode.UNAVAILABLE, ())
        if isinstance(fault, End) and fault.code is not None:
            self._abort(context, fault.code, ())
        if fault is None and getattr(request, "until", 0) == 2 and not self.events[-1].HasField("termination"):
            yield response(end_of_available=v1.EndOfAvailable(cursor=b"end", state=number(TaskState.RUNNING)))

    def _play(self, response: Any, start: int, limit: Optional[int], context: Any) -> Iterator[Any]:
        stop = None if limit is None else start + limit
        for place, event in itertools.islice(enumerate(self.events, 1), start, stop):
            sent = v1.Event()
            sent.CopyFrom(event)
            sent.key.CopyFrom(KEY)
            sent.cursor = str(place).encode()
            sent.stream_sequence = place - start
            yield response(event=sent)
            while place == self.hold_after and context.is_active() and not self.hold.wait(0.05):
                pass

    def _note(self, request: Any, context: Any) -> None:
        self.calls.append(request)
        self.metadata.append(dict(context.invocation_metadata()))

    @staticmethod
    def _abort(context: Any, code: grpc.StatusCode, details: tuple[Any, ...]) -> None:
        status = status_pb2.Status(code=code.value[0], message="no", details=packed(*details))
        if details:
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, "no")


@dataclass
class Running:
    target: str
    server: Any = None

    def start(self, fake: Fake) -> Running:
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        v1.add_PodlaunchServiceServicer_to_server(fake, self.server)  # type: ignore[no-untyped-call]
        self.server.add_insecure_port(self.target)
        self.server.start()
        return self

    def stop(self) -> None:
        self.server.stop(None).wait()
