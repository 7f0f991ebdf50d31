"""What the node and the API server say about the pods, beside what the operators say.

watch of the namespace's pods ─▶ when the API server first showed the end of `base`; then its log, the node's times
audit log ─▶ requests by time, user agent, verb and resource
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from kubernetes import client, config, watch

USER_AGENT = "comparison"
"""Of the requests made here: those are not counted."""


@dataclass
class Pod:
    """Times are seconds since 1970."""

    ended: float | None = None
    lines: dict[str, float] = field(default_factory=dict)
    """When the node stored each line."""


class Watch:
    """Follows the pods of a namespace until the process ends."""

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        config.load_kube_config(kubeconfig)
        self._api = client.CoreV1Api()
        self._api.api_client.user_agent = USER_AGENT
        self._namespace = namespace
        self._pods: dict[str, tuple[tuple[str, str], Pod]] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Makes the namespace if it is missing, and begins."""
        try:
            self._api.create_namespace({"metadata": {"name": self._namespace}})
        except client.ApiException as error:
            if error.status != 409:
                raise
        while not self._api.list_namespaced_service_account(self._namespace).items:
            time.sleep(0.2)
        threading.Thread(target=self._follow, daemon=True).start()

    def clear(self) -> None:
        """Forgets the pods seen so far."""
        with self._lock:
            for name in self._pods:
                self._pods[name] = (("", ""), Pod())

    def pod(self, dag_id: str, task_id: str) -> Pod:
        """The pod of a task since `clear`."""
        with self._lock:
            found = [pod for key, pod in self._pods.values() if key == (dag_id, task_id)]
        return found[-1] if found else Pod()

    def delete_namespace(self) -> None:
        """With all that is in it."""
        self._api.delete_namespace(self._namespace)

    def _follow(self) -> None:
        while True:
            try:
                for event in watch.Watch().stream(self._api.list_namespaced_pod, self._namespace):
                    self._seen(event["object"], time.time())
            except client.ApiException:
                time.sleep(0.1)

    def _seen(self, pod: client.V1Pod, now: float) -> None:
        name, labels = pod.metadata.name, pod.metadata.labels or {}
        with self._lock:
            _, known = self._pods.setdefault(name, ((labels.get("dag_id", ""), labels.get("task_id", "")), Pod()))
        ends = [one for one in pod.status.container_statuses or () if one.name == "base" and one.state.terminated]
        if ends and known.ended is None:
            known.ended = now
            threading.Thread(target=self._read_log, args=(name, known), daemon=True).start()

    def _read_log(self, name: str, pod: Pod) -> None:
        try:
            answer = self._api.read_namespaced_pod_log(
                name, self._namespace, container="base", timestamps=True, _preload_content=False
            )
        except client.ApiException:
            return  # it never started
        for stamped in answer.data.decode().splitlines():
            stamp, _, line = stamped.partition(" ")
            pod.lines[line] = instant(stamp)


def instant(text: str) -> float:
    """Of a time in RFC 3339, its digits after the microseconds left out."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{rest[:6] or '0'}+00:00").timestamp()


class Audit:
    """The audit log as far as it was written since this was made."""

    def __init__(self, path: Path, namespace: str) -> None:
        self._path, self._offset, self._namespace = path, path.stat().st_size, namespace
        self._seen: dict[str, tuple[float, str, str]] = {}

    def requests(self, agent: str, since: float, until: float) -> Counter[str]:
        """Of a kind of client, by verb and resource; a watch or a followed log counts once."""
        self._read()
        chosen = (
            what for when, who, what in self._seen.values() if since <= when < until and who.startswith(agent)
        )
        return Counter(chosen)

    def _read(self) -> None:
        with self._path.open("rb") as log:
            log.seek(self._offset)
            for raw in log:
                if not raw.endswith(b"\n"):
                    break
                self._offset += len(raw)
                self._take(json.loads(raw))

    def _take(self, entry: dict) -> None:
        target, agent = entry.get("objectRef", {}), entry.get("userAgent", "")
        # Another program's Python client is told apart by its namespace; podlaunch's by its instance.
        if target.get("namespace") != self._namespace and not agent.startswith("podlaunch/"):
            return
        what = "/".join(filter(None, (target.get("resource", entry["requestURI"]), target.get("subresource"))))
        # Of podlaunch the instance is what counts.
        who = agent.partition(" instance/")[2] if agent.startswith("podlaunch/") else agent
        self._seen.setdefault(
            entry["auditID"], (instant(entry["requestReceivedTimestamp"]), who, f"{entry['verb']} {what}")
        )
