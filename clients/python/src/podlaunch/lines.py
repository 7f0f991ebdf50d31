"""Whole lines from chunks.

LogChunk ─▶ feed ─▶ lines that ended; the unfinished rest is kept per container and restart
LogGap, LogEnd, Termination ─▶ feed ─▶ what was kept: nothing more will come to it
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Optional

from podlaunch.events import Event, LogChunk, LogEnd, LogGap, LogPiece, Termination


@dataclass(frozen=True)
class Line:
    """A line of a container's log, without its newline."""

    container: str
    restart: int
    number: Optional[int]
    """1-based, in the log of this run. None: earlier lines were not all counted."""
    time: Optional[datetime]
    """When it was stored, by the node's clock."""
    data: bytes

    @property
    def text(self) -> str:
        """The line as text; bytes that are not UTF-8 are replaced."""
        return self.data.decode("utf-8", "replace")


@dataclass
class _Rest:
    number: Optional[int]
    time: Optional[datetime]
    data: bytearray


class LineJoiner:
    """Joins the pieces of lines. A line longer than `max_bytes` comes in parts of about that size."""

    def __init__(self, max_bytes: int = 1 << 20) -> None:
        self._max_bytes = max_bytes
        self._rests: dict[tuple[str, int], _Rest] = {}

    def feed(self, event: Event) -> list[Line]:
        """The lines that `event` completes, of any container; none for events that are not about logs."""
        if isinstance(event, LogChunk):
            return self._chunk(event)
        if isinstance(event, (LogGap, LogEnd)):
            return self._flush((event.container, event.restart))
        if isinstance(event, Termination):
            return [line for log in list(self._rests) for line in self._flush(log)]
        return []

    def _chunk(self, chunk: LogChunk) -> list[Line]:
        lines: list[Line] = []
        for index, piece in enumerate(chunk.lines()):
            number = None if chunk.first_line is None else chunk.first_line + index
            lines += self._piece((chunk.container, chunk.restart), number, piece)
        if not chunk.continues:
            lines += self._flush((chunk.container, chunk.restart))
        return lines

    def _piece(self, log: tuple[str, int], number: Optional[int], piece: LogPiece) -> list[Line]:
        rest = self._rests.setdefault(log, _Rest(number, piece.time, bytearray()))
        rest.data += piece.data
        if not piece.data.endswith(b"\n") and len(rest.data) < self._max_bytes:
            return []
        return self._flush(log)

    def _flush(self, log: tuple[str, int]) -> list[Line]:
        rest = self._rests.pop(log, None)
        if rest is None or not rest.data:
            return []
        data = bytes(rest.data)
        return [Line(*log, rest.number, rest.time, data[:-1] if data.endswith(b"\n") else data)]
