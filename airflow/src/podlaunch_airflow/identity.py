"""The name of a task instance in podlaunch. Pure.

(dag, run, task, map index) ─▶ task id  `[prefix/]dag/run/task[/map]`, at most 253 bytes, the same on every worker
try number                  ─▶ attempt

The try number is not in the task id: a later try shall find the pod of the one before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_TASK_ID = 253
MAX_LABEL = 63
_HASH = 10
_REFUSED = re.compile(r"[^A-Za-z0-9._:-]")
_LABEL_REFUSED = re.compile(r"^[^A-Za-z0-9]*|[^A-Za-z0-9_.-]|[^A-Za-z0-9]*$")


@dataclass(frozen=True)
class Instance:
    """A task instance of Airflow. `map_index` -1: it is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int

    @property
    def labels(self) -> dict[str, str]:
        """Labels that find its pod: `kubectl get pods -l dag_id=…,task_id=…`."""
        labels = {"dag_id": self.dag_id, "task_id": self.task_id, "run_id": self.run_id}
        if self.map_index >= 0:
            labels["map_index"] = str(self.map_index)
        labels["try_number"] = str(self.try_number)
        return {key: label_value(value) for key, value in labels.items()}


def instance_of(context: Mapping[str, Any]) -> Instance:
    """The task instance an operator's `execute` runs for."""
    ti = context["ti"]
    map_index = getattr(ti, "map_index", -1)
    return Instance(
        dag_id=ti.dag_id,
        run_id=str(context.get("run_id") or ti.run_id),
        task_id=ti.task_id,
        map_index=-1 if map_index is None else map_index,
        try_number=max(1, int(ti.try_number)),
    )


def launch_task_id(instance: Instance, prefix: str = "") -> str:
    """The task id in podlaunch.

    Each part keeps its letters, digits and `._:-`; others become `_`. Where anything was changed, or the whole is
    too long, a hash of the original ends it, so that two task instances never share one.
    """
    parts = [prefix] if prefix else []
    parts += [instance.dag_id, instance.run_id, instance.task_id]
    if instance.map_index >= 0:
        parts.append(str(instance.map_index))
    name = "/".join(_REFUSED.sub("_", part) for part in parts)
    if len(name) <= MAX_TASK_ID and name == "/".join(parts):
        return name
    return f"{name[: MAX_TASK_ID - _HASH - 1]}-{_digest(parts)}"


def label_value(text: str) -> str:
    """`text` as a label's value: as it is if it can be one, else cut to its allowed characters, with a hash."""
    safe = _LABEL_REFUSED.sub("", text)
    if safe == text and len(safe) <= MAX_LABEL:
        return safe
    return f"{safe[: MAX_LABEL - _HASH - 1]}-{_digest([text])}".lstrip("-._")


def _digest(parts: list[str]) -> str:
    # A length before each part: ("a/b", "c") and ("a", "b/c") are different.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH]
