"""The sequence of events over streams that break: the same for both clients."""

from __future__ import annotations

import random
import threading
import time
from typing import Any, Callable

import grpc
import pytest
from conftest import SPEC, Collect
from fake import KEY, Drain, End, Fake, Fault, Refuse, Running, cursors, end, five_events, log, retry_info, state

from podlaunch import (
    AlreadyExistsError,
    Client,
    EventKind,
    ExhaustedError,
    GaveUpError,
    NotFoundError,
    StreamUntil,
    TaskState,
    Termination,
    UnavailableError,
    _session,
    v1,
)

Code = grpc.StatusCode
Start = Callable[[Fake], Running]


def attaches(fake: Fake) -> list[Any]:
    return [call for call in fake.calls if isinstance(call, v1.AttachTaskRequest)]


def test_one_clean_stream(start: Start, collect: Collect) -> None:
    fake = Fake()
    seen = collect(start(fake).target)
    assert seen.error is None
    assert seen.cursors == cursors(5)
    assert len(fake.calls) == 1
    stream = seen.stream
    assert stream.accepted.key.task_id == "t"
    assert stream.cursor == b"5"
    assert stream.termination is seen.events[-1]
    assert isinstance(stream.termination, Termination)
    assert stream.termination.outcome.succeeded


@pytest.mark.parametrize(
    "code", [Code.UNAVAILABLE, Code.UNKNOWN, Code.INTERNAL, Code.CANCELLED, Code.DEADLINE_EXCEEDED]
)
def test_before_accepted_the_same_launch_is_repeated(start: Start, collect: Collect, code: Code) -> None:
    fake = Fake(script=[Refuse(code), Refuse(code)])
    seen = collect(start(fake).target)
    assert seen.cursors == cursors(5)
    assert len(fake.calls) == 3
    assert all(call == fake.calls[0] and isinstance(call, v1.LaunchTaskRequest) for call in fake.calls)


@pytest.mark.parametrize("code", [None, *(code for code in Code if code is not Code.OK)])
def test_after_accepted_whatever_the_code_attaches_at_the_last_cursor(
    start: Start, collect: Collect, code: Any
) -> None:
    fake = Fake(script=[End(2, code)])
    seen = collect(start(fake).target)
    assert seen.error is None
    assert seen.cursors == cursors(5)
    assert fake.calls[1:] == [v1.AttachTaskRequest(key=KEY, cursor=b"2")]
    assert [retry.error.code for retry in seen.retries] == [code or Code.UNAVAILABLE]


def test_before_the_first_event_the_cursor_of_accepted_counts(start: Start, collect: Collect) -> None:
    fake = Fake(script=[End(0)])
    assert collect(start(fake).target).cursors == cursors(5)
    assert attaches(fake) == [v1.AttachTaskRequest(key=KEY, cursor=b"0")]


def test_a_draining_replica_is_read_to_its_end_and_left_without_a_wait(start: Start, collect: Collect) -> None:
    fake = Fake(script=[Drain(1, 2)])
    seen = collect(start(fake).target)
    assert seen.cursors == cursors(5)
    assert not seen.retries
    # It had the Termination: no second stream is needed.
    fake = Fake(script=[Drain(1, 4)])
    assert collect(start(fake).target).cursors == cursors(5)
    assert len(fake.calls) == 1


def test_a_replica_that_only_drains_is_not_asked_without_waits(start: Start, collect: Collect) -> None:
    fake = Fake(script=[Drain(0, 0)] * 4)
    seen = collect(start(fake).target)
    assert seen.cursors == cursors(5)
    assert len(seen.retries) == 3


def test_a_draining_replica_that_stays_is_left(start: Start, collect: Collect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session, "DRAINING", 0.2)
    fake = Fake(script=[Drain(1, 1)], hold_after=2)
    running = start(fake)

    def release() -> None:
        while len(fake.calls) < 2:
            time.sleep(0.01)
        fake.hold.set()

    waiter = threading.Thread(target=release, daemon=True)
    waiter.start()
    seen = collect(running.target)
    assert seen.error is None
    assert seen.cursors == cursors(5)
    assert attaches(fake) == [v1.AttachTaskRequest(key=KEY, cursor=b"2")]


def test_a_final_refusal_surfaces_at_once(start: Start, collect: Collect) -> None:
    fake = Fake(script=[Refuse(Code.ALREADY_EXISTS)])
    assert isinstance(collect(start(fake).target).error, AlreadyExistsError)
    assert len(fake.calls) == 1
    # In the middle of a chain too: the attach has the last word.
    fake = Fake(script=[End(1), Refuse(Code.NOT_FOUND)])
    seen = collect(start(fake).target)
    assert isinstance(seen.error, NotFoundError)
    assert (seen.cursors, len(fake.calls)) == (cursors(1), 2)
    assert seen.stream.termination is None


def test_retry_info_is_heeded_and_makes_a_refusal_repeatable(start: Start, collect: Collect) -> None:
    fake = Fake(script=[Refuse(Code.RESOURCE_EXHAUSTED, (retry_info(0.3),))])
    began = time.monotonic()
    seen = collect(start(fake).target)
    assert seen.cursors == cursors(5)
    assert time.monotonic() - began >= 0.3
    fake = Fake(script=[Refuse(Code.RESOURCE_EXHAUSTED)])
    assert isinstance(collect(start(fake).target).error, ExhaustedError)


def test_gives_up_after_the_allowed_time_without_progress(start: Start, collect: Collect) -> None:
    fake = Fake(script=[End(2), *[Refuse(Code.UNAVAILABLE)] * 10_000])
    seen = collect(start(fake).target, client={"retry_for": 0.4})
    assert isinstance(seen.error, GaveUpError)
    assert seen.error.seconds == pytest.approx(0.4, abs=0.3)
    assert seen.cursors == cursors(2)
    assert isinstance(seen.error.__cause__, UnavailableError)


def test_a_stream_without_progress_is_no_progress(start: Start, collect: Collect) -> None:
    fake = Fake(script=[End(0)] * 10_000)
    assert isinstance(collect(start(fake).target, client={"retry_for": 0.3}).error, GaveUpError)


def test_a_server_that_was_never_there_is_given_up_soon(collect: Collect) -> None:
    began = time.monotonic()
    seen = collect("unix:///nowhere/podlaunch.sock", client={"first_contact": 0.3, "retry_for": None})
    assert isinstance(seen.error, GaveUpError)
    assert not seen.error.from_server
    assert time.monotonic() - began < 5


def test_a_server_that_restarts(start: Start, collect: Collect) -> None:
    fake = Fake(hold_after=3)
    running = start(fake)

    def restart() -> None:
        while not fake.calls:
            time.sleep(0.01)
        time.sleep(0.2)
        running.stop()
        fake.hold.set()
        running.start(fake)

    thread = threading.Thread(target=restart)
    thread.start()
    seen = collect(running.target)
    thread.join()
    assert seen.error is None
    assert seen.cursors == cursors(5)
    assert attaches(fake)[-1] == v1.AttachTaskRequest(key=KEY, cursor=b"3")


def test_what_is_available_ends_without_a_termination(start: Start, collect: Collect) -> None:
    fake = Fake(events=five_events()[:-1], script=[End(2)])
    seen = collect(
        start(fake).target, "attach", "t", until=StreamUntil.AVAILABLE, kinds=[EventKind.LOG], logs=["main", "init"]
    )
    assert seen.error is None
    assert seen.cursors == cursors(4)
    assert seen.stream.end_of_available.state == TaskState.RUNNING
    assert seen.stream.cursor == b"end"
    first, second = fake.calls
    assert (second.until, second.filter) == (first.until, first.filter), "the rest of the request is kept"


def test_an_event_of_a_new_kind_is_passed_over(start: Start, collect: Collect) -> None:
    fake = Fake(events=[state(TaskState.RUNNING), v1.Event(), log(b"x\n"), end()], script=[End(2)])
    seen = collect(start(fake).target)
    assert seen.cursors == [b"1", b"3", b"4"]
    assert attaches(fake)[0].cursor == b"2"


@pytest.mark.parametrize("seed", range(12))
def test_each_event_comes_once_and_in_order_whatever_breaks(start: Start, collect: Collect, seed: int) -> None:
    chance = random.Random(seed)

    def fault() -> Fault:
        code = chance.choice([None, Code.UNKNOWN, Code.UNAVAILABLE, Code.INTERNAL, Code.ABORTED, Code.CANCELLED])
        faults: list[Fault] = [
            Refuse(code or Code.UNAVAILABLE),
            End(chance.randrange(4), code),
            Drain(chance.randrange(4), chance.randrange(3)),
        ]
        return chance.choice(faults)

    lines = [log(f"{number}\n".encode()) for number in range(chance.randrange(20))]
    events = [state(TaskState.RUNNING), *lines, end(TaskState.FAILED, 3)]
    seen = collect(start(Fake(events=events, script=[fault() for _ in range(chance.randrange(12))])).target)
    assert seen.error is None
    assert seen.cursors == cursors(len(events))
    assert seen.stream.termination.outcome.exit_code == 3


def test_waits_double_up_to_a_bound_and_heed_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session, "FIRST_BACKOFF", 0.1)
    monkeypatch.setattr(_session, "LONGEST_BACKOFF", 5.0)
    patience = _session.Patience(None, None, _session.Contact())
    lost = UnavailableError(Code.UNAVAILABLE, "lost")
    waits = [patience.failed(lost, 0.0).delay for _ in range(8)]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    patience.progress()
    assert patience.failed(lost, 100.0).delay == 0.1


def test_the_last_try_is_made_just_when_the_time_is_over() -> None:
    contact = _session.Contact(reached=True)
    patience = _session.Patience(300.0, 10.0, contact)
    lost = UnavailableError(Code.UNAVAILABLE, "lost")
    lost.retry_delay = 1000.0
    assert patience.failed(lost, 5.0).delay == 300.0
    with pytest.raises(GaveUpError) as caught:
        patience.failed(lost, 305.0)
    assert caught.value.seconds == 300.0


def test_a_stream_is_ended_from_another_thread(start: Start) -> None:
    fake = Fake(hold_after=2)
    with Client(start(fake).target) as client, client.launch("t", SPEC) as stream:
        timer = threading.Timer(0.3, stream.cancel_stream)
        timer.start()
        assert len(list(stream)) == 2
        assert stream.termination is None
        assert list(stream) == []
        with pytest.raises(ValueError, match="closed"):
            stream.wait()


def test_a_wait_between_tries_is_ended_from_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session, "FIRST_BACKOFF", 60.0)
    with Client("unix:///nowhere.sock", first_contact=None, retry_for=None) as client, client.attach("t") as stream:
        threading.Timer(0.3, stream.cancel_stream).start()
        began = time.monotonic()
        assert list(stream) == []
        assert time.monotonic() - began < 10
