//! Image references: which are malformed, which cannot be pulled, which directory one is mapped to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the programs of an image come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// The mapped directory: its `bin` is the only PATH.
    Directory(&'a Path),
    /// Not mapped: the host's programs.
    Host,
}

/// Why there is no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": {cause}")]
    Invalid { image: String, cause: String },
    #[error(
        "failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": failed to do request: \
         Head \"https://{host}/v2/{path}/manifests/{version}\": dial tcp: lookup {host}: no such host"
    )]
    Pull { image: String, host: String, path: String, version: String },
    #[error("Container image \"{image}\" is not present with pull policy of Never")]
    NeverPull { image: String },
}

/// Finds an image. Mapped names win; of the others only those of a host in the reserved domain `.invalid` are unknown.
pub fn resolve<'a>(
    images: &'a BTreeMap<String, PathBuf>,
    image: &str,
    pull_policy: &str,
) -> Result<Source<'a>, ImageError> {
    if let Some(directory) = mapped(images, image) {
        return Ok(Source::Directory(directory));
    }
    let reference = Reference::parse(image).map_err(|cause| ImageError::Invalid { image: image.to_owned(), cause })?;
    if !reference.host.split(':').next().unwrap_or_default().ends_with(".invalid") {
        return Ok(Source::Host);
    }
    if pull_policy == "Never" {
        return Err(ImageError::NeverPull { image: image.to_owned() });
    }
    Err(ImageError::Pull {
        image: reference.full(),
        host: reference.host.to_owned(),
        path: reference.path.to_owned(),
        version: reference.version().to_owned(),
    })
}

fn mapped<'a>(images: &'a BTreeMap<String, PathBuf>, image: &str) -> Option<&'a Path> {
    let found = images.get(image).or_else(|| {
        let reference = Reference::parse(image).ok()?;
        let name = image.split('@').next().unwrap_or(image);
        images.get(name.strip_suffix(&format!(":{}", reference.tag)).unwrap_or(name))
    });
    found.map(PathBuf::as_path)
}

/// The parts of `host/path:tag@digest`.
struct Reference<'a> {
    host: &'a str,
    path: &'a str,
    tag: &'a str,
    digest: &'a str,
}

impl<'a> Reference<'a> {
    fn parse(image: &'a str) -> Result<Reference<'a>, String> {
        let malformed = || "invalid reference format".to_owned();
        let (name, digest) = image.split_once('@').unwrap_or((image, ""));
        let (host, rest) = split_host(name);
        let (path, tag) = rest.split_once(':').unwrap_or((rest, ""));
        if path.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(format!("invalid reference format: repository name ({path}) must be lowercase"));
        }
        let digest_ok = !image.contains('@') || is_digest(digest);
        let tag_ok = !rest.contains(':') || is_tag(tag);
        if !path.split('/').all(is_component) || !tag_ok || !digest_ok {
            return Err(malformed());
        }
        Ok(Reference { host, path, tag, digest })
    }

    fn version(&self) -> &str {
        match (self.digest, self.tag) {
            ("", "") => "latest",
            ("", tag) => tag,
            (digest, _) => digest,
        }
    }

    fn full(&self) -> String {
        let separator = if self.digest.is_empty() { ':' } else { '@' };
        format!("{}/{}{separator}{}", self.host, self.path, self.version())
    }
}

/// The registry, when the first component looks like one, and the rest.
fn split_host(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((host, rest))
            if host.contains(['.', ':']) || host == "localhost" || host.chars().any(|c| c.is_ascii_uppercase()) =>
        {
            (host, rest)
        }
        _ => ("", name),
    }
}

/// `[a-z0-9]+` joined by one `.`, one or two `_`, or any number of `-`.
fn is_component(component: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut parts = component.split(alphanumeric).filter(|gap| !gap.is_empty());
    component.starts_with(alphanumeric)
        && component.ends_with(alphanumeric)
        && parts.all(|gap| matches!(gap, "." | "_" | "__") || gap.chars().all(|c| c == '-'))
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.starts_with(word) && tag.len() <= 128 && tag.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty() && hex.len() >= 32 && hex.chars().all(|c| c.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(image: &str) -> String {
        match resolve(&BTreeMap::new(), image, "IfNotPresent") {
            Ok(source) => format!("{source:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn well_formed_images_are_the_hosts() {
        for image in ["busybox", "busybox:1", "ghcr.io/a/b:v1.2_3", "localhost:5000/x__y", "a-b/c--d", "x.y/z"] {
            assert_eq!(outcome(image), "Host", "{image}");
        }
        let digest = format!("busybox@sha256:{}", "0".repeat(64));
        assert_eq!(outcome(&digest), "Host");
    }

    #[test]
    fn malformed_images_are_named_as_the_kubelet_names_them() {
        assert_eq!(
            outcome("UPPER/Bad:1:2"),
            "Failed to apply default image tag \"UPPER/Bad:1:2\": couldn't parse image name \"UPPER/Bad:1:2\": \
             invalid reference format: repository name (Bad) must be lowercase"
        );
        for image in ["a:1:2", "a/", "-a", "a:", "a..b", "a@sha256:1", "a b"] {
            assert!(outcome(image).ends_with(": invalid reference format"), "{image}");
        }
    }

    #[test]
    fn reserved_hosts_cannot_be_pulled() {
        assert_eq!(
            outcome("registry.invalid/nope:1"),
            "failed to pull and unpack image \"registry.invalid/nope:1\": failed to resolve reference \
             \"registry.invalid/nope:1\": failed to do request: Head \
             \"https://registry.invalid/v2/nope/manifests/1\": dial tcp: lookup registry.invalid: no such host"
        );
        let images = BTreeMap::new();
        let never = resolve(&images, "registry.invalid/nope:1", "Never");
        assert!(matches!(never, Err(ImageError::NeverPull { .. })));
    }

    #[test]
    fn a_mapped_name_holds_for_every_tag_and_wins() {
        let images = BTreeMap::from([
            ("tools".to_owned(), PathBuf::from("/t")),
            ("tools:2".to_owned(), PathBuf::from("/t2")),
            ("registry.invalid/x".to_owned(), PathBuf::from("/x")),
        ]);
        for (image, directory) in
            [("tools", "/t"), ("tools:1", "/t"), ("tools:2", "/t2"), ("registry.invalid/x:9", "/x")]
        {
            assert_eq!(resolve(&images, image, "Always"), Ok(Source::Directory(Path::new(directory))), "{image}");
        }
        assert_eq!(resolve(&images, "other", "Always"), Ok(Source::Host));
    }
}
