"""The blog post's DAG on a real Airflow, and the same file with KubernetesPodOperator."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from cluster import INSTANCE, KUBECONFIG, NAMESPACE
from conftest import Airflow, Run, example
from evidence import NOTES

sys.path.append(str(Path(__file__).resolve().parents[1] / "comparison"))
from watch import Audit

AUDIT_LOG = os.environ.get("PODLAUNCH_E2E_AUDIT", "")
OURS = "from podlaunch_airflow.operators.podlaunch import PodlaunchOperator"
THEIRS = "from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator as PodlaunchOperator"


def test_airflow_knows_the_provider_and_its_connection(airflow: Airflow) -> None:
    assert "podlaunch-airflow" in airflow.run("providers", "list", "-o", "plain")
    hooks = airflow.run("providers", "hooks", "-o", "plain")
    assert "podlaunch_airflow.hooks.podlaunch.PodlaunchHook" in hooks


def test_states_are_as_the_pods_ended(blog_post: Run) -> None:
    # The failing task has `retries=1`: its second try is another pod, which fails as well.
    assert blog_post.states == {
        "run_this_first": ("success", 1),
        "passing-task": ("success", 1),
        "failing-task": ("failed", 2),
    }, blog_post.output


def test_the_passing_tasks_log_has_its_line_once(blog_post: Run) -> None:
    log = blog_post.log("passing-task")
    lines = [line for line in log.splitlines() if "[base] hello world" in line]
    assert len(lines) == 1, log
    assert "Task is RUNNING" in log or "ended with exit code 0" in log
    # It was released: neither refused nor left to the retention.
    assert "retention" not in log


def test_the_failing_tasks_log_says_why(blog_post: Run) -> None:
    log = blog_post.log("failing-task")
    assert "ended FAILED: START_ERROR" in log, blog_post.output
    # Kubernetes' words, from the container runtime.
    assert 'exec: "Python": executable file not found in $PATH' in log
    assert "SAFE_NEVER_STARTED" in log
    assert "hello world" not in log.replace("print('hello world')", "")


def test_each_try_has_a_pod_of_its_own(blog_post: Run) -> None:
    pods = [
        line
        for line in blog_post.log("failing-task").splitlines()
        if "Pod default/" in line and ": created" in line
    ]
    assert len(pods) == 2
    names = {line.split("Pod default/")[1].split(":")[0] for line in pods}
    assert len(names) == 2


@pytest.mark.skipif(not KUBECONFIG, reason="KubernetesPodOperator's client is not one of the embedded cluster's")
def test_the_same_file_with_kubernetes_pod_operator_ends_the_same_way(airflow: Airflow, blog_post: Run) -> None:
    text = example()
    assert text.count(OURS) == text.count('"kubernetes_sample"') == 1
    airflow.add_dag("kpo.py", text.replace(OURS, THEIRS).replace('"kubernetes_sample"', '"kubernetes_sample_kpo"'))
    audit = Audit(Path(AUDIT_LOG), NAMESPACE) if AUDIT_LOG else None
    began = time.time()
    beside = airflow.test_dag("kubernetes_sample_kpo")
    between = time.time()
    # Once more, now that both have what Airflow loads and compiles at the first use.
    again = airflow.test_dag("kubernetes_sample")
    assert beside.states == blog_post.states == again.states, beside.output
    assert "hello world" in beside.log("passing-task")
    NOTES.append(_compared("KubernetesPodOperator", airflow, "kubernetes_sample_kpo"))
    NOTES.append(_compared("PodlaunchOperator", airflow, "kubernetes_sample"))
    if audit is not None:
        theirs = audit.requests("OpenAPI-Generator", began, between)
        ours = audit.requests(INSTANCE, between, time.time())
        NOTES.append(f"API requests: KubernetesPodOperator {_total(theirs)}; PodlaunchOperator {_total(ours)}")
        assert 0 < ours.total() < theirs.total()


def _compared(name: str, airflow: Airflow, dag_id: str) -> str:
    times = airflow.durations(dag_id)
    return f"{name}: " + ", ".join(f"{task} {times[task]:.1f} s" for task in ("passing-task", "failing-task"))


def _total(requests: Counter[str]) -> str:
    return f"{requests.total()} ({', '.join(f'{count} {what}' for what, count in requests.most_common())})"
