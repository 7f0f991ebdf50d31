"""Airflow's processes as an installation has them: scheduler with the LocalExecutor, API server, DAG processor."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import evidence
import psutil
from conftest import AIRFLOW, DEADLINE, Airflow

PARTS = ("api-server", "scheduler", "dag-processor")
FINISHED = ("success", "failed")


def until(what: str, condition: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """Waits until `condition` gives something true, and gives that.

    A condition raises AssertionError when it can no longer come true, so that nobody waits for it.
    """
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.2)


class Scheduled:
    """Those processes, running."""

    def __init__(self, airflow: Airflow) -> None:
        self._airflow = airflow
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        self._env = {
            **airflow.env,
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__BASE_URL": self._url,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self._url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__API_AUTH__JWT_SECRET": os.urandom(64).hex(),
            "AIRFLOW__LOGGING__LOG_FETCH_TIMEOUT_SEC": "5",
            # A new file is seen after 5 s instead of 300 s.
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            # A worker that is gone is missed after 30 s instead of 300 s.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._token = ""

    def start(self) -> None:
        """Returns when the API server answers."""
        for part in PARTS:
            path = self._airflow.home / f"{part}.log"
            evidence.add_file(f"airflow {part}", path)
            with path.open("wb") as log:
                self._processes[part] = subprocess.Popen(
                    [AIRFLOW, part],
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        until("the API server answers", self._login)

    def know(self, dag_ids: set[str]) -> None:
        """Waits until the DAGs have been read and what was set for a DAG's first sight holds."""
        until(f"{dag_ids} are known", lambda: dag_ids <= self._known())

    def stop(self) -> None:
        """Ends them with all that they started."""
        for process in self._processes.values():
            for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else ():
                _kill(child)
            process.kill()
            process.wait()

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Airflow's REST API."""
        request = urllib.request.Request(
            f"{self._url}/api/v2{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        # A busy server may be slow, and SQLite locked: what only reads is asked again.
        tries = 5 if method == "GET" else 1
        while True:
            tries -= 1
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as error:
                if error.code < 500 or not tries:
                    raise AssertionError(f"{method} {path}: {error}: {error.read()[:500]!r}") from error
            except OSError:
                if not tries:
                    raise
            time.sleep(1)

    def pause(self, dag_id: str, paused: str) -> None:
        """Whether the scheduler leaves the DAG alone: `true` or `false`."""
        self.call("PATCH", f"/dags/{dag_id}", {"is_paused": paused})

    def scheduled_run(self, dag_id: str) -> str:
        """The id of a run that the scheduler made by itself, once there is one."""

        def made() -> Any:
            self._check_parts()
            return self.call("GET", f"/dags/{dag_id}/dagRuns?run_type=scheduled")["dag_runs"]

        run_id: str = until(f"a run of {dag_id} is scheduled", made)[0]["dag_run_id"]
        return run_id

    def trigger(self, dag_id: str, run_id: str) -> None:
        """Starts a run."""
        self.call("POST", f"/dags/{dag_id}/dagRuns", {"dag_run_id": run_id, "logical_date": None})

    def task(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """A task instance."""
        path = f"/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id)}/taskInstances/{task_id}"
        found: dict[str, Any] = self.call("GET", path)
        return found

    def finished(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """A task instance, when it has ended."""

        def end() -> dict[str, Any] | None:
            self._check_parts()
            task = self.task(dag_id, run_id, task_id)
            return task if task["state"] in FINISHED else None

        found: dict[str, Any] = until(f"{dag_id}.{task_id} ends", end)
        return found

    def running(self, dag_id: str, run_id: str, task_id: str, written: Callable[[], bool]) -> dict[str, Any]:
        """A task instance, when `written` says so of its log; not one that has ended before."""

        def wrote() -> bool:
            self._check_parts()
            if written():
                return True
            state = self.task(dag_id, run_id, task_id)["state"]
            assert state not in (*FINISHED, "up_for_retry"), f"{dag_id}.{task_id} is {state} and wrote too little"
            return False

        until(f"{dag_id}.{task_id} writes", wrote)
        return self.task(dag_id, run_id, task_id)

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int) -> list[dict[str, Any]]:
        """What a try has logged so far."""
        folder = self._airflow.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        file = folder / f"attempt={attempt}.log"
        text = file.read_text() if file.exists() else ""
        # The last line may be half written.
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("}\n")]

    def kill_worker(self, ti_id: str) -> None:
        """Kills what runs a task instance, its supervisor first."""
        scheduler = psutil.Process(self._processes["scheduler"].pid)
        workers = [one for one in scheduler.children(recursive=True) if ti_id in " ".join(one.cmdline())]
        assert workers, f"no process runs {ti_id}"
        for worker in sorted(workers, key=lambda one: one.create_time()):
            _kill(worker)

    def _check_parts(self) -> None:
        for part, process in self._processes.items():
            code = process.poll()
            assert code is None, f"airflow {part} ended with exit code {code}"

    def _known(self) -> set[str]:
        self._check_parts()
        return {dag["dag_id"] for dag in self.call("GET", "/dags")["dags"]}

    def _login(self) -> bool:
        self._check_parts()
        try:
            with urllib.request.urlopen(f"{self._url}/auth/token", timeout=5) as answer:
                self._token = json.loads(answer.read())["access_token"]
        except (urllib.error.URLError, OSError):
            return False
        return True


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)
