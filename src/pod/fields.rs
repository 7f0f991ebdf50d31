//! Which field of the request a field of the pod came from.
//!
//! ```text
//! "spec.containers[1].env[0].value" ─▶ the short form set that variable ─▶ "spec.container.env[3].value"
//!                                   ─▶ the manifest did                 ─▶ "spec.manifest: spec.containers[0].env[0].value"
//!                                   ─▶ only the template did            ─▶ "spec.template: spec.containers[0].env[0].value"
//! ```
//!
//! The API server names fields by their place in the merged pod; a caller knows its own lists.
//! Elements of merged lists are followed by their merge key.

use std::fmt::Write as _;

use serde_json::Value;

use super::merge::{Kind, ListRule};
use super::short;
use super::validate::init_paths;
use crate::task::meta;
use crate::task::spec::TaskSpec;

/// The field of the request that `pod_field` of the finished `pod` came from; `template` is the one it is made from.
pub fn our_field(spec: &TaskSpec, template: Option<&Value>, pod: &Value, pod_field: &str) -> String {
    match primary_of(spec, pod) {
        Some(primary) => FieldMap::of_primary(spec, template, pod, &primary).our_field(pod_field),
        None => format!("spec.manifest: {pod_field}"),
    }
}

/// The primary container: told by the pod, else as it is found before.
fn primary_of(spec: &TaskSpec, pod: &Value) -> Option<String> {
    let told = pod["metadata"]["annotations"][meta::PRIMARY].as_str().map(str::to_owned);
    told.or_else(|| short::primary_name(spec, pod).ok())
}

/// A request and the pod it became.
#[derive(Debug)]
pub struct FieldMap<'a> {
    spec: &'a TaskSpec,
    template: Option<&'a Value>,
    pod: &'a Value,
    /// The short form in the shape of a pod.
    short: Value,
}

/// One step of a path: a field, an index, or another key in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step<'a> {
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

/// A path as another document has it.
struct Followed<'a> {
    /// The steps, indexes replaced by the other document's.
    steps: Vec<Step<'a>>,
    /// How many of them are there.
    depth: usize,
    /// Whether an element of a list was not found, so that its index means nothing there.
    element: Element,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Found,
    Lost,
}

impl<'a> FieldMap<'a> {
    /// Of `spec`, the template it names, and the merged `pod`, whose primary container is `primary`.
    pub fn of_primary(spec: &'a TaskSpec, template: Option<&'a Value>, pod: &'a Value, primary: &str) -> Self {
        FieldMap { spec, template, pod, short: short::patch_with_container(&spec.short, primary) }
    }

    /// The pod whose fields it knows.
    pub(super) fn pod(&self) -> &Value {
        self.pod
    }

    /// The field of the request that a field of the pod came from, in the contract's spelling.
    pub fn our_field(&self, pod_field: &str) -> String {
        if let Some(field) = self.own(pod_field) {
            return field.to_owned();
        }
        let steps = steps(pod_field);
        let short = follow(self.pod, &self.short, &steps);
        let below = |document: Option<&Value>| document.map(|document| follow(self.pod, document, &steps));
        let manifest = below(self.spec.manifest.as_ref().map(|manifest| manifest.template()));
        let template = below(self.template);
        let depth = |found: &Option<Followed<'_>>| found.as_ref().map_or(0, |found| found.depth);
        let more_below = short.depth < steps.len() && depth(&manifest).max(depth(&template)) > short.depth;
        if !more_below
            && short.element == Element::Found
            && let Some(field) = self.spell(&short.steps)
        {
            return field;
        }
        let (source, found) = match (manifest, template) {
            (manifest, Some(template)) if template.depth > depth(&manifest) => ("spec.template", Some(template)),
            (manifest, _) => ("spec.manifest", manifest),
        };
        let steps = found.map_or(steps, |found| found.steps);
        format!("{source}: {}", join(&steps, str::to_owned))
    }

    /// Fields that podlaunch sets from something else in the request.
    fn own(&self, pod_field: &str) -> Option<&'static str> {
        let spec = self.spec;
        match pod_field {
            "metadata.name" => Some("key.task_id"),
            "metadata.namespace" => Some("key.namespace"),
            "spec.activeDeadlineSeconds" if spec.timeouts.execution.is_some() => Some("spec.timeouts"),
            "spec.terminationGracePeriodSeconds" if spec.termination_grace_seconds.is_some() => {
                Some("spec.timeouts.termination_grace")
            }
            "spec.restartPolicy" if spec.restart_policy.is_some() => Some("spec.pod.restart_policy"),
            _ => None,
        }
    }

    /// A path in the short form as the contract spells it; `None` where it has no such field.
    fn spell(&self, steps: &[Step<'_>]) -> Option<String> {
        use Step::{Field, Index};
        let (head, rest) = match steps {
            [Field("spec"), Field("containers"), Index(_), rest @ ..] => ("spec.container".to_owned(), rest),
            [Field("spec"), Field("initContainers"), Index(place), rest @ ..] => {
                (init_paths(&self.spec.short.init_containers).into_iter().nth(*place)?.0, rest)
            }
            [Field("spec"), Field("imagePullSecrets"), Index(place), ..] => {
                return Some(format!("spec.pod.image_pull_secrets[{place}]"));
            }
            [Field("metadata" | "spec"), rest @ ..] if !rest.is_empty() => ("spec.pod".to_owned(), rest),
            _ => return None,
        };
        let known = if head == "spec.pod" { &POD_FIELDS[..] } else { &CONTAINER_FIELDS[..] };
        if rest.first().is_some_and(|first| !known.iter().any(|name| Field(name) == *first)) {
            return None;
        }
        if let [Field(first), inside @ ..] = rest
            && FRAGMENTS.contains(first)
            && !inside.is_empty()
        {
            return Some(format!("{head}.{}: {}", snake_case(first), join(inside, str::to_owned)));
        }
        let tail = join(&contract_steps(rest), snake_case);
        Some(if tail.is_empty() { head } else { format!("{head}.{tail}") })
    }
}

/// The fields of a container that the short form has, in Kubernetes' spelling.
const CONTAINER_FIELDS: [&str; 13] = [
    "name",
    "image",
    "imagePullPolicy",
    "command",
    "args",
    "workingDir",
    "env",
    "envFrom",
    "resources",
    "volumeMounts",
    "ports",
    "securityContext",
    "terminationMessagePolicy",
];
/// The fields of a pod that the short form has under their own name.
const POD_FIELDS: [&str; 19] = [
    "labels",
    "annotations",
    "volumes",
    "nodeSelector",
    "tolerations",
    "serviceAccountName",
    "priorityClassName",
    "automountServiceAccountToken",
    "affinity",
    "topologySpreadConstraints",
    "securityContext",
    "runtimeClassName",
    "schedulerName",
    "hostname",
    "subdomain",
    "dnsPolicy",
    "dnsConfig",
    "hostAliases",
    "hostNetwork",
];
/// The fields above whose value is a part of a pod as text: inside them Kubernetes' spelling holds.
const FRAGMENTS: [&str; 4] = ["affinity", "topologySpreadConstraints", "securityContext", "dnsConfig"];

/// Follows a path of `pod` in `other`: elements of merged lists by their merge key.
fn follow<'a>(pod: &Value, other: &Value, path: &[Step<'a>]) -> Followed<'a> {
    let (mut here, mut there) = (Some(pod), Some(other));
    let (mut kind, mut rule) = (Kind::Pod, ListRule::Replace);
    let mut out = Followed { steps: Vec::with_capacity(path.len()), depth: 0, element: Element::Found };
    for step in path {
        let mut own = *step;
        match *step {
            Step::Field(field) | Step::Key(field) => {
                (kind, rule) = kind.field(field);
                here = here.and_then(|value| value.get(field));
                there = there.and_then(|value| value.get(field));
            }
            Step::Index(place) => {
                here = here.and_then(|list| list.get(place));
                let found = element_place(here, there, place, rule);
                if found.is_none() && there.is_some() {
                    out.element = Element::Lost;
                }
                there = there.and_then(|list| list.get(found?));
                own = Step::Index(found.unwrap_or(place));
                rule = ListRule::Replace;
            }
        }
        out.depth += usize::from(there.is_some());
        out.steps.push(own);
    }
    out
}

/// Where the element `here` is in the list `there`.
fn element_place(here: Option<&Value>, there: Option<&Value>, place: usize, rule: ListRule) -> Option<usize> {
    let list = there?.as_array()?;
    match rule {
        ListRule::Keyed(key) => list.iter().position(|item| item.get(key) == here.and_then(|here| here.get(key))),
        ListRule::Set | ListRule::Replace => (place < list.len()).then_some(place),
    }
}

/// Kubernetes' nesting of sources, flattened as the contract has it.
fn contract_steps<'a>(steps: &[Step<'a>]) -> Vec<Step<'a>> {
    use Step::Field;
    let mut out = Vec::with_capacity(steps.len());
    let mut rest = steps;
    while let [step, after @ ..] = rest {
        rest = after;
        out.push(match step {
            Field("valueFrom" | "fieldRef") => continue,
            Field("secretKeyRef") => Field("secret_key"),
            Field("configMapKeyRef") => Field("config_map_key"),
            Field("resourceFieldRef") => Field("resource_field"),
            Field("secretName") => Field("name"),
            Field("tolerationSeconds") => Field("toleration_period"),
            Field("expirationSeconds") => Field("expiration"),
            Field("downwardAPI") => Field("downward_api"),
            Field(source @ ("secretRef" | "configMapRef")) => {
                if let [Field("name"), after @ ..] = rest {
                    rest = after;
                }
                Field(if *source == "secretRef" { "secret" } else { "config_map" })
            }
            other => *other,
        });
    }
    out
}

/// Splits `spec.containers[0].resources.limits[nvidia.com/gpu]`.
fn steps(path: &str) -> Vec<Step<'_>> {
    let mut out = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(bracket) = rest.strip_prefix('[') {
            let (inside, after) = bracket.split_once(']').unwrap_or((bracket, ""));
            out.push(inside.parse().map_or(Step::Key(inside), Step::Index));
            rest = after;
        } else {
            let rest_of_name = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest_of_name.find(['.', '[']).unwrap_or(rest_of_name.len());
            let (name, after) = rest_of_name.split_at(end);
            if !name.is_empty() {
                out.push(Step::Field(name));
            }
            rest = after;
        }
    }
    out
}

fn join(steps: &[Step<'_>], spell: fn(&str) -> String) -> String {
    let mut out = String::new();
    for step in steps {
        // Writing to a String cannot fail.
        let _ = match step {
            Step::Field(name) if out.is_empty() => write!(out, "{}", spell(name)),
            Step::Field(name) => write!(out, ".{}", spell(name)),
            Step::Index(place) => write!(out, "[{place}]"),
            Step::Key(key) => write!(out, "[{key}]"),
        };
    }
    out
}

fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
