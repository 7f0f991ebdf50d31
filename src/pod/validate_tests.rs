use std::collections::BTreeMap;

use super::*;
use crate::task::policy::Timeouts;
use crate::task::spec::*;

fn map(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

fn var(name: &str) -> EnvVar {
    EnvVar { name: name.into(), source: EnvSource::Value(Literal("hunter2".into())) }
}

fn mount(path: &str) -> Mount {
    Mount { volume: "v".into(), path: path.into(), sub_path: None, access: Access::ReadWrite }
}

fn volume(name: &str) -> Volume {
    Volume { name: name.into(), source: VolumeSource::EmptyDir { medium: None, size_limit: None } }
}

fn init(name: &str, kind: InitKind) -> InitContainer {
    InitContainer { name: name.into(), kind, image: Some("i".into()), ..InitContainer::default() }
}

type Change = fn(&mut ShortForm);

#[test]
fn fields_of_the_short_form() {
    let rows: Vec<(Change, &[&str])> = vec![
        (|s| s.image = Some("i".into()), &[]),
        (|s| s.image = Some("a b".into()), &["spec.container.image"]),
        (|s| s.container_name = Some("A".into()), &["spec.container.name"]),
        (
            |s| s.env = vec![var("A"), var(""), var("A=B"), var("A")],
            &["spec.container.env[3].name", "spec.container.env[1].name", "spec.container.env[2].name"],
        ),
        (|s| s.env = vec![var("my.name-1")], &[]),
        (|s| s.resources.requests = map("cpu", "half"), &["spec.container.resources.requests[cpu]"]),
        (|s| s.resources.limits = map("memory", "1GB"), &["spec.container.resources.limits[memory]"]),
        (
            |s| s.mounts = vec![mount("/a"), mount("b"), mount("/a")],
            &["spec.container.volume_mounts[2].mount_path", "spec.container.volume_mounts[1].mount_path"],
        ),
        (|s| s.labels = map("a b", "x"), &["spec.pod.labels"]),
        (|s| s.labels = map("a", "x y"), &["spec.pod.labels"]),
        (|s| s.labels = map("podlaunch.dev/instance", "x"), &["spec.pod.labels"]),
        (|s| s.annotations = map("podlaunch.dev/stop", "x"), &["spec.pod.annotations"]),
        (|s| s.annotations = map("example.com/free", "any text\n"), &[]),
        (|s| s.annotations = map("a", &"x".repeat(MAX_ANNOTATION_BYTES)), &["spec.pod.annotations"]),
        (|s| s.node_selector = map("a", "-"), &["spec.pod.node_selector"]),
        (
            |s| s.volumes = vec![volume("a"), volume("a"), volume("B")],
            &["spec.pod.volumes[1].name", "spec.pod.volumes[2].name"],
        ),
        (|s| s.image_pull_secrets = vec!["a".into(), "a".into()], &["spec.pod.image_pull_secrets[1]"]),
        (
            |s| s.init_containers = vec![init("a", InitKind::Sidecar), init("a", InitKind::RunToCompletion)],
            &["spec.pod.init_containers[0].name"],
        ),
        (
            |s| {
                let mut two = init("b", InitKind::RunToCompletion);
                two.env = vec![var("")];
                s.init_containers = vec![init("", InitKind::Sidecar), init("a", InitKind::RunToCompletion), two];
            },
            &["spec.pod.sidecars[0].name", "spec.pod.init_containers[1].env[0].name"],
        ),
    ];
    for (i, (change, expected)) in rows.into_iter().enumerate() {
        let mut spec = TaskSpec::default();
        change(&mut spec.short);
        let found = check_spec(&spec);
        let fields: Vec<&str> = found.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, expected, "row {i}: {found:?}");
        assert!(!format!("{found:?}{spec:?}").contains("hunter2"), "row {i}");
    }
}

#[test]
fn ranges_of_the_timeouts() {
    for (set, field, least, most) in [
        ((|t, n| t.timeouts.schedule = Some(n)) as fn(&mut TaskSpec, i64), "schedule", 1, MAX_TIMEOUT_SECONDS),
        (|t, n| t.timeouts.startup = Some(n), "startup", 1, MAX_TIMEOUT_SECONDS),
        (|t, n| t.timeouts.execution = Some(n), "execution", 1, MAX_TIMEOUT_SECONDS),
        (|t, n| t.timeouts.lost = Some(n), "lost", MIN_LOST_SECONDS, MAX_TIMEOUT_SECONDS),
        (|t, n| t.termination_grace_seconds = Some(n), "termination_grace", 1, MAX_GRACE_SECONDS),
    ] {
        for (seconds, good) in [(least, true), (most, true), (least - 1, false), (most + 1, false), (i64::MIN, false)] {
            let mut spec = TaskSpec::default();
            set(&mut spec, seconds);
            let fields: Vec<String> = check_spec(&spec).into_iter().map(|error| error.field).collect();
            let expected = if good { vec![] } else { vec![format!("spec.timeouts.{field}")] };
            assert_eq!(fields, expected, "{field} {seconds}");
        }
    }
    assert_eq!(TaskSpec::default().timeouts, Timeouts::default());
}

#[test]
fn the_two_names_of_the_primary_agree() {
    let mut spec = TaskSpec { primary: Some("a".into()), ..TaskSpec::default() };
    spec.short.container_name = Some("a".into());
    assert!(check_spec(&spec).is_empty());
    spec.short.container_name = Some("b".into());
    assert_eq!(check_spec(&spec)[0].field, "spec.container.name");
    spec.primary = Some("-".into());
    assert_eq!(check_spec(&spec).len(), 2);
}
