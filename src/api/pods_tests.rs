//! The pods of `tests/pods`, after public projects' documentation, are the same through manifest, template and short
//! form.
//!
//! ```text
//! NAME.yaml ────────┬─▶ manifest of a request ─┐
//!                   └─▶ template of a server ──┼─▶ preview ─▶ one pod
//! NAME.short.yaml ────▶ TaskSpec of a request ─┘
//! ```
//!
//! That the API server takes them, and that the flags of `run` say the same, is shown by `tests/e2e/pods.rs`.

use std::collections::BTreeSet;
use std::path::Path;

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;

use super::preview_on;
use crate::pod::enforce::Enforced;
use crate::pod::template::Template;
use crate::proto::{FILE_DESCRIPTOR_SET, v1};
use crate::task::spec::parse_document;

/// A pod of `tests/pods`.
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) manifest: String,
    short: Option<String>,
}

/// Its name says all: a failed property shows it.
impl std::fmt::Debug for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl Sample {
    /// The manifest as values.
    pub(super) fn pod(&self) -> Value {
        parse_document("manifest", &self.manifest).unwrap().unwrap()
    }

    /// The short form, where it has all fields.
    pub(super) fn task_spec(&self) -> Option<v1::TaskSpec> {
        self.short.as_deref().map(task_spec)
    }
}

/// All of them, by name.
pub(super) fn samples() -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pods");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = files
        .filter(|file| !file.ends_with(".short.yaml"))
        .filter_map(|file| Some(file.strip_suffix(".yaml")?.to_owned()))
        .collect();
    names.sort();
    let read = |file: String| std::fs::read_to_string(folder.join(file));
    names
        .into_iter()
        .map(|name| Sample {
            manifest: read(format!("{name}.yaml")).unwrap(),
            short: read(format!("{name}.short.yaml")).ok(),
            name,
        })
        .collect()
}

/// A TaskSpec as YAML in the fields' own names.
fn task_spec(text: &str) -> v1::TaskSpec {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let of = pool.get_message_by_name("podlaunch.v1.TaskSpec").unwrap();
    let value: Value = serde_saphyr::from_str(text).unwrap();
    let message = DynamicMessage::deserialize(of, value).unwrap();
    v1::TaskSpec::decode(&*message.encode_to_vec()).unwrap()
}

/// The pod of a spec, without what says how it was asked for.
fn pod(spec: v1::TaskSpec, template: Option<&Template>) -> Value {
    let key = v1::TaskKey { task_id: "sample".into(), attempt: 1, ..Default::default() };
    let request = v1::LaunchTaskRequest { key: Some(key), spec: Some(spec), ..Default::default() };
    let made = preview_on(request, template, &Enforced::default()).unwrap_or_else(|status| panic!("{status:?}"));
    let mut pod: Value = serde_json::from_str(&made.pod_json).unwrap();
    let annotations = pod["metadata"]["annotations"].as_object_mut().unwrap();
    annotations.remove("podlaunch.dev/fingerprint").unwrap();
    assert_eq!(annotations.remove("podlaunch.dev/template").is_some(), template.is_some());
    pod
}

#[test]
fn the_same_pod_through_manifest_template_and_short_form() {
    let (mut all, mut short) = (0, 0);
    for sample in samples() {
        let name = &sample.name;
        let by_manifest = pod(v1::TaskSpec { manifest: sample.manifest.clone(), ..Default::default() }, None);
        let template = Template::parse(name, sample.manifest.as_bytes(), "tests/pods").unwrap();
        let by_template = pod(v1::TaskSpec { template: name.clone(), ..Default::default() }, Some(&template));
        assert_eq!(by_template, by_manifest, "{name}: template");
        all += 1;
        if let Some(spec) = sample.task_spec() {
            assert_eq!(pod(spec, None), by_manifest, "{name}: short form");
            short += 1;
        }
    }
    assert!(all >= 25 && short >= 20, "{all} pods, {short} in the short form");
}

/// A manifest's own pod, as a reader sees it: nothing that it says is lost.
#[test]
fn nothing_of_a_manifest_is_lost() {
    for sample in samples() {
        let said = sample.pod();
        let made = pod(v1::TaskSpec { manifest: sample.manifest.clone(), ..Default::default() }, None);
        let mut lost = Vec::new();
        missing(&said["spec"], &made["spec"], "spec", &mut lost);
        for part in ["labels", "annotations"] {
            missing(&said["metadata"][part], &made["metadata"][part], part, &mut lost);
        }
        assert!(lost.is_empty(), "{}: {lost:?}", sample.name);
    }
}

fn missing(said: &Value, made: &Value, at: &str, lost: &mut Vec<String>) {
    match (said, made) {
        (Value::Object(said), Value::Object(_)) => {
            said.iter().for_each(|(field, value)| missing(value, &made[field], &format!("{at}.{field}"), lost));
        }
        (Value::Array(said), Value::Array(have)) if said.len() == have.len() => {
            said.iter()
                .zip(have)
                .enumerate()
                .for_each(|(i, (one, has))| missing(one, has, &format!("{at}[{i}]"), lost));
        }
        (Value::Null, _) => {}
        (said, made) if said == made => {}
        _ => lost.push(at.to_owned()),
    }
}

#[test]
fn each_names_project_licence_and_page() {
    let licences = ["Apache-2.0", "CC BY 4.0", "BSD-3-Clause", "MPL-2.0"];
    let mut projects = BTreeSet::new();
    for sample in samples() {
        let mut lines = sample.manifest.lines();
        let title = lines.next().and_then(|line| line.strip_prefix("# ")).unwrap();
        let (project, rest) = title.split_once(" (").unwrap_or_else(|| panic!("{title}"));
        assert!(licences.iter().any(|licence| rest.starts_with(&format!("{licence}): "))), "{title}");
        assert!(lines.next().unwrap().starts_with("# https://github.com/"), "{}", sample.name);
        projects.insert(project.to_owned());
    }
    assert!(projects.len() >= 20, "{projects:?}");
}

/// They have between them what the issue asks for.
#[test]
fn they_cover_what_pods_are_made_of() {
    let pods: Vec<Value> = samples().iter().map(Sample::pod).collect();
    let containers = |pod: &Value| -> Vec<Value> {
        let lists = ["initContainers", "containers"].map(|list| pod["spec"][list].as_array().cloned());
        lists.into_iter().flatten().flatten().collect()
    };
    let any = |has: &dyn Fn(&Value) -> bool| pods.iter().filter(|pod| containers(pod).iter().any(has)).count();
    let volumes = |kind: &str| {
        let has =
            |pod: &&Value| pod["spec"]["volumes"].as_array().is_some_and(|all| all.iter().any(|v| !v[kind].is_null()));
        pods.iter().filter(has).count()
    };
    let inits = pods.iter().filter(|pod| pod["spec"]["initContainers"].is_array()).count();
    let several =
        pods.iter().filter(|pod| pod["spec"]["containers"].as_array().is_some_and(|all| all.len() > 1)).count();
    let seen = [
        ("init containers", inits),
        ("native sidecars", any(&|c| c["restartPolicy"] == "Always")),
        ("several containers", several),
        ("probes", any(&|c| ["livenessProbe", "readinessProbe", "startupProbe"].iter().any(|p| !c[p].is_null()))),
        ("hooks", any(&|c| !c["lifecycle"].is_null())),
        ("security contexts", any(&|c| !c["securityContext"].is_null())),
        ("projected volumes", volumes("projected")),
        ("downward volumes", volumes("downwardAPI")),
        ("host paths", volumes("hostPath")),
        ("claims", volumes("persistentVolumeClaim")),
        ("CSI volumes", volumes("csi")),
    ];
    for (what, count) in seen {
        assert!(count > 0, "no pod with {what}");
    }
}
