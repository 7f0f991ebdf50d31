#!/usr/bin/env python3
"""Records what the watch of a real Kubernetes says of pods that end or hang in known ways.

    KUBECONFIG=... tests/corpus/record.py [SCENARIO...]      # none named: all of scenarios.py

Needs kubectl and Python 3.9, and a cluster with one node that has the image busybox:1. Each scenario has a namespace
of its own, deleted afterwards. Two files a scenario are written beside this one, in the form README.md tells.
Where the nodes keep their files elsewhere than Kubernetes by default, KUBELET_DIR says where: it is written as
/var/lib/kubelet.
"""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scenarios import SCENARIOS

FOLDER = Path(__file__).parent
KUBELET_DIR = os.environ.get("KUBELET_DIR", "/var/lib/kubelet")
GUARD = 180.0


def kubectl(*args, stdin=None, check=True):
    done = subprocess.run(["kubectl", *args], input=stdin, text=True, capture_output=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"kubectl {' '.join(args)}: {done.stderr}")
    return done.stdout


class Watch(threading.Thread):
    """A raw watch, kept as the API server sent it but for managedFields and bookmarks."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.command = subprocess.Popen(["kubectl", "get", "--raw", path], stdout=subprocess.PIPE, text=True)
        self.lines = []
        self.changed = threading.Condition()
        self.start()

    def run(self):
        for line in self.command.stdout:
            seen = json.loads(line.replace(KUBELET_DIR, "/var/lib/kubelet"))
            if seen["type"] in ("BOOKMARK", "ERROR"):
                continue
            seen["object"].get("metadata", {}).pop("managedFields", None)
            with self.changed:
                self.lines.append((time.monotonic(), seen))
                self.changed.notify_all()

    def wait(self, condition, what):
        end = time.monotonic() + GUARD
        with self.changed:
            while not any(condition(seen) for _, seen in self.lines):
                if not self.changed.wait(end - time.monotonic()):
                    raise RuntimeError(f"waited in vain: {what}")

    def stop(self):
        self.command.terminate()
        self.join()


class Recording:
    """What a scenario's steps work with."""

    def __init__(self, name):
        self.name = name
        self.namespace = f"s-{name}"
        kubectl("create", "namespace", self.namespace)
        self._service_account()
        base = f"/api/v1/namespaces/{self.namespace}"
        self.pods = Watch(f"{base}/pods?watch=true&allowWatchBookmarks=true")
        self.events = Watch(f"{base}/events?watch=true&fieldSelector=involvedObject.kind%3DPod")
        self.began = None

    def _service_account(self):
        end = time.monotonic() + GUARD
        while kubectl("get", "sa", "default", "-n", self.namespace, "--ignore-not-found", check=False) == "":
            if time.monotonic() > end:
                raise RuntimeError("no service account")
            time.sleep(0.1)

    def apply(self, manifest):
        """Makes an object; t counts from the first."""
        self.began = self.began or time.monotonic()
        namespaced = manifest["kind"] not in ("RuntimeClass", "PriorityClass")
        scope = ["-n", self.namespace] if namespaced else []
        kubectl("create", *scope, "-f", "-", stdin=json.dumps(manifest))

    def kubectl(self, *args):
        kubectl("-n", self.namespace, *args)

    def until(self, what, condition):
        """Awaits a version of a pod for which `condition` holds."""
        self.pods.wait(lambda seen: condition(seen["object"]), what)

    def until_event(self, reason):
        self.events.wait(lambda seen: seen["object"]["reason"] == reason, f"event {reason}")

    def until_deleted(self):
        self.pods.wait(lambda seen: seen["type"] == "DELETED", "the deletion")

    def rest(self, seconds):
        """Lets what follows come."""
        time.sleep(seconds)

    def write(self):
        for suffix, watch in (("", self.pods), (".events", self.events)):
            with open(FOLDER / f"{self.name}{suffix}.jsonl", "w", encoding="utf-8") as out:
                for at, seen in watch.lines:
                    seen["t"] = round(max(0.0, at - self.began), 3)
                    out.write(json.dumps(seen, separators=(",", ":"), ensure_ascii=False) + "\n")

    def close(self):
        self.pods.stop()
        self.events.stop()
        kubectl("delete", "namespace", self.namespace, "--wait=false", "--ignore-not-found", check=False)


def record(name):
    recording = Recording(name)
    try:
        SCENARIOS[name](recording)
        recording.write()
        return f"{name}: {len(recording.pods.lines)} versions, {len(recording.events.lines)} events"
    except Exception as error:  # the others go on
        return f"{name}: FAILED: {error}"
    finally:
        recording.close()


def main():
    names = sys.argv[1:] or list(SCENARIOS)
    with ThreadPoolExecutor(max_workers=4) as pool:
        results = list(pool.map(record, names))
    print("\n".join(results))
    sys.exit(any("FAILED" in result for result in results))


if __name__ == "__main__":
    main()
