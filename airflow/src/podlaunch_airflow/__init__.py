"""Airflow provider of podlaunch.

DAG ─▶ PodlaunchOperator ─▶ PodlaunchHook ─ gRPC ─▶ podlaunch ─▶ pod
       KubernetesPodOperator's      a connection of
       arguments                    type `podlaunch`
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

_TEXT = {"type": ["string", "null"]}

CONN_FIELDS: dict[str, dict[str, Any]] = {
    "namespace": {"label": "Namespace", "schema": _TEXT},
    "cluster": {"label": "Cluster", "schema": _TEXT},
    "task_id_prefix": {"label": "Task id prefix", "schema": _TEXT},
    "tls_ca": {"label": "CA file (TLS)", "schema": _TEXT},
    "tls_cert": {"label": "Certificate file (mTLS)", "schema": _TEXT},
    "tls_key": {"label": "Key file (mTLS)", "schema": _TEXT},
    "tls_server_name": {"label": "Name in the server's certificate", "schema": _TEXT},
    "token_file": {"label": "Token file", "schema": _TEXT},
}
"""The extra fields of a connection, for the form."""

HIDDEN_FIELDS = ["schema", "login", "password"]
PLACEHOLDERS = {"host": "unix:///run/podlaunch/podlaunch.sock, or a host name", "port": "50051"}


def get_provider_info() -> dict[str, Any]:
    """What Airflow asks a provider package for; imports nothing heavy."""
    return {
        "package-name": "podlaunch-airflow",
        "name": "podlaunch",
        "description": "Launches Kubernetes pods through podlaunch, a gRPC executor.",
        "versions": [__version__],
        "hooks": [{"integration-name": "podlaunch", "python-modules": ["podlaunch_airflow.hooks.podlaunch"]}],
        "operators": [
            {"integration-name": "podlaunch", "python-modules": ["podlaunch_airflow.operators.podlaunch"]}
        ],
        "connection-types": [
            {
                "hook-class-name": "podlaunch_airflow.hooks.podlaunch.PodlaunchHook",
                "hook-name": "podlaunch",
                "connection-type": "podlaunch",
                "conn-fields": CONN_FIELDS,
                "ui-field-behaviour": {"hidden-fields": HIDDEN_FIELDS, "placeholders": PLACEHOLDERS},
            }
        ],
    }
