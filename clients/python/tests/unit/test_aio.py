"""What only the asyncio client has."""

from __future__ import annotations

import asyncio
from typing import Callable

import pytest
from conftest import SPEC
from fake import Fake, Running, cursors

from podlaunch import AsyncClient

Start = Callable[[Fake], Running]


async def test_a_cancelled_wait_loses_nothing(start: Start) -> None:
    fake = Fake(hold_after=2)
    async with AsyncClient(start(fake).target) as client, client.launch("t", SPEC) as stream:
        seen = [(await stream.__anext__()).cursor, (await stream.__anext__()).cursor]
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(stream.__anext__(), 0.1)
        fake.hold.set()
        seen += [event.cursor async for event in stream]
    assert seen == cursors(5)
    assert len(fake.calls) == 1


async def test_a_stream_is_ended_from_another_task(start: Start) -> None:
    fake = Fake(hold_after=2)
    async with AsyncClient(start(fake).target) as client:
        stream = client.launch("t", SPEC)
        asyncio.get_running_loop().call_later(0.2, stream.cancel_stream)
        assert len([event async for event in stream]) == 2
        assert stream.termination is None


async def test_calls(start: Start) -> None:
    async with AsyncClient(start(Fake()).target) as client:
        assert (await client.get("t")).key is not None
        assert (await client.cancel("t", grace=1.5)).result == 1
        assert await client.delete("t") is not None
        assert (await client.server_info()).has("launch")
        assert (await client.validate("t", SPEC)).pod_name == "pod"
        assert (await client.launch("t", SPEC).wait()).outcome.succeeded
        assert (await client.launch("t", SPEC).wait_accepted()).requested_attempt == 0


async def test_cancelling_the_reader_is_not_swallowed(start: Start) -> None:
    async with AsyncClient(start(Fake(hold_after=1)).target) as client:
        task = asyncio.ensure_future(client.launch("t", SPEC).wait())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
