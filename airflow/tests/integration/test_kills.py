"""What becomes of a task that writes 50 lines/s for a minute and more when something is killed under it."""

from __future__ import annotations

from typing import Any

import pytest
from cluster import KUBECONFIG
from conftest import Airflow, Server
from podlaunch import Client, TaskKey, TaskState
from scheduled import Scheduled

from podlaunch_airflow.identity import Instance, launch_task_id

RUN = "run1"
LINES = {"worker_killed": 5000, "marked_failed": 3000, "podlaunch_killed": 3000}
"""By DAG. The first task must outlast Airflow's noticing that its worker is gone, and the start of another."""
DAG_FILE = f'''
from datetime import datetime, timedelta

from airflow.sdk import DAG
from podlaunch_airflow.operators.podlaunch import PodlaunchOperator

SLOW = """
import sys, time
lines = int(sys.argv[1])
begin = time.monotonic()
for number in range(lines):
    print("line", number, flush=True)
    time.sleep(max(0, begin + (number + 1) / 50 - time.monotonic()))
"""

for dag_id, lines in {LINES!r}.items():
    with DAG(
        dag_id, start_date=datetime(2024, 1, 1), schedule=None, catchup=False, is_paused_upon_creation=False
    ) as dag:
        PodlaunchOperator(
            task_id="slow",
            namespace="default",
            image="python:3.6",
            cmds=["python", "-c"],
            arguments=[SLOW, str(lines)],
            termination_grace_period=2,
            retries=1,
            retry_delay=timedelta(seconds=1),
        )
    globals()[dag_id] = dag
'''


@pytest.fixture(scope="module", autouse=True)
def _dags(scheduled: Scheduled, airflow: Airflow) -> None:
    airflow.add_dag("kills.py", DAG_FILE)
    scheduled.know(set(LINES))


def numbers(log: list[dict[str, Any]]) -> list[int]:
    """The container's lines."""
    texts = [str(entry.get("event", "")) for entry in log]
    return [int(text.rpartition(" ")[2]) for text in texts if text.startswith("[base] line ")]


def pod_names(log: list[dict[str, Any]]) -> set[str]:
    texts = [str(entry.get("event", "")) for entry in log]
    return {text.split(":")[0] for text in texts if text.startswith("Pod default/")}


def running(scheduled: Scheduled, dag_id: str) -> dict[str, Any]:
    """Starts the DAG; its task instance, once 100 lines are in its log."""

    def written() -> bool:
        return len(numbers(scheduled.log(dag_id, RUN, "slow", 1))) >= 100

    scheduled.trigger(dag_id, RUN)
    return scheduled.running(dag_id, RUN, "slow", written)


def test_a_worker_is_killed_and_the_next_try_attaches(scheduled: Scheduled) -> None:
    dag_id = "worker_killed"
    scheduled.kill_worker(running(scheduled, dag_id)["id"])
    task = scheduled.finished(dag_id, RUN, "slow")
    assert (task["state"], task["try_number"]) == ("success", 2)
    first, second = (scheduled.log(dag_id, RUN, "slow", attempt) for attempt in (1, 2))
    assert len(numbers(first)) < LINES[dag_id]
    assert numbers(second) == list(range(LINES[dag_id]))
    assert pod_names(first) == pod_names(second)
    assert len(pod_names(second)) == 1
    assert any("attached to the pod of try 1" in str(entry.get("event")) for entry in second)


def test_a_line_has_the_time_it_was_written_at(scheduled: Scheduled) -> None:
    """Try 2 of the task above reads lines that were written before it began."""
    log = scheduled.log("worker_killed", RUN, "slow", 2)
    lines = [entry for entry in log if str(entry.get("event", "")).startswith("[base] line ")]
    assert lines
    assert lines[0]["timestamp"] < log[0]["timestamp"]
    stamps = [entry["timestamp"] for entry in lines]
    assert stamps == sorted(stamps)


def test_a_task_that_a_user_marks_failed_is_cancelled(scheduled: Scheduled, server: Server) -> None:
    dag_id = "marked_failed"
    running(scheduled, dag_id)
    path = f"/dags/{dag_id}/dagRuns/{RUN}/taskInstances/slow"
    scheduled.call("PATCH", f"{path}?update_mask=new_state", {"new_state": "failed"})
    key = TaskKey(launch_task_id(Instance(dag_id, RUN, "slow", -1, 1)), 1, "default")
    with Client(server.target) as client, client.attach(key, logs="none") as stream:
        outcome = stream.wait().outcome
    assert outcome.state == TaskState.CANCELLED
    assert outcome.stop is not None
    assert f"{dag_id}.slow was killed in Airflow" in outcome.stop.reason
    assert scheduled.task(dag_id, RUN, "slow")["state"] == "failed"
    assert len(numbers(scheduled.log(dag_id, RUN, "slow", 1))) < LINES[dag_id]


@pytest.mark.skipif(not KUBECONFIG, reason="the embedded cluster ends with its server")
def test_podlaunch_is_killed_and_the_log_has_every_line_once(scheduled: Scheduled, server: Server) -> None:
    dag_id = "podlaunch_killed"
    running(scheduled, dag_id)
    server.kill()
    server.start()
    task = scheduled.finished(dag_id, RUN, "slow")
    assert (task["state"], task["try_number"]) == ("success", 1)
    assert numbers(scheduled.log(dag_id, RUN, "slow", 1)) == list(range(LINES[dag_id]))
