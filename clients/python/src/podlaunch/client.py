"""The client that blocks.

Client.launch, .attach ─▶ TaskStream ─ a Session decides ─▶ LaunchTask, AttachTask, AttachTask … as one sequence
Client.get, .cancel, …  ─ repeated while that can help ─▶ one call
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Optional, TypeVar

import grpc

from podlaunch import _requests as requests
from podlaunch._base import FIRST_CONTACT, RETRY_FOR, ClientBase, OnRetry, Start, StreamBase, log_retry
from podlaunch._channel import Metadata
from podlaunch._requests import AnyKey, Call
from podlaunch._result import Download, ResultBase, StartResult
from podlaunch._session import Response, Session
from podlaunch.errors import PodlaunchError, error_of_rpc
from podlaunch.events import Event, Termination
from podlaunch.model import Accepted, Cancelled, ServerInfo, Task, Validated
from podlaunch.spec import AnySpec, Duration

__all__ = ["FIRST_CONTACT", "RETRY_FOR", "Client", "OnRetry", "TaskStream", "log_retry"]

T = TypeVar("T")


class TaskStream(StreamBase, Iterator[Event]):
    """The events of one task, in order, each once, until its Termination, whatever breaks meanwhile.

    Iterate it, or `wait` for the end. Close it, or use it as a context manager, if you leave early: that does not stop
    the task. Read by one thread; `cancel_stream` may be called from any.
    """

    def __init__(self, session: Session, call: Start, on_retry: OnRetry) -> None:
        super().__init__(session, call, on_retry)
        self._closed = False
        # Re-entrant: `cancel_stream` may run in a signal handler of the thread that waits here.
        self._wake = threading.Condition(threading.RLock())

    def wait_accepted(self) -> Accepted:
        """Blocks until the pod is there."""
        while self._session.accepted is None and not self._over:
            self._step()
        return self._was_accepted()

    def wait(self) -> Termination:
        """Blocks until the end of the task; events that come are dropped."""
        for _ in self:
            pass
        return self._has_terminated()

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
        try:
            self._failed(error)
        except PodlaunchError:
            self._closed = True
            raise

    def _end_at(self, deadline: float) -> None:
        call = self._call
        timer = threading.Timer(max(0.0, deadline - time.monotonic()), call.cancel)
        timer.daemon = True
        call.add_callback(timer.cancel)
        timer.start()


class ResultStream(ResultBase, Iterator[bytes]):
    """The bytes of a result, in pieces, each once, whatever breaks meanwhile. Ends only if all came and are right."""

    def read(self) -> bytes:
        """All of them, from here on."""
        return b"".join(self)

    def __next__(self) -> bytes:
        while not self._over:
            if self._call is None:
                self._call = self._start(self._download.request())
            try:
                response = next(self._call)
            except StopIteration:
                self._complete()
                continue
            except grpc.RpcError as error:
                time.sleep(self._broken(error, time.monotonic()).delay)
                continue
            data = self._take(response)
            if data:
                return data
        raise StopIteration

    def __enter__(self) -> ResultStream:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class Client(ClientBase[TaskStream, ResultStream]):
    """A client of one server (or of a name behind which all replicas are). Threads may share it.

    `target`: `unix:///path`, `host:port`, `https://host:port`. `retry_for`: for how long (s) calls and streams go on
    trying without progress before GaveUpError; None: for ever. `first_contact`: the same for a server that has never
    answered; None: as `retry_for`. Connects at first use; a forked process gets a connection of its own.
    """

    def validate(self, key: AnyKey, spec: AnySpec, *, metadata: Metadata = ()) -> Validated:
        """A dry run of a launch in the API server. Nothing is stored."""
        with self._stream(requests.validate_request(key, spec), metadata, None) as stream:
            for _ in stream:
                pass
            return stream._was_validated()

    def get(self, key: AnyKey, *, metadata: Metadata = ()) -> Task:
        """One task as it is now. For waiting use `attach`."""
        return self._unary(requests.get(key), metadata)

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
        return self._unary(requests.cancel(key, grace, reason, allow_missing), metadata)

    def delete(self, key: AnyKey, *, pod_uid: str = "", metadata: Metadata = ()) -> Optional[datetime]:
        """Releases a finished task before its retention ends: its pod, log and result go some 10 s later.

        Until when its key stays taken. Raises PreconditionError before the task's end. `pod_uid`: only that pod.
        """
        return self._unary(requests.delete(key, pod_uid), metadata)

    def server_info(self, *, metadata: Metadata = ()) -> ServerInfo:
        """What the server is: version, clusters, limits, features."""
        return self._unary(requests.server_info(), metadata)

    def close(self) -> None:
        """Closes the connection, for good: streams that are open fail with ValueError at their next message."""
        channel = self._take_channel()
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

    def _new_stream(self, session: Session, call: Start, on_retry: OnRetry) -> TaskStream:
        return TaskStream(session, call, on_retry)

    def _new_result(self, download: Download, call: StartResult, on_retry: OnRetry) -> ResultStream:
        return ResultStream(download, call, on_retry)

    def _unary(self, call: Call[T], metadata: Metadata) -> T:
        session = self._repeats()
        while True:
            session.open(time.monotonic())
            try:
                response = self._start(call.method, call.request, metadata)
            except grpc.RpcError as error:
                retrying = session.ended(error_of_rpc(error), time.monotonic())
            else:
                self._contact.reached = True
                return call.read(response)
            if retrying is not None:
                self._on_retry(retrying)
                time.sleep(retrying.delay)

    def _connect(self) -> grpc.Channel:
        options = self._address.options(self._channel_options)
        if self._address.tls is None:
            return grpc.insecure_channel(self._address.target, options)
        return grpc.secure_channel(self._address.target, self._address.tls.credentials(), options)
