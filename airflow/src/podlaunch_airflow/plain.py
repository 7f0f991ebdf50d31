"""Objects of the kubernetes client as plain data, by their attributes: the client itself is not imported.

V1Volume(name=…, persistent_volume_claim=…) ─▶ {"name": …, "persistentVolumeClaim": {…}}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any

TEMPLATED: dict[str, tuple[str, ...]] = {
    "V1EnvVar": ("value", "name"),
    "V1ResourceRequirements": ("limits", "requests"),
    "V1Volume": ("name", "persistent_volume_claim", "config_map"),
    "V1VolumeMount": ("name", "sub_path"),
    "V1PersistentVolumeClaimVolumeSource": ("claim_name",),
    "V1ConfigMapVolumeSource": ("name",),
    "V1EnvFromSource": ("config_map_ref",),
    "V1ConfigMapEnvSource": ("name",),
}
"""Which fields of the client's models are templates inside the operator's template fields."""


def plain(value: Any) -> Any:
    """`value` as JSON has it. None inside mappings and models is left out, as the kubernetes client does."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items() if part is not None}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(part) for part in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Enum):
        return plain(value.value)
    return _model(value)


def _model(value: Any) -> Any:
    names = getattr(value, "attribute_map", None)
    if isinstance(names, Mapping):
        parts = {json_name: getattr(value, name) for name, json_name in names.items()}
        return {name: plain(part) for name, part in parts.items() if part is not None}
    convert = getattr(value, "to_k8s_client_obj", None)
    if callable(convert):
        return plain(convert())
    raise TypeError(f"{type(value).__name__} is neither plain data nor an object of the kubernetes client")


def is_set(value: Any) -> bool:
    """`value` says something: `False` and 0 do, None and what is empty do not."""
    return value is not None and value not in ("", [], {}, ())


def without_unset(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """`mapping` as plain data without the entries that say nothing."""
    parts = ((key, plain(value)) for key, value in mapping.items() if value is not None)
    return {key: value for key, value in parts if is_set(value)}
