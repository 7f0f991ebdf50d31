"""The client for asyncio: as `podlaunch.client`, with `grpc.aio`.

Reads are kept over a cancelled wait: `asyncio.wait_for(anext(stream), 1)` that runs out loses nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from types import TracebackType
from typing import Any, Optional, TypeVar

import grpc

from podlaunch import _requests as requests
from podlaunch._base import ClientBase, OnRetry, Start, StreamBase
from podlaunch._channel import Metadata
from podlaunch._requests import AnyKey, Call
from podlaunch._result import Download, ResultBase, StartResult
from podlaunch._session import Session
from podlaunch.errors import PodlaunchError, error_of_rpc
from podlaunch.events import Event, Termination
from podlaunch.model import Accepted, Cancelled, ServerInfo, Task, Validated
from podlaunch.spec import AnySpec, Duration

_EOF: Any = getattr(grpc.aio, "EOF")  # noqa: B009 -- not in the published stubs

T = TypeVar("T")


class AsyncTaskStream(StreamBase, AsyncIterator[Event]):
    """The events of one task, in order, each once, until its Termination, whatever breaks meanwhile.

    As `TaskStream`. Read by one asyncio task.
    """

    def __init__(self, session: Session, call: Start, on_retry: OnRetry) -> None:
        super().__init__(session, call, on_retry)
        self._read: Optional[asyncio.Future[Any]] = None
        self._closed = asyncio.Event()

    async def wait_accepted(self) -> Accepted:
        """Waits until the pod is there."""
        while self._session.accepted is None and not self._over:
            await self._step()
        return self._was_accepted()

    async def wait(self) -> Termination:
        """Waits for the end of the task; events that come are dropped."""
        async for _ in self:
            pass
        return self._has_terminated()

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
        try:
            self._failed(error)
        except PodlaunchError:
            self._closed.set()
            raise

    def _drop(self) -> None:
        if self._read is not None:
            # Waiters see it end; its own error, if it had one, is of no interest.
            self._read.add_done_callback(lambda read: read.cancelled() or read.exception())
            self._read.cancel()
        if self._call is not None:
            self._call.cancel()
        self._call = self._read = None


class AsyncResultStream(ResultBase, AsyncIterator[bytes]):
    """The bytes of a result, in pieces, each once, whatever breaks meanwhile. Ends only if all came and are right."""

    async def read(self) -> bytes:
        """All of them, from here on."""
        return b"".join([piece async for piece in self])

    async def __anext__(self) -> bytes:
        while not self._over:
            if self._call is None:
                self._call = self._start(self._download.request())
            try:
                response = await self._call.read()
            except grpc.RpcError as error:
                await asyncio.sleep(self._broken(error, time.monotonic()).delay)
                continue
            if response is _EOF:
                self._complete()
                continue
            data = self._take(response)
            if data:
                return data
        raise StopAsyncIteration

    async def __aenter__(self) -> AsyncResultStream:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class AsyncClient(ClientBase[AsyncTaskStream, AsyncResultStream]):
    """As `Client`, for asyncio. Belongs to the event loop in which it is first used."""

    async def validate(self, key: AnyKey, spec: AnySpec, *, metadata: Metadata = ()) -> Validated:
        """A dry run of a launch in the API server. Nothing is stored."""
        async with self._stream(requests.validate_request(key, spec), metadata, None) as stream:
            async for _ in stream:
                pass
            return stream._was_validated()

    async def get(self, key: AnyKey, *, metadata: Metadata = ()) -> Task:
        """One task as it is now. For waiting use `attach`."""
        return await self._unary(requests.get(key), metadata)

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
        return await self._unary(requests.cancel(key, grace, reason, allow_missing), metadata)

    async def delete(self, key: AnyKey, *, pod_uid: str = "", metadata: Metadata = ()) -> Optional[datetime]:
        """Releases a finished task before its retention ends: its pod, log and result go some 10 s later.

        Until when its key stays taken. Raises PreconditionError before the task's end. `pod_uid`: only that pod.
        """
        return await self._unary(requests.delete(key, pod_uid), metadata)

    async def server_info(self, *, metadata: Metadata = ()) -> ServerInfo:
        """What the server is: version, clusters, limits, features."""
        return await self._unary(requests.server_info(), metadata)

    async def close(self) -> None:
        """Closes the connection, for good: streams that are open fail with ValueError at their next message."""
        channel = self._take_channel()
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

    def _new_stream(self, session: Session, call: Start, on_retry: OnRetry) -> AsyncTaskStream:
        return AsyncTaskStream(session, call, on_retry)

    def _new_result(self, download: Download, call: StartResult, on_retry: OnRetry) -> AsyncResultStream:
        return AsyncResultStream(download, call, on_retry)

    async def _unary(self, call: Call[T], metadata: Metadata) -> T:
        session = self._repeats()
        while True:
            session.open(time.monotonic())
            try:
                response = await self._start(call.method, call.request, metadata)
            except grpc.RpcError as error:
                retrying = session.ended(error_of_rpc(error), time.monotonic())
            else:
                self._contact.reached = True
                return call.read(response)
            if retrying is not None:
                self._on_retry(retrying)
                await asyncio.sleep(retrying.delay)

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
