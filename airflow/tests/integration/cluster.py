"""The cluster under test: an embedded one, or the one of PODLAUNCH_E2E_KUBECONFIG."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from kubernetes import client, config

KUBECONFIG = os.environ.get("PODLAUNCH_E2E_KUBECONFIG", "")
INSTANCE = f"airflow-test-{os.getpid()}"
NAMESPACE = "default"
IMAGES = ("python:3.6", "ubuntu:16.04")
"""Those of the DAGs."""
SIDECAR_IMAGE = "busybox:1"
"""That of the sidecar which takes results."""
PROBE_LABEL = "podlaunch-test"
PULL_DEADLINE = 300.0
NOT_THERE = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")


def serve_flags(directory: Path) -> list[str]:
    """Flags of `podlaunch serve`. `directory` gets the programs of the embedded cluster's images."""
    if KUBECONFIG:
        return ["--kubeconfig", KUBECONFIG, "--instance", INSTANCE]
    python, bare = directory / "python", directory / "bare"
    for image in (python, bare):
        (image / "bin").mkdir(parents=True)
    (python / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    return [
        flag
        for name, image in zip(IMAGES, (python, bare), strict=True)
        for flag in ("--local-image", f"{name}={image}")
    ] + ["--local"]


def api() -> client.CoreV1Api:
    """The API of the real cluster."""
    config.load_kube_config(KUBECONFIG)
    return client.CoreV1Api()


def hold_images() -> None:
    """Makes sure that the node has the images, by a pod of each; while these pods are there it keeps them.

    A node that lacks one lets tasks wait until their timeouts, and tests until theirs. One that had it may have
    lost it: a kubelet whose disk is 85 % full deletes the images that no pod uses.
    """
    pods = api()
    names = {f"{INSTANCE}-image-{number}": image for number, image in enumerate((*IMAGES, SIDECAR_IMAGE))}
    for name, image in names.items():
        pods.create_namespaced_pod(NAMESPACE, _probe(name, image))
    end = time.monotonic() + PULL_DEADLINE
    for name, image in names.items():
        while not _has_image(pods.read_namespaced_pod(name, NAMESPACE), image):
            assert time.monotonic() < end, f"no pod of {image} started within {PULL_DEADLINE:.0f} s\n{pods_text()}"
            time.sleep(0.3)


def _probe(name: str, image: str) -> dict[str, Any]:
    container = {"name": "probe", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["true"]}
    return {
        "metadata": {"name": name, "labels": {PROBE_LABEL: INSTANCE}},
        "spec": {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]},
    }


def _has_image(pod: Any, image: str) -> bool:
    for status in pod.status.container_statuses or ():
        waiting = status.state.waiting
        assert waiting is None or waiting.reason not in NOT_THERE, (
            f"the node does not have the image {image} and cannot pull it ({waiting.reason}: {waiting.message}). "
            "Import it; if it was there before, the kubelet deleted it (imageGCHighThresholdPercent)"
        )
        return waiting is None
    return False


def delete_pods() -> None:
    """What this run made on a cluster that stays."""
    for label in ("podlaunch.dev/instance", PROBE_LABEL):
        api().delete_collection_namespaced_pod(NAMESPACE, label_selector=f"{label}={INSTANCE}")


def pods_text() -> str:
    """The pods of this run, why they wait, and what Kubernetes remarked last."""
    if not KUBECONFIG:
        return "(the embedded cluster: see podlaunch's log)"
    core = api()
    lines = []
    for pod in core.list_namespaced_pod(NAMESPACE).items:
        labels = pod.metadata.labels or {}
        if INSTANCE not in labels.values():
            continue
        states = [one.state for one in pod.status.container_statuses or ()]
        waits = [f"{one.waiting.reason}: {one.waiting.message}" for one in states if one.waiting]
        lines.append(f"{pod.metadata.name} {pod.status.phase} {'; '.join(waits)}")
    for node in core.list_node().items:
        wrong = [f"{one.type}={one.status}" for one in node.status.conditions]
        lines.append(f"node {node.metadata.name}: {', '.join(wrong)}")
    remarks = core.list_namespaced_event(NAMESPACE, field_selector="type=Warning").items
    events = [one for one in remarks if one.reason != "MissingClusterDNS"]
    lines += [f"{one.involved_object.name}: {one.reason}: {one.message}" for one in events[-15:]]
    return "\n".join(lines)
