"""A pod over another one, as KubernetesPodOperator merges them. Pure, on plain data.

Lists that grow: volumes; of containers env, envFrom, volumeMounts, volumeDevices, ports
Containers by position, init containers by name; labels and annotations by key
Everything else: the upper one's value where it has one that is not empty
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Plain = dict[str, Any]

_GROWING = ("env", "envFrom", "volumeMounts", "volumeDevices", "ports")


def merge_pods(base: Mapping[str, Any], over: Mapping[str, Any]) -> Plain:
    """`over` over `base`; neither is changed."""
    pod = _overlay(base, over)
    for part, merge in (("metadata", _metadata), ("spec", _spec)):
        merged = merge(base.get(part) or {}, over.get(part) or {})
        if merged:
            pod[part] = merged
    return pod


def _overlay(base: Mapping[str, Any], over: Mapping[str, Any]) -> Plain:
    merged = {**base, **over}
    # What is empty or false does not take the place of what is not.
    merged.update({key: value for key, value in base.items() if value and not over.get(key)})
    return merged


def _metadata(base: Mapping[str, Any], over: Mapping[str, Any]) -> Plain:
    merged = _overlay(base, over)
    for key in ("labels", "annotations"):
        both = {**(base.get(key) or {}), **(over.get(key) or {})}
        if both:
            merged[key] = both
    for key in ("finalizers", "ownerReferences"):
        _grow(merged, base, over, key)
    return merged


def _spec(base: Mapping[str, Any], over: Mapping[str, Any]) -> Plain:
    merged = _overlay(base, over)
    _grow(merged, base, over, "volumes")
    containers = _by_position(base.get("containers") or [], over.get("containers") or [])
    init_containers = _by_name(base.get("initContainers") or [], over.get("initContainers") or [])
    if containers:
        merged["containers"] = containers
    if init_containers:
        merged["initContainers"] = init_containers
    return merged


def _container(base: Mapping[str, Any], over: Mapping[str, Any]) -> Plain:
    merged = _overlay(base, over)
    for key in _GROWING:
        _grow(merged, base, over, key)
    return merged


def _by_position(base: list[Plain], over: list[Plain]) -> list[Plain]:
    both = [_container(lower, upper) for lower, upper in zip(base, over, strict=False)]
    return both + base[len(both) :] + over[len(both) :]


def _by_name(base: list[Plain], over: list[Plain]) -> list[Plain]:
    uppers = {container.get("name"): container for container in over}
    names = {container.get("name") for container in base}
    merged = [
        _container(lower, uppers[lower.get("name")]) if lower.get("name") in uppers else lower for lower in base
    ]
    return merged + [container for container in over if container.get("name") not in names]


def _grow(merged: Plain, base: Mapping[str, Any], over: Mapping[str, Any], key: str) -> None:
    both = [*(base.get(key) or []), *(over.get(key) or [])]
    if both:
        merged[key] = both
