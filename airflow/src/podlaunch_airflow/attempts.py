"""Which stream a try of a task instance reads.

try 1                                             ─▶ LaunchTask(1)
try n, the task before is finished or unknown     ─▶ LaunchTask(n)
       it runs (its worker died)                  ─▶ LaunchTask(n, ATTACH), or AttachTask to it where the server
                                                     does not have ATTACH
       it is being stopped (cleared by a user)    ─▶ wait for its end, then LaunchTask(n)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from podlaunch import (
    Client,
    EventKind,
    NotFoundError,
    PreviousActivePolicy,
    Task,
    TaskKey,
    TaskState,
    TaskStream,
)
from podlaunch.model import TERMINAL_STATES
from podlaunch.spec import AnySpec

FEATURE = "previous_attempts"


def open_stream(client: Client, key: TaskKey, spec: AnySpec, *, reattach: bool, logger: Any) -> TaskStream:
    """The events of the try `key.attempt`, from the beginning of its pod. Raises PodlaunchError."""
    if key.attempt == 1:
        return client.launch(key, spec)
    can_attach = client.server_info().has(FEATURE)
    if not reattach:
        policy = PreviousActivePolicy.ALLOW if can_attach else PreviousActivePolicy.REFUSE
        return client.launch(key, spec, if_previous_active=policy)
    earlier = _active_before(client, key)
    if earlier is not None and _is_stopping(earlier):
        logger.info("An earlier try's pod is being stopped, waiting for its end")
        with client.attach(_key(earlier, key), logs="none", kinds=(EventKind.STATE_CHANGE,)) as stream:
            stream.wait()
        earlier = None
    if can_attach:
        return client.launch(key, spec, if_previous_active=PreviousActivePolicy.ATTACH)
    if earlier is not None:
        return client.attach(_key(earlier, key))
    return client.launch(key, spec)


def _active_before(client: Client, key: TaskKey) -> Task | None:
    """The highest attempt known, if it is an earlier one and not finished."""
    try:
        task = client.get(replace(key, attempt=0))
    except NotFoundError:
        return None
    if task.key is None or task.key.attempt >= key.attempt or task.state in TERMINAL_STATES:
        return None
    return task


def _is_stopping(task: Task) -> bool:
    return task.stop is not None or task.state == TaskState.TERMINATING


def _key(task: Task, asked: TaskKey) -> TaskKey:
    return task.key or asked
