"""A connection of type `podlaunch` as a client of the server.

Connection ─ host (port), extra ─▶ Endpoint ─▶ podlaunch.Client

host:  `unix:///path`, `unix:path`, or a name with `port` (default 50051)
extra: namespace, cluster, task_id_prefix
       tls_ca, tls_cert, tls_key, tls_server_name, tls (true: the system's roots)
       token_file
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from podlaunch import Client, Retrying, ServerInfo, TaskKey, Tls, token_file
from podlaunch.errors import PodlaunchError

from podlaunch_airflow import HIDDEN_FIELDS, PLACEHOLDERS
from podlaunch_airflow.compat import AirflowException, BaseHook

DEFAULT_PORT = 50051
DELETE_FEATURE = "delete_task"
_KNOWN_EXTRA = frozenset(
    (
        "namespace",
        "cluster",
        "task_id_prefix",
        "tls",
        "tls_ca",
        "tls_cert",
        "tls_key",
        "tls_server_name",
        "token_file",
    )
)

OnRetry = Callable[[Retrying], None]


@dataclass(frozen=True)
class Endpoint:
    """Where a server is, and as whom it is spoken to. Empty texts: not given."""

    target: str
    tls: Tls | None = None
    token_file: str = ""
    namespace: str = ""
    cluster: str = ""
    task_id_prefix: str = ""

    def client(self, on_retry: OnRetry | None = None) -> Client:
        """A client; it connects when it is first used."""
        token = token_file(self.token_file) if self.token_file else None
        return Client(self.target, tls=self.tls, token=token, on_retry=on_retry)


def endpoint_of(host: str | None, port: int | None, schema: str | None, extra: Mapping[str, Any]) -> Endpoint:
    """The endpoint of a connection's fields. Raises ValueError naming the field that is wrong."""
    # Airflow 2's form stored extra fields with a prefix.
    known = {key.removeprefix("extra__podlaunch__"): value for key, value in extra.items()}
    unknown = sorted(set(known) - _KNOWN_EXTRA)
    if unknown:
        raise ValueError(f"extra: {', '.join(unknown)} unknown; known are {', '.join(sorted(_KNOWN_EXTRA))}")
    text = {key: str(value) for key, value in known.items() if value}
    return Endpoint(
        target=_target(host, port, schema),
        tls=_tls(text),
        token_file=text.get("token_file", ""),
        namespace=text.get("namespace", ""),
        cluster=text.get("cluster", ""),
        task_id_prefix=text.get("task_id_prefix", ""),
    )


def _target(host: str | None, port: int | None, schema: str | None) -> str:
    host = unquote(host or "").strip()
    if schema == "unix" and host:
        return f"unix:{host}"
    if host.startswith("/"):
        return f"unix://{host}"
    if host.startswith("unix:"):
        return host
    if not host:
        raise ValueError("host: give unix:///path of the socket, or a name and port of the server")
    name = host.rpartition("://")[2]
    has_port = name.rpartition("]")[2].rpartition(":")[1] == ":"
    return host if has_port else f"{host}:{port or DEFAULT_PORT}"


def _tls(text: Mapping[str, str]) -> Tls | None:
    parts = {key: text.get(f"tls_{key}") for key in ("ca", "cert", "key", "server_name")}
    wanted = text.get("tls", "").lower() not in ("", "false", "0", "no")
    return Tls(**parts) if wanted or any(parts.values()) else None


class PodlaunchHook(BaseHook):
    """Speaks to a podlaunch server."""

    conn_name_attr = "podlaunch_conn_id"
    default_conn_name = "podlaunch_default"
    conn_type = "podlaunch"
    hook_name = "podlaunch"

    def __init__(self, podlaunch_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.podlaunch_conn_id = podlaunch_conn_id
        self._client: Client | None = None

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The extra fields of Airflow 2's connection form."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget  # noqa: PLC0415
        from flask_babel import lazy_gettext  # noqa: PLC0415
        from wtforms import StringField  # noqa: PLC0415

        from podlaunch_airflow import CONN_FIELDS  # noqa: PLC0415

        return {
            name: StringField(lazy_gettext(field["label"]), widget=BS3TextFieldWidget())
            for name, field in CONN_FIELDS.items()
        }

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """What the connection form shows."""
        return {"hidden_fields": HIDDEN_FIELDS, "relabeling": {}, "placeholders": PLACEHOLDERS}

    @cached_property
    def endpoint(self) -> Endpoint:
        """What the connection says."""
        connection = self.get_connection(self.podlaunch_conn_id)
        try:
            return endpoint_of(connection.host, connection.port, connection.schema, connection.extra_dejson)
        except ValueError as error:
            raise AirflowException(f"connection {self.podlaunch_conn_id}: {error}") from error

    def get_conn(self) -> Client:
        """The hook's client: one connection, made at first use."""
        if self._client is None:
            self._client = self.endpoint.client(self._say_retry)
        return self._client

    def close(self) -> None:
        """Closes the connection; streams of it that are open fail."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def server_info(self) -> ServerInfo:
        """What the server is."""
        return self.get_conn().server_info()

    def delete(self, key: TaskKey) -> bool:
        """Releases a finished task's pod. False: the server cannot, its retention will."""
        client = self.get_conn()
        if not client.server_info().has(DELETE_FEATURE):
            return False
        client.delete(key)
        return True

    def cancel_apart(self, key: TaskKey, reason: str) -> str:
        """Cancels over a connection of its own: for signal handlers, which may interrupt a call of the hook's.

        Says what came of it.
        """
        with self.endpoint.client() as client:
            return str(client.cancel(key, reason=reason).result)

    def test_connection(self) -> tuple[bool, str]:
        """For the button of Airflow's connection form."""
        try:
            info = self.server_info()
        except (PodlaunchError, AirflowException, ValueError, OSError) as error:
            return False, str(error)
        clusters = ", ".join(f"{one.name} ({one.kubernetes_version})" for one in info.clusters)
        return True, f"podlaunch {info.version}, instance {info.instance}, clusters: {clusters}"

    def _say_retry(self, retrying: Retrying) -> None:
        if retrying.tries in (1, 5, 20) or retrying.tries % 60 == 0:
            self.log.warning("podlaunch: %s; trying again in %.1f s", retrying.error, retrying.delay)
