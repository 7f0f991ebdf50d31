"""Connections."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fakes import FakeClient
from podlaunch import TaskKey, Tls

from podlaunch_airflow import CONN_FIELDS, get_provider_info
from podlaunch_airflow.compat import AirflowException
from podlaunch_airflow.hooks.podlaunch import Endpoint, PodlaunchHook, endpoint_of


@pytest.mark.parametrize(
    ("host", "port", "schema", "target"),
    [
        ("unix:///run/p.sock", None, None, "unix:///run/p.sock"),
        ("unix:/run/p.sock", None, "", "unix:/run/p.sock"),
        ("/run/p.sock", None, None, "unix:///run/p.sock"),
        ("/run/p.sock", None, "unix", "unix:/run/p.sock"),
        ("%2Frun%2Fp.sock", None, None, "unix:///run/p.sock"),
        ("podlaunch", None, None, "podlaunch:50051"),
        ("podlaunch", 443, None, "podlaunch:443"),
        ("podlaunch:444", 443, None, "podlaunch:444"),
        ("https://podlaunch", 443, None, "https://podlaunch:443"),
        ("[::1]", 5, None, "[::1]:5"),
        ("[::1]:6", None, None, "[::1]:6"),
    ],
)
def test_targets(host: str, port: int | None, schema: str | None, target: str) -> None:
    endpoint = endpoint_of(host, port, schema, {})
    assert endpoint == Endpoint(target)
    endpoint.client().close()


def test_extra_fields() -> None:
    endpoint = endpoint_of(
        "p",
        1,
        None,
        {
            "tls_ca": "/ca",
            "tls_cert": "/c",
            "tls_key": "/k",
            "tls_server_name": "n",
            "token_file": "/t",
            "extra__podlaunch__namespace": "ns",
            "cluster": "",
            "task_id_prefix": "prod",
        },
    )
    assert endpoint.tls == Tls("/ca", "/c", "/k", "n")
    assert (endpoint.token_file, endpoint.namespace, endpoint.cluster) == ("/t", "ns", "")
    assert endpoint.task_id_prefix == "prod"
    assert endpoint_of("p", 1, None, {"tls": True}).tls == Tls()
    assert endpoint_of("p", 1, None, {"tls": "false"}).tls is None


@pytest.mark.parametrize(
    ("host", "extra", "message"),
    [(None, {}, "host"), ("", {}, "host"), ("p", {"tls_cart": "x"}, "tls_cart"), ("p", {"tls_cert": "x"}, "key")],
)
def test_wrong_fields_are_named(host: str | None, extra: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        endpoint_of(host, None, None, extra)


def test_the_hook_names_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = SimpleNamespace(host="", port=None, schema=None, extra_dejson={})
    monkeypatch.setattr(PodlaunchHook, "get_connection", classmethod(lambda cls, name: connection))
    hook = PodlaunchHook("mine")
    with pytest.raises(AirflowException, match="connection mine: host"):
        hook.get_conn()
    assert hook.test_connection()[0] is False


def test_the_hook_has_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = SimpleNamespace(host="/s.sock", port=None, schema=None, extra_dejson={})
    monkeypatch.setattr(PodlaunchHook, "get_connection", classmethod(lambda cls, name: connection))
    hook = PodlaunchHook()
    first = hook.get_conn()
    assert hook.get_conn() is first
    hook.close()
    assert hook.get_conn() is not first
    hook.close()


@pytest.mark.parametrize("can", [True, False])
def test_a_pod_is_deleted_where_the_server_can(can: bool) -> None:
    hook = PodlaunchHook()
    client = FakeClient(features=["delete_task"] if can else [])
    hook._client = client  # type: ignore[assignment]
    key = TaskKey("t", 1)
    assert hook.delete(key) is can
    assert client.named("delete") == ([("delete", key)] if can else [])


def test_the_provider_info_is_what_airflow_wants() -> None:
    info = get_provider_info()
    connection = info["connection-types"][0]
    assert connection["hook-class-name"] == f"{PodlaunchHook.__module__}.{PodlaunchHook.__name__}"
    assert connection["connection-type"] == PodlaunchHook.conn_type
    assert connection["conn-fields"] is CONN_FIELDS
    runtime = pytest.importorskip("airflow.providers_manager")
    validator = runtime._create_provider_info_schema_validator()
    validator.validate({key: info[key] for key in info})
