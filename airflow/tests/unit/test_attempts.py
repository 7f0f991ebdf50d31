"""Which stream a try reads."""

from __future__ import annotations

import logging
from typing import Any

from fakes import FakeClient, end, outcome, task
from podlaunch import PreviousActivePolicy, Spec, TaskKey, TaskState

from podlaunch_airflow.attempts import FEATURE, open_stream

LOGGER = logging.getLogger("test")
SPEC = Spec(image="a")


def key(attempt: int) -> TaskKey:
    return TaskKey("etl/r/load", attempt, "default")


def opened(client: FakeClient, attempt: int, *, reattach: bool = True) -> list[tuple[Any, ...]]:
    open_stream(client, key(attempt), SPEC, reattach=reattach, logger=LOGGER)  # type: ignore[arg-type]
    return [call for call in client.calls if call[0] != "get"]


def test_the_first_try_launches_without_asking() -> None:
    client = FakeClient()
    assert opened(client, 1) == [("launch", key(1), SPEC, {})]
    assert client.calls == [("launch", key(1), SPEC, {})]


def test_an_earlier_try_that_runs_is_attached_to() -> None:
    client = FakeClient()
    client.tasks = {1: task(key(1), TaskState.RUNNING)}
    assert opened(client, 3) == [("attach", key(1), {})]


def test_the_server_does_it_where_it_can() -> None:
    client = FakeClient(features=[FEATURE])
    client.tasks = {1: task(key(1), TaskState.RUNNING)}
    assert opened(client, 2) == [("launch", key(2), SPEC, {"if_previous_active": PreviousActivePolicy.ATTACH})]


def test_an_earlier_try_that_ended_or_is_unknown_is_not() -> None:
    for tasks in ({}, {1: task(key(1), TaskState.FAILED)}, {1: task(key(1), TaskState.SUCCEEDED)}):
        client = FakeClient()
        client.tasks = tasks
        assert opened(client, 2) == [("launch", key(2), SPEC, {})]


def test_a_later_try_is_none_of_ours() -> None:
    client = FakeClient()
    client.tasks = {5: task(key(5), TaskState.RUNNING)}
    assert opened(client, 2) == [("launch", key(2), SPEC, {})]


def test_a_try_that_is_being_stopped_is_waited_for() -> None:
    for stopping in (task(key(1), TaskState.TERMINATING), task(key(1), TaskState.RUNNING, stop=object())):
        client = FakeClient([end(outcome(TaskState.CANCELLED))])
        client.tasks = {1: stopping}
        calls = opened(client, 2)
        assert [call[0] for call in calls] == ["attach", "launch"]
        assert calls[0][1] == key(1)
        assert calls[1][1] == key(2)


def test_without_reattach_nothing_is_asked() -> None:
    client = FakeClient(features=[FEATURE])
    client.tasks = {1: task(key(1), TaskState.RUNNING)}
    assert opened(client, 2, reattach=False) == [
        ("launch", key(2), SPEC, {"if_previous_active": PreviousActivePolicy.ALLOW})
    ]
    old = FakeClient()
    assert opened(old, 2, reattach=False) == [
        ("launch", key(2), SPEC, {"if_previous_active": PreviousActivePolicy.REFUSE})
    ]
