"""The client that blocks.

Client.launch, .attach ─▶ TaskStream ─ a Session decides ─▶ LaunchTask, AttachTask, AttachTask … as one sequence
Client.get, .cancel, …  ─ repeated while that can help ─▶ one call
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Callable, Optional

import grpc

from podlaunch import _requests as requests
from podlaunch import v1
from podlaunch._channel import Address, Metadata, Tls, Token, address, call_metadata
from podlaunch._convert import from_proto
from podlaunch._requests import AnyKey
from podlaunch._session import Contact, Patience, Request, Response, Retrying, Session
from podlaunch.enums import EventKind, PreviousActivePolicy, StreamStart, StreamUntil
from podlaunch.errors import PodlaunchError, error_of_rpc
from podlaunch.events import Event, Termination
from podlaunch.model import Accepted, Cancelled, EndOfAvailable, ServerInfo, Task, Validated
from podlaunch.spec import AnySpec, Duration, Logs

# Generated without types.
_Stub: Any = v1.PodlaunchServiceStub

RETRY_FOR = 300.0
FIRST_CONTACT = 10.0

_logger = logging.getLogger("podlaunch")

OnRetry = Callable[[Retrying], None]


def log_retry(retrying: Retrying) -> None:
    """What is done before a repeat if no `on_retry` is given."""
    _logger.warning("retrying in %.1f s (try %d): %s", retrying.delay, retrying.tries, retrying.error)


class TaskStream(Iterator[Event]):
    """The events of one task, in order, each once, until its Termination, whatever breaks meanwhile.

    Iterate it, or `wait` for the end. Close it, or use it as a context manager, if you leave early: that does not stop
    the task. Read by one thread; `cancel_stream` may be called from any.
    """

    def __init__(self, session: Session, call: Callable[[Request], Any], on_retry: OnRetry) -> None:
        self._session = session
        self._start = call
        self._on_retry = on_retry
        self._call: Any = None
        self._ready_at = 0.0
        self._closed = False
        # Re-entrant: `cancel_stream` may run in a signal handler of the thread that waits here.
        self._wake = threading.Condition(threading.RLock())

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

    def wait_accepted(self) -> Accepted:
        """Blocks until the pod is there."""
        while self._session.accepted is None and not self._over:
            self._step()
        if self._session.accepted is None:
            raise ValueError("the stream was closed before its task was accepted")
        return self._session.accepted

    def wait(self) -> Termination:
        """Blocks until the end of the task; events that come are dropped."""
        for _ in self:
            pass
        if self._session.termination is None:
            raise ValueError("the stream ended before its task: it was closed, or asked for what is available")
        return self._session.termination

    def cancel_stream(self) -> None:
        """Ends the iteration, also one that blocks in another thread. The task goes on."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
            call = self._call
        if call is not None:
            call.cancel()

    close = cancel_stream

    def __next__(self) -> Event:
        while not self._over:
            event = self._step()
            if event is not None:
                return event
        raise StopIteration

    def __enter__(self) -> TaskStream:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.cancel_stream()

    @property
    def _over(self) -> bool:
        return self._closed or self._session.finished

    def _step(self) -> Optional[Event]:
        """One message, one end of a stream or one opening of one: an event if it gave one."""
        if self._call is None:
            self._open()
            return None
        try:
            response: Response = next(self._call)
        except StopIteration:
            self._ended(None)
            return None
        except grpc.RpcError as error:
            self._ended(error)
            return None
        draining = self._session.drain_until
        event = self._session.take(response, time.monotonic())
        if draining is None and self._session.drain_until is not None:
            self._end_at(self._session.drain_until)
        if self._session.finished:
            self._call.cancel()
        return event

    def _open(self) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._closed, max(0.0, self._ready_at - time.monotonic()))
            if self._closed:
                return
            self._call = self._start(self._session.open(time.monotonic()))

    def _ended(self, error: Optional[grpc.RpcError]) -> None:
        with self._wake:
            self._call = None
        if self._closed:
            return
        now = time.monotonic()
        try:
            retrying = self._session.ended(None if error is None else error_of_rpc(error), now)
        except PodlaunchError:
            self._closed = True
            raise
        if retrying is not None:
            self._ready_at = now + retrying.delay
            self._on_retry(retrying)

    def _end_at(self, deadline: float) -> None:
        call = self._call
        timer = threading.Timer(max(0.0, deadline - time.monotonic()), call.cancel)
        timer.daemon = True
        call.add_callback(timer.cancel)
        timer.start()


class Client:
    """A client of one server (or of a name behind which all replicas are). Threads may share it.

    `target`: `unix:///path`, `host:port`, `https://host:port`. `retry_for`: for how long (s) calls and streams go on
    trying without progress before GaveUpError; None: for ever. `first_contact`: the same for a server that has never
    answered; None: as `retry_for`. Connects at first use; a forked process gets a connection of its own.
    """

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
        self._channel: Optional[grpc.Channel] = None
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
    ) -> TaskStream:
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
    ) -> TaskStream:
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

    def validate(self, key: AnyKey, spec: AnySpec, *, metadata: Metadata = ()) -> Validated:
        """A dry run of a launch in the API server. Nothing is stored."""
        request = requests.launch_request(key, spec)
        request.validate_only = True
        with self._stream(request, metadata, None) as stream:
            for _ in stream:
                pass
            validated = stream._session.validated
        if validated is None:
            raise ValueError("the server launched the task instead of validating it")
        return validated

    def get(self, key: AnyKey, *, metadata: Metadata = ()) -> Task:
        """One task as it is now. For waiting use `attach`."""
        request = v1.GetTaskRequest(key=requests.task_key(key))
        return from_proto(Task, self._unary("GetTask", request, metadata).task)

    def cancel(
        self,
        key: AnyKey,
        *,
        grace: Optional[Duration] = None,
        reason: str = "",
        allow_missing: bool = False,
        metadata: Metadata = (),
    ) -> Cancelled:
        """Stops a task. Answers when the stop is stored, not when the task has ended: its Termination says that."""
        request = requests.cancel_request(key, grace=grace, reason=reason, allow_missing=allow_missing)
        return from_proto(Cancelled, self._unary("CancelTask", request, metadata))

    def server_info(self, *, metadata: Metadata = ()) -> ServerInfo:
        """What the server is: version, clusters, limits, features."""
        return from_proto(ServerInfo, self._unary("GetServerInfo", v1.GetServerInfoRequest(), metadata))

    def close(self) -> None:
        """Closes the connection, for good: streams that are open fail with ValueError at their next message."""
        with self._lock:
            self._closed = True
            channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def _patience(self) -> Patience:
        return Patience(self._retry_for, self._first_contact, self._contact)

    def _stream(self, request: Request, metadata: Metadata, on_retry: Optional[OnRetry]) -> TaskStream:
        def start(request: Request) -> Any:
            method = "LaunchTask" if isinstance(request, v1.LaunchTaskRequest) else "AttachTask"
            return getattr(self._service(), method)(request, metadata=self._call_metadata(metadata))

        session = Session(request, self._patience(), self._contact)
        return TaskStream(session, start, on_retry or self._on_retry)

    def _unary(self, method: str, request: Any, metadata: Metadata) -> Any:
        session = Session(v1.AttachTaskRequest(), self._patience(), self._contact)
        while True:
            session.open(time.monotonic())
            try:
                response = getattr(self._service(), method)(request, metadata=self._call_metadata(metadata))
            except grpc.RpcError as error:
                retrying = session.ended(error_of_rpc(error), time.monotonic())
            else:
                self._contact.reached = True
                return response
            if retrying is not None:
                self._on_retry(retrying)
                time.sleep(retrying.delay)

    def _call_metadata(self, more: Metadata) -> list[tuple[str, str]]:
        return call_metadata(self._token, (*self._metadata, *more))

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

    def _connect(self) -> grpc.Channel:
        options = self._address.options(self._channel_options)
        if self._address.tls is None:
            return grpc.insecure_channel(self._address.target, options)
        return grpc.secure_channel(self._address.target, self._address.tls.credentials(), options)
