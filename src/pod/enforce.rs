//! What a server enforces: a patch over every pod of a namespace, and refusals of what contradicts it.
//!
//! ```text
//! pod of template, manifest, short form ─┐
//! what the caller said of it ────────────┼─ contradicts? ─▶ every such field, by the caller's own name
//! patch of the namespace ────────────────┘        │ no
//!                                                 └─▶ pod with the patch merged over it
//! ```
//!
//! A value that comes from a template gives way in silence: template and patch are both the operator's. In the lists
//! `containers` and `initContainers` an element named `*` stands for each container the pod has.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fields::FieldMap;
use super::merge::{Kind, ListRule, PATCH, merge_pod};
use super::validate_pod::check_manifest;
use crate::task::spec::{Manifest, SpecError, parse_document};

/// The element that stands for every container.
const EVERY: &str = "*";
/// The entry of the file that stands for every namespace.
const EVERY_NAMESPACE: &str = "*";

/// The patches of a server, by namespace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Enforced(BTreeMap<String, Manifest>);

impl Enforced {
    /// Reads a mapping from namespace, or `*`, to a patch in the shape of a pod.
    pub fn parse(text: &str) -> Result<Enforced, SpecError> {
        const FIELD: &str = "enforced";
        let patches = match parse_document(FIELD, text)? {
            None => Map::new(),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(SpecError::new(FIELD, "must be a mapping from namespace, or \"*\", to a patch")),
        };
        let mut all = BTreeMap::new();
        for (namespace, patch) in patches {
            let named = |error: SpecError| {
                let place = error.field.trim_start_matches("spec.manifest").trim_start_matches(": ");
                SpecError::new(format!("{FIELD}: {namespace}"), format!("{place} {}", error.problem).trim_start())
            };
            let patch = Manifest::from_value(patch).map_err(named)?;
            // What no pod could be merged with says so here: over its own result every directive is looked at.
            let once = merge_pod(Value::Null, patch.template())
                .and_then(|once| merge_pod(once.clone(), patch.template()).map(|_| once))
                .map_err(|error| SpecError::new(format!("{FIELD}: {namespace}"), error.to_string()))?;
            // Nor could a container without a name, or a number as a label.
            if let Some(wrong) = check_manifest(&once, &namespace).into_iter().next() {
                return Err(named(wrong));
            }
            all.insert(namespace, patch);
        }
        Ok(Enforced(all))
    }

    /// The patches of a namespace, that of every namespace first.
    pub fn of(&self, namespace: &str) -> impl Iterator<Item = &Value> {
        [EVERY_NAMESPACE, namespace].into_iter().filter_map(|name| self.0.get(name)).map(Manifest::template)
    }
}

/// Merges `patch` over `pod`, or says what of `caller`, the map of the part of the pod that the launch itself asked for,
/// contradicts it.
pub(super) fn enforce(pod: Value, patch: &Value, caller: &FieldMap<'_>) -> Result<Value, Vec<SpecError>> {
    let patch = for_every_container(patch, &pod);
    let mut against = Vec::new();
    contradictions(&patch, Some(caller.pod()), (Kind::Pod, ListRule::Replace), "", &mut against);
    if !against.is_empty() {
        let problem = |wants: &str| format!("{wants}: this server enforces it in the namespace");
        return Err(against
            .iter()
            .map(|one| SpecError::new(caller.our_field(&one.place), problem(&one.wants)))
            .collect());
    }
    merge_pod(pod, &patch).map_err(|error| vec![SpecError::new("spec", format!("what the server enforces: {error}"))])
}

/// The patch with each element `*` in place of which stand the containers that the pod has.
fn for_every_container(patch: &Value, pod: &Value) -> Value {
    let mut patch = patch.clone();
    let Some(spec) = patch.get_mut("spec") else { return patch };
    for list in ["containers", "initContainers"] {
        let Some(elements) = spec.get_mut(list).and_then(Value::as_array_mut) else { continue };
        let names: Vec<&str> =
            pod["spec"][list].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
        let mut all = Vec::new();
        for element in elements.drain(..) {
            if element["name"] != EVERY {
                all.push(element);
                continue;
            }
            for name in &names {
                let mut one = element.clone();
                one["name"] = Value::from(*name);
                all.push(one);
            }
        }
        *elements = all;
    }
    // An element `*` over no container leaves an empty list, which says nothing.
    if let Some(spec) = spec.as_object_mut() {
        spec.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    }
    patch
}

/// What contradicts: the place, and what the server wants there.
struct Against {
    place: String,
    wants: String,
}

/// Mappings whose keys are data: such a key may have dots.
const MAPS: [&str; 6] = ["labels", "annotations", "nodeSelector", "matchLabels", "requests", "limits"];

fn join(place: &str, field: &str) -> String {
    let parent = place.rsplit('.').next().unwrap_or_default();
    if place.is_empty() {
        field.to_owned()
    } else if MAPS.contains(&parent) {
        format!("{place}[{field}]")
    } else {
        format!("{place}.{field}")
    }
}

/// Collects where `caller` has something else than `patch`.
fn contradictions(
    patch: &Value,
    caller: Option<&Value>,
    (kind, rule): (Kind, ListRule),
    place: &str,
    against: &mut Vec<Against>,
) {
    let Some(caller) = caller.filter(|value| !value.is_null()) else { return };
    let mut add = |wants: String| against.push(Against { place: place.to_owned(), wants });
    match (patch, caller) {
        (Value::Null, _) => add("must not be set".to_owned()),
        (Value::Object(patch), Value::Object(_)) if patch.contains_key(PATCH) => add("is set by the server".to_owned()),
        (Value::Object(patch), Value::Object(own)) => {
            for (field, value) in patch.iter().filter(|(field, _)| !field.starts_with('$')) {
                let place = join(place, field);
                contradictions(value, own.get(field), kind.field(field), &place, against);
            }
        }
        (Value::Array(elements), Value::Array(own)) if matches!(rule, ListRule::Keyed(_)) => {
            let ListRule::Keyed(key) = rule else { return };
            for element in elements {
                let Some(at) = own.iter().position(|one| one.get(key) == element.get(key)) else { continue };
                contradictions(element, own.get(at), (kind, ListRule::Replace), &format!("{place}[{at}]"), against);
            }
        }
        // A set only grows.
        (Value::Array(_), Value::Array(_)) if rule == ListRule::Set => {}
        (patch, caller) if patch == caller => {}
        (Value::Object(_) | Value::Array(_), _) => add("is set by the server to something else".to_owned()),
        (patch, _) => add(format!("must be {patch}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::task::spec::{ShortForm, TaskSpec};

    const FILE: &str = r#"
"*":
  spec:
    securityContext: {runAsNonRoot: true}
    containers: [{name: "*", securityContext: {allowPrivilegeEscalation: false}}]
    initContainers: [{name: "*", securityContext: {allowPrivilegeEscalation: false}}]
team:
  metadata: {labels: {team: a}}
  spec:
    serviceAccountName: team
    hostNetwork: null
    tolerations: [{key: team, operator: Exists}]
    volumes: [{name: secret, $patch: delete}]
"#;

    fn run(spec: &TaskSpec, template: Value) -> Result<Value, Vec<String>> {
        let manifest = spec.manifest.as_ref().map_or(json!({}), |manifest| manifest.template().clone());
        let patch = super::super::short::patch(&spec.short, "main");
        let caller = merge_pod(manifest.clone(), &patch).unwrap();
        let mut pod = merge_pod(merge_pod(template, &manifest).unwrap(), &patch).unwrap();
        let enforced = Enforced::parse(FILE).unwrap();
        for patch in enforced.of("team") {
            let fields = FieldMap::of_primary(spec, None, &caller, "main");
            pod = enforce(pod, patch, &fields)
                .map_err(|errors| errors.into_iter().map(|error| error.to_string()).collect::<Vec<_>>())?;
        }
        Ok(pod)
    }

    fn asks(manifest: Value) -> TaskSpec {
        let short = ShortForm { image: Some("i".into()), ..ShortForm::default() };
        TaskSpec { manifest: Some(Manifest::from_value(manifest).unwrap()), short, ..TaskSpec::default() }
    }

    #[test]
    fn the_patch_is_over_every_pod_and_container() {
        let spec = asks(json!({"metadata": {"labels": {"team": "a"}}, "spec": {
            "initContainers": [{"name": "init", "image": "x", "securityContext": {"runAsUser": 1}}],
            "containers": [{"name": "main", "image": "x"}, {"name": "side", "image": "x"}]}}));
        // What the template says gives way in silence.
        let template = json!({"spec": {"serviceAccountName": "other", "hostNetwork": true,
            "tolerations": [{"operator": "Exists"}], "volumes": [{"name": "secret"}, {"name": "data"}]}});
        let pod = run(&spec, template).unwrap();
        let no = json!({"allowPrivilegeEscalation": false});
        assert_eq!(pod["spec"]["containers"].as_array().unwrap().len(), 2);
        assert_eq!(pod["spec"]["containers"][1]["securityContext"], no);
        assert_eq!(
            pod["spec"]["initContainers"],
            json!([{"name": "init", "image": "x", "securityContext": {"runAsUser": 1, "allowPrivilegeEscalation": false}}])
        );
        assert_eq!(pod["spec"]["serviceAccountName"], "team");
        assert_eq!(pod["spec"]["tolerations"], json!([{"key": "team", "operator": "Exists"}]));
        assert_eq!(pod["spec"]["volumes"], json!([{"name": "data"}]));
        assert!(pod["spec"]["hostNetwork"].is_null());
        assert!(pod["spec"]["initContainers"].is_array());
    }

    #[test]
    fn what_contradicts_is_named_by_the_callers_own_field() {
        let mut spec = asks(json!({"metadata": {"labels": {"team": "b"}}, "spec": {
            "hostNetwork": false, "securityContext": {"runAsNonRoot": true}, "volumes": [{"name": "secret", "emptyDir": {}}],
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "main", "securityContext": {"allowPrivilegeEscalation": true}}]}}));
        let errors = run(&spec, json!({})).unwrap_err();
        assert_eq!(
            errors,
            ["spec.manifest: spec.containers[0].securityContext.allowPrivilegeEscalation: must be false: this server \
              enforces it in the namespace"]
        );
        spec.manifest = Some(Manifest::from_value(json!({"metadata": {"labels": {"team": "b"}}, "spec": {
            "hostNetwork": false, "volumes": [{"name": "secret", "emptyDir": {}}], "tolerations": [{"operator": "Exists"}]}})).unwrap());
        spec.short.service_account = Some("me".into());
        let errors = run(&spec, json!({})).unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.rsplit_once(": this").unwrap().0).collect();
        assert_eq!(
            fields,
            [
                "spec.manifest: metadata.labels[team]: must be \"a\"",
                "spec.manifest: spec.hostNetwork: must not be set",
                "spec.pod.service_account_name: must be \"team\"",
                "spec.manifest: spec.tolerations: is set by the server to something else",
                "spec.manifest: spec.volumes[0]: is set by the server",
            ]
        );
    }

    #[test]
    fn a_patch_of_metadata_alone_asks_nothing_of_the_spec() {
        let spec = asks(json!({"spec": {"containers": [{"name": "main"}]}}));
        let caller = spec.manifest.as_ref().unwrap().template().clone();
        let enforced = Enforced::parse("'*': {metadata: {labels: {team: a}}}").unwrap();
        let fields = FieldMap::of_primary(&spec, None, &caller, "main");
        let pod = enforce(caller.clone(), enforced.of("team").next().unwrap(), &fields).unwrap();
        assert_eq!(pod["metadata"]["labels"], json!({"team": "a"}));
        assert_eq!(pod["spec"], caller["spec"]);
    }

    #[test]
    fn the_file() {
        let other = Enforced::parse(FILE).unwrap();
        assert_eq!(other.of("other").count(), 1);
        assert_eq!(Enforced::parse("").unwrap(), Enforced::default());
        for (text, problem) in [
            ("- a", "must be a mapping from namespace"),
            ("team: a", "enforced: team"),
            ("team: {kind: Job, spec: {}}", "kind"),
            ("team: {spec: {containers: [{$patch: x, name: a}]}}", "enforced: team"),
            ("team: {spec: {containers: [{name: null, image: a}]}}", "enforced: team: spec.containers[0].name must be"),
            ("team: {metadata: {labels: {a: 1}}}", "enforced: team: metadata.labels[a] is a number"),
        ] {
            let error = Enforced::parse(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
