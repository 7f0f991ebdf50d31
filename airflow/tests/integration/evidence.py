"""What is said beside a failed test: the ends of the logs of all that took part.

A failure here is mostly a wait that ran out; why it did is in another process's log.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

LINES = 40
"""How much of a log is said."""
TASK_LOGS = 4
"""How many logs of task instances, the newest."""

NOTES: list[str] = []
"""What is printed at the end, also if nothing failed."""

_files: dict[str, Path] = {}
_folders: list[Path] = []
_askers: dict[str, Callable[[], str]] = {}


def add_file(name: str, path: Path) -> None:
    """A log that may be there when a test fails."""
    _files[name] = path


def add_task_logs(folder: Path) -> None:
    """A folder in which Airflow keeps the logs of task instances."""
    _folders.append(folder)


def add(name: str, ask: Callable[[], str]) -> None:
    """What can be asked when a test fails."""
    _askers[name] = ask


def tail(path: Path, lines: int = LINES) -> str:
    """The end of a file."""
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        return f"({error})"
    kept = text.splitlines()[-lines:]
    return "\n".join(line[:400] for line in kept) or "(empty)"


def sections() -> list[tuple[str, str]]:
    """All of it, by name."""
    said = []
    for name, ask in _askers.items():
        try:
            said.append((name, ask()))
        except Exception as error:  # the failure that is being told must not be hidden by another
            said.append((name, f"({type(error).__name__}: {error})"))
    said += [(f"end of {name}", tail(path)) for name, path in _files.items() if path.exists()]
    found = [path for folder in _folders for path in folder.rglob("attempt=*.log")]
    for path in sorted(found, key=lambda one: one.stat().st_mtime)[-TASK_LOGS:]:
        said.append((f"end of {'/'.join(path.parts[-4:])}", _task_log(path)))
    return said


def _task_log(path: Path) -> str:
    """The end of a task instance's log, of each entry what people read."""
    lines = []
    for line in path.read_text(errors="replace").splitlines()[-LINES:]:
        try:
            entry = json.loads(line)
        except ValueError:
            lines.append(line[:400])
            continue
        errors = [str(one.get("exc_value", "")) for one in entry.get("error_detail") or ()]
        lines.append(" ".join([str(entry.get("timestamp")), str(entry.get("event"))[:400], *errors]))
    return "\n".join(lines)
