"""Both clients against the real server."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterable
from typing import Callable

import grpc
import pytest
from servers import Cutter, Served

from podlaunch import (
    AlreadyExistsError,
    AsyncClient,
    Client,
    ContainerChange,
    DeliveryVerdict,
    Event,
    InvalidRequestError,
    Line,
    LineJoiner,
    LogChunk,
    NotFoundError,
    NoticeKind,
    PodNotice,
    PreconditionError,
    Reason,
    Result,
    ResultState,
    ResultUnavailableError,
    RetryAdvice,
    Retrying,
    Spec,
    StateChange,
    StreamUntil,
    TaskKey,
    TaskState,
    Termination,
    UnimplementedError,
    v1,
)

Serve = Callable[[], Served]


def shell(script: str) -> Spec:
    return Spec(image="busybox:1", command=["sh", "-c", script])


def lines_of(events: Iterable[Event]) -> list[Line]:
    joiner = LineJoiner()
    return [line for event in events for line in joiner.feed(event)]


def test_a_task_from_its_launch_to_its_end(serve_embedded: Serve, task_id: str) -> None:
    with Client(serve_embedded().target) as client:
        spec = Spec(image="busybox:1", command=["sh", "-c", 'echo "hello $NAME"; exit 3'], env={"NAME": "world"})
        with client.launch(task_id, spec) as stream:
            accepted = stream.wait_accepted()
            events = list(stream)
        assert accepted.key is not None
        assert (accepted.key.task_id, accepted.key.attempt) == (task_id, 1)
        assert [event.state for event in events if isinstance(event, StateChange)][-1] == TaskState.RUNNING
        assert [line.text for line in lines_of(events)] == ["hello world"]
        assert any(isinstance(event, ContainerChange) and event.state == event.terminated for event in events)
        end = events[-1]
        assert isinstance(end, Termination)
        assert end is stream.termination
        outcome = end.outcome
        assert (outcome.state, outcome.reason, outcome.exit_code) == (TaskState.FAILED, Reason.EXIT_CODE, 3)
        assert client.get(task_id).outcome == outcome
        # A replay: the same task, the same end.
        again = client.launch(task_id, spec).wait()
        assert again.outcome == outcome


def test_a_cursor_goes_on_where_another_stream_left(serve: Serve, task_id: str) -> None:
    with Client(serve().target) as client:
        spec = shell("for i in $(seq 1 20); do echo line $i; sleep 0.05; done")
        first: list[Event] = []
        with client.launch(task_id, spec) as stream:
            for event in stream:
                first.append(event)
                if isinstance(event, LogChunk) and b"line 7\n" in event.data:
                    break
        rest = list(client.attach(task_id, cursor=stream.cursor))
        assert [line.text for line in lines_of(first + rest)] == [f"line {number}" for number in range(1, 21)]
        assert [line.number for line in lines_of(first + rest)] == list(range(1, 21))
        with client.attach(task_id, until=StreamUntil.AVAILABLE, logs="none") as stream:
            replay = list(stream)
        assert stream.termination is not None
        assert not any(isinstance(event, LogChunk) for event in replay)


def test_a_cancel_ends_a_task(serve: Serve, task_id: str) -> None:
    with Client(serve().target) as client:
        with client.launch(task_id, shell("trap 'exit 9' TERM; while :; do sleep 0.1; done")) as stream:
            for event in stream:
                if isinstance(event, ContainerChange) and event.running:
                    assert client.cancel(task_id, reason="enough").task is not None
        assert stream.termination is not None
        outcome = stream.termination.outcome
        assert (outcome.state, outcome.reason) == (TaskState.CANCELLED, Reason.CANCELLED_BY_CALLER)
        assert outcome.stop is not None
        assert outcome.stop.reason == "enough"


def test_a_released_task_is_answered_from_its_record(serve: Serve, task_id: str) -> None:
    key = TaskKey(task_id, 1)
    with Client(serve().target) as client:
        with client.launch(key, shell("trap 'exit 9' TERM; while :; do sleep 0.1; done")) as stream:
            for event in stream:
                if isinstance(event, ContainerChange) and event.running:
                    with pytest.raises(PreconditionError):
                        client.delete(key)
                    client.cancel(key)
        assert client.delete(key) is not None
        # Again, with the record or the pod, whatever is there.
        assert client.delete(key) is not None
        task = client.get(key)
        assert task.outcome is not None
        assert task.outcome.state == TaskState.CANCELLED


def test_a_command_that_is_not_there(serve: Serve, task_id: str) -> None:
    with Client(serve().target) as client:
        outcome = client.launch(task_id, Spec(image="busybox:1", command=["Python", "-c", "pass"])).wait().outcome
    assert (outcome.state, outcome.reason) == (TaskState.FAILED, Reason.START_ERROR)
    assert outcome.retry_advice in (RetryAdvice.SAFE_NEVER_STARTED, RetryAdvice.USELESS)
    assert "Python" in outcome.kubernetes_message


def test_errors_say_what_is_wrong(serve_embedded: Serve, task_id: str) -> None:
    with Client(serve_embedded().target) as client:
        with pytest.raises(NotFoundError) as missing:
            client.get(task_id)
        assert missing.value.reason == "TASK_UNKNOWN"
        client.launch(task_id, shell("true")).wait()
        with pytest.raises(AlreadyExistsError) as other:
            client.launch(task_id, shell("false")).wait()
        assert (other.value.reason, other.value.metadata["task_id"]) == ("TASK_SPEC_MISMATCH", task_id)
        with pytest.raises(InvalidRequestError) as invalid:
            client.launch("not valid", Spec()).wait()
        assert {one.field for one in invalid.value.field_violations} >= {"key.task_id"}
        with pytest.raises(UnimplementedError):
            client.launch(task_id, shell("true"), required_features=["nonsense"]).wait()
        with pytest.raises(InvalidRequestError) as cursor:
            client.attach(task_id, cursor=b"nonsense").wait()
        assert cursor.value.reason.startswith("CURSOR_")


def test_validate_and_info(serve: Serve, task_id: str) -> None:
    with Client(serve().target) as client:
        info = client.server_info()
        assert info.has("launch")
        assert info.clusters
        assert "busybox:1" in client.validate(task_id, shell("true")).pod_json
        with pytest.raises(NotFoundError):
            client.get(task_id)


async def test_many_at_once(serve: Serve, task_id: str) -> None:
    async def one(client: AsyncClient, number: int) -> list[str]:
        async with client.launch(f"{task_id}/{number}", shell(f"echo a{number}; echo b{number}")) as stream:
            return [line.text for line in lines_of([event async for event in stream])]

    async with AsyncClient(serve().target) as client:
        got = await asyncio.gather(*(one(client, number) for number in range(8)))
    assert got == [[f"a{number}", f"b{number}"] for number in range(8)]


def test_a_server_that_is_killed(serve: Serve, task_id: str) -> None:
    """kill -9 twice in the middle of a task: every line once, one pod, the outcome."""
    served = serve()
    count = 200
    kills = [b"line 20\n", b"line 120\n"]
    events: list[Event] = []
    retries: list[Retrying] = []
    with Client(served.target, on_retry=retries.append) as client:
        spec = shell(f"for i in $(seq 1 {count}); do echo line $i; sleep 0.03; done")
        with client.launch(task_id, spec) as stream:
            for event in stream:
                events.append(event)
                if kills and isinstance(event, LogChunk) and kills[0] in event.data:
                    kills.pop(0)
                    served.kill()
                    served.start()
    assert not kills
    assert len(retries) >= 2
    assert [line.text for line in lines_of(events)] == [f"line {number}" for number in range(1, count + 1)]
    states = [event.state for event in events if isinstance(event, StateChange)]
    assert len(states) == len(set(states)), states
    assert len({event.pod_uid for event in events}) == 1
    end = events[-1]
    assert isinstance(end, Termination)
    assert end.outcome.succeeded
    assert end.delivery is not None
    main = end.delivery.containers[0]
    assert (main.lines, main.verdict, main.gaps) == (count, DeliveryVerdict.COMPLETE, 0)
    assert not any(isinstance(event, PodNotice) and event.kind == NoticeKind.SECOND_START for event in events)


async def test_a_server_that_is_killed_asyncio(serve: Serve, task_id: str) -> None:
    served = serve()
    events: list[Event] = []
    restarted: list[asyncio.Task[None]] = []

    async def restart() -> None:
        await asyncio.to_thread(served.kill)
        served.start()

    async with AsyncClient(served.target) as client:
        stream = client.launch(task_id, shell("for i in $(seq 1 100); do echo line $i; sleep 0.03; done"))
        async for event in stream:
            events.append(event)
            if isinstance(event, LogChunk) and not restarted:
                restarted.append(asyncio.ensure_future(restart()))
        await restarted[0]
    assert [line.text for line in lines_of(events)] == [f"line {number}" for number in range(1, 101)]
    assert isinstance(events[-1], Termination)


def test_a_launch_while_no_server_runs(serve: Serve, task_id: str) -> None:
    """Killed before the launch, started during it: the launch is repeated until it is accepted."""
    served = serve()
    with Client(served.target) as client:
        client.server_info()
        served.kill()
        threading.Timer(1.0, served.start).start()
        assert client.launch(task_id, shell("true")).wait().outcome.succeeded


def test_the_connection_is_cut(serve: Serve, task_id: str, cutter: Callable[[str], Cutter]) -> None:
    """The connection goes, the server stays: no goodbye, and what was under way is lost."""
    cut = cutter(serve().target)
    events: list[Event] = []
    with Client(cut.target) as client:
        with client.launch(task_id, shell("for i in $(seq 1 90); do echo line $i; sleep 0.03; done")) as stream:
            for event in stream:
                events.append(event)
                if isinstance(event, LogChunk) and any(f"line {n}0\n".encode() in event.data for n in (1, 3, 6)):
                    cut.cut()
    assert [line.text for line in lines_of(events)] == [f"line {number}" for number in range(1, 91)]
    assert cut.connections >= 3


def test_a_plain_stub_over_the_same_socket(serve_embedded: Serve) -> None:
    """What the README of the contract tells plain clients holds."""
    options = [("grpc.default_authority", "localhost")]
    with grpc.insecure_channel(serve_embedded().target, options=options) as channel:
        stub = v1.PodlaunchServiceStub(channel)  # type: ignore[no-untyped-call]
        assert stub.GetServerInfo(v1.GetServerInfoRequest()).version


def test_a_result_of_either_size(serve_embedded: Serve, task_id: str) -> None:
    target = serve_embedded().target
    script = 'F="${PODLAUNCH_CONTAINER_ROOT-}/out/r"; head -c %d /dev/urandom > "$F"; sha256sum < "$F"'

    def spec(size: int) -> Spec:
        return Spec(image="busybox:1", command=["sh", "-c", script % size], result=Result.file("/out/r"))

    async def awaited(name: str) -> bytes:
        async with AsyncClient(target) as client:
            return await client.result(name).read()

    with Client(target) as client:
        for size, state in ((100, ResultState.INLINE), (200_000, ResultState.STORED)):
            name = f"{task_id}-{size}"
            with client.launch(name, spec(size)) as stream:
                printed = b"".join(line.data for line in lines_of(stream))
                assert stream.termination is not None
                outcome = stream.termination.outcome
            assert outcome.result is not None
            assert (outcome.result.state, outcome.result.size_bytes) == (state, size)
            data = client.result(name).read()
            assert hashlib.sha256(data).hexdigest() == printed.split()[0].decode()
            assert asyncio.run(awaited(name)) == data
            assert client.result(name, offset=60).read() == data[60:]
        client.launch(f"{task_id}-none", shell("true")).wait()
        with pytest.raises(ResultUnavailableError):
            client.result(f"{task_id}-none").read()
