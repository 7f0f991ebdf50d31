//! The values of flags: text → typed value, with errors that say what to write instead.
//!
//! Used by clap as value parsers: a value that does not parse is a usage error (exit status 2) naming the flag.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};

use crate::proto::v1;

/// A flag that says on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

impl Switch {
    /// Whether it is on.
    #[must_use]
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: JSON, one object a line.
    Json,
}

/// How a task is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TaskFormat {
    /// For people.
    #[default]
    Text,
    /// For people, with all there is.
    Wide,
    /// JSON, in one line.
    Json,
    /// YAML.
    Yaml,
}

/// A text, or `@FILE`: what is in that file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// The text itself.
    Given(String),
    /// The file it is in.
    File(PathBuf),
}

impl Text {
    /// The text; empty for a file that has not been read.
    #[must_use]
    pub fn given(&self) -> &str {
        match self {
            Self::Given(text) => text,
            Self::File(_) => "",
        }
    }
}

impl FromStr for Text {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.strip_prefix('@') {
            Some("") => Err(ValueError::from_text("write the file's path behind the @")),
            Some(path) => Ok(Self::File(path.into())),
            None if text.trim().is_empty() => Err(ValueError::from_text("write YAML, JSON or @FILE")),
            None => Ok(Self::Given(text.to_owned())),
        }
    }
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket at this path.
    Unix(PathBuf),
}

impl Listen {
    /// Whether only this machine can reach it: a loopback address or a Unix socket.
    #[must_use]
    pub fn is_local_only(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Listen {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(ValueError::from_text("write the socket's path: unix:/path"));
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let numeric = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => text.to_owned(),
        };
        numeric
            .parse()
            .map(Self::Tcp)
            .map_err(|_| ValueError::from_text("write IP:PORT, such as 127.0.0.1:50051, or unix:/path"))
    }
}

/// `KEY=VALUE`. The value may be empty and may contain `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What is before the first `=`.
    pub key: String,
    /// What is after it.
    pub value: String,
}

impl FromStr for Pair {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self { key: key.to_owned(), value: value.to_owned() }),
            _ => Err(ValueError::from_text("write KEY=VALUE")),
        }
    }
}

/// `NAME=DIR`: a folder that stands for an image in the embedded cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalImage {
    /// The image as pods name it.
    pub name: String,
    /// The folder; its `bin` becomes the image's only PATH.
    pub dir: PathBuf,
}

impl FromStr for LocalImage {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once('=') {
            Some((name, dir)) if !name.is_empty() && !dir.is_empty() => {
                Ok(Self { name: name.to_owned(), dir: PathBuf::from(dir) })
            }
            _ => Err(ValueError::from_text("write NAME=DIR, such as alpine:3=./images/alpine")),
        }
    }
}

/// `K=SECRET:KEY`: an environment variable from a key of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretEnv {
    /// The variable.
    pub name: String,
    /// The secret.
    pub secret: String,
    /// The key in it.
    pub key: String,
}

impl FromStr for SecretEnv {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let parts =
            text.split_once('=').and_then(|(name, rest)| rest.split_once(':').map(|(secret, key)| (name, secret, key)));
        match parts {
            Some((name, secret, key)) if !name.is_empty() && !secret.is_empty() && !key.is_empty() => {
                Ok(Self { name: name.to_owned(), secret: secret.to_owned(), key: key.to_owned() })
            }
            _ => Err(ValueError::from_text("write VARIABLE=SECRET:KEY")),
        }
    }
}

/// `secret:NAME` or `configmap:NAME`: all keys as environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvSource {
    /// A secret.
    Secret(String),
    /// A config map.
    ConfigMap(String),
}

impl FromStr for EnvSource {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once(':') {
            Some(("secret", name)) if !name.is_empty() => Ok(Self::Secret(name.to_owned())),
            Some(("configmap", name)) if !name.is_empty() => Ok(Self::ConfigMap(name.to_owned())),
            _ => Err(ValueError::from_text("write secret:NAME or configmap:NAME")),
        }
    }
}

/// `REASON=TIME`: for how long a task may wait for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grace {
    /// The reason, without the enum's prefix, as it is printed.
    pub reason: v1::Reason,
    /// For how long; may be 0.
    pub time: Duration,
}

impl FromStr for Grace {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let write = "write REASON=TIME, such as IMAGE_PULL_FAILED=2m";
        let (name, time) = text.split_once('=').ok_or_else(|| ValueError::from_text(write))?;
        let name = name.to_ascii_uppercase().replace('-', "_");
        let reason = v1::Reason::from_str_name(&format!("REASON_{name}")).filter(|r| *r != v1::Reason::Unspecified);
        let unknown = || ValueError::from_text(format!("there is no reason {name}: {write}"));
        Ok(Self { reason: reason.ok_or_else(unknown)?, time: duration(time)? })
    }
}

/// A value that does not parse; Display says what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl ValueError {
    /// An error that says this.
    pub(super) fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A span of time with units, `30s`, `5m`, `1h30m`, `250ms`, or plain `0`. Never negative.
pub fn duration(text: &str) -> Result<Duration, ValueError> {
    if text.trim() == "0" {
        return Ok(Duration::ZERO);
    }
    text.parse::<SignedDuration>()
        .ok()
        .and_then(|span| Duration::try_from(span).ok())
        .ok_or_else(|| ValueError::from_text("write a time with its unit: 30s, 5m, 1h30m"))
}

/// A moment: so long ago, or a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// This long before now.
    Ago(Duration),
    /// Then.
    At(Timestamp),
}

impl Since {
    /// The moment, when it is `now`.
    #[must_use]
    pub fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(span) => now.checked_sub(span).unwrap_or(Timestamp::MIN),
            Self::At(time) => time,
        }
    }
}

impl FromStr for Since {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Ok(span) = duration(text) {
            return Ok(Self::Ago(span));
        }
        text.parse()
            .map(Self::At)
            .map_err(|_| ValueError::from_text("write how long ago (30s, 5m, 1h30m) or a date (2026-01-31T12:00:00Z)"))
    }
}

/// As [`duration`], but not 0.
pub fn positive_duration(text: &str) -> Result<Duration, ValueError> {
    match duration(text)? {
        Duration::ZERO => Err(ValueError::from_text("must be longer than 0")),
        span => Ok(span),
    }
}

/// The shortest time after which a task without a listener may be stopped.
const MIN_CANCEL_AFTER: Duration = Duration::from_secs(60);

/// As [`duration`], but at least a minute.
pub fn cancel_after(text: &str) -> Result<Duration, ValueError> {
    match duration(text)? {
        span if span < MIN_CANCEL_AFTER => Err(ValueError::from_text("must be at least 60s")),
        span => Ok(span),
    }
}

/// An address that only this machine can reach: `127.0.0.1:PORT`, `localhost:PORT`, `[::1]:PORT`.
pub fn loopback(text: &str) -> Result<SocketAddr, ValueError> {
    match text.parse()? {
        Listen::Tcp(address) if address.ip().is_loopback() => Ok(address),
        _ => Err(ValueError::from_text("write an address of this machine: 127.0.0.1:PORT; port 0 is any that is free")),
    }
}

/// A number of bytes as Kubernetes writes it: `10Mi`, `512Ki`, `1Gi`, `10M` or plain bytes. Not 0.
pub fn size(text: &str) -> Result<u64, ValueError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return Err(size_error()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(size_error)
}

fn size_error() -> ValueError {
    ValueError::from_text("write a size above 0, such as 10Mi, 512Ki or 1Gi")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let seconds = |text| duration(text).map(|span| span.as_secs_f64());
        for (text, expected) in [
            ("30s", 30.0),
            ("5m", 300.0),
            ("1h30m", 5400.0),
            ("250ms", 0.25),
            ("1h 30m", 5400.0),
            ("1.5h", 5400.0),
            ("PT1M", 60.0),
            ("0", 0.0),
            ("0s", 0.0),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "30", "-5s", "5 parsecs", "s", "1d", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(positive_duration("0s").is_err());
        assert_eq!(positive_duration("1s"), Ok(Duration::from_secs(1)));
    }

    #[test]
    fn sizes() {
        for (text, expected) in
            [("10Mi", 10 << 20), ("512Ki", 512 << 10), ("1Gi", 1 << 30), ("10M", 10_000_000), ("1", 1)]
        {
            assert_eq!(size(text), Ok(expected), "{text}");
        }
        for text in ["", "Mi", "0", "10MB", "-1", "1.5Gi", "10 Mi", "99999999999Ti"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn listen_addresses() {
        for (text, shown, local) in [
            ("127.0.0.1:50051", "127.0.0.1:50051", true),
            ("localhost:0", "127.0.0.1:0", true),
            ("[::1]:50051", "[::1]:50051", true),
            ("0.0.0.0:50051", "0.0.0.0:50051", false),
            ("unix:/run/p.sock", "unix:/run/p.sock", true),
            ("unix:///run/p.sock", "unix:/run/p.sock", true),
            ("unix:p.sock", "unix:p.sock", true),
        ] {
            let listen: Listen = text.parse().expect(text);
            assert_eq!(listen.to_string(), shown);
            assert_eq!(listen.is_local_only(), local, "{text}");
        }
        for text in ["", "50051", "unix:", "example.org:1", "127.0.0.1"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }

    #[test]
    fn loopback_only() {
        assert!(loopback("localhost:0").is_ok());
        assert!(loopback("[::1]:80").is_ok());
        for text in ["0.0.0.0:80", "10.0.0.1:80", "unix:/p.sock", "80"] {
            assert!(loopback(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pairs_keep_later_equal_signs_and_empty_values() {
        let pair: Pair = "A=b=c".parse().expect("a pair");
        assert_eq!((pair.key.as_str(), pair.value.as_str()), ("A", "b=c"));
        let pair: Pair = "A=".parse().expect("an empty value");
        assert_eq!(pair.value, "");
        for text in ["", "A", "=b"] {
            assert!(text.parse::<Pair>().is_err(), "{text}");
        }
    }

    #[test]
    fn references() {
        assert_eq!(
            "PASSWORD=db:pass.word".parse(),
            Ok(SecretEnv { name: "PASSWORD".to_owned(), secret: "db".to_owned(), key: "pass.word".to_owned() })
        );
        assert_eq!("secret:db".parse(), Ok(EnvSource::Secret("db".to_owned())));
        assert_eq!("configmap:app".parse(), Ok(EnvSource::ConfigMap("app".to_owned())));
        for text in ["", "P=db", "P=:k", "=db:k", "P=db:"] {
            assert!(text.parse::<SecretEnv>().is_err(), "{text}");
        }
        for text in ["", "db", "secret:", "other:db"] {
            assert!(text.parse::<EnvSource>().is_err(), "{text}");
        }
        let image: LocalImage = "python:3.6=./img".parse().expect("an image");
        assert_eq!(image.name, "python:3.6");
        assert!("python".parse::<LocalImage>().is_err());
    }
}
