"""Lines of the task log."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import Any

import pytest
from fakes import T0, chunk, end, head, notice, outcome, state
from podlaunch import LogGap, TaskState, Termination
from podlaunch.enums import DeliveryVerdict, LogLossCause, NoticeSeverity, Reason
from podlaunch.model import ContainerDelivery, Delivery

from podlaunch_airflow.tasklog import RECENT, TaskLog, log_at


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def log() -> tuple[logging.Logger, Records]:
    logger = logging.Logger("test", logging.INFO)
    records = Records()
    logger.addHandler(records)
    return logger, records


def texts(records: Records) -> list[str]:
    return [record.getMessage() for record in records.records]


def test_lines_have_their_own_times(log: tuple[logging.Logger, Records]) -> None:
    logger, records = log
    tasklog = TaskLog(logger)
    tasklog.feed(chunk(b"hello world\n100 %s\n"))
    assert texts(records) == ["[base] hello world", "[base] 100 %s"]
    assert records.records[0].created == T0.timestamp()
    assert round(records.records[1].created - T0.timestamp(), 6) == 0.001


def test_a_line_in_pieces_is_one_line(log: tuple[logging.Logger, Records]) -> None:
    logger, records = log
    tasklog = TaskLog(logger, prefix=False)
    tasklog.feed(chunk(b"be", continues=True))
    assert not records.records
    tasklog.feed(chunk(b"gin\nlast without newline"))
    assert texts(records) == ["begin", "last without newline"]


def test_a_formatter_decides(log: tuple[logging.Logger, Records]) -> None:
    logger, records = log
    TaskLog(logger, formatter=lambda container, text: f"<{container}|{text}>").feed(chunk(b"a\xff\n"))
    assert texts(records) == ["<base|a�>"]


def test_structlog_gets_the_time() -> None:
    calls: list[tuple[Any, ...]] = []

    class Structlog:
        def info(self, text: str, **values: Any) -> None:
            calls.append((text, values))

    log_at(Structlog(), "[base] x", datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
    assert calls == [("[base] x", {"timestamp": "2024-01-02T03:04:05Z"})]


def test_airflows_own_logger_keeps_the_time() -> None:
    structlog = pytest.importorskip("structlog")
    timestamper = structlog.processors.MaybeTimeStamper(fmt="iso")
    assert timestamper(None, "info", {"timestamp": "x"}) == {"timestamp": "x"}
    with structlog.testing.capture_logs() as logs:
        TaskLog(structlog.get_logger("t")).feed(state(TaskState.RUNNING))
    assert logs[0]["log_level"] == "info"


def test_why_it_waits_is_said_as_it_happens(log: tuple[logging.Logger, Records]) -> None:
    logger, records = log
    tasklog = TaskLog(logger)
    tasklog.feed(state(TaskState.PENDING, Reason.UNSCHEDULABLE, "Unschedulable", "0/3 nodes are available"))
    tasklog.feed(state(TaskState.STARTING))
    assert texts(records) == [
        "Task is PENDING: UNSCHEDULABLE (Unschedulable): 0/3 nodes are available",
        "Task is STARTING on node node-1",
    ]


def test_notices_are_written_until_it_runs_and_warnings_always(log: tuple[logging.Logger, Records]) -> None:
    logger, records = log
    tasklog = TaskLog(logger)
    tasklog.feed(notice("Pulling", "image"))
    tasklog.feed(state(TaskState.RUNNING))
    tasklog.feed(notice("Normal", "later"))
    tasklog.feed(notice("BackOff", "again", NoticeSeverity.WARNING, 3))
    assert texts(records) == ["Pulling: image", "Task is RUNNING", "BackOff: again (seen 3 times)"]
    assert [record.levelname for record in records.records] == ["INFO", "INFO", "WARNING"]
    assert len(tasklog.recent) == 4
    quiet = TaskLog(logger, notices=False)
    quiet.feed(notice("Pulling", "image", NoticeSeverity.WARNING))
    assert len(records.records) == 3
    assert quiet.recent == ["07:08:09 Pulling: image"]


def test_only_the_last_remarks_are_kept(log: tuple[logging.Logger, Records]) -> None:
    tasklog = TaskLog(log[0])
    for number in range(RECENT + 5):
        tasklog.feed(notice("N", str(number)))
    assert len(tasklog.recent) == RECENT
    assert tasklog.recent[-1].endswith(str(RECENT + 4))


def test_missing_lines_are_said(log: tuple[logging.Logger, Records]) -> None:
    logger, records = log
    tasklog = TaskLog(logger)
    tasklog.feed(
        LogGap(
            **head(),
            container="base",
            restart=0,
            cause=LogLossCause.ROTATED,
            lines=None,
            after_time=None,
            before_time=None,
        )
    )
    lost = ContainerDelivery(
        "base",
        0,
        DeliveryVerdict.TRUNCATED,
        LogLossCause.ROTATED,
        7,
        70,
        1,
        False,
        0,  # type: ignore[arg-type]
    )
    whole = ContainerDelivery(
        "side",
        0,
        DeliveryVerdict.COMPLETE,
        LogLossCause.UNSPECIFIED,
        7,
        70,
        0,
        False,
        0,  # type: ignore[arg-type]
    )
    done = outcome(TaskState.SUCCEEDED)
    tasklog.feed(Termination(**head(), outcome=done, delivery=Delivery((lost, whole))))
    assert texts(records) == [
        "[base] an unknown number of log lines are missing here: ROTATED",
        "[base] the log is TRUNCATED: ROTATED, 7 lines came",
    ]
    tasklog.feed(end(done))
    assert len(records.records) == 2
