//! The sidecar and the volume of a task that gives its result as a file.
//!
//! ```text
//! /airflow/xcom/return.json   primary: /airflow/xcom ─┐
//!                                                     ├─ emptyDir podlaunch-result, or the caller's own volume
//!                             sidecar: /result ───────┘
//! ```
//!
//! Decisions a caller sees:
//! - A mount of the caller's that holds the file's directory is used as it is; else the directory becomes an emptyDir.
//! - The sidecar is the last of the init containers, so it is the first to be stopped after the task's own containers,
//!   and has the whole of what is left of the grace.
//! - It runs as the primary container's user where the pod names one, else as 65532; a file that this user may not
//!   read is no result (UNREADABLE). What PodSecurity `restricted` asks for holds for it in any case.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::fields::FieldMap;
use crate::task::result::{DEFAULT_MAX_BYTES, MAX_PATH, ResultKind, ResultSource, SIDECAR, message_share};
use crate::task::spec::{SpecError, TaskSpec};

const SCRIPT: &str = include_str!("result.sh");
/// Ends when the script has set itself up: a task may be over a moment after it began.
const AWAIT_READY: &str = r#"until [ -s "${PODLAUNCH_CONTAINER_ROOT-}/dev/termination-log" ]; do sleep 0.1; done"#;
/// Where the sidecar has the volume.
const MOUNTED_AT: &str = "/result";
/// The sidecar's user where the pod does not say whose the file will be.
const NOBODY: i64 = 65532;
/// Longest first line of the sidecar's word, and some.
const WORD_HEAD: usize = 128;
/// Directories that are the system's.
const SYSTEM: [&str; 3] = ["/dev", "/proc", "/sys"];

/// What the sidecar is made of, and what it may take; a server's setting, not a caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultSettings {
    /// Image with a POSIX shell, base64, cat, head, sha256sum, sleep, tr and wc.
    pub image: String,
    /// Resource requests.
    pub requests: BTreeMap<String, String>,
    /// Resource limits.
    pub limits: BTreeMap<String, String>,
    /// Largest result that a task may ask for, bytes.
    pub max_bytes: u64,
}

impl Default for ResultSettings {
    fn default() -> Self {
        let quantities = [("cpu", "10m"), ("memory", "16Mi")];
        ResultSettings {
            image: "busybox:1".into(),
            requests: quantities.map(|(name, quantity)| (name.to_owned(), quantity.to_owned())).into(),
            limits: BTreeMap::new(),
            max_bytes: 4 << 20,
        }
    }
}

/// Checks the request for a result.
pub(super) fn check(source: &ResultSource, settings: &ResultSettings) -> Vec<SpecError> {
    let mut errors = Vec::new();
    if source.max_bytes.is_some_and(|asked| asked > settings.max_bytes) {
        let problem = format!("must be at most {}, the server's Limits.max_result_bytes", settings.max_bytes);
        errors.push(SpecError::new("spec.result.max_bytes", problem));
    }
    match source.kind {
        ResultKind::File => errors.extend(check_path(source.path())),
        ResultKind::TerminationMessage if source.path.is_some() => {
            errors.push(SpecError::new("spec.result.path", "is only allowed with kind FILE"));
        }
        ResultKind::TerminationMessage => {}
    }
    errors
}

fn check_path(path: &str) -> Option<SpecError> {
    let wrong = |problem: &str| Some(SpecError::new("spec.result.path", problem));
    if path.len() > MAX_PATH {
        return wrong(&format!("has {} bytes; at most {MAX_PATH} are allowed", path.len()));
    }
    let Some(relative) = path.strip_prefix('/') else { return wrong("must be an absolute path") };
    if relative.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return wrong("must be a plain path: no empty part, no `.` and no `..`");
    }
    if path.contains(|c: char| c.is_control() || c == ':') {
        return wrong("must have no control character and no colon");
    }
    let directory = directory(path);
    if directory == "/" {
        return wrong("must lie in a directory of its own: that directory becomes a volume");
    }
    // `/dev/shm` is as good as any other, and nothing else below `/dev` is.
    let within = |of: &str| directory == of || directory.strip_prefix(of).is_some_and(|rest| rest.starts_with('/'));
    let system = SYSTEM.iter().any(|of| within(of)) && directory != "/dev/shm";
    if system {
        return wrong("must not lie in a directory of the system: that directory becomes a volume");
    }
    None
}

fn directory(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((directory, _)) => directory,
    }
}

/// Adds to a built pod what its result file needs.
pub(super) fn add(
    pod: &mut Value,
    (spec, template): (&TaskSpec, Option<&Value>),
    primary: &str,
    settings: &ResultSettings,
) -> Result<(), Vec<SpecError>> {
    let Some(source) = spec.result.as_ref().filter(|source| source.kind == ResultKind::File) else { return Ok(()) };
    let fields = FieldMap::of_primary(spec, template, pod, primary);
    let mut errors = check_names(pod, &fields);
    let mount = match caller_mount(pod, &fields, primary, source.path()) {
        Ok(mount) => mount,
        Err(error) => {
            errors.push(error);
            None
        }
    };
    if !errors.is_empty() {
        return Err(errors);
    }
    let sidecar = sidecar(pod, primary, source, mount.as_ref(), settings);
    let pod_spec = &mut pod["spec"];
    if mount.is_none() {
        push(pod_spec, "volumes", json!({"name": SIDECAR, "emptyDir": {}}));
        let own = json!({"name": SIDECAR, "mountPath": directory(source.path())});
        let containers = pod_spec["containers"].as_array_mut().into_iter().flatten();
        for container in containers.filter(|container| container["name"] == primary) {
            push(container, "volumeMounts", own.clone());
        }
    }
    push(pod_spec, "initContainers", sidecar);
    Ok(())
}

fn push(parent: &mut Value, list: &str, item: Value) {
    match &mut parent[list] {
        Value::Array(items) => items.push(item),
        other => *other = json!([item]),
    }
}

fn items<'a>(parent: &'a Value, list: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    parent[list].as_array().into_iter().flatten().enumerate()
}

/// The name is ours.
fn check_names(pod: &Value, fields: &FieldMap<'_>) -> Vec<SpecError> {
    let lists = ["containers", "initContainers", "volumes"];
    let taken = lists.into_iter().flat_map(|list| items(&pod["spec"], list).map(move |(i, item)| (list, i, item)));
    taken
        .filter(|(.., item)| item["name"] == SIDECAR)
        .map(|(list, i, _)| {
            let field = fields.our_field(&format!("spec.{list}[{i}].name"));
            SpecError::new(field, format!("must not be {SIDECAR}: podlaunch adds one of that name for the result"))
        })
        .collect()
}

/// A mount of the caller's that the file lies in.
#[derive(Debug)]
struct CallerMount {
    mount: Value,
    /// The file below it.
    relative: String,
}

/// The innermost mount that holds the file's directory.
fn caller_mount(
    pod: &Value,
    fields: &FieldMap<'_>,
    primary: &str,
    path: &str,
) -> Result<Option<CallerMount>, SpecError> {
    let Some((place, container)) = items(&pod["spec"], "containers").find(|(_, c)| c["name"] == primary) else {
        return Ok(None);
    };
    let holds = |mount: &Value| {
        let at = mount["mountPath"].as_str()?.trim_end_matches('/');
        let below = path.strip_prefix(at)?;
        (below.is_empty() || below.starts_with('/')).then(|| (at.len(), below.to_owned()))
    };
    let found = items(container, "volumeMounts").filter_map(|(i, mount)| Some((i, mount, holds(mount)?)));
    let Some((i, mount, (_, below))) = found.max_by_key(|(.., (depth, _))| *depth) else { return Ok(None) };
    let refuse = |problem: &str| {
        let field = fields.our_field(&format!("spec.containers[{place}].volumeMounts[{i}].mountPath"));
        Err(SpecError::new(field, format!("holds spec.result.path, {path}, but {problem}")))
    };
    if below.is_empty() {
        return refuse("as a file of its own: mount its directory instead");
    }
    if mount["readOnly"] == true {
        return refuse("is read-only: the result cannot be written there");
    }
    if mount["subPathExpr"].as_str().is_some_and(|expression| !expression.is_empty()) {
        return refuse("has a subPathExpr, which only that container can expand: use subPath, or another path");
    }
    Ok(Some(CallerMount { mount: mount.clone(), relative: below }))
}

fn sidecar(
    pod: &Value,
    primary: &str,
    source: &ResultSource,
    mount: Option<&CallerMount>,
    settings: &ResultSettings,
) -> Value {
    let spec = &pod["spec"];
    let containers = items(spec, "containers").count() + items(spec, "initContainers").count() + 1;
    let room = message_share(containers).saturating_sub(WORD_HEAD);
    let max_bytes = source.max_bytes.unwrap_or(DEFAULT_MAX_BYTES.min(settings.max_bytes));
    let (mut volume_mount, relative) = match mount {
        Some(CallerMount { mount, relative }) => (mount.clone(), relative.as_str()),
        None => (json!({"name": SIDECAR}), &source.path()[directory(source.path()).len()..]),
    };
    volume_mount["mountPath"] = MOUNTED_AT.into();
    volume_mount["readOnly"] = true.into();
    // Kubernetes expands `$(NAME)` in arguments, and makes one dollar of two.
    let file = format!("{MOUNTED_AT}{relative}").replace('$', "$$");
    let mut resources = Map::new();
    for (field, quantities) in [("requests", &settings.requests), ("limits", &settings.limits)] {
        if !quantities.is_empty() {
            resources.insert(field.into(), json!(quantities));
        }
    }
    json!({
        "name": SIDECAR,
        "image": settings.image,
        "restartPolicy": "Always",
        "command": ["sh", "-c", SCRIPT, "sh", file, max_bytes.to_string(), room.to_string()],
        "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", AWAIT_READY]}}},
        "resources": resources,
        "terminationMessagePolicy": "File",
        "securityContext": security(spec, primary),
        "volumeMounts": [volume_mount],
    })
}

/// Restricted, and the primary's user as far as the pod names one.
fn security(spec: &Value, primary: &str) -> Value {
    let primary = items(spec, "containers").find(|(_, c)| c["name"] == primary).map_or(&Value::Null, |(_, c)| c);
    let (own, whole) = (&primary["securityContext"], &spec["securityContext"]);
    let mut out = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    for field in ["runAsUser", "runAsGroup", "seLinuxOptions"] {
        let value = if own[field].is_null() { &whole[field] } else { &own[field] };
        if !value.is_null() {
            out[field] = value.clone();
        }
    }
    if out["runAsUser"].is_null() {
        out["runAsUser"] = NOBODY.into();
    }
    out["runAsNonRoot"] = (out["runAsUser"] != 0).into();
    out
}

#[cfg(test)]
#[path = "result_tests.rs"]
mod tests;
