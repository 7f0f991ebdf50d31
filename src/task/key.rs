//! Who a task is, and the pod name that follows from it.
//!
//! ```text
//! instance + cluster + namespace + task id + attempt ──sha-256──▶ 16 base32 digits
//! task id ──▶ slug ≤ 46 ──▶ "<slug>-<hash>"  (≤ 63: a DNS label, fits a label value and a hostname)
//! ```
//!
//! The name is the idempotency key: the API server refuses a second pod of the same name.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Longest task id, bytes.
pub const MAX_TASK_ID: usize = 253;
/// Longest namespace (a DNS label), bytes.
pub const MAX_NAMESPACE: usize = 63;
/// Longest instance name, bytes.
pub const MAX_INSTANCE: usize = 40;
/// Highest attempt.
pub const MAX_ATTEMPT: u32 = i32::MAX as u32;

const MAX_SLUG: usize = 46;
const HASH_DIGITS: usize = 16;

/// A field of a key that is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct KeyError {
    /// The field, as the contract names it.
    pub field: &'static str,
    /// What is wrong and what is allowed.
    pub problem: String,
}

fn refuse(field: &'static str, problem: impl Into<String>) -> KeyError {
    KeyError { field, problem: problem.into() }
}

/// The name that separates installations in one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Instance(String);

impl Instance {
    /// Checks a name: 1–40 of `[a-z0-9-]`, a letter or digit at both ends.
    pub fn new(name: impl Into<String>) -> Result<Self, KeyError> {
        let name = name.into();
        if name.len() > MAX_INSTANCE || !is_dns_label(&name) {
            return Err(refuse(
                "instance",
                format!("must be 1 to {MAX_INSTANCE} of a-z, 0-9 and '-', with a letter or digit at both ends"),
            ));
        }
        Ok(Instance(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Instance {
    fn default() -> Self {
        Instance("default".into())
    }
}

impl TryFrom<String> for Instance {
    type Error = KeyError;
    fn try_from(name: String) -> Result<Self, KeyError> {
        Instance::new(name)
    }
}

impl From<Instance> for String {
    fn from(instance: Instance) -> String {
        instance.0
    }
}

/// Which attempt of a task is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Attempt {
    /// The highest known.
    Latest,
    /// This one, ≥ 1.
    Exactly(u32),
}

/// A task, exactly: the attempt is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskKey {
    /// Cluster; "" is the only one.
    pub cluster: String,
    /// Namespace of the pod.
    pub namespace: String,
    /// The caller's id, 1–253 of `[A-Za-z0-9._:/-]`.
    pub task_id: String,
    /// 1 or higher.
    pub attempt: u32,
}

impl TaskKey {
    /// Checks every field; the error names the first that is wrong.
    pub fn new(
        cluster: impl Into<String>,
        namespace: impl Into<String>,
        task_id: impl Into<String>,
        attempt: u32,
    ) -> Result<Self, KeyError> {
        let key = TaskKey { cluster: cluster.into(), namespace: namespace.into(), task_id: task_id.into(), attempt };
        check_namespace(&key.namespace)?;
        check_task_id(&key.task_id)?;
        if key.attempt == 0 || key.attempt > MAX_ATTEMPT {
            return Err(refuse("key.attempt", format!("must be between 1 and {MAX_ATTEMPT}")));
        }
        Ok(key)
    }

    /// The name of the pod of this task: deterministic, a DNS label of at most 63 bytes.
    pub fn pod_name(&self, instance: &Instance) -> String {
        let slug = slug(&self.task_id);
        let hash = self.hash(instance);
        if slug.is_empty() { format!("t-{hash}") } else { format!("{slug}-{hash}") }
    }

    /// The value of the task label: the id itself where it is a label value, else slug and hash
    /// of the id alone, so that all attempts share it.
    pub fn task_label(&self) -> String {
        if is_label_value(&self.task_id) {
            return self.task_id.clone();
        }
        let digest = Sha256::digest(self.task_id.as_bytes());
        let slug = slug(&self.task_id);
        let hash = base32(&digest);
        if slug.is_empty() { format!("t-{hash}") } else { format!("{slug}-{hash}") }
    }

    fn hash(&self, instance: &Instance) -> String {
        let mut sha = Sha256::new();
        for part in [instance.as_str(), &self.cluster, &self.namespace, &self.task_id] {
            sha.update((part.len() as u64).to_be_bytes());
            sha.update(part.as_bytes());
        }
        sha.update(self.attempt.to_be_bytes());
        base32(&sha.finalize())
    }
}

impl std::fmt::Display for TaskKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.cluster.is_empty() {
            write!(f, "{}/", self.cluster)?;
        }
        write!(f, "{}/{}#{}", self.namespace, self.task_id, self.attempt)
    }
}

/// Checks a namespace name as Kubernetes does.
pub fn check_namespace(namespace: &str) -> Result<(), KeyError> {
    if namespace.len() > MAX_NAMESPACE || !is_dns_label(namespace) {
        return Err(refuse(
            "key.namespace",
            "must be a DNS label: 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends",
        ));
    }
    Ok(())
}

/// Checks a task id.
pub fn check_task_id(id: &str) -> Result<(), KeyError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'/' | b'-');
    if id.is_empty() || id.len() > MAX_TASK_ID || !id.bytes().all(allowed) {
        return Err(refuse(
            "key.task_id",
            format!("must be 1 to {MAX_TASK_ID} of A-Z, a-z, 0-9, '.', '_', ':', '/' and '-'"),
        ));
    }
    Ok(())
}

fn base32(digest: &[u8]) -> String {
    let mut text = data_encoding::BASE32_NOPAD.encode(digest).to_ascii_lowercase();
    text.truncate(HASH_DIGITS);
    text
}

/// Lower case, every other byte a dash, no dash doubled or at an end, starting with a letter.
fn slug(id: &str) -> String {
    let mut out = String::with_capacity(MAX_SLUG);
    for b in id.bytes().map(|b| b.to_ascii_lowercase()) {
        if out.len() == MAX_SLUG {
            break;
        }
        match b {
            b'a'..=b'z' => out.push(b as char),
            b'0'..=b'9' if !out.is_empty() => out.push(b as char),
            b'0'..=b'9' => {
                out.push('t');
                out.push(b as char);
            }
            _ if !out.is_empty() && !out.ends_with('-') => out.push('-'),
            _ => {}
        }
    }
    out.truncate(MAX_SLUG);
    while out.ends_with('-') {
        out.pop();
    }
    out
}

fn is_dns_label(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

fn is_label_value(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(id: &str, attempt: u32) -> TaskKey {
        TaskKey::new("", "default", id, attempt).unwrap()
    }

    #[test]
    fn names_are_stable() {
        // Golden: a change here orphans every pod of a running installation.
        let instance = Instance::default();
        assert_eq!(key("passing-task", 1).pod_name(&instance), "passing-task-pgzumehzdxmbfzep");
        assert_eq!(key("dag/run:2024_01.01/Task", 3).pod_name(&instance), "dag-run-2024-01-01-task-3e7dmgrjio5h4vwb");
        assert_eq!(key("7zip", 1).task_label(), "7zip");
    }

    #[test]
    fn every_part_of_the_key_counts() {
        let instance = Instance::default();
        let other = Instance::new("other").unwrap();
        let a = key("a", 1);
        let mut names = vec![
            a.pod_name(&instance),
            a.pod_name(&other),
            key("a", 2).pod_name(&instance),
            key("A", 1).pod_name(&instance),
            TaskKey::new("", "other", "a", 1).unwrap().pod_name(&instance),
            TaskKey::new("c", "default", "a", 1).unwrap().pod_name(&instance),
        ];
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 6);
    }

    #[test]
    fn wrong_fields_are_named() {
        for (ns, id, attempt, field) in [
            ("", "a", 1, "key.namespace"),
            ("UPPER", "a", 1, "key.namespace"),
            ("-a", "a", 1, "key.namespace"),
            ("a", "", 1, "key.task_id"),
            ("a", "a b", 1, "key.task_id"),
            ("a", "ä", 1, "key.task_id"),
            ("a", "a", 0, "key.attempt"),
        ] {
            assert_eq!(TaskKey::new("", ns, id, attempt).unwrap_err().field, field, "{ns} {id} {attempt}");
        }
        assert!(TaskKey::new("", "a", "x".repeat(254), 1).is_err());
        assert!(Instance::new("A").is_err());
    }

    proptest! {
        #[test]
        fn names_are_dns_labels_and_labels_are_label_values(id in "[A-Za-z0-9._:/-]{1,253}", attempt in 1u32..=9) {
            let key = key(&id, attempt);
            let name = key.pod_name(&Instance::default());
            prop_assert!(name.len() <= 63 && is_dns_label(&name), "{}", name);
            prop_assert!(name.as_bytes()[0].is_ascii_lowercase());
            prop_assert!(is_label_value(&key.task_label()));
        }
    }
}
