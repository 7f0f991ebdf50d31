//! Values of `run`'s flags that name something else: keys, fields, taints, hosts, other containers.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use super::value::{Pair, ValueError, duration};

/// A use of a secret or config map: `K=NAME:KEY`, `/DIR=NAME` or `/FILE=NAME:KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyUse {
    /// An environment variable.
    Env {
        /// The variable.
        variable: String,
        /// The object.
        name: String,
        /// The key.
        key: String,
    },
    /// Files.
    Files {
        /// A folder, or with `key` a file.
        path: String,
        /// The object.
        name: String,
        /// The only key; none is all of them.
        key: Option<String>,
    },
}

impl FromStr for KeyUse {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::from_text("write VARIABLE=NAME:KEY, /FOLDER=NAME or /FILE=NAME:KEY");
        let (target, of) = text.split_once('=').ok_or_else(wrong)?;
        let (name, key) = match of.split_once(':') {
            Some((_, "")) => return Err(wrong()),
            Some((name, key)) => (name.to_owned(), Some(key.to_owned())),
            None => (of.to_owned(), None),
        };
        if target.is_empty() || name.is_empty() {
            return Err(wrong());
        }
        match (target.starts_with('/'), key) {
            (true, key) => Ok(Self::Files { path: target.to_owned(), name, key }),
            (false, Some(key)) => Ok(Self::Env { variable: target.to_owned(), name, key }),
            (false, None) => Err(wrong()),
        }
    }
}

/// `K=FIELD`: a variable from a field of the pod or a resource of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldEnv {
    /// The variable.
    pub variable: String,
    /// `metadata.name`, `limits.cpu` …
    pub field: String,
}

impl FieldEnv {
    /// Whether it is a resource (`limits.cpu`) and not a field (`metadata.name`).
    #[must_use]
    pub fn is_resource(&self) -> bool {
        self.field.starts_with("limits.") || self.field.starts_with("requests.")
    }
}

impl FromStr for FieldEnv {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once('=') {
            Some((variable, field)) if !variable.is_empty() && !field.is_empty() => {
                Ok(Self { variable: variable.to_owned(), field: field.to_owned() })
            }
            _ => Err(ValueError::from_text("write VARIABLE=FIELD, such as POD=metadata.name or CPUS=limits.cpu")),
        }
    }
}

/// `KEY[=VALUE][:EFFECT[:TIME]]`, `*` for every taint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toleration {
    /// The taint's key; none is any.
    pub key: Option<String>,
    /// Its value; none is any.
    pub value: Option<String>,
    /// Its effect; none is any.
    pub effect: Option<String>,
    /// For how long; none is for ever.
    pub period: Option<Duration>,
}

impl FromStr for Toleration {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut parts = text.splitn(3, ':');
        let taint = parts.next().unwrap_or_default();
        let effect = parts.next().filter(|effect| !effect.is_empty()).map(str::to_owned);
        let period = parts.next().map(duration).transpose()?;
        let (key, value) = match taint.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (taint, None),
        };
        match (key, &value) {
            ("", _) => {
                Err(ValueError::from_text("write KEY[=VALUE][:EFFECT[:TIME]], such as gpu=true:NoSchedule, or *"))
            }
            ("*", Some(_)) => Err(ValueError::from_text("`*` is any taint and has no value")),
            ("*", None) => Ok(Self { key: None, value: None, effect, period }),
            (key, _) => Ok(Self { key: Some(key.to_owned()), value, effect, period }),
        }
    }
}

/// `NAME:IP`, an entry of `/etc/hosts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEntry {
    /// The name.
    pub name: String,
    /// The address.
    pub ip: IpAddr,
}

impl FromStr for HostEntry {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::from_text("write NAME:IP, such as db:10.0.0.2");
        let (name, ip) = text.split_once(':').ok_or_else(wrong)?;
        if name.is_empty() {
            return Err(wrong());
        }
        Ok(Self { name: name.to_owned(), ip: ip.parse().map_err(|_| wrong())? })
    }
}

/// `NAME=IMAGE [K=V…] [CMD…]`: a container beside or before the task's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelperFlag {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its environment, as a shell takes it before a command.
    pub env: Vec<Pair>,
    /// Its command; empty is the image's.
    pub command: Vec<String>,
}

impl FromStr for HelperFlag {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::from_text("write NAME=IMAGE or 'NAME=IMAGE K=V CMD ARGS…', quoted as in a shell");
        let mut words = shlex::split(text).ok_or_else(wrong)?.into_iter().peekable();
        let first = words.next().ok_or_else(wrong)?;
        let mut env = Vec::new();
        while let Some(word) = words.next_if(|word| assigns(word)) {
            env.push(word.parse()?);
        }
        match first.split_once('=') {
            Some((name, image)) if !name.is_empty() && !image.is_empty() => {
                Ok(Self { name: name.to_owned(), image: image.to_owned(), env, command: words.collect() })
            }
            _ => Err(wrong()),
        }
    }
}

/// Whether a shell would take the word as a variable's value: `NAME=…`.
fn assigns(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_of_keys() {
        let text = str::to_owned;
        let files = |path, name, key: Option<&str>| {
            Ok(KeyUse::Files { path: text(path), name: text(name), key: key.map(text) })
        };
        assert_eq!("P=db:pass".parse(), Ok(KeyUse::Env { variable: text("P"), name: text("db"), key: text("pass") }));
        assert_eq!("/etc/db=db".parse(), files("/etc/db", "db", None));
        assert_eq!("/etc/db/pass=db:pass.txt".parse(), files("/etc/db/pass", "db", Some("pass.txt")));
        for wrong in ["", "P", "P=db", "P=db:", "P=:k", "=db:k", "/p=", "/p=:k"] {
            assert!(wrong.parse::<KeyUse>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn fields_and_resources() {
        let parse = |text: &str| text.parse::<FieldEnv>().expect("good");
        assert!(!parse("POD=metadata.name").is_resource());
        assert!(parse("CPUS=limits.cpu").is_resource());
        assert!(parse("M=requests.memory").is_resource());
        assert!("POD".parse::<FieldEnv>().is_err() && "POD=".parse::<FieldEnv>().is_err());
    }

    #[test]
    fn tolerations_as_taints_are_written() {
        let parse = |text: &str| {
            let t = text.parse::<Toleration>().expect(text);
            let show = |part: Option<String>| part.unwrap_or("-".to_owned());
            format!("{} {} {} {:?}", show(t.key), show(t.value), show(t.effect), t.period.map(|p| p.as_secs()))
        };
        assert_eq!(parse("gpu=true:NoSchedule"), "gpu true NoSchedule None");
        assert_eq!(parse("example.com/x:NoExecute:60s"), "example.com/x - NoExecute Some(60)");
        assert_eq!(parse("spot"), "spot - - None");
        assert_eq!(parse("*"), "- - - None");
        assert_eq!(parse("*:NoExecute"), "- - NoExecute None");
        for wrong in ["", ":NoSchedule", "=a", "*=a", "a:NoExecute:soon"] {
            assert!(wrong.parse::<Toleration>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn hosts_and_helpers() {
        assert_eq!("db:::1".parse::<HostEntry>().expect("an address").ip.to_string(), "::1");
        for wrong in ["db", "db:x", ":1.1.1.1"] {
            assert!(wrong.parse::<HostEntry>().is_err(), "{wrong}");
        }
        let helper: HelperFlag = "get=busybox:1.36 sh -c 'wget http://x/ -O \"/data/a b\"'".parse().expect("a helper");
        assert_eq!((helper.name.as_str(), helper.image.as_str()), ("get", "busybox:1.36"));
        assert_eq!(helper.command, ["sh", "-c", "wget http://x/ -O \"/data/a b\""]);
        assert!(helper.env.is_empty());
        for wrong in ["", "busybox", "=busybox", "get=", "get=busybox sh -c 'x"] {
            assert!(wrong.parse::<HelperFlag>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_environment_of_a_helper_stands_before_its_command() {
        let parse = |text: &str| {
            let helper: HelperFlag = text.parse().expect("a helper");
            let env: Vec<String> = helper.env.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
            (env.join(","), helper.command.join(","))
        };
        assert_eq!(parse("a=i K=v '_L=two words' sh -c X=1"), ("K=v,_L=two words".into(), "sh,-c,X=1".into()));
        assert_eq!(parse("a=i K="), ("K=".into(), String::new()));
        assert_eq!(parse("a=i --flag=1 K=v"), (String::new(), "--flag=1,K=v".into()));
        assert_eq!(parse("a=i ./x=y"), (String::new(), "./x=y".into()));
    }
}
