//! `--volume`, `--port`, `--user`: values with parts behind colons, as docker writes them.

use std::str::FromStr;

use super::value::ValueError;

/// A volume and where it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeFlag {
    /// What it is.
    pub source: VolumeFrom,
    /// Where it is mounted.
    pub path: String,
    /// Whether it can be written to.
    pub access: Access,
}

/// Whether a mount can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It can.
    ReadWrite,
    /// It cannot.
    ReadOnly,
}

/// What a volume is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeFrom {
    /// A persistent volume claim.
    Claim(String),
    /// An empty directory.
    Empty {
        /// Where it is kept.
        medium: Medium,
        /// Its largest size.
        size: Option<String>,
    },
    /// All keys of a secret.
    Secret(String),
    /// All keys of a config map.
    ConfigMap(String),
    /// A path of the node.
    Host(String),
    /// A token of the pod's service account for this audience, as the file `token`.
    Token(String),
    /// Labels and annotations of the pod as files.
    PodInfo,
    /// A volume that manifest or template have.
    Existing(String),
}

/// Where an empty directory is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// On the node's disk.
    Disk,
    /// In memory.
    Memory,
}

fn wrong_volume() -> ValueError {
    ValueError::from_text(
        "write pvc:CLAIM:/path, emptydir:/path, memory:/path:SIZE, secret:NAME:/path, configmap:NAME:/path, \
         /host:/path, token:AUDIENCE:/path, podinfo:/path or NAME:/path",
    )
}

impl FromStr for VolumeFlag {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (rest, access) = match text.strip_suffix(":ro") {
            Some(rest) => (rest, Access::ReadOnly),
            None => (text.strip_suffix(":rw").unwrap_or(text), Access::ReadWrite),
        };
        let parts: Vec<&str> = rest.split(':').collect();
        let named = |name: &str| name.to_owned();
        let (source, path) = match parts[..] {
            ["emptydir", path] => (VolumeFrom::Empty { medium: Medium::Disk, size: None }, path),
            ["emptydir", path, size] => (VolumeFrom::Empty { medium: Medium::Disk, size: Some(named(size)) }, path),
            ["memory", path] => (VolumeFrom::Empty { medium: Medium::Memory, size: None }, path),
            ["memory", path, size] => (VolumeFrom::Empty { medium: Medium::Memory, size: Some(named(size)) }, path),
            ["podinfo", path] => (VolumeFrom::PodInfo, path),
            ["pvc", claim, path] => (VolumeFrom::Claim(named(claim)), path),
            ["secret", name, path] => (VolumeFrom::Secret(named(name)), path),
            ["configmap", name, path] => (VolumeFrom::ConfigMap(named(name)), path),
            // An audience is often a URL.
            ["token", .., path] if parts.len() > 2 => (VolumeFrom::Token(parts[1..parts.len() - 1].join(":")), path),
            [host, path] if host.starts_with('/') => (VolumeFrom::Host(named(host)), path),
            // A name is missing, not a volume of that name meant.
            ["pvc" | "secret" | "configmap" | "token", _] => return Err(wrong_volume()),
            [name, path] if !name.is_empty() => (VolumeFrom::Existing(named(name)), path),
            _ => return Err(wrong_volume()),
        };
        let keeps_access = matches!(source, VolumeFrom::Claim(_) | VolumeFrom::Host(_) | VolumeFrom::Existing(_));
        if !path.starts_with('/') || parts.iter().any(|part| part.is_empty()) {
            return Err(wrong_volume());
        }
        if access == Access::ReadOnly && !keeps_access {
            return Err(ValueError::from_text(
                "leave `:ro` out: only pvc, host path and NAME can be chosen to be read-only",
            ));
        }
        Ok(Self { source, path: named(path), access })
    }
}

/// `[NAME=]N[/PROTOCOL]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name; may be empty.
    pub name: String,
    /// Its number.
    pub number: u16,
    /// Its protocol; may be empty.
    pub protocol: String,
}

impl FromStr for Port {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (name, rest) = text.split_once('=').unwrap_or(("", text));
        let (number, protocol) = rest.split_once('/').unwrap_or((rest, ""));
        match number.parse() {
            Ok(number) if number > 0 => {
                Ok(Self { name: name.to_owned(), number, protocol: protocol.to_ascii_uppercase() })
            }
            _ => Err(ValueError::from_text("write N, N/udp or NAME=N, N from 1 to 65535")),
        }
    }
}

/// `UID[:GID]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: Option<u32>,
}

impl FromStr for User {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let number = |text: &str| {
            text.parse().map_err(|_| ValueError::from_text("write numbers: UID or UID:GID, such as 1000:1000"))
        };
        match text.split_once(':') {
            Some((uid, gid)) => Ok(Self { uid: number(uid)?, gid: Some(number(gid)?) }),
            None => Ok(Self { uid: number(text)?, gid: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes() {
        let empty = |medium, size: Option<&str>| VolumeFrom::Empty { medium, size: size.map(str::to_owned) };
        for (text, source, path, access) in [
            ("pvc:data:/data", VolumeFrom::Claim("data".into()), "/data", Access::ReadWrite),
            ("pvc:data:/data:ro", VolumeFrom::Claim("data".into()), "/data", Access::ReadOnly),
            ("emptydir:/tmp", empty(Medium::Disk, None), "/tmp", Access::ReadWrite),
            ("emptydir:/tmp:10Gi", empty(Medium::Disk, Some("10Gi")), "/tmp", Access::ReadWrite),
            ("memory:/dev/shm:1Gi", empty(Medium::Memory, Some("1Gi")), "/dev/shm", Access::ReadWrite),
            ("secret:s:/s", VolumeFrom::Secret("s".into()), "/s", Access::ReadWrite),
            ("configmap:c:/c", VolumeFrom::ConfigMap("c".into()), "/c", Access::ReadWrite),
            ("/var/log:/logs:ro", VolumeFrom::Host("/var/log".into()), "/logs", Access::ReadOnly),
            ("token:vault:/var/run/t", VolumeFrom::Token("vault".into()), "/var/run/t", Access::ReadWrite),
            ("token:https://sts.x:443:/t", VolumeFrom::Token("https://sts.x:443".into()), "/t", Access::ReadWrite),
            ("podinfo:/etc/podinfo", VolumeFrom::PodInfo, "/etc/podinfo", Access::ReadWrite),
            ("shared:/shared:rw", VolumeFrom::Existing("shared".into()), "/shared", Access::ReadWrite),
        ] {
            assert_eq!(text.parse(), Ok(VolumeFlag { source, path: path.to_owned(), access }), "{text}");
        }
        for wrong in ["", "/a", "a", "a:b", "pvc:/data", "pvc:a:b", "token:/t", "secret::/s", "emptydir:/a:ro", ":/a"] {
            assert!(wrong.parse::<VolumeFlag>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ports_and_users() {
        let port = |text: &str| text.parse::<Port>().map(|p| format!("{} {} {}", p.name, p.number, p.protocol));
        assert_eq!(port("80").as_deref(), Ok(" 80 "));
        assert_eq!(port("dns=53/udp").as_deref(), Ok("dns 53 UDP"));
        assert!(port("0").is_err() && port("65536").is_err() && port("web").is_err());
        assert_eq!("1000".parse(), Ok(User { uid: 1000, gid: None }));
        assert_eq!("0:10".parse(), Ok(User { uid: 0, gid: Some(10) }));
        assert!("root".parse::<User>().is_err() && "1:".parse::<User>().is_err());
    }
}
