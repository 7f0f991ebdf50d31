"""Keys and labels."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from fakes import context

from podlaunch_airflow.identity import Instance, instance_of, label_value, launch_task_id

AWKWARD = [
    Instance("etl", "manual__2024-01-01T00:00:00+00:00", "load", -1, 1),
    Instance("etl", "manual__2024-01-01T00:00:00_00:00", "load", -1, 1),
    Instance("etl", "manual__2024-01-01T00:00:00 00:00", "load", -1, 1),
    Instance("etl", "a/b", "c", -1, 1),
    Instance("etl/a", "b", "c", -1, 1),
    Instance("etl", "a", "b/c", -1, 1),
    Instance("etl", "a", "c", 0, 1),
    Instance("etl", "a", "c", 1, 1),
    Instance("etl", "a", "c", -1, 1),
    Instance("größe", "a", "c", -1, 1),
    Instance("gr__e", "a", "c", -1, 1),
    Instance("d" * 200, "r" * 200, "t" * 200, -1, 1),
    Instance("d" * 200, "r" * 200, "t" * 199 + "u", -1, 1),
]


def test_what_can_be_said_is_said_as_it_is() -> None:
    assert launch_task_id(Instance("etl", "manual__1", "grp.load", -1, 3)) == "etl/manual__1/grp.load"
    assert launch_task_id(Instance("etl", "manual__1", "load", 7, 3), "prod") == "prod/etl/manual__1/load/7"


@pytest.mark.parametrize("instance", AWKWARD)
def test_a_task_id_is_allowed(instance: Instance) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._:/-]{1,253}", launch_task_id(instance))


def test_no_two_task_instances_share_one() -> None:
    for one, other in combinations(AWKWARD, 2):
        assert launch_task_id(one) != launch_task_id(other)
        assert launch_task_id(one, "a") != launch_task_id(one, "b")


def test_the_try_is_the_attempt_not_the_name() -> None:
    first, second = (instance_of(context(try_number=number)) for number in (1, 2))
    assert launch_task_id(first) == launch_task_id(second)
    assert (first.try_number, second.try_number) == (1, 2)
    assert instance_of(context(map_index=None)).map_index == -1


@pytest.mark.parametrize(
    "text", ["a", "a.b_c-d", "-a", "a+", "+", "", "ü", "x" * 63, "x" * 64, "a" * 53 + "-----------"]
)
def test_a_label_is_allowed(text: str) -> None:
    value = label_value(text)
    assert len(value) <= 63
    assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?", value)


def test_labels_are_kept_if_they_can_be_and_differ_if_not() -> None:
    assert label_value("a.b_c-d") == "a.b_c-d"
    assert len({label_value(text) for text in ("a+", "+a", "a", "a-")}) == 4
    labels = Instance("etl", "r+1", "load", 3, 2).labels
    assert labels["dag_id"] == "etl"
    assert (labels["map_index"], labels["try_number"]) == ("3", "2")
    assert "map_index" not in Instance("etl", "r", "load", -1, 2).labels
