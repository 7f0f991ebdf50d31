"""What happens to a task, as frozen dataclasses.

Event ─┬─ StateChange      the state, or why it is not getting on
       ├─ ContainerChange  a container waits, runs, has ended
       ├─ LogChunk         log lines
       ├─ LogGap           log lines are missing here
       ├─ LogEnd           a log is at its end
       ├─ PodNotice        a remark by Kubernetes or podlaunch
       └─ Termination      the end: exactly one, the last event

Fields are named, and mean, as in `event.proto` and `log.proto`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Optional

from podlaunch import v1
from podlaunch._convert import datetime_of, from_proto, of, values
from podlaunch.enums import (
    ContainerRole,
    LogLossCause,
    LogStream,
    NoticeKind,
    NoticeSeverity,
    Reason,
    TaskState,
)
from podlaunch.model import (
    ContainerDelivery,
    ContainerRunning,
    ContainerState,
    ContainerTerminated,
    ContainerWaiting,
    Delivery,
    Outcome,
    TaskKey,
)


@of(v1.Event)
@dataclass(frozen=True)
class Event:
    """What all events have. `cursor` is where to resume after this one."""

    key: Optional[TaskKey]
    pod_uid: str
    cursor: bytes
    stream_sequence: int
    event_uid: str
    occurred_time: Optional[datetime]
    observed_time: Optional[datetime]
    redelivered: bool


@of(v1.StateChange)
@dataclass(frozen=True)
class StateChange(Event):
    """The state of the task changed; or it did not, but what it waits for did (then `state` equals `previous`)."""

    state: TaskState
    previous: TaskState
    reason: Reason
    kubernetes_reason: str
    kubernetes_message: str
    node_name: str
    queue_position: Optional[int]


@of(v1.ContainerChange)
@dataclass(frozen=True)
class ContainerChange(Event):
    """A container's state changed."""

    container: str
    role: ContainerRole
    restart: int
    waiting: Optional[ContainerWaiting]
    running: Optional[ContainerRunning]
    terminated: Optional[ContainerTerminated]

    @property
    def state(self) -> Optional[ContainerState]:
        """The one of `waiting`, `running` and `terminated` that is set."""
        return self.waiting or self.running or self.terminated


class LogPiece(NamedTuple):
    """A line, or a piece of one, of a chunk. `time`: when its line was stored, by the node's clock."""

    time: Optional[datetime]
    data: bytes


@of(v1.LogChunk)
@dataclass(frozen=True)
class LogChunk(Event):
    """Part of the log of one run of a container: whole lines, longer ones in pieces (`continues`)."""

    container: str
    restart: int
    stream: LogStream
    first_line: Optional[int]
    data: bytes
    line_ends: tuple[int, ...]
    first_time_ns: Optional[int]
    time_deltas: tuple[int, ...]
    continues: bool

    def lines(self) -> Iterator[LogPiece]:
        """Each line with its time and its newline; together they are `data`.

        The first may be the rest of a line that an earlier chunk began; one without a newline goes on in the next
        chunk (`continues`) or is the last of the log. `LineJoiner` makes whole lines of them.
        """
        begin = 0
        ends = self.line_ends
        if not ends or ends[-1] < len(self.data):
            ends = (*ends, len(self.data))
        for end, stamp in zip(ends, self._stamps(len(ends))):
            yield LogPiece(None if stamp is None else datetime_of(stamp), self.data[begin:end])
            begin = end

    def _stamps(self, count: int) -> Iterator[Optional[int]]:
        first = self.first_time_ns
        yield first
        for index in range(count - 1):
            known = first is not None and index < len(self.time_deltas)
            yield first + self.time_deltas[index] if known and first is not None else None


@of(v1.LogGap)
@dataclass(frozen=True)
class LogGap(Event):
    """Log lines are missing here. `lines` None: it is not known how many."""

    container: str
    restart: int
    cause: LogLossCause
    lines: Optional[int]
    after_time: Optional[datetime]
    before_time: Optional[datetime]


@of(v1.LogEnd)
@dataclass(frozen=True)
class LogEnd(Event):
    """The log of one run of a container is at its end."""

    container: str
    restart: int
    delivery: Optional[ContainerDelivery]


@of(v1.PodNotice)
@dataclass(frozen=True)
class PodNotice(Event):
    """A remark that changes no state but explains what is going on."""

    kind: NoticeKind
    severity: NoticeSeverity
    reason: str
    message: str
    component: str
    container: str
    count: int
    first_time: Optional[datetime]


@of(v1.Termination)
@dataclass(frozen=True)
class Termination(Event):
    """The end of a task: how it ended, and what this chain of streams got of its logs."""

    outcome: Outcome
    delivery: Optional[Delivery]


_BODIES: dict[str, type[Event]] = {
    "state_change": StateChange,
    "container_change": ContainerChange,
    "log_chunk": LogChunk,
    "log_gap": LogGap,
    "log_end": LogEnd,
    "notice": PodNotice,
    "termination": Termination,
}


def event_from_proto(message: v1.Event) -> Optional[Event]:
    """The event of `message`; None where it is of a kind this version does not know."""
    kind = message.WhichOneof("body")
    cls = _BODIES.get(kind) if kind else None
    if kind is None or cls is None:
        return None
    body = values(cls, getattr(message, kind))
    if cls is Termination and body[0] is None:
        # Keeps to the type: nothing is known of the end but that it is one.
        body[0] = from_proto(Outcome, v1.Outcome())
    return cls(*values(Event, message), *body)
