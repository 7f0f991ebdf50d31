"""The client for asyncio: as `podlaunch.client`, with `grpc.aio`.

Reads are kept over a cancelled wait: `asyncio.wait_for(anext(stream), 1)` that runs out loses nothing.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Callable, Optional

import grpc

from podlaunch import _requests as requests
from podlaunch import v1
from podlaunch._channel import Address, Metadata, Tls, Token, address, call_metadata
from podlaunch._convert import from_proto
from podlaunch._requests import AnyKey
from podlaunch._session import Contact, Patience, Request, Session
from podlaunch.client import FIRST_CONTACT, RETRY_FOR, OnRetry, log_retry
from podlaunch.enums import EventKind, PreviousActivePolicy, StreamStart, StreamUntil
from podlaunch.errors import PodlaunchError, error_of_rpc
from podlaunch.events import Event, Termination
from podlaunch.model import Accepted, Cancelled, EndOfAvailable, ServerInfo, Task, Validated
from podlaunch.spec import AnySpec, Duration, Logs

# Generated without types.
_Stub: Any = v1.PodlaunchServiceStub
_EOF: Any = getattr(grpc.aio, "EOF")  # noqa: B009 -- not in the published stubs


class AsyncTaskStream(AsyncIterator[Event]):
    """The events of one task, in order, each once, until its Termination, whatever breaks meanwhile.

    As `TaskStream`. Read by one asyncio task.
    """

    def __init__(self, session: Session, call: Callable[[Request], Any], on_retry: OnRetry) -> None:
        self._session = session
        self._start = call
        self._on_retry = on_retry
        self._call: Any = None
        self._read: Optional[asyncio.Future[Any]] = None
        self._ready_at = 0.0
        self._closed = asyncio.Event()

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

    async def wait_accepted(self) -> Accepted:
        """Waits until the pod is there."""
        while self._session.accepted is None and not self._over:
            await self._step()
        if self._session.accepted is None:
            raise ValueError("the stream was closed before its task was accepted")
        return self._session.accepted

    async def wait(self) -> Termination:
        """Waits for the end of the task; events that come are dropped."""
        async for _ in self:
            pass
        if self._session.termination is None:
            raise ValueError("the stream ended before its task: it was closed, or asked for what is available")
        return self._session.termination

    def cancel_stream(self) -> None:
        """Ends the iteration, also one that waits in another asyncio task. The task goes on."""
        self._closed.set()
        self._drop()

    close = cancel_stream

    async def __anext__(self) -> Event:
        while not self._over:
            event = await self._step()
            if event is not None:
                return event
        raise StopAsyncIteration

    async def __aenter__(self) -> AsyncTaskStream:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.cancel_stream()

    @property
    def _over(self) -> bool:
        return self._closed.is_set() or self._session.finished

    async def _step(self) -> Optional[Event]:
        """One message, one end of a stream or one opening of one: an event if it gave one."""
        if self._call is None:
            await self._open()
            return None
        if self._read is None:
            self._read = asyncio.ensure_future(self._call.read())
        drain_until = self._session.drain_until
        timeout = None if drain_until is None else max(0.0, drain_until - time.monotonic())
        # `wait` leaves the read alone if it is itself cancelled: the next step takes it up again.
        done, _ = await asyncio.wait({self._read}, timeout=timeout)
        read, self._read = self._read, None if done else self._read
        if self._closed.is_set() or not done:
            self._ended(None)
            return None
        return self._take(read)

    def _take(self, read: asyncio.Future[Any]) -> Optional[Event]:
        try:
            response = read.result()
        except grpc.RpcError as error:
            self._ended(error)
            return None
        if response is _EOF:
            self._ended(None)
            return None
        event = self._session.take(response, time.monotonic())
        if self._session.finished:
            self._drop()
        return event

    async def _open(self) -> None:
        delay = self._ready_at - time.monotonic()
        if delay > 0:
            await _wait_for_event(self._closed, delay)
        if not self._closed.is_set():
            self._call = self._start(self._session.open(time.monotonic()))

    def _ended(self, error: Optional[grpc.RpcError]) -> None:
        self._drop()
        if self._closed.is_set():
            return
        now = time.monotonic()
        try:
            retrying = self._session.ended(None if error is None else error_of_rpc(error), now)
        except PodlaunchError:
            self._closed.set()
            raise
        if retrying is not None:
            self._ready_at = now + retrying.delay
            self._on_retry(retrying)

    def _drop(self) -> None:
        if self._read is not None:
            # Waiters see it end; its own error, if it had one, is of no interest.
            self._read.add_done_callback(lambda read: read.cancelled() or read.exception())
            self._read.cancel()
        if self._call is not None:
            self._call.cancel()
        self._call = self._read = None


class AsyncClient:
    """As `Client`, for asyncio. Belongs to the event loop in which it is first used."""

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
        self._channel: Optional[grpc.aio.Channel] = None
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
    ) -> AsyncTaskStream:
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
    ) -> AsyncTaskStream:
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

    async def validate(self, key: AnyKey, spec: AnySpec, *, metadata: Metadata = ()) -> Validated:
        """A dry run of a launch in the API server. Nothing is stored."""
        request = requests.launch_request(key, spec)
        request.validate_only = True
        async with self._stream(request, metadata, None) as stream:
            async for _ in stream:
                pass
            validated = stream._session.validated
        if validated is None:
            raise ValueError("the server launched the task instead of validating it")
        return validated

    async def get(self, key: AnyKey, *, metadata: Metadata = ()) -> Task:
        """One task as it is now. For waiting use `attach`."""
        request = v1.GetTaskRequest(key=requests.task_key(key))
        return from_proto(Task, (await self._unary("GetTask", request, metadata)).task)

    async def cancel(
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
        return from_proto(Cancelled, await self._unary("CancelTask", request, metadata))

    async def server_info(self, *, metadata: Metadata = ()) -> ServerInfo:
        """What the server is: version, clusters, limits, features."""
        return from_proto(ServerInfo, await self._unary("GetServerInfo", v1.GetServerInfoRequest(), metadata))

    async def close(self) -> None:
        """Closes the connection, for good: streams that are open fail with ValueError at their next message."""
        self._closed = True
        channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            await channel.close(None)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()

    def _patience(self) -> Patience:
        return Patience(self._retry_for, self._first_contact, self._contact)

    def _stream(self, request: Request, metadata: Metadata, on_retry: Optional[OnRetry]) -> AsyncTaskStream:
        def start(request: Request) -> Any:
            method = "LaunchTask" if isinstance(request, v1.LaunchTaskRequest) else "AttachTask"
            return getattr(self._service(), method)(request, metadata=self._call_metadata(metadata))

        session = Session(request, self._patience(), self._contact)
        return AsyncTaskStream(session, start, on_retry or self._on_retry)

    async def _unary(self, method: str, request: Any, metadata: Metadata) -> Any:
        session = Session(v1.AttachTaskRequest(), self._patience(), self._contact)
        while True:
            session.open(time.monotonic())
            try:
                response = await getattr(self._service(), method)(request, metadata=self._call_metadata(metadata))
            except grpc.RpcError as error:
                retrying = session.ended(error_of_rpc(error), time.monotonic())
            else:
                self._contact.reached = True
                return response
            if retrying is not None:
                self._on_retry(retrying)
                await asyncio.sleep(retrying.delay)

    def _call_metadata(self, more: Metadata) -> list[tuple[str, str]]:
        return call_metadata(self._token, (*self._metadata, *more))

    def _service(self) -> Any:
        if self._closed:
            raise ValueError("the client is closed")
        if self._stub is None or self._pid != os.getpid():
            self._channel = self._connect()
            self._stub = _Stub(self._channel)
            self._pid = os.getpid()
        return self._stub

    def _connect(self) -> grpc.aio.Channel:
        options = self._address.options(self._channel_options)
        if self._address.tls is None:
            return grpc.aio.insecure_channel(self._address.target, options)
        return grpc.aio.secure_channel(self._address.target, self._address.tls.credentials(), options)


async def _wait_for_event(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except (asyncio.TimeoutError, TimeoutError):
        return
