"""Servers that can be killed, and connections that can be cut."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from podlaunch import Client

BIN = os.environ.get("PODLAUNCH_BIN", "")


@dataclass
class Served:
    """A server that can be killed and started again at the same address."""

    folder: Path
    arguments: list[str]
    process: Optional[subprocess.Popen[bytes]] = None
    instance: str = field(default_factory=lambda: f"py{uuid.uuid4().hex[:8]}")

    @property
    def target(self) -> str:
        return f"unix://{self.folder}/podlaunch.sock"

    def start(self) -> Served:
        command = [BIN, "serve", *self.arguments, "--listen", f"unix:{self.folder}/podlaunch.sock"]
        command += ["--instance", self.instance]
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        return self

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def ready(self) -> Served:
        """Waits until it answers and sees its cluster."""
        deadline = time.monotonic() + 30
        with Client(self.target, first_contact=30, retry_for=30) as client:
            while not all(scope.fresh for cluster in client.server_info().clusters for scope in cluster.scopes):
                assert time.monotonic() < deadline, (self.folder / "serve.log").read_text()
                time.sleep(0.05)
        return self


class Cutter:
    """Passes connections on to a server, until they are cut."""

    def __init__(self, target: str, path: Path) -> None:
        self.target = f"unix://{path}"
        self.connections = 0
        self._server = target[len("unix://") :]
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cuts all connections that are open."""
        while self._open:
            _shut(self._open.pop())

    def close(self) -> None:
        _shut(self._listener)
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            self.connections += 1
            self._open += [client, server]
            for pair in ((client, server), (server, client)):
                threading.Thread(target=_copy, args=pair, daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    _shut(source)
    _shut(sink)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
