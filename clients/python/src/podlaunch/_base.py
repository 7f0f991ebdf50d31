"""What both clients share: everything but how they wait.

                     ┌ Client       blocks
ClientBase, StreamBase
                     └ AsyncClient  awaits
"""

from __future__ import annotations

import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Callable, Generic, Optional, TypeVar

from podlaunch import _requests as requests
from podlaunch import v1
from podlaunch._channel import Address, Metadata, Tls, Token, address, call_metadata
from podlaunch._requests import AnyKey
from podlaunch._result import Download, ResultBase, StartResult
from podlaunch._session import Contact, Patience, Request, Retrying, Session
from podlaunch.enums import EventKind, PreviousActivePolicy, StreamStart, StreamUntil
from podlaunch.errors import error_of_rpc
from podlaunch.events import Termination
from podlaunch.model import Accepted, EndOfAvailable, Validated
from podlaunch.spec import AnySpec, Duration, Logs

# Generated without types.
_Stub: Any = v1.PodlaunchServiceStub

RETRY_FOR = 300.0
FIRST_CONTACT = 10.0

_logger = logging.getLogger("podlaunch")

OnRetry = Callable[[Retrying], None]
Start = Callable[[Request], Any]
"""Makes the call of a stream."""


def log_retry(retrying: Retrying) -> None:
    """What is done before a repeat if no `on_retry` is given."""
    _logger.warning("retrying in %.1f s (try %d): %s", retrying.delay, retrying.tries, retrying.error)


class StreamBase:
    """What a stream of a task's events knows."""

    def __init__(self, session: Session, call: Start, on_retry: OnRetry) -> None:
        self._session = session
        self._start = call
        self._on_retry = on_retry
        self._call: Any = None
        self._ready_at = 0.0

    @property
    def accepted(self) -> Optional[Accepted]:
        """How the task was met: known when the first event is, or after `wait_accepted`."""
        return self._session.accepted

    @property
    def cursor(self) -> bytes:
        """Where to attach to go on after the last event given out. b"" before the task is accepted."""
        return self._session.cursor

    @property
    def termination(self) -> Optional[Termination]:
        """How the task ended, once the last event has been given out."""
        return self._session.termination

    @property
    def end_of_available(self) -> Optional[EndOfAvailable]:
        """With until AVAILABLE: that was all, and the task is not finished."""
        return self._session.end_of_available

    def _was_accepted(self) -> Accepted:
        """After the last step that could have shown it."""
        if self._session.accepted is None:
            raise ValueError("the stream was closed before its task was accepted")
        return self._session.accepted

    def _has_terminated(self) -> Termination:
        """After the last event."""
        if self._session.termination is None:
            raise ValueError("the stream ended before its task: it was closed, or asked for what is available")
        return self._session.termination

    def _was_validated(self) -> Validated:
        """After the last message of a dry run."""
        if self._session.validated is None:
            raise ValueError("the server launched the task instead of validating it")
        return self._session.validated

    def _failed(self, error: Optional[Exception]) -> None:
        """A stream ended, with `error` or `None`: when the next one may be opened. Raises what is final."""
        now = time.monotonic()
        retrying = self._session.ended(None if error is None else error_of_rpc(error), now)
        if retrying is not None:
            self._ready_at = now + retrying.delay
            self._on_retry(retrying)


StreamT = TypeVar("StreamT", bound=StreamBase)
ResultT = TypeVar("ResultT", bound=ResultBase)


class ClientBase(ABC, Generic[StreamT, ResultT]):
    """What a client is given, and the calls that only make a stream."""

    def __init__(
        self,
        target: str,
        *,
        tls: Optional[Tls] = None,
        token: Optional[Token] = None,
        metadata: Metadata = (),
        retry_for: Optional[float] = RETRY_FOR,
        first_contact: Optional[float] = FIRST_CONTACT,
        on_retry: Optional[OnRetry] = None,
        channel_options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self._address: Address = address(target, tls, token)
        self._token = token
        self._metadata = tuple(metadata)
        self._retry_for = retry_for
        self._first_contact = first_contact
        self._on_retry: OnRetry = on_retry or log_retry
        self._channel_options = tuple(channel_options)
        self._contact = Contact()
        self._lock = threading.RLock()
        self._channel: Any = None
        self._stub: Any = None
        self._closed = False
        self._pid = 0

    def launch(
        self,
        key: AnyKey,
        spec: AnySpec,
        *,
        if_previous_active: PreviousActivePolicy = PreviousActivePolicy.UNSPECIFIED,
        cancel_after_disconnect: Optional[Duration] = None,
        wait_for_quota: Optional[Duration] = None,
        required_features: Sequence[str] = (),
        metadata: Metadata = (),
        on_retry: Optional[OnRetry] = None,
    ) -> StreamT:
        """The events of the task `key`, launched if it is not there yet. Sent when the stream is first read."""
        request = requests.launch_request(
            key,
            spec,
            if_previous_active=if_previous_active,
            cancel_after_disconnect=cancel_after_disconnect,
            wait_for_quota=wait_for_quota,
            required_features=required_features,
        )
        return self._stream(request, metadata, on_retry)

    def attach(
        self,
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
        metadata: Metadata = (),
        on_retry: Optional[OnRetry] = None,
    ) -> StreamT:
        """The events of a task that was launched before, from a cursor or another start (default: the beginning)."""
        request = requests.attach_request(
            key,
            cursor=cursor,
            start=start,
            tail_lines=tail_lines,
            since=since,
            until=until,
            kinds=kinds,
            containers=containers,
            logs=logs,
        )
        return self._stream(request, metadata, on_retry)

    def result(
        self,
        key: AnyKey,
        *,
        offset: int = 0,
        metadata: Metadata = (),
        on_retry: Optional[OnRetry] = None,
    ) -> ResultT:
        """The bytes of a finished task's result, in pieces; `read` gives them all.

        They are compared with the size and SHA-256 that the server announces; from another `offset` than 0 only with
        the size. Raises ResultUnavailableError where there is none, PreconditionError before the task's end.
        """

        def start(request: v1.GetTaskResultRequest) -> Any:
            return self._start("GetTaskResult", request, metadata)

        download = Download(requests.task_key(key), offset, self._patience(), self._contact)
        return self._new_result(download, start, on_retry or self._on_retry)

    @abstractmethod
    def _connect(self) -> Any:
        """A channel, not yet connected."""

    @abstractmethod
    def _new_stream(self, session: Session, call: Start, on_retry: OnRetry) -> StreamT:
        """A stream of this client's kind."""

    @abstractmethod
    def _new_result(self, download: Download, call: StartResult, on_retry: OnRetry) -> ResultT:
        """A result's stream of this client's kind."""

    def _stream(self, request: Request, metadata: Metadata, on_retry: Optional[OnRetry]) -> StreamT:
        def start(request: Request) -> Any:
            method = "LaunchTask" if isinstance(request, v1.LaunchTaskRequest) else "AttachTask"
            return self._start(method, request, metadata)

        session = Session(request, self._patience(), self._contact)
        return self._new_stream(session, start, on_retry or self._on_retry)

    def _repeats(self) -> Session:
        """Decides about the repeats of one call that is no stream."""
        return Session(v1.AttachTaskRequest(), self._patience(), self._contact)

    def _patience(self) -> Patience:
        return Patience(self._retry_for, self._first_contact, self._contact)

    def _start(self, method: str, request: Any, metadata: Metadata) -> Any:
        """Makes a call."""
        sent = call_metadata(self._token, (*self._metadata, *metadata))
        return getattr(self._service(), method)(request, metadata=sent)

    def _service(self) -> Any:
        with self._lock:
            if self._closed:
                raise ValueError("the client is closed")
            if self._stub is None or self._pid != os.getpid():
                # After a fork the parent's connection must not be touched, not even to close it.
                self._channel = self._connect()
                self._stub = _Stub(self._channel)
                self._pid = os.getpid()
            return self._stub

    def _take_channel(self) -> Any:
        """Closes the client, for good: the channel to close, if there is one."""
        with self._lock:
            self._closed = True
            channel, self._channel, self._stub = self._channel, None, None
        return channel
