"""Results for XCom."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import FakeClient, outcome
from podlaunch import Outcome, TaskKey, TaskState
from podlaunch.enums import ResultState
from podlaunch.model import TaskResult

from podlaunch_airflow.results import read

KEY = TaskKey("t", 1)
VALUES = [
    (b"", None),
    (b" \n", None),
    (b'{"a": [1]}', {"a": [1]}),
    (b"3\n", 3),
    (b"not json\n", "not json"),
    (b"null", None),
]


def message(data: bytes, **changes: Any) -> Outcome:
    return outcome(TaskState.SUCCEEDED, termination_message=data, **changes)


@pytest.mark.parametrize(("data", "value"), VALUES)
def test_values(data: bytes, value: Any) -> None:
    assert read(FakeClient(), KEY, message(data)) == value
    inline = outcome(TaskState.SUCCEEDED, result=TaskResult(ResultState.INLINE, data, len(data), b""))
    assert read(FakeClient(), KEY, inline) == value
    client = FakeClient()
    client.stored = data
    stored = outcome(TaskState.SUCCEEDED, result=TaskResult(ResultState.STORED, b"", len(data), b""))
    assert read(client, KEY, stored) == value


def test_half_a_result_is_none() -> None:
    with pytest.raises(ValueError, match="4096"):
        read(FakeClient(), KEY, message(b'"' + b"x" * 4095))
    with pytest.raises(ValueError, match="cut"):
        read(FakeClient(), KEY, message(b'"xx', shortened=True))


def test_bytes_that_are_no_text_are_no_value() -> None:
    with pytest.raises(ValueError, match="UTF-8"):
        read(FakeClient(), KEY, message(b"\xff\xfe"))


def test_a_state_of_a_newer_server_is_a_lost_result() -> None:
    newer = outcome(TaskState.SUCCEEDED, result=TaskResult(ResultState(99), b"", None, b""))
    with pytest.raises(ValueError, match="cannot be had"):
        read(FakeClient(), KEY, newer)
