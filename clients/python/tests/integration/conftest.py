"""Served clusters: the embedded one, in the server and apart from it, and a real one where it is named.

PODLAUNCH_BIN: the binary. PODLAUNCH_TEST_KUBECONFIG: a real cluster with the images busybox:1 and python:3.6.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest
from servers import BIN, Cutter, Served

KUBECONFIG = os.environ.get("PODLAUNCH_TEST_KUBECONFIG", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if BIN:
        return
    for item in items:
        if "integration" in Path(item.path).parts:
            item.add_marker(pytest.mark.skip(reason="PODLAUNCH_BIN names no binary"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[list[str]]:
    """What `serve` needs to reach a cluster of its own: one that outlives servers."""
    if KUBECONFIG:
        # The tests read more than a log file may hold there.
        yield ["--kubeconfig", KUBECONFIG, "--container-log-max-size", "2Gi"]
        return
    with tempfile.TemporaryDirectory(prefix="pl") as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        with (Path(folder) / "local.log").open("wb") as log:
            process = subprocess.Popen([BIN, "local", "--dir", folder], stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 30
            while not kubeconfig.exists() or not kubeconfig.stat().st_size:
                assert process.poll() is None, (Path(folder) / "local.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield ["--kubeconfig", str(kubeconfig)]
        finally:
            process.terminate()
            process.wait()


@pytest.fixture
def serve(cluster: list[str]) -> Iterator[Callable[[], Served]]:
    """Starts servers of that cluster."""
    yield from _servers(cluster)


@pytest.fixture
def serve_embedded() -> Iterator[Callable[[], Served]]:
    """Starts servers with a cluster in them."""
    yield from _servers(["--local"])


def _servers(arguments: list[str]) -> Iterator[Callable[[], Served]]:
    servers: list[Served] = []
    with tempfile.TemporaryDirectory(prefix="pl") as folder:

        def start() -> Served:
            home = Path(folder) / str(len(servers))
            home.mkdir()
            servers.append(Served(home, arguments).start())
            return servers[-1].ready()

        yield start
        for served in servers:
            served.kill()


@pytest.fixture
def cutter() -> Iterator[Callable[[str], Cutter]]:
    """Puts a Cutter before a server."""
    cutters: list[Cutter] = []
    with tempfile.TemporaryDirectory(prefix="pl") as folder:

        def start(target: str) -> Cutter:
            cutters.append(Cutter(target, Path(folder) / f"{len(cutters)}.sock"))
            return cutters[-1]

        yield start
        for one in cutters:
            one.close()


@pytest.fixture
def task_id() -> str:
    return f"py/{uuid.uuid4().hex[:12]}"
