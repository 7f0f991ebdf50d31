use serde_json::json;

use super::*;
use crate::pod::merge::merge_pod;
use crate::task::policy::Timeouts;
use crate::task::spec::*;

fn text(t: &str) -> Option<String> {
    Some(t.to_owned())
}

fn var(name: &str) -> EnvVar {
    EnvVar {
        name: name.into(),
        source: EnvSource::Secret { name: "s".into(), key: "k".into(), presence: Presence::Required },
    }
}

fn short() -> ShortForm {
    ShortForm {
        image: text("i"),
        env: vec![var("A"), var("B")],
        env_from: vec![EnvFrom {
            source: EnvFromSource::Secret("s".into()),
            prefix: None,
            presence: Presence::Required,
        }],
        resources: Resources { requests: Default::default(), limits: [("nvidia.com/gpu".into(), "1".into())].into() },
        mounts: vec![Mount { volume: "v".into(), path: "/v".into(), sub_path: None, access: Access::ReadWrite }],
        labels: [("a".into(), "b".into())].into(),
        tolerations: vec![Toleration { seconds: Some(1), ..Toleration::default() }],
        service_account: text("sa"),
        image_pull_secrets: vec!["reg".into()],
        volumes: vec![Volume {
            name: "v".into(),
            source: VolumeSource::Secret {
                name: "s".into(),
                items: vec![],
                default_mode: None,
                presence: Presence::Required,
            },
        }],
        init_containers: vec![
            InitContainer { name: "side".into(), kind: InitKind::Sidecar, image: text("x"), ..Default::default() },
            InitContainer { name: "one".into(), image: text("x"), ..Default::default() },
            InitContainer { name: "two".into(), image: text("x"), ..Default::default() },
        ],
        ..ShortForm::default()
    }
}

fn table(spec: &TaskSpec, rows: &[(&str, &str)]) {
    let template = spec.manifest.as_ref().map_or(json!({}), |manifest| manifest.template().clone());
    let primary = short::primary_name(spec, &template).unwrap();
    let pod = merge_pod(template, &short::patch_with_container(&spec.short, &primary)).unwrap();
    for (pod_field, expected) in rows {
        assert_eq!(our_field(spec, None, &pod, pod_field), *expected, "{pod_field} of {pod}");
    }
}

#[test]
fn everything_from_the_short_form() {
    let spec = TaskSpec {
        short: short(),
        timeouts: Timeouts { execution: Some(1), ..Timeouts::default() },
        termination_grace_seconds: Some(1),
        restart_policy: Some(RestartPolicy::Never),
        ..TaskSpec::default()
    };
    table(
        &spec,
        &[
            ("spec.containers[0].image", "spec.container.image"),
            ("spec.containers[0]", "spec.container"),
            ("spec.containers[0].name", "spec.container.name"),
            ("spec.containers[0].workingDir", "spec.container.working_dir"),
            ("spec.containers[0].env[1].name", "spec.container.env[1].name"),
            ("spec.containers[0].env[1].valueFrom.secretKeyRef.name", "spec.container.env[1].secret_key.name"),
            ("spec.containers[0].envFrom[0].secretRef.name", "spec.container.env_from[0].secret"),
            ("spec.containers[0].resources.limits[nvidia.com/gpu]", "spec.container.resources.limits[nvidia.com/gpu]"),
            ("spec.containers[0].volumeMounts[0].mountPath", "spec.container.volume_mounts[0].mount_path"),
            ("spec.initContainers[0].image", "spec.pod.sidecars[0].image"),
            ("spec.initContainers[2].command", "spec.pod.init_containers[1].command"),
            ("spec.volumes[0].secret.secretName", "spec.pod.volumes[0].secret.name"),
            ("spec.tolerations[0].tolerationSeconds", "spec.pod.tolerations[0].toleration_period"),
            ("spec.serviceAccountName", "spec.pod.service_account_name"),
            ("spec.imagePullSecrets[0].name", "spec.pod.image_pull_secrets[0]"),
            ("spec.priorityClassName", "spec.pod.priority_class_name"),
            ("metadata.labels", "spec.pod.labels"),
            ("metadata.name", "key.task_id"),
            ("metadata.namespace", "key.namespace"),
            ("spec.activeDeadlineSeconds", "spec.timeouts"),
            ("spec.terminationGracePeriodSeconds", "spec.timeouts.termination_grace"),
            ("spec.restartPolicy", "spec.pod.restart_policy"),
            ("spec.containers[0].livenessProbe.httpGet", "spec.manifest: spec.containers[0].livenessProbe.httpGet"),
            ("", "spec.manifest: "),
        ],
    );
}

#[test]
fn parts_of_a_pod_given_as_text_and_volumes() {
    let fragment = |text| Some(Fragment::parse("f", text, FragmentShape::Mapping).unwrap());
    let spec = TaskSpec {
        short: ShortForm {
            ports: vec![Port { number: 80, name: None, protocol: text("tcp") }],
            security_context: fragment("runAsUser: -1"),
            pod_security_context: fragment("fsGroup: -1"),
            placement: Placement { affinity: fragment("nodeAffinity: {}"), ..Placement::default() },
            network: Network {
                host_aliases: vec![HostAlias { ip: "x".into(), hostnames: vec!["a".into()] }],
                host_network: Some(true),
                ..Network::default()
            },
            volumes: vec![Volume {
                name: "p".into(),
                source: VolumeSource::Projected {
                    sources: vec![
                        ProjectedSource::ServiceAccountToken {
                            path: "t".into(),
                            audience: None,
                            expiration_seconds: Some(1),
                        },
                        ProjectedSource::DownwardApi {
                            items: vec![DownwardFile {
                                path: "l".into(),
                                source: DownwardSource::Field { path: "x".into() },
                                mode: None,
                            }],
                        },
                    ],
                    default_mode: None,
                },
            }],
            ..short()
        },
        ..TaskSpec::default()
    };
    table(
        &spec,
        &[
            ("spec.containers[0].ports[0].protocol", "spec.container.ports[0].protocol"),
            ("spec.containers[0].securityContext", "spec.container.security_context"),
            ("spec.containers[0].securityContext.runAsUser", "spec.container.security_context: runAsUser"),
            ("spec.securityContext.fsGroup", "spec.pod.security_context: fsGroup"),
            ("spec.affinity.nodeAffinity.a[0].b", "spec.pod.affinity: nodeAffinity.a[0].b"),
            ("spec.hostAliases[0].ip", "spec.pod.host_aliases[0].ip"),
            ("spec.hostNetwork", "spec.pod.host_network"),
            (
                "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds",
                "spec.pod.volumes[0].projected.sources[0].service_account_token.expiration",
            ),
            (
                "spec.volumes[0].projected.sources[1].downwardAPI.items[0].fieldRef.fieldPath",
                "spec.pod.volumes[0].projected.sources[1].downward_api.items[0].field_path",
            ),
        ],
    );
}

/// The merged lists start with what the short form adds: indexes must be followed by key.
#[test]
fn over_a_manifest() {
    let manifest = json!({"metadata": {"annotations": {"x": "y"}}, "spec": {
    "serviceAccountName": "old",
    "securityContext": {"runAsUser": -1},
    "nodeSelector": {"a": "b"},
    "initContainers": [{"name": "prepare", "image": "p"}, {"name": "two", "image": "old", "args": ["x"]}],
    "volumes": [{"name": "w", "emptyDir": {}}],
    "containers": [
        {"name": "helper", "image": "h", "env": [{"name": "A", "value": "x"}]},
        {"name": "job", "image": "old", "command": ["x"], "livenessProbe": {"httpGet": {"port": 0}},
            "env": [{"name": "M", "value": "x"}, {"name": "B", "value": "x"}]},
    ]}});
    let spec = TaskSpec {
        manifest: Some(Manifest::from_value(manifest).unwrap()),
        primary: text("job"),
        short: short(),
        ..TaskSpec::default()
    };
    table(
        &spec,
        &[
            ("spec.containers[0].image", "spec.manifest: spec.containers[0].image"),
            ("spec.containers[0].env[0].name", "spec.manifest: spec.containers[0].env[0].name"),
            ("spec.containers[1].image", "spec.container.image"),
            ("spec.containers[1].command", "spec.manifest: spec.containers[1].command"),
            ("spec.containers[1].workingDir", "spec.container.working_dir"),
            (
                "spec.containers[1].livenessProbe.httpGet.port",
                "spec.manifest: spec.containers[1].livenessProbe.httpGet.port",
            ),
            // A before M (new ones first), then B.
            ("spec.containers[1].env[0].name", "spec.container.env[0].name"),
            ("spec.containers[1].env[1].name", "spec.manifest: spec.containers[1].env[0].name"),
            ("spec.containers[1].env[2].name", "spec.container.env[1].name"),
            // side, one, prepare, two.
            ("spec.initContainers[1].image", "spec.pod.init_containers[0].image"),
            ("spec.initContainers[2].image", "spec.manifest: spec.initContainers[0].image"),
            ("spec.initContainers[3].image", "spec.pod.init_containers[1].image"),
            ("spec.initContainers[3].args[0]", "spec.manifest: spec.initContainers[1].args[0]"),
            ("spec.volumes[1].emptyDir", "spec.manifest: spec.volumes[0].emptyDir"),
            ("spec.serviceAccountName", "spec.pod.service_account_name"),
            ("spec.nodeSelector", "spec.manifest: spec.nodeSelector"),
            ("spec.securityContext.runAsUser", "spec.manifest: spec.securityContext.runAsUser"),
            ("metadata.annotations", "spec.manifest: metadata.annotations"),
            ("metadata.labels", "spec.pod.labels"),
            ("spec.activeDeadlineSeconds", "spec.manifest: spec.activeDeadlineSeconds"),
        ],
    );
}

#[test]
fn paths_are_taken_apart() {
    for path in ["", ".", "[", "]", "a[", "a[x", "a]b", "a..b", "[0]", "a[b.c/d].e", "a[99999999999999999999]"] {
        let _ = steps(path);
    }
    assert_eq!(
        steps("spec.a[0].limits[x.y/z]"),
        [Step::Field("spec"), Step::Field("a"), Step::Index(0), Step::Field("limits"), Step::Key("x.y/z")]
    );
}

#[test]
fn what_only_the_template_has() {
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"runtimeClassName": "x", "containers": [
        {"name": "helper", "image": "h", "env": [{"name": "H", "value": "x"}]},
        {"name": "job", "image": "old", "env": [{"name": "T", "value": "x"}, {"name": "M", "value": "x"}]}]}});
    let manifest = json!({"spec": {"containers": [{"name": "job", "env": [{"name": "M", "value": "y"}]}]}});
    let spec = TaskSpec {
        template: text("t"),
        manifest: Some(Manifest::from_value(manifest.clone()).unwrap()),
        primary: text("job"),
        short: ShortForm { image: text("new"), ..ShortForm::default() },
        ..TaskSpec::default()
    };
    let base = merge_pod(merge_pod(json!({}), &template).unwrap(), &manifest).unwrap();
    let pod = merge_pod(base, &short::patch_with_container(&spec.short, "job")).unwrap();
    for (pod_field, expected) in [
        ("spec.containers[1].image", "spec.container.image"),
        ("spec.containers[0].image", "spec.template: spec.containers[0].image"),
        ("spec.containers[1].env[0].value", "spec.template: spec.containers[1].env[0].value"),
        ("spec.containers[1].env[1].value", "spec.manifest: spec.containers[0].env[0].value"),
        ("spec.runtimeClassName", "spec.template: spec.runtimeClassName"),
        ("metadata.labels[a]", "spec.template: metadata.labels[a]"),
        ("spec.hostname", "spec.pod.hostname"),
    ] {
        assert_eq!(our_field(&spec, Some(&template), &pod, pod_field), expected, "{pod_field} of {pod}");
    }
}
