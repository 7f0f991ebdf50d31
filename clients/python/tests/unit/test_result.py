from __future__ import annotations

import asyncio
from typing import Callable

import grpc
import pytest
from fake import End, Fake, Refuse, Running
from google.rpc import error_details_pb2

from podlaunch import (
    AsyncClient,
    Client,
    DamagedResultError,
    GaveUpError,
    PreconditionError,
    Result,
    ResultState,
    ResultUnavailableError,
    Spec,
)

Start = Callable[[Fake], Running]
Read = Callable[..., bytes]

DATA = bytes(range(256)) * 40
LOST = grpc.StatusCode.UNAVAILABLE


def _read(target: str, offset: int = 0, retry_for: float = 300.0) -> bytes:
    with Client(target, on_retry=lambda _: None, retry_for=retry_for) as one, one.result("t", offset=offset) as stream:
        data = stream.read()
        assert stream.header is not None
        assert stream.header.size_bytes == len(DATA)
        return data


async def _aread(target: str, offset: int = 0, retry_for: float = 300.0) -> bytes:
    async with AsyncClient(target, on_retry=lambda _: None, retry_for=retry_for) as one:
        async with one.result("t", offset=offset) as stream:
            data = await stream.read()
            assert stream.header is not None
            assert stream.header.size_bytes == len(DATA)
            return data


@pytest.fixture(params=["sync", "aio"])
def read(request: pytest.FixtureRequest) -> Read:
    """Reads a result whole, with either client."""
    return _read if request.param == "sync" else lambda *args, **named: asyncio.run(_aread(*args, **named))


def test_a_broken_stream_goes_on_where_it_broke(start: Start, read: Read) -> None:
    fake = Fake(result=DATA, script=[Refuse(LOST), End(0, LOST), End(2500, LOST), End(1, grpc.StatusCode.ABORTED)])
    assert read(start(fake).target) == DATA
    assert [call.offset for call in fake.calls] == [0, 0, 0, 2500, 2501]


def test_a_part_is_read_from_its_offset(start: Start, read: Read) -> None:
    assert read(start(Fake(result=DATA)).target, 10_000) == DATA[10_000:]
    assert read(start(Fake(result=DATA)).target, len(DATA)) == b""


@pytest.mark.parametrize(
    ("fake", "problem"),
    [
        (Fake(result=b"x" + DATA[1:], announced=DATA), "SHA-256"),
        (Fake(result=DATA[:-1], announced=DATA), "10239 bytes came of 10240"),
        (Fake(result=DATA, script=[End(100)]), "100 bytes came of 10240"),
    ],
)
def test_other_bytes_than_announced_are_an_error(start: Start, read: Read, fake: Fake, problem: str) -> None:
    fake.__post_init__()
    with pytest.raises(DamagedResultError, match=problem):
        read(start(fake).target)


def test_what_the_server_says_is_typed(start: Start, read: Read) -> None:
    def info(**metadata: str) -> error_details_pb2.ErrorInfo:
        return error_details_pb2.ErrorInfo(domain="podlaunch.dev", reason="RESULT_UNAVAILABLE", metadata=metadata)

    for metadata, state in (
        ({"result_state": "RESULT_STATE_GONE"}, ResultState.GONE),
        ({"result_state": "RESULT_STATE_NEWER"}, ResultState.UNSPECIFIED),
        ({}, ResultState.UNSPECIFIED),
    ):
        refuse = Refuse(grpc.StatusCode.NOT_FOUND, (info(**metadata),))
        with pytest.raises(ResultUnavailableError) as raised:
            read(start(Fake(script=[refuse])).target)
        assert raised.value.state == state
    with pytest.raises(PreconditionError):
        read(start(Fake(script=[Refuse(grpc.StatusCode.FAILED_PRECONDITION)])).target)
    with pytest.raises(GaveUpError):
        read(start(Fake(script=[Refuse(LOST)] * 1000)).target, retry_for=0.05)


def test_where_a_result_comes_from() -> None:
    assert not Spec(image="x").to_proto().HasField("result")
    assert Spec(image="x", result=Result.message()).to_proto().result.kind == 1
    source = Spec(image="x", result=Result.file("/out/r", max_bytes=5)).to_proto().result
    assert (source.kind, source.path, source.max_bytes) == (2, "/out/r", 5)
