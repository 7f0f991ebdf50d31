"""What a pod gives back, for XCom.

xcom_from="file", and the server can ─▶ a sidecar takes return.json ─▶ Outcome.result ─┬ INLINE ─▶ its bytes
                                                                                       └ STORED ─▶ GetTaskResult
xcom_from="message", or it cannot ────▶ return.json is the termination message ─▶ Outcome.termination_message
"""

from __future__ import annotations

import json
from typing import Any

from podlaunch import Client, Outcome, Result, TaskKey
from podlaunch.enums import ResultState

RESULT_FILE = "/airflow/xcom/return.json"
FEATURE = "task_results"
SOURCES = ("file", "message")
MAX_MESSAGE = 4096
"""Bytes of a termination message; Kubernetes cuts what is longer."""

_LOST = {
    ResultState.TOO_LARGE: "it is larger than the server takes",
    ResultState.UNREADABLE: "it is no file, or may not be read by others than its owner",
    ResultState.GONE: "it was lost with the pod before it could be read",
}


def source_of(client: Client, xcom_from: str) -> Result | None:
    """How the file is to be taken, as large as the server allows. None: as the termination message."""
    if xcom_from == "message":
        return None
    info = client.server_info()
    if not info.has(FEATURE):
        return None
    allowed = info.limits.max_result_bytes if info.limits is not None else 0
    return Result.file(RESULT_FILE, max_bytes=allowed)


def read(client: Client, key: TaskKey, outcome: Outcome) -> Any:
    """The result: as JSON if it is JSON, else as text; None if there is none.

    Raises ValueError for one that was lost or cut, wholly or in part: half a result is none.
    """
    result = outcome.result
    if result is None or result.state == ResultState.UNSPECIFIED:
        return _of_message(outcome)
    if result.state == ResultState.MISSING:
        return None
    if result.state == ResultState.INLINE:
        return _value(result.data)
    if result.state == ResultState.STORED:
        with client.result(key) as stream:
            return _value(stream.read())
    why = _LOST.get(result.state, str(result.state))
    size = "" if result.size_bytes is None else f" of {result.size_bytes} bytes"
    raise ValueError(f"the result{size} in {RESULT_FILE} cannot be had: {why}")


def _of_message(outcome: Outcome) -> Any:
    data = outcome.termination_message
    cut = outcome.shortened or len(data) >= MAX_MESSAGE
    try:
        return json.loads(data)
    except ValueError:
        if cut:
            raise ValueError(f"the result is longer than {MAX_MESSAGE} bytes: it was cut") from None
    return _value(data)


def _value(data: bytes) -> Any:
    try:
        text = data.decode().strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"the result is neither JSON nor text in UTF-8: {error}") from None
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
