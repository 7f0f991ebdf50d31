"""The arguments that make a pod, and which of them are templates. Knows nothing of how the pod is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from podlaunch_airflow.compat import BaseOperator
from podlaunch_airflow.manifest import PodArguments
from podlaunch_airflow.plain import TEMPLATED


class PodOperator(BaseOperator):
    """An operator with KubernetesPodOperator's arguments for the pod, kept as they are given."""

    template_fields: Sequence[str] = (
        "image",
        "name",
        "hostname",
        "cmds",
        "annotations",
        "arguments",
        "env_vars",
        "labels",
        "pod_template_file",
        "pod_template_dict",
        "namespace",
        "container_resources",
        "volumes",
        "volume_mounts",
        "env_from",
        "configmaps",
        "node_selector",
        "base_container_name",
    )
    template_fields_renderers = {"env_vars": "py"}

    def __init__(
        self,
        *,
        namespace: str | None = None,
        image: str | None = None,
        name: str | None = None,
        cmds: list[str] | None = None,
        arguments: list[str] | None = None,
        ports: list[Any] | None = None,
        volume_mounts: list[Any] | None = None,
        volumes: list[Any] | None = None,
        env_vars: list[Any] | dict[str, str] | None = None,
        env_from: list[Any] | None = None,
        secrets: list[Any] | None = None,
        labels: dict[str, Any] | None = None,
        annotations: dict[str, Any] | None = None,
        image_pull_policy: str | None = None,
        container_resources: Any = None,
        affinity: Any = None,
        runtime_class_name: str | None = None,
        node_selector: dict[str, str] | None = None,
        image_pull_secrets: list[Any] | str | None = None,
        service_account_name: str | None = None,
        automount_service_account_token: bool | None = None,
        hostnetwork: bool = False,
        host_aliases: list[Any] | None = None,
        tolerations: list[Any] | None = None,
        security_context: Any = None,
        container_security_context: Any = None,
        dnspolicy: str | None = None,
        dns_config: Any = None,
        hostname: str | None = None,
        subdomain: str | None = None,
        schedulername: str | None = None,
        full_pod_spec: Any = None,
        init_containers: list[Any] | None = None,
        pod_template_file: str | None = None,
        pod_template_dict: dict[str, Any] | None = None,
        priority_class_name: str | None = None,
        pod_runtime_info_envs: list[Any] | None = None,
        termination_grace_period: int | None = None,
        configmaps: list[str] | None = None,
        base_container_name: str | None = None,
        termination_message_policy: str | None = None,
        active_deadline_seconds: int | None = None,
        **kwargs: Any,
    ) -> None:
        given = dict(locals())
        super().__init__(**kwargs)
        for field in fields(PodArguments):
            setattr(self, field.name, given[field.name])

    def pod_arguments(self) -> PodArguments:
        """The arguments as they are now: after rendering, with the templates' values."""
        return PodArguments(**{field.name: getattr(self, field.name) for field in fields(PodArguments)})

    def _render_nested_template_fields(self, value: Any, context: Any, jinja_env: Any, seen_oids: set[int]) -> None:
        names = TEMPLATED.get(type(value).__name__)
        if names is None:
            super()._render_nested_template_fields(value, context, jinja_env, seen_oids)
        elif id(value) not in seen_oids:
            seen_oids.add(id(value))
            self._do_render_template_fields(value, names, context, jinja_env, seen_oids)
