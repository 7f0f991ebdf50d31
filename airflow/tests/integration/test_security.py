"""Connections over TLS: a task known by its client certificate, and one known by its token."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

import pytest
from cluster import KUBECONFIG
from conftest import Airflow, Server, connection
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from podlaunch import AccessDeniedError, Client, Spec, TaskKey, Tls, token_file

from podlaunch_airflow.identity import Instance, launch_task_id

pytestmark = pytest.mark.skipif(bool(KUBECONFIG), reason="deploy/tests/real.sh does it there, through the Service")

TOKEN = "a-token-of-32-characters-or-more"
WAYS = ("mtls", "token")
WAITS = "import time; time.sleep(600)"
DAG_FILE = f"""
from datetime import datetime

from airflow.sdk import DAG
from podlaunch_airflow.operators.podlaunch import PodlaunchOperator

with DAG("over_tls", start_date=datetime(2024, 1, 1), schedule=None, catchup=False) as dag:
    for way in {WAYS!r}:
        PodlaunchOperator(
            task_id=way,
            podlaunch_conn_id=f"podlaunch_{{way}}",
            namespace="default",
            image="python:3.6",
            cmds=["python", "-c"],
            arguments=[f"print('hello over', '{{way}}')"],
        )
"""


@dataclass(frozen=True)
class Pki:
    """An authority, and what it signed, as files."""

    directory: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    @classmethod
    def make(cls, directory: Path) -> Pki:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        made = cls(directory, ec.generate_private_key(ec.SECP256R1()), name)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        made._write("ca", made._certificate(name, made.key).add_extension(constraints, critical=True))
        return made

    def issue(self, name: str) -> None:
        """NAME.crt and NAME.key, for that name and 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._write(name, self._certificate(subject, key).add_extension(names, critical=False))
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.directory / f"{name}.key").write_bytes(pem)

    def path(self, name: str) -> str:
        return str(self.directory / name)

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    def _write(self, name: str, certificate: x509.CertificateBuilder) -> None:
        pem = certificate.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        (self.directory / f"{name}.crt").write_bytes(pem)


@dataclass(frozen=True)
class Secured:
    """A server that serves only those it knows."""

    port: int
    pki: Pki

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    pki = Pki.make(tmp_path_factory.mktemp("pki"))
    pki.issue("server")
    pki.issue("airflow-worker")
    Path(pki.path("tokens")).write_text(f"airflow-by-token:{TOKEN}\n")
    Path(pki.path("token")).write_text(f"{TOKEN}\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = [
        "--listen",
        f"0.0.0.0:{port}",
        "--tls-cert",
        pki.path("server.crt"),
        "--tls-key",
        pki.path("server.key"),
    ]
    flags += ["--tls-client-ca", pki.path("ca.crt"), "--token-file", pki.path("tokens")]
    server = Server(tmp_path_factory.mktemp("secured"), flags)
    try:
        server.start()
        yield Secured(port, pki)
    finally:
        server.stop()


def test_tasks_run_over_mtls_and_over_a_token(airflow: Airflow, secured: Secured) -> None:
    path = secured.pki.path
    known_by = {
        "mtls": {"tls_cert": path("airflow-worker.crt"), "tls_key": path("airflow-worker.key")},
        "token": {"token_file": path("token")},
    }
    for way, extra in known_by.items():
        airflow.env[f"AIRFLOW_CONN_PODLAUNCH_{way.upper()}"] = connection(
            host="127.0.0.1", port=secured.port, extra={"tls_ca": path("ca.crt"), **extra}
        )
    airflow.add_dag("over_tls.py", DAG_FILE)
    run = airflow.test_dag("over_tls")
    assert run.states == dict.fromkeys(WAYS, ("success", 1)), run.output
    for way in WAYS:
        assert f"[base] hello over {way}" in run.log(way)


def test_the_server_knows_who_called(secured: Secured) -> None:
    path = secured.pki.path
    callers = {
        "cert:airflow-worker": Client(
            secured.target, tls=Tls(path("ca.crt"), path("airflow-worker.crt"), path("airflow-worker.key"))
        ),
        "token:airflow-by-token": Client(secured.target, tls=Tls(path("ca.crt")), token=token_file(path("token"))),
    }
    for number, (caller, client) in enumerate(callers.items()):
        key = TaskKey(launch_task_id(Instance("by", "hand", f"t{number}", -1, 1)), 1, "default")
        with client, client.launch(key, Spec(image="python:3.6", command=["python", "-c", WAITS])) as stream:
            stream.wait_accepted()
            client.cancel(key)
            stop = stream.wait().outcome.stop
        assert stop is not None
        assert stop.caller == caller


@pytest.mark.parametrize("known", [None, "wrong-token-of-32-characters-or-more"])
def test_nobody_else_is_served(secured: Secured, known: str | None) -> None:
    with (
        Client(secured.target, tls=Tls(secured.pki.path("ca.crt")), token=known, first_contact=5) as stranger,
        pytest.raises(AccessDeniedError),
    ):
        stranger.server_info()
