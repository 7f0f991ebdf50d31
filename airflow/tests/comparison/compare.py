"""Runs the DAGs of `dag.py` in turns with `airflow dags test`, and prints medians.

`airflow dags test` runs one task after the other in its own process, so that a task's requests are those between
its start and the next one's. When a line of the task log appears is when it can be read from the command's output.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from watch import Audit, Watch, instant

AIRFLOW = str(Path(sys.executable).parent / "airflow")
WAYS = ("podlaunch", "kpo", "kpo_1s")
TASKS = ("passing-task", "failing-task", "lines-task")
INSTANCE = "comparison"
SETTLE = 3.0
"""How long (s) after a run its last requests are waited for."""


def main() -> None:
    """Runs, then prints."""
    given = _arguments()
    home = Path(tempfile.mkdtemp(prefix="comparison-"))
    env = _environment(home, given)
    pods, audit = Watch(given.kubeconfig, given.namespace), Audit(given.audit_log, given.namespace)
    pods.start()
    agents = {"podlaunch": given.instance, "kpo": "OpenAPI-Generator", "kpo_1s": "OpenAPI-Generator"}
    before = time.time()
    server = _serve(home, given)
    try:
        subprocess.run([AIRFLOW, "db", "migrate"], env=env, check=True, stdout=subprocess.DEVNULL)
        started = audit.requests(given.instance, before, time.time())
        found: list[dict[str, Any]] = []
        for number in range(given.runs + 1):
            for way in WAYS:
                of_run = _run(way, agents[way], env, pods, audit)
                # The first one fills caches: Airflow's compiled files, the node's.
                found += [{"run": number, **one} for one in of_run] if number else []
                print(f"{way} {number}/{given.runs} load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    finally:
        server.terminate()
        server.wait(30)
        pods.delete_namespace()
    given.output.write_text(json.dumps({"server_start": started, "tasks": found}, indent=1))
    print(_table(found))
    print(f"\nrequests of podlaunch's start: {dict(started)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--audit-log", required=True, type=Path, help="of the API server, level Metadata")
    parser.add_argument("--podlaunch", required=True, help="the program")
    parser.add_argument("--namespace", default="comparison", help="made and deleted; default: comparison")
    parser.add_argument("--instance", default=INSTANCE)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("comparison.json"))
    return parser.parse_args()


def _environment(home: Path, given: argparse.Namespace) -> dict[str, str]:
    dags = home / "dags"
    dags.mkdir()
    shutil.copy(Path(__file__).with_name("dag.py"), dags)
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_PODLAUNCH_DEFAULT": json.dumps({"conn_type": "podlaunch", "host": f"unix://{_socket(home)}"}),
        "COMPARISON_NAMESPACE": given.namespace,
        "COMPARISON_KUBECONFIG": given.kubeconfig,
        "NO_COLOR": "1",
        "COLUMNS": "400",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPYCACHEPREFIX": str(home / "pycache"),
    }


def _socket(home: Path) -> Path:
    return home / "podlaunch.sock"


def _serve(home: Path, given: argparse.Namespace) -> subprocess.Popen[bytes]:
    command = [given.podlaunch, "serve", "--listen", f"unix:{_socket(home)}", "--kubeconfig", given.kubeconfig]
    command += ["--instance", given.instance, "--namespace", given.namespace]
    with (home / "serve.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def _run(way: str, agent: str, env: dict[str, str], pods: Watch, audit: Audit) -> list[dict[str, Any]]:
    """One run of a DAG: what was measured of each task."""
    dag_id = f"comparison_{way}"
    pods.clear()
    output: list[tuple[float, str]] = []
    command = [AIRFLOW, "dags", "test", dag_id]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        output.extend((time.time(), line.rstrip("\n")) for line in process.stdout)
    (Path(env["AIRFLOW_HOME"]) / f"{dag_id}.out").write_text("\n".join(line for _, line in output))
    time.sleep(SETTLE)
    rows = _rows(Path(env["AIRFLOW_HOME"]) / "airflow.db", dag_id)
    assert len(rows) == len(TASKS), "\n".join(line for _, line in output)
    nexts = [row[2] for row in rows[1:]] + [time.time()]
    measured = []
    for (task_id, state, start, end), following in zip(rows, nexts, strict=True):
        pod = pods.pod(dag_id, task_id)
        delays = [
            shown - stored
            for line, stored in pod.lines.items()
            for shown, text in output
            if start <= shown < following and f"[base] {line}" in text
        ]
        last = max(pod.lines.values(), default=None)
        measured.append(
            {
                "way": way,
                "task": task_id,
                "state": state,
                # Pays for what Airflow loads once in a process: not counted in `wall`.
                "first": task_id == rows[0][0],
                "wall": end - start,
                "lines": len(pod.lines),
                "delays": delays,
                "last_line_to_end": None if last is None else end - last,
                "pod_end_to_end": None if pod.ended is None else end - pod.ended,
                "requests": audit.requests(agent, start, following),
            }
        )
    return measured


def _rows(database: Path, dag_id: str) -> list[tuple[str, str, float, float]]:
    """Task, state, start and end of the last run, in the order of start."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as opened:
        found = opened.execute(
            "SELECT task_id, state, start_date, end_date FROM task_instance WHERE dag_id = :dag AND run_id = "
            "(SELECT run_id FROM dag_run WHERE dag_id = :dag ORDER BY id DESC LIMIT 1) ORDER BY start_date",
            {"dag": dag_id},
        ).fetchall()
    return [(task, state, _stored(start), _stored(end)) for task, state, start, end in found]


def _stored(text: str) -> float:
    return instant(text.replace(" ", "T").removesuffix("+00:00"))


def _table(found: list[dict[str, Any]]) -> str:
    rows = [
        "| task | way | runs | state | wall s | line delay s | last line → end s | pod end → end s | requests |"
    ]
    rows.append("|---" * 9 + "|")
    for task in TASKS:
        for way in WAYS:
            of = [one for one in found if one["task"] == task and one["way"] == way]
            states = ", ".join(sorted({one["state"] for one in of}))
            delays = [delay for one in of for delay in one["delays"]]
            total = _median([float(one["requests"] and sum(one["requests"].values())) for one in of])
            cells = [
                task,
                way,
                str(len(of)),
                states,
                _median([one["wall"] for one in of if not one["first"]]),
                _median(delays),
            ]
            cells += [_median([one[key] for one in of]) for key in ("last_line_to_end", "pod_end_to_end")]
            cells.append(f"{total}: {_per_task(of)}")
            rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _median(values: list[float | None]) -> str:
    """With the least and the greatest."""
    given = [value for value in values if value is not None]
    if not given:
        return "none"
    return f"{statistics.median(given):.2f} ({min(given):.2f}…{max(given):.2f})"


def _per_task(of: list[dict[str, Any]]) -> str:
    total: Counter[str] = sum((Counter(one["requests"]) for one in of), Counter())
    return ", ".join(f"{what} {count / len(of):.1f}" for what, count in total.most_common())


if __name__ == "__main__":
    main()
