//! The fingerprint of a task spec: whether a repeated launch asks for the same.
//!
//! ```text
//! TaskSpec ──serialize (set fields only)──▶ JSON ──canonical bytes──▶ sha-256 ──▶ "v1:<64 hex>"
//! ```
//!
//! Canonical: object keys in byte order, no white space, one spelling for every number. So key
//! order, comments and YAML or JSON do not count; unset fields do not enter; the order of lists
//! does. Log selection, trace context and policies are no part of it.

use std::fmt;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

use super::spec::{SpecError, TaskSpec};

const VERSION: &str = "v1:";

/// A fingerprint: `v1:` and 64 hex digits. Equal fingerprints are equal specs; the version is part
/// of it, so that fingerprints of different versions never compare equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The text, as it is stored on the pod.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The fingerprint of a spec. An error is a spec that has no JSON form; one that came over the
/// contract always has.
pub fn fingerprint(spec: &TaskSpec) -> Result<Fingerprint, SpecError> {
    let value = serde_json::to_value(spec).map_err(|_| SpecError::new("spec", "has no JSON form"))?;
    let mut canonical = String::new();
    write_canonical(&value, &mut canonical);
    let digest = Sha256::digest(canonical.as_bytes());
    Ok(Fingerprint(format!("{VERSION}{}", data_encoding::HEXLOWER.encode(&digest))))
}

/// The hash of a parsed document, spelling aside: `sha256:` and 64 hex digits.
pub fn content_hash(value: &Value) -> String {
    let mut canonical = String::new();
    write_canonical(value, &mut canonical);
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&Sha256::digest(canonical.as_bytes())))
}

/// JSON in the one spelling that is hashed.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (i, (key, item)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write_canonical(item, out);
            }
            out.push('}');
        }
    }
}

/// Integers in decimal, others as the shortest digits that read back the same, always with an
/// exponent: the spelling must not follow a library's taste.
fn write_number(number: &Number, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(n), _, _) => write!(out, "{n}"),
        (None, Some(n), _) => write!(out, "{n}"),
        (None, None, Some(x)) => write!(out, "{x:e}"),
        (None, None, None) => write!(out, "{number}"),
    };
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::task::policy::{LogSelection, Timeouts};
    use crate::task::spec::*;

    fn canonical(value: &Value) -> String {
        let mut out = String::new();
        write_canonical(value, &mut out);
        out
    }

    fn of(spec: &TaskSpec) -> String {
        fingerprint(spec).unwrap().0
    }

    fn of_manifest(text: &str) -> String {
        of(&TaskSpec { manifest: Some(Manifest::parse(text.as_bytes()).unwrap()), ..TaskSpec::default() })
    }

    fn short() -> TaskSpec {
        let short = ShortForm {
            image: Some("busybox".into()),
            command: vec!["echo".into(), "yes".into()],
            env: vec![EnvVar { name: "A".into(), source: EnvSource::Value(Literal("1".into())) }],
            ..ShortForm::default()
        };
        TaskSpec { short, ..TaskSpec::default() }
    }

    /// Everything that has a shape of its own in the serialized form.
    fn full() -> TaskSpec {
        let mut spec = short();
        let text = |t: &str| Some(t.to_owned());
        let map = |k: &str, v: &str| BTreeMap::from([(k.to_owned(), v.to_owned())]);
        let var = |name: &str, source| EnvVar { name: name.into(), source };
        let key = (String::from("n"), String::from("k"));
        spec.manifest = Some(Manifest::from_value(json!({"spec": {"containers": []}})).unwrap());
        spec.primary = text("main");
        spec.timeouts = Timeouts {
            schedule: Some(1),
            startup: Some(2),
            execution: Some(3),
            lost: Some(4),
            pending_graces: Vec::new(),
        };
        spec.termination_grace_seconds = Some(0);
        spec.restart_policy = Some(RestartPolicy::OnFailure);
        spec.short.container_name = text("main");
        spec.short.image_pull_policy = Some(PullPolicy::IfNotPresent);
        spec.short.resources = Resources { requests: map("cpu", "1"), limits: map("memory", "1Gi") };
        spec.short.env.extend([
            var("S", EnvSource::Secret { name: key.0.clone(), key: key.1.clone(), presence: Presence::Optional }),
            var("C", EnvSource::ConfigMap { name: key.0.clone(), key: key.1.clone(), presence: Presence::Required }),
            var("F", EnvSource::Field { path: "metadata.name".into() }),
            var("R", EnvSource::Resource { resource: "limits.cpu".into(), container: None, divisor: text("1m") }),
        ]);
        spec.short.env_from = vec![EnvFrom {
            source: EnvFromSource::Secret("s".into()),
            prefix: text("P_"),
            presence: Presence::Optional,
        }];
        spec.short.tolerations = vec![Toleration { key: text("k"), seconds: Some(5), ..Toleration::default() }];
        spec.short.volumes = vec![
            Volume { name: "e".into(), source: VolumeSource::EmptyDir { medium: None, size_limit: text("1Gi") } },
            Volume {
                name: "s".into(),
                source: VolumeSource::Secret {
                    name: "s".into(),
                    items: vec![KeyFile { key: "k".into(), path: "p".into(), mode: None }],
                    default_mode: Some(0o400),
                    presence: Presence::Required,
                },
            },
        ];
        spec.short.mounts =
            vec![Mount { volume: "e".into(), path: "/e".into(), sub_path: None, access: Access::ReadOnly }];
        spec.short.init_containers =
            vec![InitContainer { name: "i".into(), kind: InitKind::Sidecar, image: text("x"), ..Default::default() }];
        spec
    }

    #[test]
    fn fingerprints_are_stable() {
        // Golden: a change here makes every running task of an installation a mismatch.
        for (spec, expected) in [
            (TaskSpec::default(), "v1:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
            (short(), "v1:fc36fbcbd00593fb37279dfa18615b3490aef7b5a90fb0d0c4f5151ed527b31a"),
            (full(), "v1:b10a703b9062d8c278fa3bdeba2908222d7f2f1e95c10ddc9d7db3e329e489ae"),
        ] {
            assert_eq!(of(&spec), expected, "{}", canonical(&serde_json::to_value(&spec).unwrap()));
        }
        assert_eq!(
            of_manifest("apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, resources: {limits: {cpu: 0.5}}}]}"),
            "v1:3dcbf1c6724196e366b27a2fef832364ed06ca605057462c3de1430ed69fa30c"
        );
    }

    #[test]
    fn only_set_fields_enter() {
        assert_eq!(canonical(&serde_json::to_value(TaskSpec::default()).unwrap()), "{}");
        assert_eq!(
            canonical(&serde_json::to_value(short()).unwrap()),
            r#"{"short":{"command":["echo","yes"],"env":[{"name":"A","value":"1"}],"image":"busybox"}}"#
        );
    }

    #[test]
    fn what_counts_and_what_does_not() {
        let base = short();
        assert_eq!(of(&base), of(&TaskSpec { logs: LogSelection::All, ..base.clone() }));
        let changed = [
            TaskSpec { primary: Some("a".into()), ..base.clone() },
            TaskSpec { template: Some("a".into()), ..base.clone() },
            TaskSpec { template: Some("b".into()), ..base.clone() },
            TaskSpec { termination_grace_seconds: Some(30), ..base.clone() },
            TaskSpec { restart_policy: Some(RestartPolicy::Never), ..base.clone() },
            TaskSpec { timeouts: Timeouts { execution: Some(1), ..Timeouts::default() }, ..base.clone() },
            TaskSpec { timeouts: Timeouts { startup: Some(1), ..Timeouts::default() }, ..base.clone() },
            TaskSpec { short: ShortForm { args: vec!["a".into()], ..base.short.clone() }, ..base.clone() },
            full(),
        ];
        let mut all: Vec<String> = changed.iter().map(of).chain([of(&base)]).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), changed.len() + 1);
    }

    #[test]
    fn spelling_does_not_count() {
        let json = of_manifest(r#"{"kind":"Pod","spec":{"containers":[{"name":"a","stdin":true}],"x":16}}"#);
        for text in [
            "# a comment\nkind: Pod\nspec:\n  x: 0x10 # hex\n  containers:\n  - stdin: yes\n    name: 'a'\n",
            "spec: {x: 16.0, containers: [{name: a, stdin: true}]}",
            "x: 16\ncontainers: [{name: \"\\x61\", stdin: on}]",
        ] {
            assert_eq!(of_manifest(text), json, "{text}");
        }
        assert_ne!(of_manifest("spec: {containers: [{name: a, stdin: true}], x: '16'}"), json);
    }

    #[test]
    fn canonical_form() {
        let value = json!({"b": [1, -2, 0.5, 1e300, null, true], "a": "\"\\\n\u{1}é", "": {}});
        assert_eq!(canonical(&value), r#"{"":{},"a":"\"\\\u000a\u0001é","b":[1,-2,5e-1,1e300,null,true]}"#);
    }

    fn json_values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9f64).prop_map(Value::from),
            "[ -~äé\n\t\u{1F600}]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                btree_map("[a-z~0-9 ]{0,6}", inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    /// The same value with the keys of every object written the other way round.
    fn reversed(value: &Value) -> String {
        match value {
            Value::Object(map) => {
                let fields: Vec<String> =
                    map.iter().rev().map(|(k, v)| format!("{} :\t{}", Value::from(k.as_str()), reversed(v))).collect();
                format!("{{\n{}\n}}", fields.join(" ,\n"))
            }
            Value::Array(items) => format!("[ {} ]", items.iter().map(reversed).collect::<Vec<_>>().join(" , ")),
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn key_order_white_space_and_yaml_do_not_count(value in json_values()) {
            let pod = json!({"metadata": {"x": value}, "spec": {"containers": []}});
            let expected = of_manifest(&pod.to_string());
            prop_assert_eq!(of_manifest(&reversed(&pod)), expected.clone());
            let yaml = serde_saphyr::to_string(&pod).unwrap();
            prop_assert_eq!(of_manifest(&yaml), expected, "{}", yaml);
        }

        #[test]
        fn the_canonical_form_is_the_same_value(value in json_values()) {
            let back: Value = serde_saphyr::from_str(&canonical(&value)).unwrap();
            prop_assert_eq!(canonical(&back), canonical(&value));
        }
    }
}
