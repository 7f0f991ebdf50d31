//! Requests nobody wrote: no panic, and either a refusal that names a field or a pod that keeps our rules.
//!
//! ```text
//! the pods of tests/pods ─▶ their trees changed, their text changed ─┐
//! trees made up, tests/fuzz/manifests ───────────────────────────────┼─▶ preview ─┬ refused: INVALID_ARGUMENT, fields
//! requests with fields changed, with bytes changed ──────────────────┘            └ a pod: name, labels, containers …
//! ```
//!
//! A failed case is kept by its seed in `proptest-regressions/`, and as a manifest in `tests/fuzz/manifests`.
//! `tests/e2e/requests_random.rs` sends such requests to a server and counts pods.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Map, Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::pods_tests::{Sample, samples};
use super::preview_on;
use crate::pod::enforce::Enforced;
use crate::pod::template::Template;
use crate::proto::{FILE_DESCRIPTOR_SET, v1};

#[path = "../../tests/fuzz/message.rs"]
mod message;

/// Names of fields, of directives, and others.
#[rustfmt::skip]
const KEYS: [&str; 34] = [
    "apiVersion", "kind", "metadata", "spec", "status", "name", "namespace", "labels", "annotations", "finalizers",
    "containers", "initContainers", "ephemeralContainers", "volumes", "image", "command", "env", "value",
    "valueFrom", "volumeMounts", "mountPath", "ports", "containerPort", "resources", "limits", "restartPolicy",
    "tolerations", "schedulingGates", "podlaunch.dev/outcome", "$patch", "$retainKeys",
    "$setElementOrder/containers", "$deleteFromPrimitiveList/finalizers", "x",
];

/// Values of such fields, and others.
#[rustfmt::skip]
const TEXTS: [&str; 16] = [
    "", "main", "web", "busybox:1", "Always", "Never", "OnFailure", "Pod", "v1", "delete", "replace", "merge",
    "a b", "podlaunch.dev/outcome", "$(A)", "\u{0}\u{202e}",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        select(&[0i64, 1, -1, 30, i64::MAX, i64::MIN][..]).prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        select(&TEXTS[..]).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 48, 5, |inner| {
        let field = (select(&KEYS[..]), inner.clone());
        prop_oneof![
            vec(inner, 0..4).prop_map(Value::from),
            vec(field, 0..5).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
            }),
        ]
    })
}

/// One change of a tree.
#[derive(Debug, Clone)]
enum Change {
    Replace(Value),
    Remove,
    Rename(&'static str),
    Twice,
    Wrap,
}

fn change() -> impl Strategy<Value = (Vec<Index>, Change)> {
    let change = prop_oneof![
        4 => tree().prop_map(Change::Replace),
        1 => Just(Change::Remove),
        2 => select(&KEYS[..]).prop_map(Change::Rename),
        1 => Just(Change::Twice),
        1 => Just(Change::Wrap),
    ];
    (vec(any::<Index>(), 1..7), change)
}

/// Goes down `path`, as far as there is something, and changes what is there.
fn apply(value: &mut Value, path: &[Index], change: &Change) {
    let Some((step, rest)) = path.split_first() else {
        return match change {
            Change::Replace(other) => *value = other.clone(),
            Change::Wrap => *value = Value::from(vec![value.take()]),
            _ => *value = Value::Null,
        };
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            let key = map.keys().nth(step.index(map.len())).cloned().unwrap();
            match (rest, change) {
                ([], Change::Remove) => drop(map.remove(&key)),
                ([], Change::Rename(other)) => {
                    let moved = map.remove(&key).unwrap();
                    map.insert((*other).to_owned(), moved);
                }
                _ => apply(&mut map[&key], rest, change),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = step.index(items.len());
            match (rest, change) {
                ([], Change::Remove) => drop(items.remove(at)),
                ([], Change::Twice) => items.push(items[at].clone()),
                _ => apply(&mut items[at], rest, change),
            }
        }
        other => apply(other, &[], change),
    }
}

fn key() -> v1::TaskKey {
    v1::TaskKey { task_id: "t".into(), attempt: 1, ..Default::default() }
}

fn request(spec: v1::TaskSpec) -> v1::LaunchTaskRequest {
    v1::LaunchTaskRequest { key: Some(key()), spec: Some(spec), ..Default::default() }
}

fn with_manifest(manifest: String) -> v1::LaunchTaskRequest {
    request(v1::TaskSpec { manifest, ..Default::default() })
}

/// The pod, or why there is none; both are looked at.
fn judge(request: v1::LaunchTaskRequest, template: Option<&Template>, enforced: &Enforced) -> Result<Value, Status> {
    let again = request.clone();
    let asked = request.key.clone();
    match preview_on(request, template, enforced) {
        Ok(made) => {
            let pod: Value = serde_json::from_str(&made.pod_json).unwrap();
            check_pod(&pod, &asked.unwrap(), &made);
            let same = preview_on(again, template, enforced).unwrap();
            assert_eq!(same.fingerprint, made.fingerprint);
            Ok(pod)
        }
        Err(status) => {
            check_refusal(&status);
            Err(status)
        }
    }
}

fn check_refusal(status: &Status) {
    let details = status.get_error_details();
    assert!(matches!(status.code(), Code::InvalidArgument | Code::Unimplemented), "{status:?}");
    assert_eq!(details.error_info().unwrap().domain, "podlaunch.dev");
    let fields = details.bad_request().map(|bad| &bad.field_violations).into_iter().flatten();
    let named = fields.clone().count() > 0 || details.error_info().unwrap().metadata.contains_key("field");
    assert!(named, "{status:?}");
    assert!(fields.clone().all(|violation| !violation.field.is_empty() && !violation.description.is_empty()));
}

/// What holds of every pod that is sent.
fn check_pod(pod: &Value, key: &v1::TaskKey, made: &v1::Validated) {
    assert_eq!((&pod["apiVersion"], &pod["kind"]), (&json!("v1"), &json!("Pod")));
    let metadata = &pod["metadata"];
    let namespace = if key.namespace.is_empty() { "default" } else { &key.namespace };
    assert_eq!((metadata["name"].as_str(), metadata["namespace"].as_str()), (Some(&*made.pod_name), Some(namespace)));
    assert!(pod["status"].is_null() && metadata["uid"].is_null() && metadata["generateName"].is_null());
    let of = |part: &str| -> BTreeSet<String> {
        let keys = metadata[part].as_object().unwrap().keys();
        keys.filter_map(|key| Some(key.strip_prefix("podlaunch.dev/")?.to_owned())).collect()
    };
    assert_eq!(of("labels"), ["attempt", "instance", "task"].map(str::to_owned).into());
    let ours = "attached-until fingerprint policy primary schema task-id template traceparent";
    let foreign: Vec<String> =
        of("annotations").into_iter().filter(|name| !ours.split(' ').any(|one| one == name)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert_eq!(metadata["annotations"]["podlaunch.dev/task-id"], key.task_id.as_str());
    assert!(made.fingerprint.starts_with("v1:"));
    check_spec(&pod["spec"], metadata["annotations"]["podlaunch.dev/primary"].as_str().unwrap());
}

fn check_spec(spec: &Value, primary: &str) {
    assert!(["Never", "OnFailure"].contains(&spec["restartPolicy"].as_str().unwrap()));
    let mut names = BTreeSet::new();
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array().into_iter().flatten() {
            assert!(names.insert(container["name"].as_str().unwrap()), "a name twice");
            assert!(!container["image"].as_str().unwrap().is_empty());
            let restarts = &container["restartPolicy"];
            assert!(restarts.is_null() || (list == "initContainers" && restarts == "Always"), "{restarts}");
        }
    }
    let ordinary: Vec<&str> =
        spec["containers"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert!(ordinary.contains(&primary), "{primary} is not among {ordinary:?}");
}

fn all() -> &'static [Sample] {
    static ALL: std::sync::LazyLock<Vec<Sample>> = std::sync::LazyLock::new(samples);
    &ALL
}

fn sample() -> impl Strategy<Value = &'static Sample> {
    any::<Index>().prop_map(|index| index.get(all()))
}

/// A request whose fields hold much, as bytes.
fn full_request() -> impl Strategy<Value = Vec<u8>> {
    sample().prop_map(|sample| {
        let spec = sample
            .task_spec()
            .unwrap_or_else(|| v1::TaskSpec { manifest: sample.manifest.clone(), ..Default::default() });
        request(spec).encode_to_vec()
    })
}

/// Few, as this runs with all other tests; `PROPTEST_CASES=100000` to look for more.
fn config() -> ProptestConfig {
    let few = ProptestConfig { cases: 256, ..ProptestConfig::default() };
    std::env::var_os("PROPTEST_CASES").map_or(few, |_| ProptestConfig::default())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn manifests_with_parts_changed(sample in sample(), changes in vec(change(), 1..6)) {
        let mut pod = sample.pod();
        changes.iter().for_each(|(path, change)| apply(&mut pod, path, change));
        let _ = judge(with_manifest(pod.to_string()), None, &Enforced::default());
        // The same as a template, and as what is enforced.
        let enforced = Enforced::parse(&json!({"*": pod}).to_string()).unwrap_or_default();
        let template = Template::parse("t", pod.to_string().as_bytes(), "t.json").ok();
        let of = v1::TaskSpec { template: "t".into(), ..Default::default() };
        if let Some(template) = &template {
            let _ = judge(request(of.clone()), Some(template), &Enforced::default());
            let named = v1::TaskSpec { manifest: sample.manifest.clone(), ..of };
            let _ = judge(request(named), Some(template), &Enforced::default());
        }
        let _ = judge(with_manifest(sample.manifest.clone()), None, &enforced);
    }

    #[test]
    fn manifests_with_characters_changed(
        sample in sample(),
        edits in vec((any::<Index>(), 0usize..6, select(&["", " ", "\n", "\t", ":", ": ", "- ", "{", "}", "[", "]", "'", "\"", "#", "&a ", "*a", "!!str ", "|", "\u{0}", "\u{85}", "---\n", "<<: "][..])), 1..8),
    ) {
        let mut text: Vec<char> = sample.manifest.chars().collect();
        for (at, removed, put) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, put.chars());
        }
        let _ = judge(with_manifest(text.into_iter().collect()), None, &Enforced::default());
    }

    #[test]
    fn manifests_made_up(metadata in tree(), spec in tree(), short in sample()) {
        let manifest = json!({"metadata": metadata, "spec": spec}).to_string();
        let _ = judge(with_manifest(manifest.clone()), None, &Enforced::default());
        let spec = short.task_spec().unwrap_or_default();
        let _ = judge(request(v1::TaskSpec { manifest, ..spec }), None, &Enforced::default());
    }

    #[test]
    fn requests_with_fields_changed(good in full_request(), seed in any::<u64>(), changes in 1usize..6) {
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
        let of = pool.get_message_by_name("podlaunch.v1.LaunchTaskRequest").unwrap();
        let mut request = DynamicMessage::decode(of, &*good).unwrap();
        let mut rng = fastrand::Rng::with_seed(seed);
        (0..changes).for_each(|_| message::change(&mut request, &mut rng));
        let request = v1::LaunchTaskRequest::decode(&*request.encode_to_vec()).unwrap();
        let _ = judge(request, None, &Enforced::default());
    }

    #[test]
    fn requests_with_bytes_changed(good in full_request(), edits in vec((any::<Index>(), 0usize..3, vec(any::<u8>(), 0..3)), 1..6)) {
        let mut bytes = good;
        for (at, removed, put) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, put);
        }
        if let Ok(request) = v1::LaunchTaskRequest::decode(&*bytes) {
            let _ = judge(request, None, &Enforced::default());
        }
    }
}

/// The kept manifests: the first line of each says what becomes of it.
#[test]
fn kept_manifests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/manifests");
    let (mut count, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let (first, _) = text.split_once('\n').unwrap();
        let said = match judge(with_manifest(text.clone()), None, &Enforced::default()) {
            Ok(_) => "a pod".to_owned(),
            Err(status) => {
                let details = status.get_error_details();
                let fields = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
                let words: Vec<String> =
                    fields.iter().map(|one| format!("{} {}", one.field, one.description)).collect();
                words.join("; ")
            }
        };
        let expected = first.strip_prefix("# ").unwrap_or_else(|| panic!("{}: no verdict", path.display()));
        if !said.contains(expected) {
            wrong.push(format!("{}: {said}", path.display()));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(count >= 20, "{count} manifests");
}

/// The properties above mean something only if both verdicts come up.
#[test]
fn some_are_refused_and_some_are_not() {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let of = pool.get_message_by_name("podlaunch.v1.LaunchTaskRequest").unwrap();
    let (mut pods, mut refused) = (0, 0);
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let spec = v1::TaskSpec { manifest: rng.choice(all()).unwrap().manifest.clone(), ..Default::default() };
        let mut dynamic = DynamicMessage::decode(of.clone(), &*request(spec).encode_to_vec()).unwrap();
        (0..2).for_each(|_| message::change(&mut dynamic, &mut rng));
        let request = v1::LaunchTaskRequest::decode(&*dynamic.encode_to_vec()).unwrap();
        match judge(request, None, &Enforced::default()) {
            Ok(_) => pods += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(pods > 20 && refused > 20, "{pods} pods, {refused} refused");
}
