"""A served podlaunch and an Airflow of its own.

PODLAUNCH_BIN ─▶ `podlaunch serve` on a Unix socket, embedded cluster or PODLAUNCH_E2E_KUBECONFIG's
example DAG ─▶ AIRFLOW_HOME in a directory of the test run ─▶ `airflow dags test` ─▶ its output, its database
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kubernetes import client, config
from podlaunch import Client

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
KUBECONFIG = os.environ.get("PODLAUNCH_E2E_KUBECONFIG", "")
AIRFLOW = str(Path(sys.executable).parent / "airflow")
INSTANCE = f"airflow-test-{os.getpid()}"
DEADLINE = 300.0
"""How long (s) a command of Airflow may take on a busy machine."""


class Server:
    """A served podlaunch."""

    def __init__(self, directory: Path) -> None:
        self.target = f"unix://{directory / 'podlaunch.sock'}"
        self._log = directory / "serve.log"
        self._command = [os.environ["PODLAUNCH_BIN"], "serve", "--listen", self.target.replace("://", ":")]
        self._command += _cluster(directory)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=log)
        with Client(self.target, first_contact=60) as caller:
            caller.server_info()

    def kill(self) -> None:
        """As a crash does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """As an orderly end does; then kills."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass(frozen=True)
class Run:
    """What came of a run of a DAG."""

    output: str
    states: dict[str, tuple[str, int]]
    """State and try number by task id, as the database has them."""

    def log(self, task_id: str) -> str:
        """What was logged while the task ran: all its tries."""
        lines = iter(self.output.splitlines())
        kept: list[str] = []
        for line in lines:
            if f"[DAG TEST] starting task_id={task_id} " in line:
                for inner in lines:
                    if f"[DAG TEST] end task task_id={task_id} " in inner:
                        break
                    kept.append(inner)
        return "\n".join(kept)


class Airflow:
    """An installation of Airflow with SQLite, in a directory of its own."""

    def __init__(self, home: Path, server: Server) -> None:
        self.home = home
        self.dags = home / "dags"
        self.dags.mkdir(parents=True)
        connection = {"conn_type": "podlaunch", "host": server.target}
        self.env = {
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_PODLAUNCH_DEFAULT": json.dumps(connection),
            "NO_COLOR": "1",
            "COLUMNS": "400",
        }

    def run(self, *arguments: str) -> str:
        """Runs the command `airflow`; its output, whatever its exit code."""
        done = subprocess.run(
            [AIRFLOW, *arguments],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=DEADLINE,
            check=False,
            text=True,
            errors="replace",
        )
        return done.stdout

    def test_dag(self, dag_id: str) -> Run:
        """`airflow dags test`."""
        output = self.run("dags", "test", dag_id)
        return Run(output, self._states(dag_id))

    def _states(self, dag_id: str) -> dict[str, tuple[str, int]]:
        database = sqlite3.connect(f"file:{self.home / 'airflow.db'}?mode=ro", uri=True)
        try:
            rows = database.execute(
                "SELECT task_id, state, try_number FROM task_instance WHERE dag_id = ?", (dag_id,)
            ).fetchall()
        finally:
            database.close()
        return {task_id: (state, tries) for task_id, state, tries in rows}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`podlaunch serve`, answering."""
    made = Server(tmp_path_factory.mktemp("podlaunch"))
    try:
        made.start()
        yield made
    finally:
        made.stop()
        if KUBECONFIG:
            _delete_pods()


def _delete_pods() -> None:
    """What this run made on a cluster that stays."""
    config.load_kube_config(KUBECONFIG)
    selector = f"podlaunch.dev/instance={INSTANCE}"
    client.CoreV1Api().delete_collection_namespaced_pod("default", label_selector=selector)


def _cluster(directory: Path) -> list[str]:
    if KUBECONFIG:
        return ["--kubeconfig", KUBECONFIG, "--instance", INSTANCE]
    python = directory / "python" / "bin"
    bare = directory / "bare" / "bin"
    for path in (python, bare):
        path.mkdir(parents=True)
    (python / "python").symlink_to(Path(sys.executable).resolve())
    return [
        "--local",
        "--local-image",
        f"python:3.6={python.parent}",
        "--local-image",
        f"ubuntu:16.04={bare.parent}",
    ]


@pytest.fixture(scope="session")
def airflow(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """An Airflow with an empty database."""
    made = Airflow(tmp_path_factory.mktemp("airflow") / "home", server)
    output = made.run("db", "migrate")
    assert (made.home / "airflow.db").exists(), output
    return made
