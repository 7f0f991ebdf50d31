//! Volumes of the short form. Kinds marked "extended" in the contract are of a later version.

use super::checks::{Checks, set};
use super::decode_pod::{EXTENDED, presence};
use crate::proto::v1;
use crate::task::spec::{KeyFile, Volume, VolumeSource};

/// Highest mode of a file.
const MAX_MODE: u32 = 0o777;

/// Reads `spec.pod.volumes[index]`; none where what it holds cannot be read.
pub(super) fn volume(checks: &mut Checks, index: usize, volume: v1::Volume) -> Option<Volume> {
    use v1::volume::Source;
    let path = format!("spec.pod.volumes[{index}]");
    checks.required(|| format!("{path}.name"), &volume.name);
    let later = match volume.source {
        Some(Source::Secret(secret)) => {
            let (name, items, default_mode) = files(checks, &format!("{path}.secret"), &secret);
            let source = VolumeSource::Secret { name, items, default_mode, presence: presence(secret.optional) };
            return Some(Volume { name: volume.name, source });
        }
        Some(Source::ConfigMap(map)) => {
            let (name, items, default_mode) = files(checks, &format!("{path}.config_map"), &map);
            let source = VolumeSource::ConfigMap { name, items, default_mode, presence: presence(map.optional) };
            return Some(Volume { name: volume.name, source });
        }
        Some(Source::EmptyDir(dir)) => {
            let source = VolumeSource::EmptyDir { medium: set(dir.medium), size_limit: set(dir.size_limit) };
            return Some(Volume { name: volume.name, source });
        }
        Some(Source::PersistentVolumeClaim(_)) => "persistent_volume_claim",
        Some(Source::HostPath(_)) => "host_path",
        Some(Source::Projected(_)) => "projected",
        Some(Source::DownwardApi(_)) => "downward_api",
        None => {
            checks.wrong(path, "must say what it is; kinds that are not here go into spec.manifest");
            return None;
        }
    };
    checks.needs(format!("{path}.{later}"), EXTENDED);
    None
}

fn files(checks: &mut Checks, path: &str, files: &v1::ObjectFiles) -> (String, Vec<KeyFile>, Option<u32>) {
    checks.required(|| format!("{path}.name"), &files.name);
    mode(checks, || format!("{path}.default_mode"), files.default_mode);
    let item = |(i, item): (usize, &v1::KeyToPath)| {
        let path = format!("{path}.items[{i}]");
        checks.required(|| format!("{path}.key"), &item.key);
        checks.required(|| format!("{path}.path"), &item.path);
        if item.path.starts_with('/') || item.path.split('/').any(|part| part == "..") {
            checks.wrong(format!("{path}.path"), "must be a relative path without '..'");
        }
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
