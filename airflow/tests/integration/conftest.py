"""A served podlaunch and an Airflow of its own.

PODLAUNCH_BIN ─▶ `podlaunch serve` on a Unix socket, embedded cluster or PODLAUNCH_E2E_KUBECONFIG's
example DAG ─▶ AIRFLOW_HOME in a directory of the test run ─▶ `airflow dags test` ─▶ its output, its database
a failed test ─▶ the ends of all their logs (`evidence`)
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cluster
import evidence
import pytest
from podlaunch import Client

if TYPE_CHECKING:
    from scheduled import Scheduled

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
AIRFLOW = str(Path(sys.executable).parent / "airflow")
DEADLINE = 600.0
"""How long (s) a command of Airflow may take on a busy machine."""


class Server:
    """A served podlaunch, on a Unix socket and where else `flags` say."""

    def __init__(self, directory: Path, flags: Sequence[str] = ()) -> None:
        self.target = f"unix://{directory / 'podlaunch.sock'}"
        self._log = directory / "serve.log"
        self._command = [os.environ["PODLAUNCH_BIN"], "serve", "--listen", self.target.replace("://", ":")]
        self._command += [*cluster.serve_flags(directory), *flags]
        self._process: subprocess.Popen[bytes] | None = None
        evidence.add_file(f"podlaunch's log ({directory.name})", self._log)

    def start(self) -> None:
        """Returns when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
            )
        with Client(self.target, first_contact=120) as caller:
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


def connection(**fields: object) -> str:
    """A connection of ours as Airflow reads it from the environment."""
    return json.dumps({"conn_type": "podlaunch", **fields})


class Airflow:
    """An installation of Airflow with SQLite, in a directory of its own."""

    def __init__(self, home: Path, server: Server) -> None:
        self.home = home
        self.dags = home / "dags"
        self.dags.mkdir(parents=True)
        kubernetes = {"kube_config_path": cluster.KUBECONFIG, "in_cluster": False}
        self.env = {
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_PODLAUNCH_DEFAULT": connection(host=server.target),
            # For KubernetesPodOperator, beside which ours is run.
            "AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps({"conn_type": "kubernetes", "extra": kubernetes}),
            "NO_COLOR": "1",
            "COLUMNS": "400",
            # SIGABRT makes it say where it hangs.
            "PYTHONFAULTHANDLER": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self._command_log = home / "command.log"
        evidence.add_file("the last command of Airflow", self._command_log)
        evidence.add_task_logs(home / "logs")

    def add_dag(self, name: str, text: str) -> None:
        """Puts a file where Airflow looks for DAGs."""
        (self.dags / name).write_text(text)

    def run(self, *arguments: str) -> str:
        """Runs the command `airflow`; its output, whatever its exit code."""
        with self._command_log.open("wb") as log:
            process = subprocess.Popen(
                [AIRFLOW, *arguments],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            _abort(process)
            pytest.fail(
                f"airflow {' '.join(arguments)}: no end within {DEADLINE:.0f} s. It was here:\n"
                + evidence.tail(self._command_log, 60),
                pytrace=False,
            )
        return self._command_log.read_text(errors="replace")

    def test_dag(self, dag_id: str) -> Run:
        """`airflow dags test`."""
        output = self.run("dags", "test", dag_id)
        return Run(output, self._states(dag_id))

    def durations(self, dag_id: str) -> dict[str, float]:
        """Seconds from the start to the end of each task's last try."""
        rows = self._ask("SELECT task_id, (julianday(end_date) - julianday(start_date)) * 86400", dag_id)
        return {task_id: seconds for task_id, seconds in rows if seconds is not None}

    def xcoms(self, dag_id: str) -> dict[str, object]:
        """What the tasks of the DAG's run returned."""
        rows = self._ask("SELECT task_id, value, key", dag_id, "xcom")
        # The value is JSON, which the column's type makes JSON again where it is SQLite's.
        return {task_id: _decoded(value) for task_id, value, key in rows if key == "return_value"}

    def _states(self, dag_id: str) -> dict[str, tuple[str, int]]:
        rows = self._ask("SELECT task_id, state, try_number", dag_id)
        return {task_id: (state, tries) for task_id, state, tries in rows}

    def _ask(self, select: str, dag_id: str, table: str = "task_instance") -> list[tuple]:
        database = sqlite3.connect(f"file:{self.home / 'airflow.db'}?mode=ro", uri=True)
        try:
            return database.execute(f"{select} FROM {table} WHERE dag_id = ?", (dag_id,)).fetchall()
        finally:
            database.close()


def _decoded(value: str) -> object:
    once = json.loads(value)
    return json.loads(once) if isinstance(once, str) else once


def _abort(process: subprocess.Popen[bytes]) -> None:
    """Lets it say where it is, then ends it with all it started."""
    process.send_signal(signal.SIGABRT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`podlaunch serve`, answering."""
    evidence.add("the cluster", cluster.pods_text)
    made = Server(tmp_path_factory.mktemp("podlaunch"))
    try:
        if cluster.KUBECONFIG:
            cluster.hold_images()
        made.start()
        yield made
    finally:
        made.stop()
        if cluster.KUBECONFIG:
            cluster.delete_pods()


@pytest.fixture(scope="session")
def airflow(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """An Airflow with an empty database."""
    made = Airflow(tmp_path_factory.mktemp("airflow") / "home", server)
    output = made.run("db", "migrate")
    assert (made.home / "airflow.db").exists(), output
    return made


@pytest.fixture(scope="session")
def blog_post(airflow: Airflow) -> Run:
    """The DAG as it is in the examples, but for the wait before its retry."""
    airflow.add_dag("blog_post.py", example())
    return airflow.test_dag("kubernetes_sample")


@pytest.fixture(scope="session")
def scheduled(airflow: Airflow) -> Iterator[Scheduled]:
    """The processes of an installation, running."""
    from scheduled import Scheduled

    made = Scheduled(airflow)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def example() -> str:
    """The example DAG, with a short wait before its retry."""
    text, wait = (EXAMPLES / "blog_post.py").read_text(), "timedelta(minutes=5)"
    assert text.count(wait) == 1
    return text.replace(wait, "timedelta(seconds=1)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What failed is told with the logs of all that took part."""
    report = yield
    if report.failed:
        report.sections += evidence.sections()
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured."""
    for note in evidence.NOTES:
        terminalreporter.write_line(note)
