//! Volumes as directories, and where containers find them.
//!
//! ```text
//! spec.volumes (those some container mounts) → prepare → `<pod>/volumes/<name>/…`
//! container start → fresh_root → `<pod>/containers/<name>/root` → volumeMounts → link → `root/<mountPath>` → volume
//! ```
//!
//! There is no mount namespace: a process finds its volumes below its container root, not at the absolute path. Contents are
//! written once, before the first container starts; later changes of a secret or config map are not followed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::Value;

use super::process::lookup::below;
use super::spec::env::{Environment, array, container_named, data_of, is_optional, resource_value};
use super::spec::expand::expand;
use super::spec::fields;
use crate::local::store::{Kind, Meta, Store};

/// Mode of files for which none is given.
const DEFAULT_MODE: u32 = 0o644;

/// Why a volume is not there yet; tried again.
#[derive(Debug, thiserror::Error)]
#[error("MountVolume.SetUp failed for volume \"{volume}\" : {problem}")]
pub struct MountFailed {
    pub volume: String,
    pub problem: Problem,
}

/// What is wrong with a volume.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{} \"{name}\" not found", .kind.singular())]
    ObjectMissing { kind: Kind, name: String },
    #[error("references non-existent {} key: {key}", .kind.singular())]
    KeyMissing { kind: Kind, key: String },
    #[error(
        "volume type \"{kind}\" is not supported by the local cluster; use emptyDir, secret, configMap, projected or downwardAPI"
    )]
    Unsupported { kind: String },
    #[error("{what} \"{path}\" is invalid: it must stay inside its directory and not be that directory itself")]
    BadPath { what: &'static str, path: String },
    #[error(transparent)]
    Field(#[from] super::spec::env::ConfigError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A file of a volume.
struct FileSpec {
    content: Vec<u8>,
    mode: u32,
}

type Files = BTreeMap<String, FileSpec>;

/// Writes every volume that a container mounts below `directory`. Repeating it after a failure is safe.
pub fn prepare(store: &Store, pod: &Value, directory: &Path) -> Result<(), MountFailed> {
    let mounted = mounted_names(pod);
    for volume in array(&pod["spec"]["volumes"]) {
        let name = volume["name"].as_str().unwrap_or_default();
        if !mounted.contains(name) {
            continue;
        }
        let failed = |problem| MountFailed { volume: name.to_owned(), problem };
        let builder = Builder { store, pod };
        let files = builder.files(volume).map_err(failed)?;
        write_volume(&directory.join(name), &files).map_err(failed)?;
    }
    Ok(())
}

/// An empty root directory for a container attempt, its volumes linked into it.
pub fn fresh_root(container: &Value, env: &Environment, volumes: &Path, root: &Path) -> Result<(), Problem> {
    match fs::remove_dir_all(root) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => fs::create_dir_all(root)?,
    }
    let mut mounts: Vec<&Value> = array(&container["volumeMounts"]).collect();
    // A mount inside another mount comes after it.
    mounts.sort_by_key(|mount| mount["mountPath"].as_str().unwrap_or_default().len());
    mounts.into_iter().try_for_each(|mount| link(mount, env, volumes, root))
}

fn link(mount: &Value, env: &Environment, volumes: &Path, root: &Path) -> Result<(), Problem> {
    let path = mount["mountPath"].as_str().unwrap_or_default();
    let target = inside(root, path, "mountPath")?;
    let volume = volumes.join(mount["name"].as_str().unwrap_or_default());
    let sub_path = match mount["subPathExpr"].as_str() {
        Some(expression) => expand(expression, |name| env.get(name).map(String::as_str)),
        None => mount["subPath"].as_str().unwrap_or_default().to_owned(),
    };
    let mut source = volume;
    if !sub_path.is_empty() {
        source = inside(&source, &sub_path, "subPath")?;
        if !source.exists() {
            fs::create_dir_all(&source)?;
        }
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    if target.is_symlink() || target.is_file() {
        fs::remove_file(&target)?;
    }
    Ok(symlink(source, target)?)
}

fn inside(root: &Path, path: &str, what: &'static str) -> Result<std::path::PathBuf, Problem> {
    let bad = || Problem::BadPath { what, path: path.to_owned() };
    below(root, path).filter(|joined| joined != root).ok_or_else(bad)
}

fn mounted_names(pod: &Value) -> BTreeSet<&str> {
    let containers = array(&pod["spec"]["containers"]).chain(array(&pod["spec"]["initContainers"]));
    let mounts = containers.flat_map(|container| array(&container["volumeMounts"]));
    mounts.filter_map(|mount| mount["name"].as_str()).collect()
}

fn write_volume(directory: &Path, files: &Files) -> Result<(), Problem> {
    fs::create_dir_all(directory)?;
    for (path, file) in files {
        let target = inside(directory, path, "path")?;
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        // A file of an earlier try may be read-only.
        if target.exists() {
            fs::remove_file(&target)?;
        }
        fs::write(&target, &file.content)?;
        fs::set_permissions(&target, Permissions::from_mode(file.mode & 0o777))?;
    }
    Ok(())
}

/// Collects the files of a volume.
struct Builder<'a> {
    store: &'a Store,
    pod: &'a Value,
}

impl Builder<'_> {
    fn files(&self, volume: &Value) -> Result<Files, Problem> {
        let kinds = volume.as_object().into_iter().flatten();
        let kind = kinds.map(|(key, _)| key.as_str()).find(|key| *key != "name");
        let kind = kind.unwrap_or("emptyDir");
        let source = &volume[kind];
        let mode = mode_of(&source["defaultMode"], DEFAULT_MODE);
        match kind {
            "emptyDir" => Ok(Files::new()),
            "projected" => self.projected(source, mode),
            other => self.source(other, source, mode),
        }
    }

    fn projected(&self, volume: &Value, mode: u32) -> Result<Files, Problem> {
        let mut files = Files::new();
        for source in array(&volume["sources"]) {
            for (kind, source) in source.as_object().into_iter().flatten() {
                files.extend(self.source(kind, source, mode)?);
            }
        }
        Ok(files)
    }

    fn source(&self, kind: &str, source: &Value, mode: u32) -> Result<Files, Problem> {
        match kind {
            // A volume says `secretName`, a projection `name`.
            "secret" => {
                self.object(Kind::Secret, source["secretName"].as_str().or(source["name"].as_str()), source, mode)
            }
            "configMap" => self.object(Kind::ConfigMap, source["name"].as_str(), source, mode),
            "downwardAPI" => self.downward(source, mode),
            other => Err(Problem::Unsupported { kind: other.to_owned() }),
        }
    }

    fn object(&self, kind: Kind, name: Option<&str>, source: &Value, mode: u32) -> Result<Files, Problem> {
        let name = name.unwrap_or_default();
        let Some(object) = self.store.get(kind, self.pod.namespace(), name) else {
            return match is_optional(source) {
                true => Ok(Files::new()),
                false => Err(Problem::ObjectMissing { kind, name: name.to_owned() }),
            };
        };
        let mut data = data_of(kind, &object);
        if source["items"].is_null() {
            return Ok(data.into_iter().map(|(key, content)| (key, FileSpec { content, mode })).collect());
        }
        let mut files = Files::new();
        for item in array(&source["items"]) {
            let key = item["key"].as_str().unwrap_or_default();
            let path = item["path"].as_str().unwrap_or_default().to_owned();
            let mode = mode_of(&item["mode"], mode);
            match data.remove(key) {
                Some(content) => _ = files.insert(path, FileSpec { content, mode }),
                None if is_optional(source) => {}
                None => return Err(Problem::KeyMissing { kind, key: key.to_owned() }),
            }
        }
        Ok(files)
    }

    fn downward(&self, source: &Value, mode: u32) -> Result<Files, Problem> {
        let mut files = Files::new();
        for item in array(&source["items"]) {
            let text = match item["fieldRef"]["fieldPath"].as_str() {
                Some(path) => fields::field(self.pod, path).unwrap_or_default(),
                None => self.resource(&item["resourceFieldRef"])?,
            };
            let file = FileSpec { content: text.into_bytes(), mode: mode_of(&item["mode"], mode) };
            files.insert(item["path"].as_str().unwrap_or_default().to_owned(), file);
        }
        Ok(files)
    }

    fn resource(&self, reference: &Value) -> Result<String, Problem> {
        let name = reference["containerName"].as_str().unwrap_or_default();
        let container = container_named(self.pod, name).unwrap_or(&Value::Null);
        Ok(resource_value(self.store, self.pod, container, reference)?)
    }
}

fn mode_of(value: &Value, default: u32) -> u32 {
    value.as_u64().and_then(|mode| u32::try_from(mode).ok()).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn store() -> Store {
        let store = Store::new();
        let meta = |name: &str| json!({"name": name, "namespace": "default"});
        store.create(Kind::Secret, json!({"metadata": meta("s"), "data": {"k": "c2VjcmV0", "l": ""}})).unwrap();
        store.create(Kind::ConfigMap, json!({"metadata": meta("c"), "data": {"a": "1"}})).unwrap();
        store
    }

    fn pod(volumes: Value) -> Value {
        let mounts: Vec<Value> = array(&volumes)
            .map(|v| json!({"name": v["name"], "mountPath": format!("/mnt/{}", v["name"].as_str().unwrap())}))
            .collect();
        json!({"metadata": {"name": "p", "namespace": "default", "labels": {"x": "y"}},
            "spec": {"containers": [{"name": "main", "volumeMounts": mounts}], "volumes": volumes}})
    }

    #[test]
    fn volumes_become_directories_that_the_root_links_to() {
        let dir = tempfile::tempdir().unwrap();
        let (volumes, root) = (dir.path().join("volumes"), dir.path().join("root"));
        let pod = pod(json!([
            {"name": "e", "emptyDir": {}},
            {"name": "s", "secret": {"secretName": "s", "items": [{"key": "k", "path": "deep/er", "mode": 0o400}]}},
            {"name": "all", "projected": {"sources": [
                {"configMap": {"name": "c"}}, {"secret": {"name": "s"}},
                {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]}},
            {"name": "gone", "configMap": {"name": "none", "optional": true}},
        ]));
        for _ in 0..2 {
            prepare(&store(), &pod, &volumes).unwrap();
            fresh_root(&pod["spec"]["containers"][0], &Environment::new(), &volumes, &root).unwrap();
        }
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        assert_eq!(read("mnt/s/deep/er"), "secret");
        assert_eq!(fs::metadata(root.join("mnt/s/deep/er")).unwrap().permissions().mode() & 0o777, 0o400);
        assert_eq!(
            (read("mnt/all/a"), read("mnt/all/k"), read("mnt/all/labels")),
            ("1".into(), "secret".into(), "x=\"y\"\n".into())
        );
        assert!(root.join("mnt/e").is_dir() && root.join("mnt/gone").is_dir());
    }

    #[test]
    fn sub_paths_and_nested_mounts() {
        let dir = tempfile::tempdir().unwrap();
        let (volumes, root) = (dir.path().join("volumes"), dir.path().join("root"));
        let mut pod = pod(json!([{"name": "e", "emptyDir": {}}, {"name": "c", "configMap": {"name": "c"}}]));
        pod["spec"]["containers"][0]["volumeMounts"] = json!([
            {"name": "c", "mountPath": "/data/conf", "subPath": "a"},
            {"name": "e", "mountPath": "/data", "subPathExpr": "for-$(WHO)"},
        ]);
        prepare(&store(), &pod, &volumes).unwrap();
        let env = Environment::from([("WHO".to_owned(), "me".to_owned())]);
        fresh_root(&pod["spec"]["containers"][0], &env, &volumes, &root).unwrap();
        assert_eq!(fs::read_to_string(root.join("data/conf")).unwrap(), "1");
        assert!(volumes.join("e/for-me").is_dir());
    }

    #[test]
    fn what_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for (volume, expected) in [
            (json!({"configMap": {"name": "nosuch"}}), "configmap \"nosuch\" not found"),
            (json!({"secret": {"secretName": "nosuch"}}), "secret \"nosuch\" not found"),
            (
                json!({"secret": {"secretName": "s", "items": [{"key": "z", "path": "z"}]}}),
                "references non-existent secret key: z",
            ),
            (
                json!({"secret": {"secretName": "s", "items": [{"key": "k", "path": "../z"}]}}),
                "path \"../z\" is invalid: it must stay inside its directory and not be that directory itself",
            ),
            (
                json!({"hostPath": {"path": "/"}}),
                "volume type \"hostPath\" is not supported by the local cluster; use emptyDir, secret, configMap, projected or downwardAPI",
            ),
        ] {
            let mut volume = volume;
            volume["name"] = json!("v");
            let error = prepare(&store(), &pod(json!([volume])), dir.path()).unwrap_err();
            assert_eq!(error.to_string(), format!("MountVolume.SetUp failed for volume \"v\" : {expected}"));
        }
    }

    #[test]
    fn a_volume_nobody_mounts_does_not_block() {
        let dir = tempfile::tempdir().unwrap();
        let mut pod = pod(json!([{"name": "v", "configMap": {"name": "nosuch"}}]));
        pod["spec"]["containers"][0]["volumeMounts"] = json!([]);
        prepare(&store(), &pod, dir.path()).unwrap();
    }
}
