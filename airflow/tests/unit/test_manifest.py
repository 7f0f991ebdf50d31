"""Pods made of arguments, with plain data and with the objects KubernetesPodOperator takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from podlaunch_airflow.manifest import NAME_LABEL, PodArguments, build_pod, with_message_at
from podlaunch_airflow.merge import merge_pods
from podlaunch_airflow.plain import plain

IDENTITY = {"dag_id": "etl"}


def built(**arguments: Any) -> dict[str, Any]:
    return build_pod(PodArguments(**arguments), IDENTITY).manifest


def container(**arguments: Any) -> dict[str, Any]:
    return built(**arguments)["spec"]["containers"][0]


def test_the_blog_posts_pod() -> None:
    pod = build_pod(
        PodArguments(
            namespace="default",
            image="python:3.6",
            cmds=["python", "-c"],
            arguments=["print('hello world')"],
            labels={"foo": "bar"},
            name="passing-test",
        ),
        IDENTITY,
    )
    assert pod.namespace == "default"
    assert pod.primary == "base"
    assert pod.manifest == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {"foo": "bar", NAME_LABEL: "passing-test", "dag_id": "etl"}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "base",
                    "image": "python:3.6",
                    "command": ["python", "-c"],
                    "args": ["print('hello world')"],
                }
            ],
        },
    }


def test_objects_of_the_kubernetes_client_are_taken_as_they_are() -> None:
    k8s = pytest.importorskip("kubernetes.client.models")
    pod = built(
        image="a",
        env_vars=[
            k8s.V1EnvVar(name="A", value="1"),
            k8s.V1EnvVar(
                name="B",
                value_from=k8s.V1EnvVarSource(
                    config_map_key_ref=k8s.V1ConfigMapKeySelector(name="c", key="k", optional=True)
                ),
            ),
        ],
        env_from=[k8s.V1EnvFromSource(config_map_ref=k8s.V1ConfigMapEnvSource(name="cm"))],
        volumes=[
            k8s.V1Volume(
                name="v", persistent_volume_claim=k8s.V1PersistentVolumeClaimVolumeSource(claim_name="claim")
            )
        ],
        volume_mounts=[k8s.V1VolumeMount(name="v", mount_path="/v", sub_path="s", read_only=True)],
        container_resources=k8s.V1ResourceRequirements(requests={"cpu": "1"}, limits={"memory": "1Gi"}),
        tolerations=[k8s.V1Toleration(key="k", operator="Exists", toleration_seconds=0)],
        affinity=k8s.V1Affinity(
            node_affinity=k8s.V1NodeAffinity(
                required_during_scheduling_ignored_during_execution=k8s.V1NodeSelector(
                    node_selector_terms=[
                        k8s.V1NodeSelectorTerm(
                            match_expressions=[k8s.V1NodeSelectorRequirement(key="z", operator="In", values=["a"])]
                        )
                    ]
                )
            )
        ),
        image_pull_secrets=[k8s.V1LocalObjectReference(name="pull")],
        init_containers=[k8s.V1Container(name="init", image="i", command=["x"])],
        security_context=k8s.V1PodSecurityContext(run_as_user=1000),
        host_aliases=[k8s.V1HostAlias(ip="1.2.3.4", hostnames=["h"])],
        ports=[k8s.V1ContainerPort(container_port=80)],
    )
    spec, base = pod["spec"], pod["spec"]["containers"][0]
    assert base["env"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}}},
    ]
    assert base["envFrom"] == [{"configMapRef": {"name": "cm"}}]
    assert base["volumeMounts"] == [{"name": "v", "mountPath": "/v", "subPath": "s", "readOnly": True}]
    assert base["resources"] == {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}
    assert base["ports"] == [{"containerPort": 80}]
    assert spec["volumes"] == [{"name": "v", "persistentVolumeClaim": {"claimName": "claim"}}]
    assert spec["tolerations"] == [{"key": "k", "operator": "Exists", "tolerationSeconds": 0}]
    term = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["nodeSelectorTerms"][0]["matchExpressions"][0]["values"] == ["a"]
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert spec["initContainers"] == [{"name": "init", "image": "i", "command": ["x"]}]
    assert spec["securityContext"] == {"runAsUser": 1000}
    assert spec["hostAliases"] == [{"ip": "1.2.3.4", "hostnames": ["h"]}]
    json.dumps(pod)


def test_models_become_what_the_kubernetes_client_would_send() -> None:
    client = pytest.importorskip("kubernetes.client")
    pod = client.V1Pod(
        metadata=client.V1ObjectMeta(name="x", labels={"a": "b"}),
        spec=client.V1PodSpec(
            containers=[client.V1Container(name="c", resources=client.V1ResourceRequirements(limits={"cpu": 1}))],
            host_network=False,
            volumes=[
                client.V1Volume(name="s", secret=client.V1SecretVolumeSource(secret_name="s", default_mode=0))
            ],
        ),
    )
    assert plain(pod) == client.ApiClient().sanitize_for_serialization(pod)


def test_secrets_of_airflow_are_taken_as_they_are() -> None:
    secret = pytest.importorskip("airflow.providers.cncf.kubernetes.secret").Secret
    secrets = [
        secret("env", "password", "db", "pw"),
        secret("env", None, "all"),
        secret("volume", "/etc/s", "files"),
    ]
    pod = built(image="a", secrets=secrets, env_vars={"A": "1"})
    base, volumes = pod["spec"]["containers"][0], pod["spec"]["volumes"]
    assert base["env"] == [
        {"name": "A", "value": "1"},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "pw"}}},
    ]
    assert base["envFrom"] == [{"secretRef": {"name": "all"}}]
    assert volumes[0]["secret"] == {"secretName": "files"}
    assert base["volumeMounts"] == [{"name": volumes[0]["name"], "mountPath": "/etc/s", "readOnly": True}]
    # Two builds are one pod: a second launch of the same key must not differ.
    assert built(image="a", secrets=secrets, env_vars={"A": "1"}) == pod


def test_plain_data_is_as_good() -> None:
    base = container(
        image="a",
        env_vars={"A": 1, "B": None},
        configmaps=["cm"],
        volume_mounts=[{"name": "v", "mountPath": "/v"}],
        pod_runtime_info_envs=[{"name": "IP", "field_path": "status.podIP"}],
    )
    assert base["env"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": ""},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    assert base["envFrom"] == [{"configMapRef": {"name": "cm"}}]
    assert built(image="a", image_pull_secrets="x, y")["spec"]["imagePullSecrets"] == [{"name": "x"}, {"name": "y"}]


TEMPLATE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "from-template", "namespace": "tns", "labels": {"t": "1", "foo": "t"}},
    "spec": {
        "restartPolicy": "Always",
        "nodeSelector": {"disk": "ssd"},
        "containers": [
            {"name": "main", "image": "t", "env": [{"name": "T", "value": "1"}], "workingDir": "/w"},
            {"name": "side", "image": "s"},
        ],
        "volumes": [{"name": "tv", "emptyDir": {}}],
        "initContainers": [{"name": "i", "image": "old", "env": [{"name": "E", "value": "1"}]}],
    },
}


def test_template_then_full_spec_then_arguments(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(json.dumps(TEMPLATE))
    pod = build_pod(
        PodArguments(
            pod_template_file=str(file),
            full_pod_spec={"spec": {"containers": [{"name": "full", "image": "f", "tty": True}]}},
            image="a",
            labels={"foo": "bar"},
            env_vars={"A": "1"},
            volumes=[{"name": "av", "emptyDir": {}}],
            init_containers=[{"name": "i", "image": "new"}, {"name": "j", "image": "j"}],
        ),
        IDENTITY,
    )
    spec = pod.manifest["spec"]
    assert pod.namespace == "tns"
    assert pod.container_names == ["base", "side"]
    assert pod.init_container_names == ["i", "j"]
    assert spec["containers"][0] == {
        "name": "base",
        "image": "a",
        "env": [{"name": "T", "value": "1"}, {"name": "A", "value": "1"}],
        "workingDir": "/w",
        "tty": True,
    }
    assert spec["restartPolicy"] == "Never"
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert [volume["name"] for volume in spec["volumes"]] == ["tv", "av"]
    assert spec["initContainers"][0] == {"name": "i", "image": "new", "env": [{"name": "E", "value": "1"}]}
    assert pod.manifest["metadata"] == {
        "labels": {"t": "1", "foo": "bar", NAME_LABEL: "from-template", "dag_id": "etl"}
    }
    assert built(pod_template_dict=TEMPLATE, namespace="ns")["spec"]["containers"][0]["image"] == "t"
    assert build_pod(PodArguments(pod_template_dict=TEMPLATE, namespace="ns"), {}).namespace == "ns"


def test_merging_is_the_kubernetes_providers() -> None:
    generator = pytest.importorskip("airflow.providers.cncf.kubernetes.pod_generator").PodGenerator
    client = pytest.importorskip("kubernetes.client")
    over = {
        "metadata": {"labels": {"foo": "bar"}, "annotations": {"a": "b"}},
        "spec": {
            "containers": [{"name": "base", "image": "a", "env": [{"name": "A", "value": "1"}], "tty": False}],
            "nodeSelector": {"zone": "a"},
            "hostNetwork": False,
            "initContainers": [{"name": "j", "image": "j"}, {"name": "i", "image": "new"}],
        },
    }
    for base, upper in ((TEMPLATE, over), (over, TEMPLATE), ({}, over), (TEMPLATE, {"spec": {"containers": []}})):
        models = [generator.deserialize_model_dict(pod) for pod in (base, upper)]
        expected = client.ApiClient().sanitize_for_serialization(generator.reconcile_pods(*models))
        assert merge_pods(base, upper) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cmds": "echo"}, "cmds"),
        ({"arguments": "hello"}, "arguments"),
        ({"pod_template_dict": {"kind": "Deployment"}}, "pod_template_dict"),
        ({"full_pod_spec": {"kind": "Job"}}, "full_pod_spec"),
        ({"env_vars": "A=1"}, "env_vars"),
    ],
)
def test_what_is_wrong_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        built(image="a", **arguments)


def test_a_template_that_is_not_yaml(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text("a: [")
    with pytest.raises(ValueError, match="not YAML"):
        built(pod_template_file=str(file))


def test_something_foreign_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="object"):
        built(image="a", volumes=[object()])


def test_where_the_termination_message_is() -> None:
    plain = built(image="a")
    changed = with_message_at(plain, "/r.json")
    assert changed["spec"]["containers"][0]["terminationMessagePath"] == "/r.json"
    assert "terminationMessagePath" not in plain["spec"]["containers"][0]
    own = {"spec": {"containers": [{"name": "x", "terminationMessagePath": "/mine"}]}}
    changed = with_message_at(built(image="a", full_pod_spec=own), "/r.json")
    assert changed["spec"]["containers"][0]["terminationMessagePath"] == "/mine"


def test_false_and_zero_are_said_and_empty_is_not() -> None:
    spec = built(image="a", automount_service_account_token=False, labels={}, tolerations=[])["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert "tolerations" not in spec
    assert "hostNetwork" not in spec
