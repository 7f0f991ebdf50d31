"""The DAG of the 2018 blog post that introduced Airflow's Kubernetes operator, with today's Airflow and podlaunch.

What has changed beside the operator: `airflow.contrib` and `DummyOperator` are gone, `schedule_interval` is called
`schedule`, the start date is a fixed one, and the failing image is written `ubuntu:16.04`.

run_this_first ─┬─▶ passing-task   prints `hello world`
                └─▶ failing-task   the image has no Python: it ends as START_ERROR, and the log says so
"""

from __future__ import annotations

from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
try:
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:  # Airflow 2 without the standard provider
    from airflow.operators.empty import EmptyOperator

from podlaunch_airflow.operators.podlaunch import PodlaunchOperator

default_args = {
    "owner": "airflow",
    "depends_on_past": False,
    "retries": 1,
    "retry_delay": timedelta(minutes=5),
}

with DAG(
    "kubernetes_sample",
    default_args=default_args,
    start_date=datetime(2024, 1, 1),
    schedule=timedelta(minutes=10),
    catchup=False,
) as dag:
    start = EmptyOperator(task_id="run_this_first")

    passing = PodlaunchOperator(
        namespace="default",
        image="python:3.6",
        cmds=["python", "-c"],
        arguments=["print('hello world')"],
        labels={"foo": "bar"},
        name="passing-test",
        task_id="passing-task",
        get_logs=True,
    )

    failing = PodlaunchOperator(
        namespace="default",
        image="ubuntu:16.04",
        cmds=["Python", "-c"],
        arguments=["print('hello world')"],
        labels={"foo": "bar"},
        name="fail",
        task_id="failing-task",
        get_logs=True,
    )

    start >> [passing, failing]
