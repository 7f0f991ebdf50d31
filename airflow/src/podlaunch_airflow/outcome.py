"""What a task's end means to Airflow. Pure.

Outcome ─┬─ SUCCEEDED                     ─▶ the result for XCom (`results`)
         ├─ FAILED, exit code to be skipped ─▶ AirflowSkipException
         └─ everything else                ─▶ AirflowException: reason, advice, exit code, last events
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from podlaunch import Outcome, PodRef, RetryAdvice, TaskState, TimeoutKind

from podlaunch_airflow.tasklog import why_text

_ADVICE = {
    RetryAdvice.SAFE_NEVER_STARTED: "another try repeats nothing, the container never started",
    RetryAdvice.MAY_HAVE_SIDE_EFFECTS: "the container had started, or may have: another try may do work twice",
    RetryAdvice.USELESS: "another try ends the same way until specification, image or a referenced object changes",
}


def exit_codes(skip_on_exit_code: int | Collection[int] | None) -> frozenset[int]:
    """KubernetesPodOperator's argument: None, a code or several."""
    if skip_on_exit_code is None:
        return frozenset()
    return frozenset((skip_on_exit_code,) if isinstance(skip_on_exit_code, int) else skip_on_exit_code)


def is_skip(outcome: Outcome, codes: Collection[int]) -> bool:
    """The task failed by itself with one of `codes`."""
    return outcome.state == TaskState.FAILED and outcome.exit_code is not None and outcome.exit_code in codes


def failure_text(outcome: Outcome, pod: PodRef | None, recent: Sequence[str]) -> str:
    """All that is known of a failure, for the exception."""
    name = f"Pod {pod.namespace}/{pod.name}" if pod is not None and pod.name else "Task"
    why = why_text(outcome.reason, outcome.kubernetes_reason, outcome.kubernetes_message)
    lines = [f"{name} ended {outcome.state}: {why}"]
    if outcome.timeout != TimeoutKind.UNSPECIFIED:
        lines.append(f"  ended by the timeout: {outcome.timeout}")
    if outcome.stop is not None and outcome.stop.reason:
        lines.append(f"  stopped: {outcome.stop.reason}")
    if outcome.exit_code is not None:
        by = f" of container {outcome.container}" if outcome.container else ""
        lines.append(f"  exit code: {outcome.exit_code}{by}" + (", out of memory" if outcome.oom_killed else ""))
    if outcome.node_name:
        lines.append(f"  node: {outcome.node_name}")
    advice = _ADVICE.get(outcome.retry_advice)
    if advice:
        lines.append(f"  retry: {outcome.retry_advice}: {advice}")
    message = outcome.termination_message.decode("utf-8", "replace").strip()
    if message and message != outcome.kubernetes_message.strip():
        lines += ["  termination message:", *(f"    {line}" for line in message.splitlines())]
    if recent:
        lines += ["  last events:", *(f"    {line}" for line in recent)]
    return "\n".join(lines)
