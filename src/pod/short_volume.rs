//! The volumes of the short form as Kubernetes has them.

use serde_json::{Map, Value, json};

use super::short::{as_a_whole, mark_optional, put_list, put_text, resource_ref};
use crate::task::spec::{
    Access, DownwardFile, DownwardSource, KeyFile, Presence, ProjectedSource, Volume, VolumeSource,
};

pub(super) fn volume(volume: &Volume) -> Value {
    let (field, mut source) = match &volume.source {
        VolumeSource::Secret { name, items, default_mode, presence } => {
            ("secret", files(("secretName", name), items, *default_mode, *presence))
        }
        VolumeSource::ConfigMap { name, items, default_mode, presence } => {
            ("configMap", files(("name", name), items, *default_mode, *presence))
        }
        VolumeSource::EmptyDir { medium, size_limit } => {
            let mut out = Map::new();
            put_text(&mut out, "medium", medium.as_deref());
            put_text(&mut out, "sizeLimit", size_limit.as_deref());
            ("emptyDir", Value::Object(out))
        }
        VolumeSource::PersistentVolumeClaim { claim, access } => {
            let mut out = json!({"claimName": claim});
            if *access == Access::ReadOnly {
                out["readOnly"] = true.into();
            }
            ("persistentVolumeClaim", out)
        }
        VolumeSource::HostPath { path, kind } => {
            let mut out = Map::from_iter([("path".to_owned(), Value::from(path.as_str()))]);
            put_text(&mut out, "type", kind.as_deref());
            ("hostPath", Value::Object(out))
        }
        VolumeSource::Projected { sources, default_mode } => {
            let mut out = json!({"sources": sources.iter().map(projected).collect::<Vec<_>>()});
            put_mode(&mut out, "defaultMode", *default_mode);
            ("projected", out)
        }
        VolumeSource::DownwardApi { items, default_mode } => {
            let mut out = downward(items);
            put_mode(&mut out, "defaultMode", *default_mode);
            ("downwardAPI", out)
        }
    };
    source["$patch"] = "replace".into();
    let mut out = Map::from_iter([("name".to_owned(), Value::from(volume.name.as_str()))]);
    out.insert(field.into(), source);
    as_a_whole(Value::Object(out))
}

fn projected(source: &ProjectedSource) -> Value {
    match source {
        ProjectedSource::Secret { name, items, presence } => {
            json!({"secret": files(("name", name), items, None, *presence)})
        }
        ProjectedSource::ConfigMap { name, items, presence } => {
            json!({"configMap": files(("name", name), items, None, *presence)})
        }
        ProjectedSource::DownwardApi { items } => json!({"downwardAPI": downward(items)}),
        ProjectedSource::ServiceAccountToken { path, audience, expiration_seconds } => {
            let mut out = Map::from_iter([("path".to_owned(), Value::from(path.as_str()))]);
            put_text(&mut out, "audience", audience.as_deref());
            if let Some(seconds) = expiration_seconds {
                out.insert("expirationSeconds".into(), (*seconds).into());
            }
            json!({"serviceAccountToken": out})
        }
    }
}

fn downward(items: &[DownwardFile]) -> Value {
    json!({"items": items.iter().map(downward_file).collect::<Vec<_>>()})
}

fn downward_file(file: &DownwardFile) -> Value {
    let mut out = match &file.source {
        DownwardSource::Field { path } => json!({"path": file.path, "fieldRef": {"fieldPath": path}}),
        DownwardSource::Resource { resource, container, divisor } => {
            let resource = resource_ref(resource, Some(container), divisor.as_deref());
            json!({"path": file.path, "resourceFieldRef": resource})
        }
    };
    put_mode(&mut out, "mode", file.mode);
    out
}

fn files((field, name): (&str, &str), items: &[KeyFile], mode: Option<u32>, presence: Presence) -> Value {
    let mut out = Map::from_iter([(field.to_owned(), Value::from(name))]);
    put_list(&mut out, "items", items.iter().map(key_file));
    let mut out = Value::Object(out);
    put_mode(&mut out, "defaultMode", mode);
    mark_optional(&mut out, presence);
    out
}

fn key_file(item: &KeyFile) -> Value {
    let mut out = json!({"key": item.key, "path": item.path});
    put_mode(&mut out, "mode", item.mode);
    out
}

fn put_mode(out: &mut Value, field: &str, mode: Option<u32>) {
    if let Some(mode) = mode {
        out[field] = mode.into();
    }
}
