"""The blog post's two tasks by PodlaunchOperator and by KubernetesPodOperator, and one that writes a line a second.

One DAG for each way; `compare.py` runs them in turns. Tasks are tried once: a failure is what is measured, not the
wait before its retry. KubernetesPodOperator is as it comes, and once more looking each second whether the pod runs.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG

from podlaunch_airflow.operators.podlaunch import PodlaunchOperator

NAMESPACE = os.environ["COMPARISON_NAMESPACE"]
KUBECONFIG = os.environ["COMPARISON_KUBECONFIG"]

LINES = "import time\nfor n in range(5):\n    print('line', n, flush=True)\n    time.sleep(1)"

TASKS: dict[str, dict[str, Any]] = {
    "passing-task": {
        "image": "python:3.6",
        "cmds": ["python", "-c"],
        "arguments": ["print('hello world')"],
        "name": "passing-test",
    },
    "failing-task": {
        "image": "ubuntu:16.04",
        "cmds": ["Python", "-c"],
        "arguments": ["print('hello world')"],
        "name": "fail",
    },
    "lines-task": {"image": "python:3.6", "cmds": ["python", "-c"], "arguments": [LINES], "name": "lines"},
}

KPO = {"in_cluster": False, "config_file": KUBECONFIG}
WAYS: dict[str, tuple[type, dict[str, Any]]] = {
    "podlaunch": (PodlaunchOperator, {}),
    "kpo": (KubernetesPodOperator, KPO),
    "kpo_1s": (KubernetesPodOperator, {**KPO, "startup_check_interval_seconds": 1}),
}

for way, (operator, extra) in WAYS.items():
    with DAG(f"comparison_{way}", start_date=datetime(2024, 1, 1), schedule=None, catchup=False) as dag:
        for task_id, task in TASKS.items():
            operator(
                task_id=task_id,
                namespace=NAMESPACE,
                labels={"foo": "bar"},
                get_logs=True,
                retries=0,
                **task,
                **extra,
            )
    globals()[f"dag_{way}"] = dag
