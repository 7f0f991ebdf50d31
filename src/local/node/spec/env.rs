//! A container's environment and argv.
//!
//! ```text
//! envFrom, in order → env, in order ($(VAR) of what is known so far) → last one wins → command and args expanded with it
//! ```
//!
//! A missing object or key that is not optional is a [`ConfigError`]: the container waits (CreateContainerConfigError) and is
//! tried again.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde_json::Value;

use super::expand::expand;
use super::fields;
use crate::local::store::{Kind, Store};

/// Why a container cannot be configured now. Each may heal when an object appears.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{} \"{name}\" not found", .kind.singular())]
    ObjectMissing { kind: Kind, name: String },
    #[error("couldn't find key {key} in {} {namespace}/{name}", .kind.name())]
    KeyMissing { kind: Kind, namespace: String, name: String, key: String },
    #[error("unsupported {kind}: {path}")]
    FieldUnknown { kind: &'static str, path: String },
}

/// What a container's configuration is read from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub store: &'a Store,
    pub pod: &'a Value,
    pub container: &'a Value,
}

/// The declared environment, by name.
pub type Environment = BTreeMap<String, String>;

impl Sources<'_> {
    /// The declared environment. Expansions know nothing else, as with a kubelet.
    pub fn environment(&self) -> Result<Environment, ConfigError> {
        let mut env = Environment::new();
        for source in array(&self.container["envFrom"]) {
            self.import(source, &mut env)?;
        }
        for entry in array(&self.container["env"]) {
            let Some(name) = entry["name"].as_str() else {
                continue;
            };
            if let Some(value) = self.value(entry, &env)? {
                env.insert(name.to_owned(), value);
            }
        }
        Ok(env)
    }

    /// Command and arguments, expanded.
    pub fn argv(&self, env: &Environment) -> Vec<String> {
        let words = array(&self.container["command"]).chain(array(&self.container["args"]));
        let lookup = |name: &str| env.get(name).map(String::as_str);
        words.filter_map(Value::as_str).map(|word| expand(word, lookup)).collect()
    }

    fn import(&self, source: &Value, env: &mut Environment) -> Result<(), ConfigError> {
        let prefix = source["prefix"].as_str().unwrap_or_default();
        for (kind, reference) in [(Kind::ConfigMap, &source["configMapRef"]), (Kind::Secret, &source["secretRef"])] {
            if reference.is_null() {
                continue;
            }
            for (key, value) in self.object(kind, reference)?.into_iter().flatten() {
                env.insert(format!("{prefix}{key}"), String::from_utf8_lossy(&value).into_owned());
            }
        }
        Ok(())
    }

    fn value(&self, entry: &Value, env: &Environment) -> Result<Option<String>, ConfigError> {
        let from = &entry["valueFrom"];
        if from.is_null() {
            let text = entry["value"].as_str().unwrap_or_default();
            return Ok(Some(expand(text, |name| env.get(name).map(String::as_str))));
        }
        for (kind, reference) in [(Kind::Secret, &from["secretKeyRef"]), (Kind::ConfigMap, &from["configMapKeyRef"])] {
            if !reference.is_null() {
                return self.key(kind, reference);
            }
        }
        if !from["fieldRef"].is_null() {
            return self.field(&from["fieldRef"]).map(Some);
        }
        self.resource(&from["resourceFieldRef"]).map(Some)
    }

    /// One key of a secret or config map; `None` when it is optional and missing.
    fn key(&self, kind: Kind, reference: &Value) -> Result<Option<String>, ConfigError> {
        let Some(data) = self.object(kind, reference)? else {
            return Ok(None);
        };
        let key = reference["key"].as_str().unwrap_or_default();
        match data.get(key) {
            Some(value) => Ok(Some(String::from_utf8_lossy(value).into_owned())),
            None if is_optional(reference) => Ok(None),
            None => Err(ConfigError::KeyMissing {
                kind,
                namespace: self.namespace().to_owned(),
                name: reference["name"].as_str().unwrap_or_default().to_owned(),
                key: key.to_owned(),
            }),
        }
    }

    /// All keys of a secret or config map; `None` when it is optional and missing.
    fn object(&self, kind: Kind, reference: &Value) -> Result<Option<BTreeMap<String, Vec<u8>>>, ConfigError> {
        let name = reference["name"].as_str().unwrap_or_default();
        match self.store.get(kind, self.namespace(), name) {
            Some(object) => Ok(Some(data_of(kind, &object))),
            None if is_optional(reference) => Ok(None),
            None => Err(ConfigError::ObjectMissing { kind, name: name.to_owned() }),
        }
    }

    fn field(&self, reference: &Value) -> Result<String, ConfigError> {
        let path = reference["fieldPath"].as_str().unwrap_or_default();
        fields::field(self.pod, path)
            .ok_or_else(|| ConfigError::FieldUnknown { kind: "fieldPath", path: path.to_owned() })
    }

    fn resource(&self, reference: &Value) -> Result<String, ConfigError> {
        let owner = reference["containerName"].as_str();
        let owner = owner.and_then(|name| container_named(self.pod, name));
        resource_value(self.store, self.pod, owner.unwrap_or(self.container), reference)
    }

    fn namespace(&self) -> &str {
        self.pod["metadata"]["namespace"].as_str().unwrap_or_default()
    }
}

/// A `resourceFieldRef` of `container`, against what the pod's node has.
pub fn resource_value(store: &Store, pod: &Value, container: &Value, reference: &Value) -> Result<String, ConfigError> {
    let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    let node = store.get(Kind::Node, "", node);
    let allocatable = node.as_ref().map_or(&Value::Null, |node| &node["status"]["allocatable"]);
    fields::resource(container, allocatable, reference).ok_or_else(|| ConfigError::FieldUnknown {
        kind: "resource",
        path: reference["resource"].as_str().unwrap_or_default().to_owned(),
    })
}

/// The container or init container of that name.
pub fn container_named<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    let mut all = array(&pod["spec"]["containers"]).chain(array(&pod["spec"]["initContainers"]));
    all.find(|container| container["name"] == name)
}

/// What a secret or config map holds. Values that are not base64 where they should be read as empty.
pub fn data_of(kind: Kind, object: &Value) -> BTreeMap<String, Vec<u8>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().as_bytes().to_vec();
    let decoded = |value: &Value| BASE64.decode(&text(value)).unwrap_or_default();
    let (plain, encoded) = match kind {
        Kind::Secret => (&object["stringData"], &object["data"]),
        _ => (&object["data"], &object["binaryData"]),
    };
    let encoded = entries(encoded).map(|(key, value)| (key.clone(), decoded(value)));
    let plain = entries(plain).map(|(key, value)| (key.clone(), text(value)));
    encoded.chain(plain).collect()
}

/// Whether a reference may point to nothing.
pub fn is_optional(reference: &Value) -> bool {
    reference["optional"].as_bool().unwrap_or(false)
}

/// The elements of an array, none when it is not one.
pub fn array(value: &Value) -> impl Iterator<Item = &Value> + '_ {
    value.as_array().into_iter().flatten()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> + '_ {
    value.as_object().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn store() -> Store {
        let store = Store::new();
        let meta = |name: &str| json!({"name": name, "namespace": "default"});
        let secret = json!({"metadata": meta("s"), "data": {"k": "c2VjcmV0"}});
        let config = json!({"metadata": meta("c"), "data": {"a": "1", "b": "2"}});
        store.create(Kind::Secret, secret).unwrap();
        store.create(Kind::ConfigMap, config).unwrap();
        store
    }

    fn resolve(container: Value) -> Result<(Environment, Vec<String>), ConfigError> {
        let pod = json!({"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [container], "nodeName": "local"}});
        let store = store();
        let sources = Sources { store: &store, pod: &pod, container: &pod["spec"]["containers"][0] };
        let env = sources.environment()?;
        let argv = sources.argv(&env);
        Ok((env, argv))
    }

    #[test]
    fn everything_together() {
        let (env, argv) = resolve(json!({
            "command": ["run", "$(BOTH)"], "args": ["$(NONE)", "$$(BOTH)"],
            "envFrom": [{"configMapRef": {"name": "c"}, "prefix": "C_"}, {"secretRef": {"name": "none", "optional": true}}],
            "env": [
                {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "requests.cpu"}}},
                {"name": "GONE", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "zz", "optional": true}}},
                {"name": "BOTH", "value": "$(KEY)+$(C_a)+$(LATER)"},
                {"name": "LATER", "value": "x"},
                {"name": "PATH", "value": "/mine:$(PATH)"},
            ],
        }))
        .unwrap();
        let expected = [
            ("BOTH", "secret+1+$(LATER)"),
            ("CPU", "0"),
            ("C_a", "1"),
            ("C_b", "2"),
            ("KEY", "secret"),
            ("LATER", "x"),
            ("NAME", "p"),
            ("PATH", "/mine:$(PATH)"),
        ];
        assert_eq!(env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
        assert_eq!(argv, ["run", "secret+1+$(LATER)", "$(NONE)", "$(BOTH)"]);
    }

    #[test]
    fn what_is_missing_is_named_as_the_kubelet_names_it() {
        let key =
            |kind: &str, name: &str| json!({"env": [{"name": "X", "valueFrom": {kind: {"name": name, "key": "zz"}}}]});
        for (container, expected) in [
            (key("secretKeyRef", "no"), "secret \"no\" not found"),
            (key("secretKeyRef", "s"), "couldn't find key zz in Secret default/s"),
            (key("configMapKeyRef", "no"), "configmap \"no\" not found"),
            (key("configMapKeyRef", "c"), "couldn't find key zz in ConfigMap default/c"),
            (json!({"envFrom": [{"secretRef": {"name": "no"}}]}), "secret \"no\" not found"),
            (
                json!({"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "a.b"}}}]}),
                "unsupported fieldPath: a.b",
            ),
        ] {
            assert_eq!(resolve(container).unwrap_err().to_string(), expected);
        }
    }
}
