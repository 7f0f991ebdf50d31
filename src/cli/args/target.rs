//! What a client command talks to, and which task it is about.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::value::{LocalImage, ValueError, positive_duration};
use crate::proto::v1;

/// The server that is asked where nothing is said.
pub const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:50051";

/// The environment variable that names the server.
pub const ENDPOINT_VARIABLE: &str = "PODLAUNCH_ENDPOINT";

/// What a client command talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A server: for [`connect`](crate::cli::connect).
    Endpoint(Server),
    /// An embedded cluster and server in this process.
    Local(Vec<LocalImage>),
    /// Nobody: the answer is made in this process, by the rules alone.
    Nowhere,
}

/// A server and what is shown to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Server {
    /// Its address.
    pub address: String,
    /// Certificates that vouch for it; the system's otherwise.
    pub tls_ca: Option<PathBuf>,
    /// The client's certificate and key.
    pub tls_identity: Option<(PathBuf, PathBuf)>,
    /// A file with the caller's token.
    pub token_file: Option<PathBuf>,
}

impl Server {
    /// At an address, without credentials.
    #[cfg(test)]
    pub fn at(address: impl Into<String>) -> Server {
        Server { address: address.into(), ..Server::default() }
    }
}

/// The server to talk to.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct EndpointArgs {
    /// The server: http://HOST:PORT, https://HOST:PORT or unix:/path
    /// [default: $PODLAUNCH_ENDPOINT, else http://127.0.0.1:50051]
    #[arg(long, value_name = "ADDRESS")]
    pub endpoint: Option<String>,

    /// With https: the certificates that vouch for the server, PEM
    #[arg(long, value_name = "FILE", env = "PODLAUNCH_TLS_CA", hide_env_values = true)]
    pub tls_ca: Option<PathBuf>,

    /// With https: the client's certificate chain, PEM
    #[arg(long, value_name = "FILE", env = "PODLAUNCH_TLS_CERT", hide_env_values = true, requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// With https: the client's private key, PEM
    #[arg(long, value_name = "FILE", env = "PODLAUNCH_TLS_KEY", hide_env_values = true, requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// With https: a file with the caller's token
    #[arg(long, value_name = "FILE", env = "PODLAUNCH_TOKEN_FILE", hide_env_values = true)]
    pub token_file: Option<PathBuf>,
}

impl EndpointArgs {
    /// Where the server is and what is shown to it.
    #[must_use]
    pub fn resolve(&self) -> Server {
        Server {
            address: self.resolve_with(std::env::var(ENDPOINT_VARIABLE).ok()),
            tls_ca: self.tls_ca.clone(),
            tls_identity: self.tls_cert.clone().zip(self.tls_key.clone()),
            token_file: self.token_file.clone(),
        }
    }

    fn resolve_with(&self, environment: Option<String>) -> String {
        self.endpoint
            .clone()
            .or_else(|| environment.filter(|address| !address.is_empty()))
            .unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned())
    }
}

/// The server to talk to, or none at all.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct TargetArgs {
    /// The server, if not --local.
    #[command(flatten)]
    pub endpoint: EndpointArgs,

    /// Without a server or a cluster: run everything in this process, on this machine. No isolation, for development
    #[arg(long, conflicts_with = "endpoint")]
    pub local: bool,

    /// With --local: DIR/bin is the only PATH inside the image NAME; other images use this machine's PATH
    #[arg(long, value_name = "NAME=DIR", requires = "local")]
    pub local_image: Vec<LocalImage>,
}

impl TargetArgs {
    /// What is to be talked to.
    #[must_use]
    pub fn resolve(&self) -> Target {
        if self.local { Target::Local(self.local_image.clone()) } else { Target::Endpoint(self.endpoint.resolve()) }
    }
}

/// Which task a command is about.
#[derive(Debug, Clone, Args)]
pub struct TaskArgs {
    /// The task: its id, or NAMESPACE/ID#ATTEMPT as printed by `run`
    #[arg(value_name = "TASK_ID", value_parser = task_name)]
    pub task: TaskName,

    /// Namespace of the task
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    pub namespace: String,

    /// The attempt [default: the highest known]
    #[arg(long, value_name = "N")]
    pub attempt: Option<NonZeroU32>,

    /// The cluster, where the server has several
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub cluster: String,
}

impl TaskArgs {
    /// The key for the request. A name written in full wins over the flags.
    #[must_use]
    pub fn key(&self) -> v1::TaskKey {
        let (namespace, attempt) = match &self.task.place {
            Some((namespace, attempt)) => (namespace, *attempt),
            None => (&self.namespace, self.attempt.map_or(0, NonZeroU32::get)),
        };
        v1::TaskKey {
            cluster: self.cluster.clone(),
            namespace: namespace.clone(),
            task_id: self.task.task_id.clone(),
            attempt,
        }
    }
}

/// A task's id, alone or with namespace and attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskName {
    /// The caller's name of the task.
    pub task_id: String,
    /// Namespace and attempt, where the name was written in full.
    pub place: Option<(String, u32)>,
}

/// `ID` or `NAMESPACE/ID#ATTEMPT`. A task id cannot contain `#`, so the two cannot be confused.
fn task_name(text: &str) -> Result<TaskName, ValueError> {
    let Some((path, attempt)) = text.rsplit_once('#') else {
        return Ok(TaskName { task_id: text.to_owned(), place: None });
    };
    let attempt = attempt.parse::<NonZeroU32>().ok();
    match (path.split_once('/'), attempt) {
        (Some((namespace, task_id)), Some(attempt)) if !namespace.is_empty() => {
            Ok(TaskName { task_id: task_id.to_owned(), place: Some((namespace.to_owned(), attempt.get())) })
        }
        _ => Err(ValueError::from_text("write ID or NAMESPACE/ID#ATTEMPT")),
    }
}

/// For how long a stream that breaks is taken up again.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct RetryArgs {
    /// Give up when the server could not be reached, or told nothing new, for so long
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = positive_duration)]
    pub retry_for: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(task: &str) -> v1::TaskKey {
        TaskArgs {
            task: task_name(task).expect(task),
            namespace: "team".to_owned(),
            attempt: NonZeroU32::new(7),
            cluster: String::new(),
        }
        .key()
    }

    #[test]
    fn a_name_in_full_wins_over_flags() {
        let short = key("etl/load:1");
        assert_eq!((short.namespace.as_str(), short.task_id.as_str(), short.attempt), ("team", "etl/load:1", 7));
        let full = key("default/etl/load:1#2");
        assert_eq!((full.namespace.as_str(), full.task_id.as_str(), full.attempt), ("default", "etl/load:1", 2));
        for text in ["a#1", "a/b#", "a/b#0", "a/b#x", "/b#1"] {
            assert!(task_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn flag_then_environment_then_default() {
        let flag = EndpointArgs { endpoint: Some("http://a:1".to_owned()), ..EndpointArgs::default() };
        let none = EndpointArgs::default();
        let environment = || Some("http://b:2".to_owned());
        assert_eq!(flag.resolve_with(environment()), "http://a:1");
        assert_eq!(none.resolve_with(environment()), "http://b:2");
        assert_eq!(none.resolve_with(Some(String::new())), DEFAULT_ENDPOINT);
        assert_eq!(none.resolve_with(None), DEFAULT_ENDPOINT);
    }
}
