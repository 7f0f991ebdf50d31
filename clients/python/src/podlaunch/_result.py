"""A result as one sequence of bytes, over as many streams as it takes. No I/O, no clock: times are arguments.

GetTaskResult(offset) ─▶ header ─▶ data … ─▶ OK ─▶ size and SHA-256 are the header's: done
        ▲ broken: from the first byte missing       └ else: DamagedResultError
        └──────────────────────────────────┘
"""

from __future__ import annotations

import hashlib
from typing import Any, Callable, Optional

import grpc

from podlaunch import v1
from podlaunch._convert import from_proto
from podlaunch._session import Contact, Patience, Retrying, never_connected
from podlaunch.errors import DamagedResultError, PodlaunchError, error_of_rpc
from podlaunch.model import TaskResult

StartResult = Callable[[v1.GetTaskResultRequest], Any]
"""Makes the call of a result's stream."""


class Download:
    """What has come of a result, and what to ask for next."""

    def __init__(self, key: v1.TaskKey, offset: int, patience: Patience, contact: Contact) -> None:
        self._key = key
        self._begin = self._next = offset
        self._patience = patience
        self._contact = contact
        self._hash = hashlib.sha256()
        self.header: Optional[TaskResult] = None
        self.finished = False

    def request(self) -> v1.GetTaskResultRequest:
        """What to open the next stream with."""
        return v1.GetTaskResultRequest(key=self._key, offset=self._next)

    def take(self, response: v1.GetTaskResultResponse) -> bytes:
        """A message has come: the bytes to give out, b"" if it has none."""
        self._contact.reached = True
        kind = response.WhichOneof("message")
        if kind == "header":
            self._take_header(from_proto(TaskResult, response.header))
        if kind != "data":
            return b""
        self._patience.progress()
        self._hash.update(response.data)
        self._next += len(response.data)
        return response.data

    def _take_header(self, header: TaskResult) -> None:
        known = self.header
        if known is not None and (known.size_bytes, known.sha256) != (header.size_bytes, header.sha256):
            raise _damaged("it is another one than before")
        self.header = header

    def completed(self) -> None:
        """A stream has ended with OK: all must be there."""
        if self.header is None or self.header.size_bytes != self._next:
            size = None if self.header is None else self.header.size_bytes
            raise _damaged(f"{self._next} bytes came of {size}")
        # What was not read is not known: of a part only the size is.
        if self._begin == 0 and self._hash.digest() != self.header.sha256:
            raise _damaged("its SHA-256 is not the one announced")
        self.finished = True

    def failed(self, error: PodlaunchError, now: float) -> Retrying:
        """A stream broke. Raises `error` if it is final, GaveUpError if it was the last try."""
        if error.from_server or not never_connected(error):
            self._contact.reached = True
        if not error.repeatable:
            raise error
        return self._patience.failed(error, now)


def _damaged(problem: str) -> DamagedResultError:
    return DamagedResultError(grpc.StatusCode.DATA_LOSS, f"the result is not to be trusted: {problem}; ask again")


class ResultBase:
    """What a stream of a result's bytes knows."""

    def __init__(self, download: Download, call: StartResult, on_retry: Callable[[Retrying], None]) -> None:
        self._download = download
        self._start = call
        self._on_retry = on_retry
        self._call: Any = None
        self._closed = False

    @property
    def header(self) -> Optional[TaskResult]:
        """Size and SHA-256 of the whole: known when the first bytes are."""
        return self._download.header

    @property
    def _over(self) -> bool:
        return self._closed or self._download.finished

    def _broken(self, error: Exception, now: float) -> Retrying:
        """A stream broke: what to wait for. Raises what is final."""
        self._call = None
        try:
            retrying = self._download.failed(error_of_rpc(error), now)
        except PodlaunchError:
            self._closed = True
            raise
        self._on_retry(retrying)
        return retrying

    def _take(self, response: v1.GetTaskResultResponse) -> bytes:
        try:
            return self._download.take(response)
        except PodlaunchError:
            self.close()
            raise

    def _complete(self) -> None:
        self._call = None
        try:
            self._download.completed()
        except PodlaunchError:
            self._closed = True
            raise

    def close(self) -> None:
        """Ends the iteration."""
        self._closed = True
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
