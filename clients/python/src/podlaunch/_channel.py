"""The connection to a server: lazy, kept alive, reconnecting soon.

target, Tls ─▶ Address (checked at once) ─▶ channel (made at first use, and anew after a fork)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Callable, Optional, Union

import grpc
from google.protobuf import __version__ as protobuf_version

from podlaunch._version import VERSION

Metadata = Sequence[tuple[str, str]]
Token = Union[str, Callable[[], str]]
"""A bearer token, or what gives it before each call, such as `token_file`."""

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.primary_user_agent", f"podlaunch-python/{VERSION} protobuf/{protobuf_version}"),
    # A connection that died silently is noticed within 30 s.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 16 << 20),
    # The library's own waits between connects go up to 2 min: a restarted server shall be found within seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Repeats are this package's: the library's would not heed RetryInfo.
    ("grpc.enable_retries", 0),
    # A connection for each client: one slow reader holds up no other client's streams.
    ("grpc.use_local_subchannel_pool", 1),
    # A server is reached in the cluster or on this machine, not through the proxy of the environment.
    ("grpc.enable_http_proxy", 0),
)


@dataclass(frozen=True)
class Tls:
    """How to speak TLS: paths of PEM files. `ca` None: the system's roots. `cert` and `key`: who the client is (mTLS).

    `server_name`: the name that the server's certificate must have, if it is not the target's.
    """

    ca: Optional[str] = None
    cert: Optional[str] = None
    key: Optional[str] = None
    server_name: Optional[str] = None

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise ValueError("tls: cert and key go together")

    def credentials(self) -> grpc.ChannelCredentials:
        """Reads the files."""
        return grpc.ssl_channel_credentials(_read(self.ca), _read(self.key), _read(self.cert))


@dataclass(frozen=True)
class Address:
    """Where a server is, and how it is spoken to."""

    target: str
    tls: Optional[Tls]

    def options(self, more: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
        """The channel's options; `more` wins."""
        options = dict(_OPTIONS)
        options["grpc.service_config"] = service_config()
        if self.target.startswith("unix:"):
            # The library's own, the path in per cent encoding, is no authority by HTTP/2's rules: servers refuse it.
            options["grpc.default_authority"] = "localhost"
        if self.tls is not None and self.tls.server_name is not None:
            options["grpc.ssl_target_name_override"] = self.tls.server_name
        options.update(more)
        return list(options.items())


def address(target: str, tls: Optional[Tls], token: Optional[Token]) -> Address:
    """Checks `target`: `unix:///path`, `unix:path`, `host:port`, `dns:///host:port`, `http(s)://host:port`."""
    scheme, separator, rest = target.partition("://")
    if separator and scheme in ("http", "https"):
        if scheme == "http" and tls is not None:
            raise ValueError(f"target {target!r}: http is without TLS; write https://, or leave tls off")
        tls = tls or (Tls() if scheme == "https" else None)
        target = rest.rstrip("/")
    _check(target)
    if token is not None and tls is None and not _is_local(target):
        raise ValueError(f"target {target!r}: a token needs tls, a unix: socket or a loopback address")
    return Address(target, tls)


def _check(target: str) -> None:
    form = f"target {target!r}: write unix:///path, host:port or https://host:port"
    if target.startswith("unix:"):
        if not target[len("unix:") :].strip("/"):
            raise ValueError(form)
        return
    host, _, port = target.rpartition(":")
    if not host or not port.isdigit() or any(char.isspace() for char in target):
        raise ValueError(form)


def _is_local(target: str) -> bool:
    host = target.rpartition("/")[2].rpartition(":")[0]
    return target.startswith("unix:") or host in ("localhost", "[::1]") or host.startswith("127.")


@cache
def service_config() -> str:
    """The service config of the contract: here for its timeouts."""
    text = (Path(__file__).parent / "_gen" / "retry_service_config.json").read_text()
    return json.dumps(json.loads(text), separators=(",", ":"))


def token_file(path: Union[str, Path]) -> Callable[[], str]:
    """A token read anew before each call: for files that are renewed, such as a service account's."""
    return lambda: Path(path).read_text().strip()


def call_metadata(token: Optional[Token], more: Metadata) -> list[tuple[str, str]]:
    """The metadata of a call."""
    metadata = list(more)
    if token is not None:
        metadata.append(("authorization", f"Bearer {token() if callable(token) else token}"))
    return metadata


def _read(path: Optional[str]) -> Optional[bytes]:
    return None if path is None else Path(path).read_bytes()
