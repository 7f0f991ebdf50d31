"""Ends of tasks."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import POD, outcome
from podlaunch import Reason, RetryAdvice, TaskState, TimeoutKind

from podlaunch_airflow.outcome import exit_codes, failure_text, is_skip


def test_a_failure_is_told_with_all_that_is_known() -> None:
    failed = outcome(
        TaskState.FAILED,
        reason=Reason.OOM_KILLED,
        kubernetes_reason="OOMKilled",
        retry_advice=RetryAdvice.MAY_HAVE_SIDE_EFFECTS,
        exit_code=137,
        oom_killed=True,
        termination_message=b"last line\n",
    )
    assert failure_text(failed, POD, ["07:08:09 Task is RUNNING"]).splitlines() == [
        "Pod default/pod-1 ended FAILED: OOM_KILLED (OOMKilled)",
        "  exit code: 137 of container base, out of memory",
        "  node: node-1",
        "  retry: MAY_HAVE_SIDE_EFFECTS: the container had started, or may have: another try may do work twice",
        "  termination message:",
        "    last line",
        "  last events:",
        "    07:08:09 Task is RUNNING",
    ]


def test_a_start_error_has_kubernetes_words_once() -> None:
    words = 'exec: "Python": executable file not found in $PATH'
    failed = outcome(
        TaskState.FAILED,
        reason=Reason.START_ERROR,
        kubernetes_reason="StartError",
        kubernetes_message=words,
        termination_message=words.encode(),
        retry_advice=RetryAdvice.SAFE_NEVER_STARTED,
    )
    text = failure_text(failed, POD, [])
    assert text.count(words) == 1
    assert "START_ERROR (StartError)" in text
    assert "exit code" not in text


def test_a_timeout_is_named() -> None:
    failed = outcome(TaskState.FAILED, reason=Reason.IMAGE_PULL_FAILED, timeout=TimeoutKind.STARTUP)
    assert "ended by the timeout: STARTUP" in failure_text(failed, None, [])


@pytest.mark.parametrize(
    ("given", "codes"), [(None, set()), (3, {3}), (0, {0}), ([3, 4], {3, 4}), (frozenset((5,)), {5})]
)
def test_codes_to_skip(given: Any, codes: set[int]) -> None:
    assert exit_codes(given) == codes


def test_only_its_own_failure_is_skipped() -> None:
    assert is_skip(outcome(TaskState.FAILED, exit_code=99), {99})
    assert not is_skip(outcome(TaskState.FAILED, exit_code=1), {99})
    assert not is_skip(outcome(TaskState.FAILED, exit_code=None), {99})
    assert not is_skip(outcome(TaskState.CANCELLED, exit_code=99), {99})
