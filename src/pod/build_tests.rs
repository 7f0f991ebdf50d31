use std::collections::BTreeMap;

use serde_json::json;

use super::*;

#[path = "short_tests.rs"]
mod short_form;

use crate::task::fingerprint::fingerprint;
use crate::task::policy::LogSelection;
use crate::task::spec::*;

pub(in crate::pod) fn key() -> TaskKey {
    TaskKey::new("", "jobs", "etl/load", 2).unwrap()
}

/// A launch with nothing but a spec.
fn launch_of<'a>(
    spec: &'a TaskSpec,
    (instance, key, fingerprint, enforced, result): (
        &'a Instance,
        &'a TaskKey,
        &'a Fingerprint,
        &'a Enforced,
        &'a ResultSettings,
    ),
) -> Launch<'a> {
    Launch {
        instance,
        key,
        spec,
        template: None,
        enforced,
        fingerprint,
        traceparent: None,
        finalizer: Finalizer::Off,
        default_startup_seconds: None,
        waited_seconds: 0,
        result,
        cancel_after: None,
        now: jiff::Timestamp::UNIX_EPOCH,
    }
}

pub(in crate::pod) fn build_with(
    spec: &TaskSpec,
    change: impl FnOnce(&mut Launch<'_>),
) -> Result<Value, Vec<SpecError>> {
    let (instance, key, enforced) = (Instance::default(), key(), Enforced::default());
    let fingerprint = fingerprint(spec).unwrap();
    let result = ResultSettings::default();
    let mut launch = launch_of(spec, (&instance, &key, &fingerprint, &enforced, &result));
    change(&mut launch);
    match build(&launch) {
        Ok(pod) => Ok(pod),
        Err(Refused::Invalid(fields)) => Err(fields),
        Err(Refused::Policy(fields)) => panic!("nothing is enforced here: {fields:?}"),
    }
}

pub(in crate::pod) fn built(spec: &TaskSpec) -> Value {
    build_with(spec, |_| {}).unwrap()
}

pub(in crate::pod) fn errors(spec: &TaskSpec) -> Vec<SpecError> {
    build_with(spec, |_| {}).unwrap_err()
}

fn fields(spec: &TaskSpec) -> Vec<String> {
    errors(spec).into_iter().map(|error| error.field).collect()
}

pub(in crate::pod) fn short(image: &str) -> TaskSpec {
    TaskSpec { short: ShortForm { image: Some(image.into()), ..ShortForm::default() }, ..TaskSpec::default() }
}

pub(in crate::pod) fn manifest(value: Value) -> TaskSpec {
    TaskSpec { manifest: Some(Manifest::from_value(value).unwrap()), ..TaskSpec::default() }
}

pub(in crate::pod) fn container(pod: &Value, name: &str) -> Value {
    let containers = pod["spec"]["containers"].as_array().unwrap();
    containers.iter().find(|c| c["name"] == name).unwrap_or(&Value::Null).clone()
}

#[test]
fn the_smallest_task() {
    let mut spec = short("busybox");
    spec.short.command = vec!["echo".into(), "hello".into()];
    let fingerprint = fingerprint(&spec).unwrap();
    assert_eq!(
        built(&spec),
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": key().pod_name(&Instance::default()),
                "namespace": "jobs",
                "labels": {
                    "podlaunch.dev/instance": "default",
                    "podlaunch.dev/task": key().task_label(),
                    "podlaunch.dev/attempt": "2",
                    "app.kubernetes.io/managed-by": "podlaunch",
                },
                "annotations": {
                    "podlaunch.dev/schema": "1",
                    "podlaunch.dev/task-id": "etl/load",
                    "podlaunch.dev/fingerprint": fingerprint.as_str(),
                    "podlaunch.dev/primary": "main",
                    "podlaunch.dev/policy": r#"{"timeouts":{},"logs":"PRIMARY"}"#,
                },
            },
            "spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "main",
                    "image": "busybox",
                    "command": ["echo", "hello"],
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                }],
            },
        })
    );
}

#[test]
fn a_printed_pod_is_a_manifest() {
    let spec = manifest(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "x", "generateName": "x-", "uid": "u", "resourceVersion": "1", "generation": 1,
            "creationTimestamp": "2024-01-01T00:00:00Z", "managedFields": [], "namespace": "jobs",
            "labels": {"a": "b", "app.kubernetes.io/managed-by": "Helm"}, "finalizers": ["other.io/x"],
            "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "o"}]},
        "spec": {"restartPolicy": "OnFailure", "somethingNew": {"x": 1},
            "containers": [{"name": "c", "image": "i", "terminationMessagePolicy": "File", "alsoNew": [1]}]},
        "status": {"phase": "Running"},
    }));
    let pod = build_with(&spec, |launch| launch.finalizer = Finalizer::On).unwrap();
    let metadata = &pod["metadata"];
    assert_eq!(metadata["name"], key().pod_name(&Instance::default()));
    for gone in ["generateName", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
        assert!(metadata[gone].is_null(), "{gone}");
    }
    assert!(pod.get("status").is_none());
    assert_eq!(metadata["labels"]["a"], "b");
    assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "podlaunch");
    assert_eq!(metadata["finalizers"], json!(["other.io/x", "podlaunch.dev/outcome"]));
    assert_eq!(metadata["ownerReferences"][0]["name"], "o");
    assert_eq!(pod["spec"]["restartPolicy"], "OnFailure");
    assert_eq!(pod["spec"]["somethingNew"], json!({"x": 1}));
    assert_eq!(
        pod["spec"]["containers"],
        json!([{"name": "c", "image": "i", "terminationMessagePolicy": "File", "alsoNew": [1]}])
    );
    assert_eq!(metadata["annotations"]["podlaunch.dev/primary"], "c");
}

#[test]
fn our_own_fields() {
    let mut spec = short("i");
    spec.timeouts = Timeouts { schedule: Some(10), startup: None, execution: Some(100), ..Timeouts::default() };
    spec.termination_grace_seconds = Some(7);
    spec.restart_policy = Some(RestartPolicy::OnFailure);
    spec.logs = LogSelection::All;
    spec.short.init_containers =
        vec![InitContainer { name: "i".into(), image: Some("x".into()), ..Default::default() }];
    let pod = build_with(&spec, |launch| {
        launch.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        launch.finalizer = Finalizer::On;
        launch.default_startup_seconds = Some(5);
    })
    .unwrap();
    let annotations = &pod["metadata"]["annotations"];
    assert_eq!(annotations["podlaunch.dev/traceparent"], "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let policy: StoredPolicy = serde_json::from_str(annotations["podlaunch.dev/policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy.timeouts, Timeouts { startup: Some(5), ..spec.timeouts.clone() });
    assert_eq!(policy.logs, LogSelection::All);
    assert_eq!(pod["metadata"]["finalizers"], json!(["podlaunch.dev/outcome"]));
    assert_eq!(pod["spec"]["activeDeadlineSeconds"], 115);
    assert_eq!(pod["spec"]["terminationGracePeriodSeconds"], 7);
    assert_eq!(pod["spec"]["restartPolicy"], "OnFailure");
    assert_eq!(pod["spec"]["initContainers"][0]["terminationMessagePolicy"], "FallbackToLogsOnError");
}

/// A wait for quota is part of the schedule timeout; whatever was waited, some of it is left.
#[test]
fn a_wait_for_quota_shortens_the_schedule_timeout() {
    for (schedule, waited, left) in [(Some(60), 20, Some(40)), (Some(60), 60, Some(1)), (None, 20, None)] {
        let mut spec = short("i");
        spec.timeouts = Timeouts { schedule, ..Timeouts::default() };
        let pod = build_with(&spec, |launch| launch.waited_seconds = waited).unwrap();
        let policy = pod["metadata"]["annotations"]["podlaunch.dev/policy"].as_str().unwrap();
        let policy: StoredPolicy = serde_json::from_str(policy).unwrap();
        assert_eq!(policy.timeouts.schedule, left, "{schedule:?} after {waited} s");
    }
}

#[test]
fn the_lower_deadline_wins() {
    for (own, timeouts, expected) in [
        (json!(50), Some((10, 100)), json!(50)),
        (json!(500), Some((10, 100)), json!(110)),
        (json!(null), Some((10, 100)), json!(110)),
        (json!(50), None, json!(50)),
        (json!(null), None, json!(null)),
    ] {
        let mut spec =
            manifest(json!({"spec": {"activeDeadlineSeconds": own, "containers": [{"name": "a", "image": "i"}]}}));
        if let Some((startup, execution)) = timeouts {
            spec.timeouts.startup = Some(startup);
            spec.timeouts.execution = Some(execution);
        }
        assert_eq!(built(&spec)["spec"]["activeDeadlineSeconds"], expected);
    }
}

#[test]
fn the_short_form_goes_over_the_manifest() {
    let mut spec = manifest(json!({
        "metadata": {"labels": {"a": "1", "b": "2"}},
        "spec": {
            "nodeSelector": {"x": "y"},
            "volumes": [{"name": "v", "secret": {"secretName": "s", "optional": true}}, {"name": "w", "emptyDir": {}}],
            "containers": [{"name": "job", "image": "old", "args": ["a"], "workingDir": "/w",
                "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "p", "readOnly": true}],
                "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}],
        },
    }));
    let map = |k: &str, v: &str| BTreeMap::from([(k.to_owned(), v.to_owned())]);
    let short = &mut spec.short;
    short.image = Some("new".into());
    short.args = vec!["b".into()];
    short.labels = map("b", "3");
    short.node_selector = map("z", "1");
    short.resources.limits = map("cpu", "2");
    short.env = vec![
        EnvVar { name: "B".into(), source: EnvSource::Value(Literal("plain".into())) },
        EnvVar {
            name: "A".into(),
            source: EnvSource::Secret { name: "s".into(), key: "k".into(), presence: Presence::Required },
        },
    ];
    short.volumes = vec![Volume {
        name: "v".into(),
        source: VolumeSource::EmptyDir { medium: Some("Memory".into()), size_limit: None },
    }];
    short.mounts = vec![Mount { volume: "v".into(), path: "/v".into(), sub_path: None, access: Access::ReadWrite }];
    let pod = built(&spec);
    let job = container(&pod, "job");
    assert_eq!(pod["spec"]["containers"].as_array().unwrap().len(), 1);
    assert_eq!((&job["image"], &job["args"], &job["workingDir"]), (&json!("new"), &json!(["b"]), &json!("/w")));
    assert_eq!(
        job["env"],
        json!([{"name": "B", "value": "plain"}, {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}])
    );
    assert_eq!(job["volumeMounts"], json!([{"name": "v", "mountPath": "/v"}]));
    assert_eq!(job["resources"], json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2"}}));
    assert_eq!(
        pod["spec"]["volumes"],
        json!([{"name": "v", "emptyDir": {"medium": "Memory"}}, {"name": "w", "emptyDir": {}}])
    );
    assert_eq!(pod["spec"]["nodeSelector"], json!({"x": "y", "z": "1"}));
    assert_eq!(pod["metadata"]["labels"]["b"], "3");
    assert_eq!(pod["metadata"]["labels"]["a"], "1");
}

#[test]
#[allow(clippy::too_many_lines, reason = "one pod, field by field")]
fn everything_the_short_form_has() {
    let mut spec = short("i");
    let s = &mut spec.short;
    let text = |t: &str| Some(t.to_owned());
    let list = |t: &str| vec![t.to_owned()];
    s.container_name = text("job");
    s.image_pull_policy = Some(PullPolicy::Never);
    s.working_dir = text("/w");
    s.env = vec![
        EnvVar { name: "E".into(), source: EnvSource::Value(Literal(String::new())) },
        EnvVar { name: "F".into(), source: EnvSource::Field { path: "status.podIP".into() } },
        EnvVar {
            name: "C".into(),
            source: EnvSource::ConfigMap { name: "c".into(), key: "k".into(), presence: Presence::Optional },
        },
        EnvVar {
            name: "R".into(),
            source: EnvSource::Resource { resource: "limits.cpu".into(), container: text("job"), divisor: text("1m") },
        },
    ];
    s.env_from = vec![
        EnvFrom { source: EnvFromSource::Secret("s".into()), prefix: text("P_"), presence: Presence::Optional },
        EnvFrom { source: EnvFromSource::ConfigMap("c".into()), prefix: None, presence: Presence::Required },
    ];
    s.annotations = BTreeMap::from([("k".into(), "v".into())]);
    s.tolerations = vec![Toleration {
        key: text("k"),
        operator: text("Exists"),
        effect: text("NoExecute"),
        seconds: Some(0),
        value: None,
    }];
    s.service_account = text("sa");
    s.image_pull_secrets = list("reg");
    s.priority_class = text("high");
    s.volumes = vec![
        Volume {
            name: "s".into(),
            source: VolumeSource::Secret {
                name: "sec".into(),
                items: vec![KeyFile { key: "k".into(), path: "p".into(), mode: Some(0o400) }],
                default_mode: Some(0o440),
                presence: Presence::Optional,
            },
        },
        Volume {
            name: "c".into(),
            source: VolumeSource::ConfigMap {
                name: "cm".into(),
                items: vec![],
                default_mode: None,
                presence: Presence::Required,
            },
        },
        Volume {
            name: "p".into(),
            source: VolumeSource::PersistentVolumeClaim { claim: "pvc".into(), access: Access::ReadOnly },
        },
        Volume { name: "h".into(), source: VolumeSource::HostPath { path: "/h".into(), kind: text("Directory") } },
    ];
    s.mounts = vec![Mount { volume: "s".into(), path: "/s".into(), sub_path: text("q"), access: Access::ReadOnly }];
    s.init_containers = vec![
        InitContainer {
            name: "a".into(),
            image: text("ia"),
            command: list("x"),
            args: list("y"),
            ..Default::default()
        },
        InitContainer { name: "b".into(), image: text("ib"), kind: InitKind::Sidecar, ..Default::default() },
    ];
    let pod = built(&spec);
    let policy = "FallbackToLogsOnError";
    assert_eq!(
        pod["spec"],
        json!({
            "restartPolicy": "Never",
            "serviceAccountName": "sa",
            "priorityClassName": "high",
            "imagePullSecrets": [{"name": "reg"}],
            "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}],
            "volumes": [
                {"name": "s", "secret": {"secretName": "sec", "items": [{"key": "k", "path": "p", "mode": 256}],
                    "defaultMode": 288, "optional": true}},
                {"name": "c", "configMap": {"name": "cm"}},
                {"name": "p", "persistentVolumeClaim": {"claimName": "pvc", "readOnly": true}},
                {"name": "h", "hostPath": {"path": "/h", "type": "Directory"}},
            ],
            "initContainers": [
                {"name": "a", "image": "ia", "command": ["x"], "args": ["y"], "terminationMessagePolicy": policy},
                {"name": "b", "image": "ib", "restartPolicy": "Always", "terminationMessagePolicy": policy},
            ],
            "containers": [{
                "name": "job", "image": "i", "imagePullPolicy": "Never", "workingDir": "/w",
                "terminationMessagePolicy": policy,
                "env": [
                    {"name": "E", "value": ""},
                    {"name": "F", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                    {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": true}}},
                    {"name": "R", "valueFrom": {"resourceFieldRef":
                        {"resource": "limits.cpu", "containerName": "job", "divisor": "1m"}}},
                ],
                "envFrom": [{"prefix": "P_", "secretRef": {"name": "s", "optional": true}}, {"configMapRef": {"name": "c"}}],
                "volumeMounts": [{"name": "s", "mountPath": "/s", "subPath": "q", "readOnly": true}],
            }],
        })
    );
    assert_eq!(pod["metadata"]["annotations"]["k"], "v");
    assert_eq!(pod["metadata"]["annotations"]["podlaunch.dev/primary"], "job");
}

/// Who is the primary container, and where the short form's fields go.
#[test]
fn the_primary_container() {
    let two = json!({"spec": {"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]}});
    let mut annotated = two.clone();
    annotated["metadata"] = json!({"annotations": {"kubectl.kubernetes.io/default-container": "b"}});
    let one = json!({"spec": {"containers": [{"name": "a", "image": "i"}],
        "initContainers": [{"name": "s", "image": "i", "restartPolicy": "Always"}]}});
    let named = |base: &Value, primary: &str| TaskSpec { primary: Some(primary.into()), ..manifest(base.clone()) };
    let with_image = |mut spec: TaskSpec| {
        spec.short.image = Some("new".into());
        spec
    };
    let by_short = |base: &Value, name: &str| {
        let mut spec = with_image(manifest(base.clone()));
        spec.short.container_name = Some(name.into());
        spec
    };
    for (spec, expected) in [
        (manifest(one.clone()), "a"),
        (named(&two, "b"), "b"),
        (manifest(annotated.clone()), "b"),
        (named(&annotated, "a"), "a"),
        (by_short(&two, "b"), "b"),
        (by_short(&two, "c"), "c"),
        (with_image(manifest(one.clone())), "a"),
        (with_image(manifest(json!({"metadata": {"labels": {"a": "b"}}}))), "main"),
        (with_image(named(&json!({"spec": {}}), "x")), "x"),
    ] {
        let pod = built(&spec);
        assert_eq!(pod["metadata"]["annotations"]["podlaunch.dev/primary"], expected);
        if spec.short.image.is_some() {
            assert_eq!(container(&pod, expected)["image"], "new", "{expected}");
        }
    }
    assert_eq!(fields(&manifest(two.clone())), ["spec.primary_container"]);
    assert_eq!(fields(&with_image(manifest(two.clone()))), ["spec.primary_container"]);
    assert_eq!(fields(&named(&two, "zzz")), ["spec.primary_container"]);
    assert_eq!(fields(&named(&one, "s")), ["spec.primary_container"]);
    annotated["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] = json!("gone");
    assert_eq!(fields(&manifest(annotated)), ["spec.primary_container"]);
}

#[test]
fn what_would_break_our_rules_is_refused() {
    let pod = |spec: Value| manifest(json!({"spec": spec}));
    let one = |more: Value| {
        let mut container = json!({"name": "a", "image": "i"});
        container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        container
    };
    let meta = |metadata: Value| manifest(json!({"metadata": metadata, "spec": {"containers": [one(json!({}))]}}));
    let always = json!({"restartPolicy": "Always", "containers": [one(json!({}))]});
    for (spec, expected) in [
        (TaskSpec::default(), vec!["spec.container.image"]),
        (short(""), vec!["spec.container.image"]),
        (pod(json!({"containers": [{"name": "a"}]})), vec!["spec.container.image"]),
        (pod(always.clone()), vec!["spec.manifest: spec.restartPolicy"]),
        (
            pod(json!({"restartPolicy": "nonsense", "containers": [one(json!({}))]})),
            vec!["spec.manifest: spec.restartPolicy"],
        ),
        (
            pod(json!({"containers": [one(json!({"restartPolicy": "Never"}))]})),
            vec!["spec.manifest: spec.containers[0].restartPolicy"],
        ),
        (
            pod(json!({"containers": [one(json!({"restartPolicyRules": [{"action": "Restart"}]}))]})),
            vec!["spec.manifest: spec.containers[0].restartPolicyRules"],
        ),
        (
            pod(
                json!({"containers": [one(json!({}))], "initContainers": [{"name": "b", "image": "i", "restartPolicy": "OnFailure"}]}),
            ),
            vec!["spec.manifest: spec.initContainers[0].restartPolicy"],
        ),
        (
            pod(json!({"containers": [one(json!({}))], "initContainers": [{"name": "a", "image": "i"}]})),
            vec!["spec.manifest: spec.initContainers[0].name"],
        ),
        (pod(json!({"containers": [one(json!({})), one(json!({}))]})), vec!["spec.manifest: spec.containers[1].name"]),
        (pod(json!({"containers": [{"image": "i"}]})), vec!["spec.manifest: spec.containers[0].name"]),
        (pod(json!({"containers": {"name": "a"}})), vec!["spec.manifest: spec.containers"]),
        (
            pod(json!({"containers": [one(json!({"args": ["a", true, 1], "env": [{"name": "A", "value": 1.5}]}))]})),
            vec![
                "spec.manifest: spec.containers[0].args[1]",
                "spec.manifest: spec.containers[0].args[2]",
                "spec.manifest: spec.containers[0].env[0].value",
            ],
        ),
        (meta(json!({"namespace": "other"})), vec!["spec.manifest: metadata.namespace"]),
        (meta(json!({"labels": {"podlaunch.dev/x": "1"}})), vec!["spec.manifest: metadata.labels"]),
        (meta(json!({"labels": {"a": true}})), vec!["spec.manifest: metadata.labels[a]"]),
        (meta(json!({"labels": []})), vec!["spec.manifest: metadata.labels"]),
        (meta(json!({"annotations": {"podlaunch.dev/outcome": "{}"}})), vec!["spec.manifest: metadata.annotations"]),
        (meta(json!({"finalizers": ["podlaunch.dev/outcome"]})), vec!["spec.manifest: metadata.finalizers[0]"]),
        (
            pod(json!({"schedulingGates": [{"name": "podlaunch.dev/queue"}], "containers": [one(json!({}))]})),
            vec!["spec.manifest: spec.schedulingGates[0]"],
        ),
    ] {
        assert_eq!(fields(&spec), expected, "{:?}", errors(&spec));
    }
    // What the request says goes over the manifest's Always.
    let spec = TaskSpec { restart_policy: Some(RestartPolicy::Never), ..pod(always) };
    assert_eq!(built(&spec)["spec"]["restartPolicy"], "Never");
}

#[test]
fn directives_of_a_manifest_reach_no_cluster() {
    let spec = manifest(json!({"metadata": {"labels": {"$patch": "replace", "a": "b"}, "annotations": null},
        "spec": {"affinity": null, "containers": [{"name": "a", "image": "i", "env": [{"$patch": "replace"}]}]}}));
    let text = built(&spec).to_string();
    assert!(!text.contains("$patch") && !text.contains("null"), "{text}");
    let bad = manifest(json!({"spec": {"$retainKeys": 1, "containers": []}}));
    assert_eq!(fields(&bad), ["spec.container.image"], "nothing to retain from");
}

/// Template, manifest, short form, enforced: each over the one before.
#[test]
fn the_four_parts_in_their_order() {
    let template = "metadata: {labels: {a: t, b: t}}\nspec:\n  nodeSelector: {a: t, b: t, c: t, d: t}\n  containers: [{name: job, image: t, args: [t]}]";
    let template = Template::parse("gpu", template.as_bytes(), "gpu.yaml").unwrap();
    let enforced =
        Enforced::parse("jobs: {spec: {nodeSelector: {d: e}, containers: [{name: '*', tty: true}]}}").unwrap();
    let mut spec = manifest(
        json!({"spec": {"nodeSelector": {"b": "m", "c": "m"}, "containers": [{"name": "job", "args": null}]}}),
    );
    spec.template = Some("gpu".into());
    spec.short.node_selector = BTreeMap::from([("c".into(), "s".into())]);
    spec.short.image = Some("s".into());
    let with = |spec: &TaskSpec| {
        let (instance, key, fingerprint) = (Instance::default(), key(), fingerprint(spec).unwrap());
        let result = ResultSettings::default();
        build(&Launch {
            template: Some(&template),
            enforced: &enforced,
            ..launch_of(spec, (&instance, &key, &fingerprint, &enforced, &result))
        })
    };
    let pod = with(&spec).unwrap();
    assert_eq!(pod["spec"]["nodeSelector"], json!({"a": "t", "b": "m", "c": "s", "d": "e"}));
    let job = container(&pod, "job");
    assert_eq!((&job["image"], &job["args"], &job["tty"]), (&json!("s"), &Value::Null, &json!(true)));
    assert_eq!(pod["metadata"]["annotations"]["podlaunch.dev/template"], template.stamp());
    spec.short.node_selector.insert("d".into(), "mine".into());
    match with(&spec) {
        Err(Refused::Policy(fields)) => assert_eq!(fields[0].field, "spec.pod.node_selector[d]"),
        other => panic!("{other:?}"),
    }
    // The template alone is enough.
    let alone = TaskSpec { template: Some("gpu".into()), ..TaskSpec::default() };
    assert_eq!(container(&with(&alone).unwrap(), "job")["image"], "t");
}
