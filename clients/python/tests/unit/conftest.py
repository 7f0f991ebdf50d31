from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import pytest
from fake import Fake, Running

from podlaunch import AsyncClient, Client, Event, PodlaunchError, Retrying, Spec, _session

SPEC = Spec(image="busybox:1")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits a hundredth of what it would."""
    monkeypatch.setattr(_session, "FIRST_BACKOFF", 0.001)
    monkeypatch.setattr(_session, "LONGEST_BACKOFF", 0.05)


@pytest.fixture
def start() -> Iterator[Callable[[Fake], Running]]:
    """Serves a fake on a socket of its own."""
    running: list[Running] = []
    with tempfile.TemporaryDirectory(prefix="pl") as folder:

        def start(fake: Fake) -> Running:
            running.append(Running(f"unix://{folder}/{len(running)}.sock").start(fake))
            return running[-1]

        yield start
        for one in running:
            one.stop()


@dataclass
class Seen:
    """What a stream gave out, to its end or its failure."""

    events: list[Event] = field(default_factory=list)
    retries: list[Retrying] = field(default_factory=list)
    error: Optional[PodlaunchError] = None
    stream: Any = None

    @property
    def cursors(self) -> list[bytes]:
        return [event.cursor for event in self.events]


Collect = Callable[..., Seen]


@pytest.fixture(params=["sync", "aio"])
def collect(request: pytest.FixtureRequest) -> Collect:
    """Reads a stream to its end, with either client."""
    return _collect if request.param == "sync" else lambda *args, **named: asyncio.run(_acollect(*args, **named))


def _collect(target: str, method: str = "launch", *args: Any, client: Any = (), **named: Any) -> Seen:
    seen = Seen()
    with Client(target, on_retry=seen.retries.append, **dict(client)) as one:
        seen.stream = getattr(one, method)(*(args or ("t", SPEC)), **named)
        try:
            seen.events.extend(seen.stream)
        except PodlaunchError as error:
            seen.error = error
    return seen


async def _acollect(target: str, method: str = "launch", *args: Any, client: Any = (), **named: Any) -> Seen:
    seen = Seen()
    async with AsyncClient(target, on_retry=seen.retries.append, **dict(client)) as one:
        seen.stream = getattr(one, method)(*(args or ("t", SPEC)), **named)
        try:
            async for event in seen.stream:
                seen.events.append(event)
        except PodlaunchError as error:
            seen.error = error
    return seen
