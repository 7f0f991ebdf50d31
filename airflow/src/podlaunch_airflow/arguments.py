"""Arguments of KubernetesPodOperator that podlaunch does not need or does not have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOT_NEEDED: dict[str, str] = {
    "kubernetes_conn_id": "podlaunch speaks to Kubernetes; podlaunch_conn_id is the connection to it",
    "in_cluster": "podlaunch speaks to Kubernetes",
    "config_file": "podlaunch speaks to Kubernetes",
    "cluster_context": "the connection's extra `cluster` names the cluster",
    "random_name_suffix": "the pod's name is made of the launch's key",
    "durable": "the launch's key finds the pod again",
    "startup_check_interval_seconds": "events are pushed",
    "base_container_status_polling_interval": "events are pushed",
    "poll_interval": "events are pushed",
    "logging_interval": "lines are pushed",
    "log_events_on_failure": "a failure always has its last events",
    "log_pod_spec_on_failure": "the pod's specification may hold secrets and is not logged",
    "xcom_sidecar_container_security_context": "there is no XCom sidecar",
    "progress_callback": "it has no effect in KubernetesPodOperator either",
    "is_delete_operator_pod": "on_finish_action takes its place",
}
"""Accepted and left aside: what they are for is done otherwise."""

NOT_SUPPORTED: dict[str, str] = {
    "deferrable": "the operator holds its worker slot",
    "trigger_kwargs": "the operator is not deferrable",
    "callbacks": "there is no client of the Kubernetes API in the worker to call them with",
}
"""Refused if they ask for something."""


def set_aside(kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """`kwargs` without the arguments above, and the names of those that were given.

    Raises ValueError for what is not supported.
    """
    for name, why in NOT_SUPPORTED.items():
        if kwargs.get(name):
            raise ValueError(f"{name} is not supported by PodlaunchOperator: {why}")
    rest = {name: value for name, value in kwargs.items() if name not in NOT_NEEDED and name not in NOT_SUPPORTED}
    return rest, [name for name in NOT_NEEDED if kwargs.get(name) is not None]


def choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """`value`, a word or an enum of words, if it is one of `allowed`."""
    word = str(getattr(value, "value", value))
    if word not in allowed:
        raise ValueError(f"{name}: {word!r}: one of {', '.join(allowed)} is needed")
    return word


def wanted_logs(
    get_logs: Any,
    container_logs: Any,
    init_container_logs: Any,
    primary: str,
    containers: list[str],
    init_containers: list[str],
) -> list[str]:
    """Names of the containers whose logs are wanted, in the pod's order. Raises ValueError for unknown names."""
    wanted = {primary} if get_logs else set()
    for argument, given, known in (
        ("container_logs", container_logs, containers),
        ("init_container_logs", init_container_logs, init_containers),
    ):
        names = known if given is True else [given] if isinstance(given, str) else list(given or ())
        missing = sorted(set(names) - set(known))
        if missing:
            raise ValueError(f"{argument}: the pod has no container {', '.join(missing)}")
        wanted.update(names)
    return [name for name in (*init_containers, *containers) if name in wanted]
