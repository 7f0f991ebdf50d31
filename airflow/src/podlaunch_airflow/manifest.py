"""The pod of an operator's arguments. Reads the template file, else pure.

pod_template_file or pod_template_dict ◀ full_pod_spec ◀ arguments ◀ secrets ◀ labels of the task instance
                                     (each over the one before, as `merge` says)

The pod's name is podlaunch's; `name` becomes the label `app.kubernetes.io/name`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from podlaunch_airflow.identity import label_value
from podlaunch_airflow.merge import Plain, merge_pods
from podlaunch_airflow.plain import plain, without_unset

BASE_CONTAINER = "base"
NAME_LABEL = "app.kubernetes.io/name"


@dataclass(frozen=True)
class PodArguments:
    """The operator's arguments that make the pod, named as KubernetesPodOperator's."""

    namespace: str | None = None
    image: str | None = None
    name: str | None = None
    cmds: Sequence[str] | None = None
    arguments: Sequence[str] | None = None
    ports: Sequence[Any] | None = None
    volume_mounts: Sequence[Any] | None = None
    volumes: Sequence[Any] | None = None
    env_vars: Mapping[str, Any] | Sequence[Any] | None = None
    env_from: Sequence[Any] | None = None
    secrets: Sequence[Any] | None = None
    labels: Mapping[str, Any] | None = None
    annotations: Mapping[str, Any] | None = None
    image_pull_policy: str | None = None
    container_resources: Any = None
    affinity: Any = None
    runtime_class_name: str | None = None
    node_selector: Mapping[str, str] | None = None
    image_pull_secrets: Sequence[Any] | str | None = None
    service_account_name: str | None = None
    automount_service_account_token: bool | None = None
    hostnetwork: bool = False
    host_aliases: Sequence[Any] | None = None
    tolerations: Sequence[Any] | None = None
    security_context: Any = None
    container_security_context: Any = None
    dnspolicy: str | None = None
    dns_config: Any = None
    hostname: str | None = None
    subdomain: str | None = None
    schedulername: str | None = None
    full_pod_spec: Any = None
    init_containers: Sequence[Any] | None = None
    pod_template_file: str | None = None
    pod_template_dict: Mapping[str, Any] | None = None
    priority_class_name: str | None = None
    pod_runtime_info_envs: Sequence[Any] | None = None
    termination_grace_period: int | None = None
    configmaps: Sequence[str] | None = None
    base_container_name: str | None = None
    termination_message_policy: str | None = None
    active_deadline_seconds: int | None = None


@dataclass(frozen=True)
class BuiltPod:
    """A pod to launch. `namespace` "": the caller's or the server's default."""

    manifest: Plain
    namespace: str
    primary: str

    @property
    def container_names(self) -> list[str]:
        """Of the regular containers, in the pod's order."""
        return [str(container.get("name")) for container in self.manifest["spec"]["containers"]]

    @property
    def init_container_names(self) -> list[str]:
        """Of the init containers, in the pod's order."""
        return [str(container.get("name")) for container in self.manifest["spec"].get("initContainers", [])]


def build_pod(arguments: PodArguments, identity: Mapping[str, str]) -> BuiltPod:
    """The pod of `arguments`, with the labels `identity`. Raises ValueError, TypeError, OSError."""
    pod = merge_pods(_base(arguments), _pod(arguments))
    for secret in arguments.secrets or ():
        _add_secret(pod, secret)
    metadata = pod.setdefault("metadata", {})
    namespace = metadata.pop("namespace", "") or ""
    # The server names the pod and knows its namespace by the key.
    metadata.pop("generateName", None)
    name = arguments.name or metadata.pop("name", None)
    metadata.pop("name", None)
    labels = metadata.setdefault("labels", {})
    if name:
        labels.setdefault(NAME_LABEL, label_value(str(name)))
    labels.update(identity)
    return BuiltPod(pod, namespace, pod["spec"]["containers"][0]["name"])


def with_message_at(pod: Plain, path: str) -> Plain:
    """The pod with its base container's termination message at `path`, unless a template has its own."""
    base, *others = pod["spec"]["containers"]
    return {**pod, "spec": {**pod["spec"], "containers": [{"terminationMessagePath": path, **base}, *others]}}


def _base(arguments: PodArguments) -> Plain:
    base: Plain = {}
    if arguments.pod_template_file:
        base = _template_file(arguments.pod_template_file)
    elif arguments.pod_template_dict:
        base = _checked(plain(arguments.pod_template_dict), "pod_template_dict")
    if arguments.full_pod_spec is not None:
        base = merge_pods(base, _checked(plain(arguments.full_pod_spec), "full_pod_spec"))
    return base


def _template_file(path: str) -> Plain:
    text = Path(path).read_text(encoding="utf-8")
    try:
        return _checked(plain(yaml.safe_load(text)), f"pod_template_file {path}")
    except yaml.YAMLError as error:
        raise ValueError(f"pod_template_file {path}: not YAML: {error}") from error


def _checked(pod: Any, what: str) -> Plain:
    kind = pod.get("kind", "Pod") if isinstance(pod, dict) else type(pod).__name__
    if kind != "Pod":
        raise ValueError(f"{what}: a Pod is needed, not {kind}")
    for key in ("metadata", "spec"):
        if not isinstance(pod.get(key, {}), dict):
            raise ValueError(f"{what}: {key} is not a mapping")
    return dict(pod)


def _pod(a: PodArguments) -> Plain:
    spec = without_unset(
        {
            "runtimeClassName": a.runtime_class_name,
            "nodeSelector": a.node_selector,
            "affinity": a.affinity,
            "tolerations": a.tolerations,
            "initContainers": a.init_containers,
            "hostAliases": a.host_aliases,
            "imagePullSecrets": _pull_secrets(a.image_pull_secrets),
            "serviceAccountName": a.service_account_name,
            "automountServiceAccountToken": a.automount_service_account_token,
            "hostNetwork": a.hostnetwork or None,
            "hostname": a.hostname,
            "subdomain": a.subdomain,
            "securityContext": a.security_context,
            "dnsPolicy": a.dnspolicy,
            "dnsConfig": a.dns_config,
            "schedulerName": a.schedulername,
            "restartPolicy": "Never",
            "priorityClassName": a.priority_class_name,
            "volumes": a.volumes,
            "activeDeadlineSeconds": a.active_deadline_seconds,
            "terminationGracePeriodSeconds": a.termination_grace_period,
        }
    )
    spec["containers"] = [_container(a)]
    metadata = without_unset(
        {
            "namespace": a.namespace,
            "labels": {key: "" if value is None else str(value) for key, value in (a.labels or {}).items()},
            "annotations": {key: str(value) for key, value in (a.annotations or {}).items()},
        }
    )
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _container(a: PodArguments) -> Plain:
    for name in ("cmds", "arguments"):
        if isinstance(getattr(a, name), str):
            raise ValueError(f"{name}: a list of strings is needed, not a string")
    env_from = [*(a.env_from or ()), *({"configMapRef": {"name": name}} for name in a.configmaps or ())]
    return without_unset(
        {
            "name": a.base_container_name or BASE_CONTAINER,
            "image": a.image,
            "command": a.cmds,
            "args": [str(argument) for argument in a.arguments or ()],
            "ports": a.ports,
            "imagePullPolicy": a.image_pull_policy,
            "resources": a.container_resources,
            "volumeMounts": a.volume_mounts,
            "env": [*_env(a.env_vars), *(_runtime_env(env) for env in a.pod_runtime_info_envs or ())],
            "envFrom": env_from,
            "securityContext": a.container_security_context,
            "terminationMessagePolicy": a.termination_message_policy,
        }
    )


def _env(variables: Mapping[str, Any] | Sequence[Any] | None) -> list[Any]:
    if not variables:
        return []
    if isinstance(variables, Mapping):
        return [{"name": name, "value": "" if value is None else str(value)} for name, value in variables.items()]
    if isinstance(variables, str):
        raise ValueError("env_vars: a mapping or a list is needed, not a string")
    return list(variables)


def _runtime_env(env: Any) -> Any:
    """`{"name": …, "field_path": …}` or an object of the kubernetes client."""
    if isinstance(env, Mapping) and "field_path" in env:
        return {"name": env["name"], "valueFrom": {"fieldRef": {"fieldPath": env["field_path"]}}}
    return env


def _pull_secrets(secrets: Sequence[Any] | str | None) -> list[Any]:
    """A list of objects or names, or names with commas between them."""
    names = secrets.split(",") if isinstance(secrets, str) else secrets or ()
    return [{"name": secret.strip()} if isinstance(secret, str) else secret for secret in names]


def _add_secret(pod: Plain, secret: Any) -> None:
    """Airflow's `Secret`, known by its attributes."""
    container = pod["spec"]["containers"][0]
    if secret.deploy_type == "volume":
        source = without_unset({"secretName": secret.secret, "items": getattr(secret, "items", None)})
        # The same name on every launch of the same task: a random one would be another pod.
        volume = f"secretvol-{_short_hash([secret.deploy_target, source])}"
        pod["spec"].setdefault("volumes", []).append({"name": volume, "secret": source})
        mount = {"name": volume, "mountPath": secret.deploy_target, "readOnly": True}
        container.setdefault("volumeMounts", []).append(mount)
    elif secret.key is not None:
        reference = {"secretKeyRef": {"name": secret.secret, "key": secret.key}}
        container.setdefault("env", []).append({"name": secret.deploy_target, "valueFrom": reference})
    else:
        container.setdefault("envFrom", []).append({"secretRef": {"name": secret.secret}})


def _short_hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
