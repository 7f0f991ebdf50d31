"""A task's events as one sequence, over as many streams as it takes. No I/O, no clock: times are arguments.

           ┌────────── repeat the same LaunchTask until Accepted ◀──┐
LaunchTask ┴▶ Accepted ─▶ Event … ─▶ Termination: done              │ no Accepted seen
                 │ cursor   │ cursor                                │
                 └──────────┴── stream broken, or ended too early ──┤
                                ▼ wait: 0.1 … 5 s, RetryInfo        │
                             AttachTask(last cursor) ───────────────┘

A code alone never means an outcome: once a stream has given a message, whatever ends it before the task's end, the
attach decides whether the task can still be had. Nothing comes twice: each stream starts at the cursor of the last
event given out. A replica that is draining is read to the end of its stream: it may still have the Termination.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

import grpc

from podlaunch import v1
from podlaunch._convert import from_proto
from podlaunch.errors import GaveUpError, PodlaunchError, error_of
from podlaunch.events import Event, Termination, event_from_proto
from podlaunch.model import Accepted, EndOfAvailable, Validated

FIRST_BACKOFF = 0.1
LONGEST_BACKOFF = 5.0
STEADY = 10.0
"""A stream that was open for so long (s) was progress, even if nothing happened to its task."""
DRAINING = 60.0
"""For how long (s) a stream of a draining replica is read on before another is opened."""

Request = Union[v1.LaunchTaskRequest, v1.AttachTaskRequest]
Response = Union[v1.LaunchTaskResponse, v1.AttachTaskResponse]


@dataclass
class Contact:
    """Whether a server has ever answered: one that never did is given up soon, its address may be wrong."""

    reached: bool = False


@dataclass(frozen=True)
class Retrying:
    """A call or stream failed with `error` and is repeated in `delay` seconds; `tries` in a row have failed."""

    error: PodlaunchError
    delay: float
    tries: int


class Patience:
    """Decides how long to wait before a call is repeated, and when to give up."""

    def __init__(self, retry_for: Optional[float], first_contact: Optional[float], contact: Contact) -> None:
        self._retry_for = retry_for
        self._first_contact = first_contact
        self._contact = contact
        self._since: Optional[float] = None
        self._tries = 0
        self._backoff = FIRST_BACKOFF

    def progress(self) -> None:
        """All is well: the next failure is the first."""
        self._since = None

    def failed(self, error: PodlaunchError, now: float) -> Retrying:
        """Another failure. Raises GaveUpError when it was the last."""
        if self._since is None:
            self._since, self._tries, self._backoff = now, 0, FIRST_BACKOFF
        passed = now - self._since
        allowed = self._allowed()
        if allowed is not None and passed >= allowed:
            raise GaveUpError.after(passed, error)
        self._tries += 1
        delay = max(self._backoff, error.retry_delay or 0.0)
        self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)
        if allowed is not None:
            # One more try just when the time is over, rather than none for having to wait too long.
            delay = min(delay, allowed - passed)
        return Retrying(error, delay, self._tries)

    def _allowed(self) -> Optional[float]:
        bounds = [self._retry_for, None if self._contact.reached else self._first_contact]
        return min((bound for bound in bounds if bound is not None), default=None)


def never_connected(error: PodlaunchError) -> bool:
    """No server was reached, so that the call had no effect. Only says for how long to go on trying."""
    connecting = ("failed to connect", "DNS resolution failed", "name resolver error", "Name resolution failure")
    return error.code == grpc.StatusCode.UNAVAILABLE and any(
        words.lower() in error.message.lower() for words in connecting
    )


class Session:
    """What is known of one task's events, and what to call next."""

    def __init__(self, request: Request, patience: Patience, contact: Contact) -> None:
        self._opening = request
        self._patience = patience
        self._contact = contact
        self._opened_at = 0.0
        self._messages = 0
        self._events = 0
        self._drained_for_nothing = False
        self.key: Optional[v1.TaskKey] = None
        self.cursor = b""
        self.accepted: Optional[Accepted] = None
        self.termination: Optional[Termination] = None
        self.end_of_available: Optional[EndOfAvailable] = None
        self.validated: Optional[Validated] = None
        self.drain_until: Optional[float] = None
        """The stream is a draining replica's: open the next one then, if it has not ended before."""

    @property
    def finished(self) -> bool:
        """The last message has come."""
        return self.termination is not None or self.end_of_available is not None or self.validated is not None

    def open(self, now: float) -> Request:
        """A stream is being opened: the request to open it with."""
        self._opened_at = now
        self._messages = self._events = 0
        self.drain_until = None
        if self.key is None:
            return self._opening
        request = v1.AttachTaskRequest()
        if isinstance(self._opening, v1.AttachTaskRequest):
            request.CopyFrom(self._opening)
        request.key.CopyFrom(self.key)
        if self.cursor:
            request.cursor = self.cursor
        return request

    def take(self, response: Response, now: float) -> Optional[Event]:
        """A message has come: the event to give out, if it is one that this version knows."""
        self._messages += 1
        self._contact.reached = True
        kind = response.WhichOneof("message")
        if kind == "event":
            return self._event(response.event)
        if kind == "accepted":
            self._accept(response.accepted)
        elif kind == "draining" and self.drain_until is None:
            self.drain_until = now + DRAINING
        elif kind == "validated" and isinstance(response, v1.LaunchTaskResponse):
            self.validated = from_proto(Validated, response.validated)
        elif kind == "end_of_available" and isinstance(response, v1.AttachTaskResponse):
            self.end_of_available = from_proto(EndOfAvailable, response.end_of_available)
            self.cursor = self.end_of_available.cursor or self.cursor
        return None

    def _accept(self, message: v1.Accepted) -> None:
        if self.key is not None:
            return
        self.key = message.key if message.HasField("key") else self._opening.key
        self.cursor = message.cursor
        self.accepted = from_proto(Accepted, message)

    def _event(self, message: v1.Event) -> Optional[Event]:
        self._events += 1
        self._drained_for_nothing = False
        self._patience.progress()
        event = event_from_proto(message)
        self.cursor = message.cursor or self.cursor
        if isinstance(event, Termination):
            self.termination = event
        return event

    def ended(self, error: Optional[PodlaunchError], now: float) -> Optional[Retrying]:
        """The stream has ended before its last message; `error` None: with OK.

        None: open the next one at once. Raises `error` if it is final, GaveUpError if it was the last try.
        """
        error = error or error_of(grpc.StatusCode.UNAVAILABLE, "the stream ended before the task")
        if error.from_server or not never_connected(error):
            self._contact.reached = True
        if not self._messages:
            if not error.repeatable:
                raise error
            return self._patience.failed(error, now)
        if now - self._opened_at >= STEADY:
            self._patience.progress()
        if self.drain_until is not None and not self._drained_for_nothing:
            # Announced: another replica is there. Should the same one answer again, the next failure waits.
            self._drained_for_nothing = True
            return None
        return self._patience.failed(error, now)
