"""What a pod writes to /airflow/xcom/return.json is the task instance's XCom."""

from __future__ import annotations

from conftest import Airflow

COUNT = 60_000
DAG_FILE = f'''
from datetime import datetime

from airflow.sdk import DAG
from podlaunch_airflow.operators.podlaunch import PodlaunchOperator

# The embedded cluster has a container's files in a folder of its own.
WRITE = """
import json, os, sys
root = os.environ.get("PODLAUNCH_CONTAINER_ROOT", "")
with open(root + "/airflow/xcom/return.json", "w") as file:
    json.dump(list(range(int(sys.argv[1]))), file)
"""
COMMON = {{"namespace": "default", "image": "python:3.6", "cmds": ["python", "-c"], "do_xcom_push": True}}

with DAG("results", start_date=datetime(2024, 1, 1), schedule=None, catchup=False) as dag:
    PodlaunchOperator(task_id="large", arguments=[WRITE, "{COUNT}"], **COMMON)
    PodlaunchOperator(task_id="small", arguments=[WRITE, "3"], **COMMON)
    PodlaunchOperator(task_id="none", arguments=["pass"], **COMMON)
    PodlaunchOperator(task_id="message", arguments=[WRITE, "4"], xcom_from="message", **COMMON)
    PodlaunchOperator(task_id="too_large", arguments=[WRITE, "1000000"], retries=0, **COMMON)
'''


def test_results_of_any_allowed_size_are_xcoms(airflow: Airflow) -> None:
    airflow.add_dag("results.py", DAG_FILE)
    run = airflow.test_dag("results")
    succeeded = ("large", "small", "none", "message")
    assert run.states == {**dict.fromkeys(succeeded, ("success", 1)), "too_large": ("failed", 1)}, run.output
    assert airflow.xcoms("results") == {
        "large": list(range(COUNT)),
        "small": [0, 1, 2],
        "message": [0, 1, 2, 3],
    }
    assert "the container wrote no result" in run.log("none")
    assert "cannot be had: it is larger than the server takes" in run.log("too_large")
