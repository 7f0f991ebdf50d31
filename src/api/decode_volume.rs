//! Volumes of the short form.

use super::checks::{Checks, set};
use super::decode_pod::presence;
use super::time::whole_seconds;
use crate::proto::v1;
use crate::task::spec::{Access, DownwardFile, DownwardSource, KeyFile, ProjectedSource, Volume, VolumeSource};

/// Highest mode of a file.
const MAX_MODE: u32 = 0o777;
/// Most sources of a projected volume, and most files of the downward API.
const MAX_SOURCES: usize = 64;
/// Shortest life of a token, seconds.
const MIN_TOKEN_SECONDS: i64 = 600;
/// Longest life of a token Kubernetes takes, seconds.
const MAX_TOKEN_SECONDS: i64 = 1 << 32;

/// Reads `spec.pod.volumes[index]`; none where what it holds cannot be read.
pub(super) fn volume(checks: &mut Checks, index: usize, volume: v1::Volume) -> Option<Volume> {
    let path = format!("spec.pod.volumes[{index}]");
    checks.required(|| format!("{path}.name"), &volume.name);
    let source = source(checks, &path, volume.source)?;
    Some(Volume { name: volume.name, source })
}

fn source(checks: &mut Checks, path: &str, source: Option<v1::volume::Source>) -> Option<VolumeSource> {
    use v1::volume::Source;
    Some(match source {
        Some(Source::Secret(secret)) => {
            let (name, items, default_mode) = files(checks, &format!("{path}.secret"), &secret);
            VolumeSource::Secret { name, items, default_mode, presence: presence(secret.optional) }
        }
        Some(Source::ConfigMap(map)) => {
            let (name, items, default_mode) = files(checks, &format!("{path}.config_map"), &map);
            VolumeSource::ConfigMap { name, items, default_mode, presence: presence(map.optional) }
        }
        Some(Source::EmptyDir(dir)) => {
            VolumeSource::EmptyDir { medium: set(dir.medium), size_limit: set(dir.size_limit) }
        }
        Some(Source::PersistentVolumeClaim(claim)) => {
            checks.required(|| format!("{path}.persistent_volume_claim.claim_name"), &claim.claim_name);
            let access = if claim.read_only { Access::ReadOnly } else { Access::ReadWrite };
            VolumeSource::PersistentVolumeClaim { claim: claim.claim_name, access }
        }
        Some(Source::HostPath(host)) => {
            if !host.path.starts_with('/') {
                checks.wrong(format!("{path}.host_path.path"), "must be an absolute path");
            }
            VolumeSource::HostPath { path: host.path, kind: set(host.r#type) }
        }
        Some(Source::Projected(volume)) => {
            let path = format!("{path}.projected");
            check_count(checks, || format!("{path}.sources"), volume.sources.len());
            mode(checks, || format!("{path}.default_mode"), volume.default_mode);
            let sources = volume.sources.into_iter().enumerate();
            let read = |(i, one)| projected(checks, &format!("{path}.sources[{i}]"), one);
            VolumeSource::Projected { sources: sources.filter_map(read).collect(), default_mode: volume.default_mode }
        }
        Some(Source::DownwardApi(volume)) => {
            let path = format!("{path}.downward_api");
            mode(checks, || format!("{path}.default_mode"), volume.default_mode);
            let default_mode = volume.default_mode;
            VolumeSource::DownwardApi { items: downward(checks, &path, volume.items), default_mode }
        }
        None => {
            checks.wrong(path, "must say what it is; kinds that are not here go into spec.manifest");
            return None;
        }
    })
}

fn projected(checks: &mut Checks, path: &str, source: v1::ProjectedSource) -> Option<ProjectedSource> {
    use v1::projected_source::Source;
    Some(match source.source {
        Some(Source::Secret(secret)) => {
            let path = format!("{path}.secret");
            let (name, items, mode) = files(checks, &path, &secret);
            no_mode(checks, &path, mode);
            ProjectedSource::Secret { name, items, presence: presence(secret.optional) }
        }
        Some(Source::ConfigMap(map)) => {
            let path = format!("{path}.config_map");
            let (name, items, mode) = files(checks, &path, &map);
            no_mode(checks, &path, mode);
            ProjectedSource::ConfigMap { name, items, presence: presence(map.optional) }
        }
        Some(Source::DownwardApi(files)) => {
            let path = format!("{path}.downward_api");
            no_mode(checks, &path, files.default_mode);
            ProjectedSource::DownwardApi { items: downward(checks, &path, files.items) }
        }
        Some(Source::ServiceAccountToken(token)) => {
            let path = format!("{path}.service_account_token");
            check_path(checks, || format!("{path}.path"), &token.path);
            let life = MIN_TOKEN_SECONDS..=MAX_TOKEN_SECONDS;
            let field = || format!("{path}.expiration");
            let expiration_seconds = whole_seconds(checks, field, token.expiration.as_ref(), life);
            ProjectedSource::ServiceAccountToken { path: token.path, audience: set(token.audience), expiration_seconds }
        }
        None => {
            checks.wrong(path, "must say what it is");
            return None;
        }
    })
}

fn downward(checks: &mut Checks, path: &str, items: Vec<v1::DownwardApiFile>) -> Vec<DownwardFile> {
    check_count(checks, || format!("{path}.items"), items.len());
    let items = items.into_iter().enumerate();
    items.filter_map(|(i, file)| downward_file(checks, &format!("{path}.items[{i}]"), file)).collect()
}

fn downward_file(checks: &mut Checks, path: &str, file: v1::DownwardApiFile) -> Option<DownwardFile> {
    use v1::downward_api_file::Source;
    check_path(checks, || format!("{path}.path"), &file.path);
    mode(checks, || format!("{path}.mode"), file.mode);
    let source = match file.source {
        Some(Source::FieldPath(field)) => {
            checks.required(|| format!("{path}.field_path"), &field);
            DownwardSource::Field { path: field }
        }
        Some(Source::ResourceField(field)) => {
            checks.required(|| format!("{path}.resource_field.resource"), &field.resource);
            checks.required(|| format!("{path}.resource_field.container_name"), &field.container_name);
            DownwardSource::Resource {
                resource: field.resource,
                container: field.container_name,
                divisor: set(field.divisor),
            }
        }
        None => {
            checks.wrong(path, "must say what is in it: field_path or resource_field");
            return None;
        }
    };
    Some(DownwardFile { path: file.path, source, mode: file.mode })
}

fn check_count(checks: &mut Checks, field: impl FnOnce() -> String, count: usize) {
    if count == 0 || count > MAX_SOURCES {
        checks.wrong(field(), format!("must have 1 to {MAX_SOURCES} entries"));
    }
}

fn no_mode(checks: &mut Checks, path: &str, mode: Option<u32>) {
    if mode.is_some() {
        checks.wrong(format!("{path}.default_mode"), "must be unset: the volume's default_mode holds");
    }
}

fn check_path(checks: &mut Checks, field: impl Fn() -> String, path: &str) {
    checks.required(&field, path);
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        checks.wrong(field(), "must be a relative path without '..'");
    }
}

fn files(checks: &mut Checks, path: &str, files: &v1::ObjectFiles) -> (String, Vec<KeyFile>, Option<u32>) {
    checks.required(|| format!("{path}.name"), &files.name);
    mode(checks, || format!("{path}.default_mode"), files.default_mode);
    let item = |(i, item): (usize, &v1::KeyToPath)| {
        let path = format!("{path}.items[{i}]");
        checks.required(|| format!("{path}.key"), &item.key);
        check_path(checks, || format!("{path}.path"), &item.path);
        mode(checks, || format!("{path}.mode"), item.mode);
        KeyFile { key: item.key.clone(), path: item.path.clone(), mode: item.mode }
    };
    let items = files.items.iter().enumerate().map(item).collect();
    (files.name.clone(), items, files.default_mode)
}

fn mode(checks: &mut Checks, field: impl FnOnce() -> String, mode: Option<u32>) {
    if mode.is_some_and(|mode| mode > MAX_MODE) {
        checks.wrong(field(), format!("must be at most {MAX_MODE} (0777)"));
    }
}
