//! Requests that cannot be right are refused before anything is made, and the error names the field.

use tonic::Code;

use crate::harness::failure::failure;
use crate::harness::spec::{Build as _, seconds, sh};
use crate::harness::v1::{self, LaunchTaskRequest};
use crate::harness::{Ctx, run};

/// A request that is refused.
struct Bad {
    /// What is wrong.
    name: &'static str,
    /// Makes a good request bad.
    spoil: fn(&mut LaunchTaskRequest),
    code: Code,
    reason: &'static str,
    /// How the field that is named begins.
    field: &'static str,
}

const fn invalid(name: &'static str, field: &'static str, spoil: fn(&mut LaunchTaskRequest)) -> Bad {
    Bad { name, spoil, code: Code::InvalidArgument, reason: "INVALID_REQUEST", field }
}

fn key(request: &mut LaunchTaskRequest) -> &mut v1::TaskKey {
    request.key.get_or_insert_default()
}

fn spec(request: &mut LaunchTaskRequest) -> &mut v1::TaskSpec {
    request.spec.get_or_insert_default()
}

fn container(request: &mut LaunchTaskRequest) -> &mut v1::ContainerSpec {
    spec(request).container.get_or_insert_default()
}

fn pod(request: &mut LaunchTaskRequest) -> &mut v1::PodOptions {
    spec(request).pod.get_or_insert_default()
}

fn timeouts(request: &mut LaunchTaskRequest) -> &mut v1::Timeouts {
    spec(request).timeouts.get_or_insert_default()
}

fn manifest(request: &mut LaunchTaskRequest, manifest: &str) {
    spec(request).manifest = manifest.to_owned();
}

fn env(name: &str) -> v1::EnvVar {
    v1::EnvVar { name: name.to_owned(), source: None }
}

fn init(name: &str, image: &str) -> v1::ContainerSpec {
    v1::ContainerSpec { name: name.to_owned(), image: image.to_owned(), ..Default::default() }
}

const KEYS: [Bad; 11] = [
    invalid("no key", "key", |r| r.key = None),
    invalid("no task id", "key.task_id", |r| key(r).task_id.clear()),
    invalid("a task id with a space", "key.task_id", |r| key(r).task_id = "a b".to_owned()),
    invalid("a task id too long", "key.task_id", |r| key(r).task_id = "x".repeat(254)),
    invalid("attempt 0", "key.attempt", |r| key(r).attempt = 0),
    invalid("an attempt too large", "key.attempt", |r| key(r).attempt = u32::MAX),
    invalid("a bad namespace", "key.namespace", |r| key(r).namespace = "No_Such".to_owned()),
    invalid("a long namespace", "key.namespace", |r| key(r).namespace = "x".repeat(64)),
    Bad {
        name: "an unknown namespace",
        spoil: |r| key(r).namespace = "e2e-there-is-no-such-namespace".to_owned(),
        code: Code::FailedPrecondition,
        reason: "NAMESPACE_NOT_FOUND",
        field: "key.namespace",
    },
    Bad {
        name: "an unknown cluster",
        spoil: |r| key(r).cluster = "nowhere".to_owned(),
        code: Code::InvalidArgument,
        reason: "CLUSTER_UNKNOWN",
        field: "key.cluster",
    },
    Bad {
        name: "an unknown feature",
        spoil: |r| r.required_features.push("time_travel".to_owned()),
        code: Code::Unimplemented,
        reason: "FEATURE_UNKNOWN",
        field: "required_features",
    },
];

const CONTAINERS: [Bad; 14] = [
    invalid("no spec", "spec", |r| r.spec = None),
    invalid("no image", "spec.container.image", |r| container(r).image.clear()),
    invalid("a bad container name", "spec.container.name", |r| container(r).name = "Not_A_Label".to_owned()),
    invalid("a long container name", "spec.container.name", |r| container(r).name = "x".repeat(64)),
    invalid("another primary container", "spec.", |r| {
        container(r).name = "one".to_owned();
        spec(r).primary_container = "other".to_owned();
    }),
    invalid("a variable without name", "spec.container.env", |r| container(r).env.push(env(""))),
    invalid("a variable with =", "spec.container.env", |r| container(r).env.push(env("A=B"))),
    invalid("a variable twice", "spec.container.env", |r| container(r).env = vec![env("A"), env("A")]),
    invalid("a secret key without name", "spec.container.env", |r| {
        let key = v1::KeyRef::default();
        container(r).env = vec![v1::EnvVar { name: "A".to_owned(), source: Some(v1::env_var::Source::SecretKey(key)) }];
    }),
    invalid("no quantity", "spec.container.resources", |r| {
        let limits = [("memory".to_owned(), "plenty".to_owned())].into();
        container(r).resources = Some(v1::ResourceRequirements { limits, ..Default::default() });
    }),
    invalid("an init container without name", "spec.pod.init_containers[0].name", |r| {
        pod(r).init_containers.push(init("", "busybox:1"));
    }),
    invalid("an init container without image", "spec.pod.init_containers[0].image", |r| {
        pod(r).init_containers.push(init("first", ""));
    }),
    invalid("an init container named as another", "spec.pod.init_containers[1].name", |r| {
        pod(r).init_containers = vec![init("same", "busybox:1"), init("same", "busybox:1")];
    }),
    invalid("the name of the primary for an init container", "spec.pod.init_containers[0].name", |r| {
        pod(r).init_containers.push(init("main", "busybox:1"));
    }),
];

const PODS: [Bad; 11] = [
    invalid("a label of ours", "spec.pod.labels", |r| {
        pod(r).labels = [("podlaunch.dev/instance".to_owned(), "x".to_owned())].into();
    }),
    invalid("a bad label value", "spec.pod.labels", |r| {
        pod(r).labels = [("a".to_owned(), "not a value".to_owned())].into();
    }),
    invalid("a bad label key", "spec.pod.labels", |r| {
        pod(r).labels = [("a key".to_owned(), "x".to_owned())].into();
    }),
    invalid("an annotation of ours", "spec.pod.annotations", |r| {
        pod(r).annotations = [("podlaunch.dev/outcome".to_owned(), "x".to_owned())].into();
    }),
    invalid("large annotations", "spec.pod.annotations", |r| {
        pod(r).annotations = [("a".to_owned(), "x".repeat(128 * 1024))].into();
    }),
    invalid("a bad node label", "spec.pod.node_selector", |r| {
        pod(r).node_selector = [("a".to_owned(), "not a value".to_owned())].into();
    }),
    invalid("a volume without source", "spec.pod.volumes[0]", |r| {
        pod(r).volumes = vec![v1::Volume { name: "data".to_owned(), source: None }];
    }),
    invalid("a timeout of nothing", "spec.timeouts.execution", |r| timeouts(r).execution = Some(seconds(0))),
    invalid("a timeout below zero", "spec.timeouts.schedule", |r| timeouts(r).schedule = Some(seconds(-5))),
    invalid("a timeout of years", "spec.timeouts.startup", |r| {
        timeouts(r).startup = Some(seconds(366 * 24 * 3600));
    }),
    invalid("a lost timeout of a second", "spec.timeouts.lost", |r| timeouts(r).lost = Some(seconds(1))),
];

const MANIFESTS: [Bad; 9] = [
    invalid("no YAML", "spec.manifest", |r| manifest(r, "spec: 'open")),
    invalid("a key twice", "spec.manifest", |r| manifest(r, "spec: {}\nspec: {}")),
    invalid("two documents", "spec.manifest", |r| manifest(r, "spec: {}\n---\nspec: {}")),
    invalid("a Job", "spec.manifest", |r| manifest(r, "kind: Job\nspec: {}")),
    invalid("restartPolicy Always", "spec.manifest", |r| {
        manifest(r, "spec: {restartPolicy: Always, containers: [{name: main, image: busybox:1}]}");
    }),
    invalid("a restart policy of a container", "spec.manifest", |r| {
        manifest(r, "spec: {containers: [{name: main, image: busybox:1, restartPolicy: Always}]}");
    }),
    invalid("another namespace", "spec.manifest", |r| {
        manifest(r, "metadata: {namespace: elsewhere}\nspec: {containers: [{name: main, image: busybox:1}]}");
    }),
    invalid("an unknown primary container", "spec.primary_container", |r| {
        spec(r).primary_container = "nobody".to_owned();
        spec(r).container = None;
        manifest(r, "spec: {containers: [{name: main, image: busybox:1}]}");
    }),
    Bad {
        name: "a manifest too large",
        spoil: |r| {
            let filler = "x".repeat(512 * 1024);
            manifest(r, &format!("metadata: {{annotations: {{a: {filler}}}}}\nspec: {{}}"));
        },
        code: Code::InvalidArgument,
        reason: "REQUEST_TOO_LARGE",
        field: "spec.manifest",
    },
];

const POLICIES: [Bad; 2] = [
    invalid("a minute and more for quota", "wait_for_quota", |r| r.wait_for_quota = Some(seconds(61))),
    invalid("a time without mode", "disconnect_policy", |r| {
        r.disconnect_policy =
            Some(v1::DisconnectPolicy { mode: v1::DisconnectMode::Detach.into(), cancel_after: Some(seconds(60)) });
    }),
];

async fn all_refused(t: &Ctx, table: &[Bad]) {
    let mut wrong = Vec::new();
    for bad in table {
        let mut request = t.request("bad", sh("true"));
        (bad.spoil)(&mut request);
        let error = match t.launch(request).await {
            Ok(stream) => {
                wrong.push(format!("{}: accepted as {:?}", bad.name, stream.seen.pod()));
                continue;
            }
            Err(status) => failure::<()>(Err(status)),
        };
        let as_it_must = error.code == bad.code && error.reason == bad.reason && error.names(bad.field);
        if !as_it_must {
            wrong.push(format!("{}: {error}", bad.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    let pods = t.cluster.list_pods().await;
    assert!(pods.is_empty(), "{} pods were made", pods.len());
}

#[test]
fn keys() {
    run(async |t| all_refused(t, &KEYS).await);
}

#[test]
fn containers() {
    run(async |t| all_refused(t, &CONTAINERS).await);
}

#[test]
fn pods_and_timeouts() {
    run(async |t| all_refused(t, &PODS).await);
}

#[test]
fn manifests() {
    run(async |t| all_refused(t, &MANIFESTS).await);
}

#[test]
fn policies() {
    run(async |t| all_refused(t, &POLICIES).await);
}

#[test]
fn a_request_too_large() {
    run(async |t| {
        let spec = sh("true").container(|container| container.args = vec!["x".repeat(1024); 1100]);
        let error = failure(t.launch(t.request("large", spec)).await);
        error.expect(Code::InvalidArgument, "REQUEST_TOO_LARGE");
        assert_eq!(error.metadata.get("limit").map(String::as_str), Some("max_request_bytes"), "{error}");
        assert!(t.cluster.list_pods().await.is_empty());
    });
}

/// What only the API server can judge comes back with its own causes, in the words of the request.
#[test]
fn what_the_api_server_refuses() {
    run(async |t| {
        let mount =
            v1::VolumeMount { name: "nowhere".to_owned(), mount_path: "/data".to_owned(), ..Default::default() };
        let spec = sh("true").container(|container| container.volume_mounts.push(mount));
        let error = failure(t.launch(t.request("mounted", spec)).await);
        assert_eq!(error.code, Code::InvalidArgument, "{error}");
        assert!(error.names("spec.container.volume_mounts"), "{error}");
        assert!(t.cluster.list_pods().await.is_empty());
    });
}

/// All that is wrong is named at once.
#[test]
fn several_faults_at_once() {
    run(async |t| {
        let mut request = t.request("a b", sh("true"));
        key(&mut request).attempt = 0;
        container(&mut request).image.clear();
        let error = failure(t.launch(request).await);
        error.expect(Code::InvalidArgument, "INVALID_REQUEST");
        for field in ["key.task_id", "key.attempt", "spec.container.image"] {
            assert!(error.names(field), "{field} is not in {error}");
        }
    });
}

#[test]
fn other_calls_name_their_fields_too() {
    run(async |t| {
        let bad = v1::TaskKey { task_id: "a b".to_owned(), ..t.key("x") };
        for error in [
            failure(t.get(bad.clone()).await),
            failure(t.cancel(bad.clone(), "").await),
            failure(t.attach_anew(bad).await),
        ] {
            error.expect(Code::InvalidArgument, "INVALID_REQUEST");
            assert!(error.names("key.task_id"), "{error}");
        }
        let long = "x".repeat(1025);
        let error = failure(t.cancel(t.key("x"), &long).await);
        error.expect(Code::InvalidArgument, "INVALID_REQUEST");
        assert!(error.names("reason"), "{error}");
    });
}

#[test]
fn validate_only_makes_nothing() {
    run(async |t| {
        let mut request = t.request("checked", sh("true"));
        request.validate_only = true;
        let answer = t.grpc.clone().launch_task(request.clone()).await;
        let mut stream = answer.expect("a valid request").into_inner();
        let first = stream.message().await.expect("a message").expect("one message");
        let Some(v1::launch_task_response::Message::Validated(validated)) = first.message else {
            panic!("not Validated: {first:?}");
        };
        assert!(!validated.pod_name.is_empty());
        assert!(validated.fingerprint.starts_with("v1:"), "{validated:?}");
        assert!(stream.message().await.expect("OK").is_none(), "one message only");
        assert!(t.cluster.list_pods().await.is_empty());

        let spec = request.spec.take().expect("the request has a spec");
        let launched = t.run_as("checked", spec).await;
        assert_eq!(launched.pod().name, validated.pod_name);
        let task = launched.accepted.task.as_ref().expect("Accepted.task is set");
        assert_eq!(task.fingerprint, validated.fingerprint);
    });
}
