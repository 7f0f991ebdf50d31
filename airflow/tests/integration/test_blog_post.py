"""The blog post's DAG on a real Airflow."""

from __future__ import annotations

import pytest
from conftest import EXAMPLES, Airflow, Run

DAG_ID = "kubernetes_sample"
RETRY = "timedelta(minutes=5)"


@pytest.fixture(scope="module")
def run(airflow: Airflow) -> Run:
    """The DAG as it is in the examples, but for the wait before its retry."""
    text = (EXAMPLES / "blog_post.py").read_text()
    assert text.count(RETRY) == 1
    (airflow.dags / "blog_post.py").write_text(text.replace(RETRY, "timedelta(seconds=1)"))
    return airflow.test_dag(DAG_ID)


def test_airflow_knows_the_provider_and_its_connection(airflow: Airflow) -> None:
    assert "podlaunch-airflow" in airflow.run("providers", "list", "-o", "plain")
    hooks = airflow.run("providers", "hooks", "-o", "plain")
    assert "podlaunch_airflow.hooks.podlaunch.PodlaunchHook" in hooks


def test_states_are_as_the_pods_ended(run: Run) -> None:
    # The failing task has `retries=1`: its second try is another pod, which fails as well.
    assert run.states == {
        "run_this_first": ("success", 1),
        "passing-task": ("success", 1),
        "failing-task": ("failed", 2),
    }, run.output


def test_the_passing_tasks_log_has_its_line_once(run: Run) -> None:
    log = run.log("passing-task")
    lines = [line for line in log.splitlines() if "[base] hello world" in line]
    assert len(lines) == 1, log
    assert "Task is RUNNING" in log or "ended with exit code 0" in log


def test_the_failing_tasks_log_says_why(run: Run) -> None:
    log = run.log("failing-task")
    assert "ended FAILED: START_ERROR" in log, run.output
    # Kubernetes' words, from the container runtime.
    assert 'exec: "Python": executable file not found in $PATH' in log
    assert "SAFE_NEVER_STARTED" in log
    assert "hello world" not in log.replace("print('hello world')", "")


def test_each_try_has_a_pod_of_its_own(run: Run) -> None:
    pods = [line for line in run.log("failing-task").splitlines() if "Pod default/" in line and ": created" in line]
    assert len(pods) == 2
    names = {line.split("Pod default/")[1].split(":")[0] for line in pods}
    assert len(names) == 2
