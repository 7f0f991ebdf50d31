"""The dataclasses against the contract: a field or a value that is added there must be added here."""

from __future__ import annotations

import pickle
from dataclasses import fields
from datetime import datetime, timezone

import pytest

from podlaunch import LineJoiner, LogChunk, StateChange, TaskState, Termination, enums, v1
from podlaunch._convert import own_fields, registered
from podlaunch.events import event_from_proto
from podlaunch.v1 import Event as ProtoEvent

# Events have these as their own classes, or under the name of the class.
BODIES = {"state_change", "container_change", "log_chunk", "log_gap", "log_end", "notice", "termination"}


@pytest.mark.parametrize("cls", registered(), ids=lambda cls: cls.__name__)
def test_every_field_of_a_message_is_there(cls: type) -> None:
    message = registered()[cls]
    ours = {name[: -len("_ns")] if name.endswith("_time_ns") else name for name in own_fields(cls)}
    assert ours == {field.name for field in message.DESCRIPTOR.fields} - (BODIES if message is ProtoEvent else set())


def test_every_enum_and_value_is_there() -> None:
    for name in dir(v1):
        descriptor = getattr(getattr(v1, name), "DESCRIPTOR", None)
        for enum in getattr(getattr(descriptor, "file", None), "enum_types_by_name", {}).values():
            assert len(getattr(enums, enum.name)) == len(enum.values)


def test_an_unknown_value_survives() -> None:
    message = v1.Event.FromString(bytes([0x52, 2, 0x08, 77]))  # state_change { state: 77 }
    event = event_from_proto(message)
    assert isinstance(event, StateChange)
    assert (event.state, event.state.known, str(event.state)) == (77, False, "UNKNOWN_77")
    assert event.state is TaskState(77)
    assert pickle.loads(pickle.dumps(event)) == event
    assert TaskState.RUNNING.known
    with pytest.raises(ValueError, match="nonsense"):
        TaskState("nonsense")  # type: ignore[arg-type]


def test_presence() -> None:
    message = v1.Event(termination=v1.Termination(outcome=v1.Outcome(exit_code=0)))
    event = event_from_proto(message)
    assert isinstance(event, Termination)
    assert (event.outcome.exit_code, event.outcome.signal, event.outcome.stop, event.delivery) == (0, None, None, None)
    assert event.key is None
    bare = event_from_proto(v1.Event(termination=v1.Termination()))
    assert isinstance(bare, Termination)
    assert bare.outcome.state == TaskState.UNSPECIFIED
    assert {field.name for field in fields(bare)} > {"cursor", "outcome"}


def chunk(
    data: bytes, ends: list[int], *, deltas: tuple[int, ...] = (), first: int = 0, continues: bool = False
) -> LogChunk:
    message = v1.LogChunk(container="main", data=data, line_ends=ends, time_deltas=deltas, continues=continues)
    message.first_time.seconds, message.first_time.nanos = 1_700_000_000, 123_456_789
    if first:
        message.first_line = first
    event = event_from_proto(v1.Event(log_chunk=message))
    assert isinstance(event, LogChunk)
    return event


def test_lines_have_their_times() -> None:
    one = chunk(b"a\nbc\nd", [2, 5], deltas=(1_000_000, -2_000_000), continues=True)
    pieces = list(one.lines())
    assert [data for _, data in pieces] == [b"a\n", b"bc\n", b"d"]
    first = datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=timezone.utc)
    micros = [(time - first).total_seconds() * 1e6 if time else None for time, _ in pieces]
    assert micros == [0.0, 1000.0, -2000.0]
    assert one.first_time_ns == 1_700_000_000_123_456_789


def test_lines_are_joined_over_chunks() -> None:
    joiner = LineJoiner()
    got = joiner.feed(chunk(b"a\nlo", [2], deltas=(5,), first=7, continues=True))
    assert [(line.number, line.text) for line in got] == [(7, "a")]
    assert joiner.feed(chunk(b"ng", [], first=8, continues=True)) == []
    got = joiner.feed(chunk(b"er\nlast", [3], first=8))
    assert [(line.number, line.data) for line in got] == [(8, b"longer"), (9, b"last")]
    joiner.feed(chunk(b"lost", [], continues=True))
    gap = event_from_proto(v1.Event(log_gap=v1.LogGap(container="main")))
    assert gap is not None
    assert [line.text for line in joiner.feed(gap)] == ["lost"]


def test_a_line_without_end_is_cut() -> None:
    joiner = LineJoiner(max_bytes=4)
    assert [line.data for line in joiner.feed(chunk(b"abcdef", [], continues=True))] == [b"abcdef"]
