"""The blog post's DAG as users have it: a scheduler makes its runs, its workers call podlaunch over the socket."""

from __future__ import annotations

import json

from conftest import Airflow, example
from scheduled import Scheduled

DAG_ID = "kubernetes_sample"
EXPECTED = {
    "run_this_first": ("success", 1),
    "passing-task": ("success", 1),
    "failing-task": ("failed", 2),
}


def test_the_scheduler_runs_the_blog_posts_dag(scheduled: Scheduled, airflow: Airflow) -> None:
    airflow.add_dag("blog_post.py", example())
    scheduled.know({DAG_ID})
    scheduled.pause(DAG_ID, "false")
    run_id = scheduled.scheduled_run(DAG_ID)
    ended = {task_id: scheduled.finished(DAG_ID, run_id, task_id) for task_id in EXPECTED}
    scheduled.pause(DAG_ID, "true")
    assert {task_id: (task["state"], task["try_number"]) for task_id, task in ended.items()} == EXPECTED

    passing = scheduled.log(DAG_ID, run_id, "passing-task", 1)
    assert [entry["event"] for entry in passing].count("[base] hello world") == 1
    for attempt in (1, 2):
        failing = json.dumps(scheduled.log(DAG_ID, run_id, "failing-task", attempt))
        assert "ended FAILED: START_ERROR" in failing
        assert "executable file not found in $PATH" in failing
