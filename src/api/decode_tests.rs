use prost_types::Duration;

use super::*;
use crate::task::Retention;
use crate::task::spec::{EnvFromSource, EnvSource, Presence, PullPolicy, RestartPolicy, VolumeSource};

#[path = "decode_extended_tests.rs"]
mod extended;

const DEFAULTS: Defaults<'_> = Defaults { cluster: "main", namespace: "jobs" };

fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

fn task_key() -> v1::TaskKey {
    v1::TaskKey { task_id: "t".into(), attempt: 1, ..Default::default() }
}

fn base() -> v1::LaunchTaskRequest {
    let container = v1::ContainerSpec { image: "busybox".into(), ..Default::default() };
    let spec = v1::TaskSpec { container: Some(container), pod: Some(v1::PodOptions::default()), ..Default::default() };
    v1::LaunchTaskRequest { key: Some(task_key()), spec: Some(spec), ..Default::default() }
}

fn spec(request: &mut v1::LaunchTaskRequest) -> &mut v1::TaskSpec {
    request.spec.as_mut().unwrap()
}

fn container(request: &mut v1::LaunchTaskRequest) -> &mut v1::ContainerSpec {
    spec(request).container.as_mut().unwrap()
}

fn pod(request: &mut v1::LaunchTaskRequest) -> &mut v1::PodOptions {
    spec(request).pod.as_mut().unwrap()
}

fn grace(reason: i32, grace: i64) -> v1::PendingGrace {
    v1::PendingGrace { reason, grace: seconds(grace) }
}

fn timeouts(request: &mut v1::LaunchTaskRequest, change: impl FnOnce(&mut v1::Timeouts)) {
    change(spec(request).timeouts.get_or_insert_default());
}

fn volume(request: &mut v1::LaunchTaskRequest, source: Option<v1::volume::Source>) {
    pod(request).volumes.push(v1::Volume { name: "v".into(), source });
}

fn files() -> v1::ObjectFiles {
    v1::ObjectFiles { name: "s".into(), ..Default::default() }
}

type Change = Box<dyn Fn(&mut v1::LaunchTaskRequest)>;

fn change(change: impl Fn(&mut v1::LaunchTaskRequest) + 'static) -> Change {
    Box::new(change)
}

fn refused(change: &Change) -> Refusal {
    let mut request = base();
    change(&mut request);
    launch(request, DEFAULTS, None).unwrap_err()
}

fn wrong_fields(refusal: Refusal) -> Vec<String> {
    match refusal {
        Refusal::Invalid(wrong) => wrong.into_iter().map(|error| error.field).collect(),
        other => panic!("{other:?}"),
    }
}

type Case = (&'static str, Change);

fn wrong_parts() -> Vec<Case> {
    vec![
        ("key", change(|r| r.key = None)),
        ("key.task_id", change(|r| r.key.as_mut().unwrap().task_id = "a b".into())),
        ("key.task_id", change(|r| r.key.as_mut().unwrap().task_id.clear())),
        ("key.namespace", change(|r| r.key.as_mut().unwrap().namespace = "A".into())),
        ("key.attempt", change(|r| r.key.as_mut().unwrap().attempt = 0)),
        ("key.attempt", change(|r| r.key.as_mut().unwrap().attempt = u32::MAX)),
        ("spec", change(|r| r.spec = None)),
        ("spec.container.image", change(|r| container(r).image.clear())),
        ("spec.container.image", change(|r| spec(r).container = None)),
        ("spec.container.image", change(|r| container(r).image = "x".repeat(1025))),
        ("spec.manifest", change(|r| spec(r).manifest = "- a list".into())),
        ("spec.template", change(|r| spec(r).template = "x".repeat(64))),
        ("spec.timeouts.schedule", change(|r| timeouts(r, |t| t.schedule = seconds(0)))),
        ("spec.timeouts.startup", change(|r| timeouts(r, |t| t.startup = seconds(-1)))),
        ("spec.timeouts.execution", change(|r| timeouts(r, |t| t.execution = seconds(365 * 86_400 + 1)))),
        ("spec.timeouts.termination_grace", change(|r| timeouts(r, |t| t.termination_grace = seconds(0)))),
        ("spec.timeouts.lost", change(|r| timeouts(r, |t| t.lost = seconds(59)))),
        ("spec.timeouts.pending_graces[0].reason", change(|r| timeouts(r, |t| t.pending_graces = vec![grace(0, 1)]))),
        (
            "spec.timeouts.pending_graces[0].reason",
            change(|r| timeouts(r, |t| t.pending_graces = vec![grace(4000, 1)])),
        ),
        (
            "spec.timeouts.pending_graces[1].grace",
            change(|r| timeouts(r, |t| t.pending_graces = vec![grace(30, 0), grace(31, -1)])),
        ),
        ("spec.logs.containers", change(|r| spec(r).logs = Some(v1::LogSelection { mode: 4, containers: vec![] }))),
        (
            "spec.logs.containers",
            change(|r| spec(r).logs = Some(v1::LogSelection { mode: 2, containers: vec!["a".into()] })),
        ),
        (
            "spec.logs.containers[0]",
            change(|r| spec(r).logs = Some(v1::LogSelection { mode: 0, containers: vec![String::new()] })),
        ),
        (
            "disconnect_policy.cancel_after",
            change(|r| r.disconnect_policy = Some(v1::DisconnectPolicy { mode: 1, cancel_after: seconds(60) })),
        ),
        (
            "disconnect_policy.cancel_after",
            change(|r| r.disconnect_policy = Some(v1::DisconnectPolicy { mode: 2, cancel_after: seconds(59) })),
        ),
        (
            "disconnect_policy.cancel_after",
            change(|r| r.disconnect_policy = Some(v1::DisconnectPolicy { mode: 2, cancel_after: None })),
        ),
        ("spec.retention.after_success", change(|r| spec(r).retention = Some(retained(-1, false)))),
        ("spec.retention.after_success", change(|r| spec(r).retention = Some(retained(1, true)))),
        ("wait_for_quota", change(|r| r.wait_for_quota = seconds(61))),
        ("wait_for_quota", change(|r| r.wait_for_quota = seconds(-1))),
        ("required_features", change(|r| r.required_features = vec!["launch".into(); 33])),
    ]
}

fn wrong_containers() -> Vec<Case> {
    use v1::env_var::Source as Env;
    let env = |source: Env| {
        change(move |r| container(r).env.push(v1::EnvVar { name: "A".into(), source: Some(source.clone()) }))
    };
    vec![
        ("spec.container.env[0].name", change(|r| container(r).env.push(v1::EnvVar::default()))),
        (
            "spec.container.env[0].secret_key.key",
            env(Env::SecretKey(v1::KeyRef { name: "s".into(), ..Default::default() })),
        ),
        (
            "spec.container.env[0].config_map_key.name",
            env(Env::ConfigMapKey(v1::KeyRef { key: "k".into(), ..Default::default() })),
        ),
        ("spec.container.env[0].field_path", env(Env::FieldPath(String::new()))),
        ("spec.container.env[0].resource_field.resource", env(Env::ResourceField(v1::ResourceFieldRef::default()))),
        ("spec.container.env_from[0]", change(|r| container(r).env_from.push(v1::EnvFromSource::default()))),
        (
            "spec.container.env_from[0].secret",
            change(|r| {
                let source = Some(v1::env_from_source::Source::Secret(String::new()));
                container(r).env_from.push(v1::EnvFromSource { source, ..Default::default() });
            }),
        ),
        (
            "spec.container.volume_mounts[0].name",
            change(|r| {
                container(r).volume_mounts.push(v1::VolumeMount { mount_path: "/a".into(), ..Default::default() });
            }),
        ),
        (
            "spec.container.volume_mounts[0].mount_path",
            change(|r| {
                container(r).volume_mounts.push(v1::VolumeMount { name: "v".into(), ..Default::default() });
            }),
        ),
    ]
}

fn wrong_pods() -> Vec<Case> {
    use v1::volume::Source as Vol;
    vec![
        ("spec.pod.init_containers[0].name", change(|r| pod(r).init_containers.push(v1::ContainerSpec::default()))),
        (
            "spec.pod.init_containers[0].env[0].name",
            change(|r| {
                let env = vec![v1::EnvVar::default()];
                pod(r).init_containers.push(v1::ContainerSpec { name: "i".into(), env, ..Default::default() });
            }),
        ),
        (
            "spec.pod.tolerations[0].toleration_period",
            change(|r| {
                pod(r).tolerations.push(v1::Toleration { toleration_period: seconds(-1), ..Default::default() });
            }),
        ),
        ("spec.pod.image_pull_secrets[0]", change(|r| pod(r).image_pull_secrets.push(String::new()))),
        ("spec.pod.volumes[0]", change(|r| volume(r, None))),
        (
            "spec.pod.volumes[0].name",
            change(|r| {
                volume(r, Some(Vol::Secret(files())));
                pod(r).volumes[0].name.clear();
            }),
        ),
        ("spec.pod.volumes[0].secret.name", change(|r| volume(r, Some(Vol::Secret(v1::ObjectFiles::default()))))),
        (
            "spec.pod.volumes[0].config_map.default_mode",
            change(|r| {
                volume(r, Some(Vol::ConfigMap(v1::ObjectFiles { default_mode: Some(512), ..files() })));
            }),
        ),
        (
            "spec.pod.volumes[0].secret.items[0].path",
            change(|r| {
                let items = vec![v1::KeyToPath { key: "k".into(), path: "../x".into(), mode: None }];
                volume(r, Some(Vol::Secret(v1::ObjectFiles { items, ..files() })));
            }),
        ),
        (
            "spec.pod.volumes[0].secret.items[0].key",
            change(|r| {
                let items = vec![v1::KeyToPath { key: String::new(), path: "x".into(), mode: None }];
                volume(r, Some(Vol::Secret(v1::ObjectFiles { items, ..files() })));
            }),
        ),
    ]
}

#[test]
fn every_wrong_field_is_named() {
    let all = [wrong_parts(), wrong_containers(), wrong_pods(), extended::wrong_fields(), extended::wrong_volumes()];
    for (field, change) in all.iter().flatten() {
        assert_eq!(wrong_fields(refused(change)), [*field]);
    }
}

#[test]
fn all_that_is_wrong_comes_at_once() {
    let all = change(|r| {
        r.key = Some(v1::TaskKey { namespace: "A".into(), ..Default::default() });
        container(r).image.clear();
        timeouts(r, |t| t.startup = seconds(0));
    });
    let fields = wrong_fields(refused(&all));
    assert_eq!(
        fields,
        ["key.namespace", "key.task_id", "key.attempt", "spec.container.image", "spec.timeouts.startup"]
    );
}

fn retained(after_success: i64, keep: bool) -> v1::RetentionPolicy {
    v1::RetentionPolicy { after_success: seconds(after_success), after_failure: None, keep }
}

#[test]
fn policies_of_a_launch() {
    let read = |change: &dyn Fn(&mut v1::LaunchTaskRequest)| {
        let mut request = base();
        change(&mut request);
        launch(request, DEFAULTS, None).unwrap().launch
    };
    let heard = read(&|r| r.disconnect_policy = Some(v1::DisconnectPolicy { mode: 2, cancel_after: seconds(60) }));
    assert_eq!(heard.cancel_after, Some(60));
    assert_eq!(read(&|_| {}).cancel_after, None);
    assert_eq!(read(&|_| {}).spec.retention, Retention::Server);
    let kept = read(&|r| spec(r).retention = Some(v1::RetentionPolicy { keep: true, ..Default::default() }));
    assert_eq!(kept.spec.retention, Retention::Keep);
    let soon = read(&|r| spec(r).retention = Some(retained(0, false)));
    assert_eq!(soon.spec.retention, Retention::After { success: Some(0), failure: None });
}

#[test]
fn deletes() {
    let call =
        |key, pod_uid: &str| delete(v1::DeleteTaskRequest { key: Some(key), pod_uid: pod_uid.to_owned() }, DEFAULTS);
    assert_eq!(call(task_key(), "u").unwrap().pod_uid, "u");
    assert_eq!(wrong_fields(call(v1::TaskKey { attempt: 0, ..task_key() }, "").unwrap_err()), ["key.attempt"]);
    assert_eq!(wrong_fields(call(task_key(), &"x".repeat(65)).unwrap_err()), ["pod_uid"]);
}

/// Field and feature.
type Later = (&'static str, &'static str, Change);

fn later_parts() -> Vec<Later> {
    vec![("required_features[1]", "archive", change(|r| r.required_features = vec!["launch".into(), "archive".into()]))]
}

#[test]
fn parts_of_later_versions_name_field_and_feature() {
    for (field, name, change) in later_parts() {
        match refused(&change) {
            Refusal::FeatureUnavailable(asked) => {
                assert_eq!(asked.len(), 1, "{field}");
                assert_eq!((asked[0].field.as_str(), asked[0].feature.as_str()), (field, name));
            }
            other => panic!("{field}: {other:?}"),
        }
        assert_eq!(feature(name).unwrap().status, FeatureStatus::Absent, "{name}");
    }
    let unknown = change(|r| r.required_features = vec!["archive".into(), "teleport".into()]);
    match refused(&unknown) {
        Refusal::FeatureUnknown(asked) => assert_eq!(asked.field, "required_features[1]"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_the_default_of_a_result_is_not_set() {
    use crate::task::{ResultKind, ResultSource};
    let read = |kind: v1::ResultKind, path: &str, max_bytes| {
        let source = v1::ResultSource { kind: kind.into(), path: path.to_owned(), max_bytes };
        let mut request = base();
        spec(&mut request).result = Some(source);
        launch(request, DEFAULTS, None).unwrap().launch.spec.result
    };
    let source =
        |kind, path: Option<&str>, max_bytes| Some(ResultSource { kind, path: path.map(Into::into), max_bytes });
    use v1::ResultKind::{File, TerminationMessage, Unspecified};
    for (kind, path, max_bytes, expected) in [
        (Unspecified, "", 0, source(ResultKind::TerminationMessage, None, None)),
        (TerminationMessage, "/x/y", 5, source(ResultKind::TerminationMessage, Some("/x/y"), Some(5))),
        (File, "", 1 << 20, source(ResultKind::File, None, None)),
        (File, "/airflow/xcom/return.json", 0, source(ResultKind::File, None, None)),
        (File, "/out/r", 1, source(ResultKind::File, Some("/out/r"), Some(1))),
    ] {
        assert_eq!(read(kind, path, max_bytes), expected);
    }
}

#[test]
fn sizes_and_clusters_have_errors_of_their_own() {
    let manifest = change(|r| spec(r).manifest = format!("# {}\nspec: {{}}", "x".repeat(512 * 1024)));
    assert!(matches!(
        refused(&manifest),
        Refusal::TooLarge(TooLarge { field: "spec.manifest", limit: "max_manifest_bytes", .. })
    ));
    let args = change(|r| container(r).args = vec!["x".repeat(1 << 20)]);
    assert!(matches!(refused(&args), Refusal::TooLarge(TooLarge { field: "", limit: "max_request_bytes", .. })));
    let cluster = change(|r| r.key.as_mut().unwrap().cluster = "other".into());
    assert!(matches!(refused(&cluster), Refusal::ClusterUnknown { cluster } if cluster == "other"));
}

#[test]
fn a_launch_with_all_there_is() {
    use v1::env_var::Source as Env;
    let mut request = base();
    request.key = Some(v1::TaskKey { cluster: "main".into(), attempt: 3, ..task_key() });
    request.required_features = vec!["launch".into(), "manifest".into()];
    spec(&mut request).manifest = "spec: {nodeName: node-1}".into();
    spec(&mut request).primary_container = "main".into();
    spec(&mut request).template = "gpu".into();
    spec(&mut request).logs = Some(v1::LogSelection { mode: 0, containers: vec!["main".into()] });
    timeouts(&mut request, |t| {
        t.startup = Some(Duration { seconds: 1, nanos: 1 });
        t.termination_grace = seconds(5);
    });
    let key = v1::KeyRef { name: "s".into(), key: "k".into(), optional: true };
    container(&mut request).image_pull_policy = 2;
    container(&mut request).env = vec![
        v1::EnvVar { name: "A".into(), source: Some(Env::Value("x".into())) },
        v1::EnvVar { name: "B".into(), source: None },
        v1::EnvVar { name: "C".into(), source: Some(Env::SecretKey(key)) },
    ];
    let source = Some(v1::env_from_source::Source::ConfigMap("m".into()));
    container(&mut request).env_from = vec![v1::EnvFromSource { prefix: "P_".into(), source, optional: false }];
    pod(&mut request).restart_policy = 2;
    pod(&mut request).labels.insert("team".into(), "ml".into());
    volume(
        &mut request,
        Some(v1::volume::Source::EmptyDir(v1::EmptyDirVolume { medium: "Memory".into(), ..Default::default() })),
    );
    let trace = Traceparent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();

    let call = launch(request, DEFAULTS, Some(&trace)).unwrap();
    assert_eq!(call.mode, LaunchMode::Run);
    assert_eq!(call.launch.key, TaskKey::new("", "jobs", "t", 3).unwrap());
    assert_eq!(call.launch.traceparent.as_deref(), Some(trace.as_str()));
    let spec = call.launch.spec;
    assert_eq!(spec.manifest.unwrap().template()["spec"]["nodeName"], "node-1");
    assert_eq!(spec.primary.as_deref(), Some("main"));
    assert_eq!(spec.template.as_deref(), Some("gpu"));
    assert_eq!(spec.logs, LogSelection::Named(vec!["main".into()]));
    assert_eq!(
        (spec.timeouts.startup, spec.timeouts.schedule, spec.termination_grace_seconds),
        (Some(2), None, Some(5))
    );
    assert_eq!(spec.restart_policy, Some(RestartPolicy::OnFailure));
    let short = spec.short;
    assert_eq!((short.container_name, short.image.as_deref()), (None, Some("busybox")));
    assert_eq!(short.image_pull_policy, Some(PullPolicy::IfNotPresent));
    assert!(matches!(&short.env[0].source, EnvSource::Value(value) if value.0 == "x"));
    assert!(matches!(&short.env[1].source, EnvSource::Value(value) if value.0.is_empty()));
    assert!(matches!(&short.env[2].source, EnvSource::Secret { presence: Presence::Optional, .. }));
    assert_eq!(short.env_from[0].source, EnvFromSource::ConfigMap("m".into()));
    assert_eq!(short.env_from[0].prefix.as_deref(), Some("P_"));
    assert_eq!(short.labels["team"], "ml");
    assert!(
        matches!(&short.volumes[0].source, VolumeSource::EmptyDir { medium: Some(m), size_limit: None } if m == "Memory")
    );
}

#[test]
fn what_is_not_set_is_not_in_the_spec() {
    let call = launch(base(), DEFAULTS, None).unwrap();
    let mut expected = TaskSpec::default();
    expected.short.image = Some("busybox".into());
    assert_eq!(call.launch.spec, expected);
    let call = launch(v1::LaunchTaskRequest { validate_only: true, ..base() }, DEFAULTS, None).unwrap();
    assert_eq!(call.mode, LaunchMode::Validate);
}

#[test]
fn a_wait_for_quota_is_whole_seconds() {
    let wait = |wait| launch(v1::LaunchTaskRequest { wait_for_quota: wait, ..base() }, DEFAULTS, None).unwrap();
    for (asked, seconds) in [(None, 0), (Some((0, 0)), 0), (Some((0, 1)), 1), (Some((60, 0)), 60)] {
        let asked = asked.map(|(seconds, nanos)| Duration { seconds, nanos });
        assert_eq!(wait(asked).launch.wait_for_quota, std::time::Duration::from_secs(seconds), "{asked:?}");
    }
}

#[test]
fn unknown_enum_values_count_as_unset() {
    let mut request = base();
    request.if_previous_active = 77;
    request.disconnect_policy = Some(v1::DisconnectPolicy { mode: 77, cancel_after: None });
    spec(&mut request).logs = Some(v1::LogSelection { mode: 77, containers: vec![] });
    pod(&mut request).restart_policy = 77;
    container(&mut request).image_pull_policy = 77;
    let call = launch(request, DEFAULTS, None).unwrap();
    assert_eq!(call.launch.spec.logs, LogSelection::Primary);
    assert_eq!(call.launch.spec.restart_policy, None);
}

fn attach_base() -> v1::AttachTaskRequest {
    v1::AttachTaskRequest { key: Some(v1::TaskKey { attempt: 0, ..task_key() }), ..Default::default() }
}

#[test]
fn attach_starts_and_ends() {
    use v1::attach_task_request::StartAt as Asked;
    for (asked, start) in [
        (None, StartAt::Beginning),
        (Some(Asked::Start(0)), StartAt::Beginning),
        (Some(Asked::Start(1)), StartAt::Beginning),
        (Some(Asked::Start(2)), StartAt::Now),
        (Some(Asked::Start(77)), StartAt::Beginning),
        (Some(Asked::Cursor(Bytes::from_static(b"x"))), StartAt::Cursor(Bytes::from_static(b"x"))),
        (Some(Asked::TailLines(0)), StartAt::Tail(0)),
        (Some(Asked::TailLines(1_000_000)), StartAt::Tail(1_000_000)),
        (Some(Asked::SinceTime(Default::default())), StartAt::Since(jiff::Timestamp::UNIX_EPOCH)),
    ] {
        let call = attach(v1::AttachTaskRequest { start_at: asked, ..attach_base() }, DEFAULTS).unwrap();
        assert_eq!((call.start, call.until, call.key.attempt), (start, Until::Termination, Attempt::Latest));
    }
    let until = v1::AttachTaskRequest { until: 2, key: Some(task_key()), ..attach_base() };
    let call = attach(until, DEFAULTS).unwrap();
    assert_eq!(
        (call.until, call.key.attempt, call.key.namespace.as_str()),
        (Until::Available, Attempt::Exactly(1), "jobs")
    );
    let consumer = v1::AttachTaskRequest { consumer: "c".into(), ..attach_base() };
    match attach(consumer, DEFAULTS).unwrap_err() {
        Refusal::FeatureUnavailable(asked) => {
            assert_eq!((asked[0].field.as_str(), asked[0].feature.as_str()), ("consumer", "acknowledge_events"));
        }
        other => panic!("{other:?}"),
    }
    let no_time = prost_types::Timestamp { seconds: 0, nanos: -1 };
    for (field, asked) in [("tail_lines", Asked::TailLines(1_000_001)), ("since_time", Asked::SinceTime(no_time))] {
        match attach(v1::AttachTaskRequest { start_at: Some(asked), ..attach_base() }, DEFAULTS).unwrap_err() {
            Refusal::Invalid(wrong) => assert_eq!((wrong.len(), wrong[0].field.as_str()), (1, field)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn filters() {
    let read = |filter: v1::EventFilter| {
        attach(v1::AttachTaskRequest { filter: Some(filter), ..attach_base() }, DEFAULTS).map(|call| call.filter)
    };
    let all = read(v1::EventFilter::default()).unwrap();
    assert_eq!((all.states, all.containers, all.notices, all.logs), (Show::Yes, Show::Yes, Show::Yes, None));
    let states = read(v1::EventFilter { kinds: vec![1], containers: vec!["c".into()], logs: None }).unwrap();
    assert_eq!((states.states, states.containers, states.notices), (Show::Yes, Show::No, Show::No));
    assert_eq!((states.logs, states.only), (Some(LogSelection::None), vec!["c".to_owned()]));
    let logs = read(v1::EventFilter {
        kinds: vec![3, 4],
        logs: Some(v1::LogSelection { mode: 2, containers: vec![] }),
        ..Default::default()
    });
    let logs = logs.unwrap();
    assert_eq!((logs.states, logs.notices, logs.logs), (Show::No, Show::Yes, Some(LogSelection::All)));
    for kind in [0, 77] {
        let refusal = read(v1::EventFilter { kinds: vec![1, kind], ..Default::default() }).unwrap_err();
        assert_eq!(wrong_fields(refusal), ["filter.kinds[1]"]);
    }
}

#[test]
fn cancels() {
    let base = || v1::CancelTaskRequest { key: Some(task_key()), ..Default::default() };
    let call =
        cancel(v1::CancelTaskRequest { grace: seconds(3600), reason: "why".into(), ..base() }, DEFAULTS).unwrap();
    assert_eq!((call.grace_seconds, call.reason.as_str()), (Some(3600), "why"));
    assert_eq!(cancel(v1::CancelTaskRequest { grace: seconds(0), ..base() }, DEFAULTS).unwrap().grace_seconds, Some(0));
    assert_eq!(cancel(base(), DEFAULTS).unwrap().grace_seconds, None);
    for (field, request) in [
        ("grace", v1::CancelTaskRequest { grace: seconds(3601), ..base() }),
        ("grace", v1::CancelTaskRequest { grace: seconds(-1), ..base() }),
        ("reason", v1::CancelTaskRequest { reason: "x".repeat(1025), ..base() }),
        ("key", v1::CancelTaskRequest { key: None, ..base() }),
    ] {
        assert_eq!(wrong_fields(cancel(request, DEFAULTS).unwrap_err()), [field]);
    }
    let missing = cancel(v1::CancelTaskRequest { allow_missing: true, ..base() }, DEFAULTS).unwrap();
    assert_eq!(missing.missing, Missing::Recorded);
    let latest = Some(v1::TaskKey { attempt: 0, ..task_key() });
    let latest = cancel(v1::CancelTaskRequest { allow_missing: true, key: latest, ..base() }, DEFAULTS).unwrap_err();
    assert_eq!(wrong_fields(latest), ["key.attempt"]);
    assert_eq!(wrong_fields(get(v1::GetTaskRequest { key: None }, DEFAULTS).unwrap_err()), ["key"]);
}
