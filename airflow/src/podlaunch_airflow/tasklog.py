"""A task's events as lines of the task log.

LogChunk ─▶ whole lines ─▶ `[base] hello world`, each with the time the node stored it at
StateChange, ContainerChange, PodNotice, LogGap ─▶ a line now, and kept for the report of a failure
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from podlaunch import (
    ContainerChange,
    ContainerTerminated,
    ContainerWaiting,
    Event,
    Line,
    LineJoiner,
    LogGap,
    NoticeSeverity,
    PodNotice,
    Reason,
    StateChange,
    TaskState,
    Termination,
)
from podlaunch.enums import DeliveryVerdict

LogFormatter = Callable[[str, str], str]

RECENT = 10
"""How many remarks a failure is reported with."""


def log_at(logger: Any, text: str, time: datetime | None) -> None:
    """Logs `text` at INFO as of `time`, with the loggers of Airflow 2 (logging) and 3 (structlog)."""
    if time is None:
        _log(logger, logging.INFO, text)
    elif isinstance(logger, logging.Logger):
        if logger.isEnabledFor(logging.INFO):
            record = logger.makeRecord(logger.name, logging.INFO, __file__, 0, text, (), None)
            record.created = time.timestamp()
            record.msecs = time.microsecond / 1000
            logger.handle(record)
    else:
        logger.info(text, timestamp=time.isoformat().replace("+00:00", "Z"))


def _log(logger: Any, level: int, text: str) -> None:
    # Never as a format: the text is a container's or Kubernetes' and may have `%`.
    logger.log(level, "%s", text)


class TaskLog:
    """Writes the events of one task to `logger`."""

    def __init__(
        self,
        logger: Any,
        *,
        notices: bool = True,
        prefix: bool = True,
        formatter: LogFormatter | None = None,
    ) -> None:
        self._logger = logger
        self._notices = notices
        self._prefix = prefix
        self._formatter = formatter
        self._joiner = LineJoiner()
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._started = False

    @property
    def recent(self) -> list[str]:
        """The last remarks, the oldest first."""
        return list(self._recent)

    def feed(self, event: Event) -> None:
        """Writes what `event` says."""
        for line in self._joiner.feed(event):
            self._line(line)
        if isinstance(event, StateChange):
            self._started = self._started or event.state == TaskState.RUNNING
            self._remark(event, state_text(event), logging.INFO)
        elif isinstance(event, ContainerChange):
            self._container(event)
        elif isinstance(event, PodNotice):
            self._notice(event)
        elif isinstance(event, LogGap):
            self._remark(event, gap_text(event), logging.WARNING)
        elif isinstance(event, Termination):
            for text in incomplete_logs(event):
                _log(self._logger, logging.WARNING, text)

    def _line(self, line: Line) -> None:
        if self._formatter is not None:
            text = self._formatter(line.container, line.text)
        else:
            text = f"[{line.container}] {line.text}" if self._prefix else line.text
        log_at(self._logger, text, line.time)

    def _container(self, event: ContainerChange) -> None:
        if isinstance(event.state, ContainerWaiting):
            # The task's own state says the same of the primary container.
            self._keep(event, container_text(event))
        else:
            self._remark(event, container_text(event), logging.INFO)

    def _notice(self, event: PodNotice) -> None:
        warning = event.severity == NoticeSeverity.WARNING
        text = f"{event.reason}: {event.message}" if event.message else event.reason
        if event.count > 1:
            text += f" (seen {event.count} times)"
        if self._notices and (warning or not self._started):
            self._remark(event, text, logging.WARNING if warning else logging.INFO)
        else:
            self._keep(event, text)

    def _remark(self, event: Event, text: str, level: int) -> None:
        self._keep(event, text)
        _log(self._logger, level, text)

    def _keep(self, event: Event, text: str) -> None:
        time = event.occurred_time or event.observed_time
        self._recent.append(f"{time:%H:%M:%S} {text}" if time is not None else text)


def state_text(event: StateChange) -> str:
    """`Task is PENDING: UNSCHEDULABLE (Unschedulable): 0/3 nodes are available`."""
    text = f"Task is {event.state}"
    if event.node_name and event.state == TaskState.STARTING and event.state != event.previous:
        text += f" on node {event.node_name}"
    why = why_text(event.reason, event.kubernetes_reason, event.kubernetes_message)
    if event.queue_position is not None:
        why = f"{why}, {event.queue_position} tasks are before it"
    return f"{text}: {why}" if why else text


def why_text(reason: Reason, kubernetes_reason: str, kubernetes_message: str) -> str:
    """podlaunch's word and Kubernetes' own. Empty if there is nothing to say."""
    text = "" if reason == Reason.UNSPECIFIED else str(reason)
    if kubernetes_reason:
        text = f"{text} ({kubernetes_reason})" if text else kubernetes_reason
    if kubernetes_message:
        text = f"{text}: {kubernetes_message}" if text else kubernetes_message
    return text


def container_text(event: ContainerChange) -> str:
    """What a container does now."""
    state = event.state
    name = f"Container {event.container}" + (f" (restart {event.restart})" if event.restart else "")
    if isinstance(state, ContainerTerminated):
        code = "without an exit code" if state.exit_code is None else f"with exit code {state.exit_code}"
        return f"{name} ended {code}" + (f" ({state.reason})" if state.reason else "")
    if isinstance(state, ContainerWaiting):
        return f"{name} waits: {state.reason}" + (f": {state.message}" if state.message else "")
    return f"{name} started"


def gap_text(event: LogGap) -> str:
    """How many lines are missing, and why."""
    count = "an unknown number of" if event.lines is None else str(event.lines)
    return f"[{event.container}] {count} log lines are missing here: {event.cause}"


def incomplete_logs(event: Termination) -> list[str]:
    """A line for each log that is not known to be complete."""
    containers = event.delivery.containers if event.delivery is not None else ()
    return [
        f"[{one.container}] the log is {one.verdict}: {one.cause}, {one.lines} lines came"
        for one in containers
        if one.verdict in (DeliveryVerdict.UNVERIFIED, DeliveryVerdict.TRUNCATED)
    ]
