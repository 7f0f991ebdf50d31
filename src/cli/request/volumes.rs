//! `--volume`, and `--secret` and `--config-map` as files: volumes of the pod and their mounts.
//!
//! A volume's name follows from what it is, so that the same flags make the same request, and one that is mounted twice
//! is one volume.

use crate::cli::args::{Access, ContainerArgs, KeyUse, Medium, VolumeFlag, VolumeFrom};
use crate::proto::v1;
use v1::volume::Source;

/// Longest name of a volume, bytes.
const MAX_NAME: usize = 63;

/// Volumes and where they are mounted.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    /// Of the pod.
    pub(super) volumes: Vec<v1::Volume>,
    /// In the primary container.
    pub(super) mounts: Vec<v1::VolumeMount>,
    /// In containers beside it: those of `--volume`.
    pub(super) shared: Vec<v1::VolumeMount>,
}

pub(super) fn of(flags: &ContainerArgs) -> Volumes {
    let mut all = Volumes::default();
    for flag in &flags.volume {
        let name = all.add(flag);
        all.shared.push(mount(name, &flag.path, flag.access));
    }
    all.mounts.clone_from(&all.shared);
    for (used, source) in flags
        .secret
        .iter()
        .map(|used| (used, Kind::Secret))
        .chain(flags.config_map.iter().map(|used| (used, Kind::ConfigMap)))
    {
        if let KeyUse::Files { path, name, key } = used {
            let volume = all.add_source(source.volume(name));
            let sub_path = key.clone().unwrap_or_default();
            all.mounts.push(v1::VolumeMount { sub_path, ..mount(volume, path, Access::ReadOnly) });
        }
    }
    all
}

#[derive(Clone, Copy)]
enum Kind {
    Secret,
    ConfigMap,
}

impl Kind {
    fn volume(self, name: &str) -> (String, Source) {
        let files = v1::ObjectFiles { name: name.to_owned(), ..Default::default() };
        match self {
            Self::Secret => (label("secret", name), Source::Secret(files)),
            Self::ConfigMap => (label("configmap", name), Source::ConfigMap(files)),
        }
    }
}

impl Volumes {
    /// The volume's name; it is added unless it is there.
    fn add(&mut self, flag: &VolumeFlag) -> String {
        match source(flag) {
            Ok(volume) => self.add_source(volume),
            Err(existing) => existing,
        }
    }

    fn add_source(&mut self, (name, source): (String, Source)) -> String {
        if !self.volumes.iter().any(|volume| volume.name == name) {
            self.volumes.push(v1::Volume { name: name.clone(), source: Some(source) });
        }
        name
    }
}

fn mount(name: String, path: &str, access: Access) -> v1::VolumeMount {
    v1::VolumeMount {
        name,
        mount_path: path.to_owned(),
        sub_path: String::new(),
        read_only: access == Access::ReadOnly,
    }
}

/// The volume, or the name of one that manifest or template have.
fn source(flag: &VolumeFlag) -> Result<(String, Source), String> {
    Ok(match &flag.source {
        VolumeFrom::Existing(name) => return Err(name.clone()),
        VolumeFrom::Secret(name) => Kind::Secret.volume(name),
        VolumeFrom::ConfigMap(name) => Kind::ConfigMap.volume(name),
        VolumeFrom::Claim(claim) => {
            let source = v1::PersistentVolumeClaimVolume { claim_name: claim.clone(), read_only: false };
            (label("pvc", claim), Source::PersistentVolumeClaim(source))
        }
        VolumeFrom::Empty { medium, size } => {
            let medium = match medium {
                Medium::Disk => String::new(),
                Medium::Memory => "Memory".to_owned(),
            };
            let source = v1::EmptyDirVolume { medium, size_limit: size.clone().unwrap_or_default() };
            (label("dir", &flag.path), Source::EmptyDir(source))
        }
        VolumeFrom::Host(path) => {
            (label("host", path), Source::HostPath(v1::HostPathVolume { path: path.clone(), ..Default::default() }))
        }
        VolumeFrom::Token(audience) => (label("token", audience), token(audience)),
        VolumeFrom::PodInfo => ("podinfo".to_owned(), pod_info()),
    })
}

fn token(audience: &str) -> Source {
    use v1::projected_source::Source as Of;
    let token = v1::ServiceAccountToken { audience: audience.to_owned(), expiration: None, path: "token".to_owned() };
    let sources = vec![v1::ProjectedSource { source: Some(Of::ServiceAccountToken(token)) }];
    Source::Projected(v1::ProjectedVolume { sources, default_mode: None })
}

fn pod_info() -> Source {
    use v1::downward_api_file::Source as In;
    let file = |name: &str| v1::DownwardApiFile {
        path: name.to_owned(),
        source: Some(In::FieldPath(format!("metadata.{name}"))),
        mode: None,
    };
    Source::DownwardApi(v1::DownwardApiFiles { items: vec![file("labels"), file("annotations")], default_mode: None })
}

/// A DNS label of a kind and a name. Where the name had to be changed a checksum keeps different ones apart.
fn label(kind: &str, name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' { c } else { '-' }).collect();
    let full = format!("{kind}-{}", plain.trim_matches('-'));
    if plain == name && plain.trim_matches('-') == name && full.len() <= MAX_NAME {
        return full;
    }
    let check = format!("-{:08x}", crc32fast::hash(name.as_bytes()));
    let kept = full.get(..MAX_NAME - check.len()).unwrap_or(&full);
    format!("{}{check}", kept.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_and_keep_names_apart() {
        assert_eq!(label("pvc", "data-1"), "pvc-data-1");
        let names = ["/data", "data.", "Data", "/", &"x".repeat(100), "my.secret", "my-secret"];
        let labels: std::collections::BTreeSet<String> = names.iter().map(|name| label("host", name)).collect();
        assert_eq!(labels.len(), names.len(), "{labels:?}");
        for label in labels {
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(label.len() <= 63 && label.chars().all(good) && !label.ends_with('-'), "{label}");
        }
    }
}
