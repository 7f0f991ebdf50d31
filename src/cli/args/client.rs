//! The flags of the smaller client commands: `get`, `logs`, `result`, `cancel`, `delete`, `info`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::target::{EndpointArgs, RetryArgs, TargetArgs, TaskArgs};
use super::value::{Format, Since, Switch, TaskFormat, duration};

/// `podlaunch get`.
#[derive(Debug, Clone, Args)]
pub struct GetArgs {
    /// The task.
    #[command(flatten)]
    pub task: TaskArgs,

    /// How it is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: TaskFormat,

    /// The server.
    #[command(flatten)]
    pub endpoint: EndpointArgs,
}

/// `podlaunch logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// The task.
    #[command(flatten)]
    pub task: TaskArgs,

    /// Go on until the task ends
    #[arg(short, long)]
    pub follow: bool,

    /// Only the last N lines of what is there; 0 with -f: only new ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub tail: Option<u32>,

    /// Only lines stored since then: a time before now (5m), or a date (2026-01-31T12:00:00Z)
    #[arg(long, value_name = "TIME", conflicts_with = "tail")]
    pub since: Option<Since>,

    /// Whose log. May be given several times; then each line begins with its container [default: the primary one]
    #[arg(short, long, value_name = "NAME", value_delimiter = ',')]
    pub container: Vec<String>,

    /// The logs of all containers, each line beginning with its container
    #[arg(long, conflicts_with = "container")]
    pub all_containers: bool,

    /// Begin each line with its container [default: with several containers]
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "on")]
    pub prefix: Option<Switch>,

    /// Begin each line with the time the node stored it
    #[arg(long)]
    pub timestamps: bool,

    /// How it is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,

    /// For how long to try again.
    #[command(flatten)]
    pub retry: RetryArgs,

    /// The server.
    #[command(flatten)]
    pub endpoint: EndpointArgs,
}

/// `podlaunch result`.
#[derive(Debug, Clone, Args)]
pub struct ResultArgs {
    /// The task.
    #[command(flatten)]
    pub task: TaskArgs,

    /// Where it is written; the file appears when all of it has come and is what the outcome says [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// For how long to try again.
    #[command(flatten)]
    pub retry: RetryArgs,

    /// The server.
    #[command(flatten)]
    pub endpoint: EndpointArgs,
}

/// `podlaunch cancel`.
#[derive(Debug, Clone, Args)]
pub struct CancelArgs {
    /// The task.
    #[command(flatten)]
    pub task: TaskArgs,

    /// From SIGTERM to SIGKILL; shorter than the pod's own loses the pod and its log; 0: at once [default: the pod's]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub grace: Option<Duration>,

    /// Why, for those who read the outcome
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,

    /// If there is no such task, record it as cancelled: a later launch of it makes no pod. Its attempt must be said
    #[arg(long)]
    pub allow_missing: bool,

    /// How the answer is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,

    /// The server.
    #[command(flatten)]
    pub endpoint: EndpointArgs,
}

/// `podlaunch templates`.
#[derive(Debug, Clone, Args)]
pub struct TemplatesArgs {
    /// Show this one, as YAML
    #[arg(value_name = "NAME", default_value = "", hide_default_value = true)]
    pub name: String,

    /// How they are printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,

    /// The server.
    #[command(flatten)]
    pub endpoint: EndpointArgs,
}

/// `podlaunch delete`.
#[derive(Debug, Clone, Args)]
pub struct DeleteArgs {
    /// The task; its attempt must be said, by NAMESPACE/ID#ATTEMPT or --attempt.
    #[command(flatten)]
    pub task: TaskArgs,

    /// Only if its pod has this uid
    #[arg(long, value_name = "UID", default_value = "", hide_default_value = true)]
    pub pod_uid: String,

    /// The server.
    #[command(flatten)]
    pub endpoint: EndpointArgs,
}

/// `podlaunch info`.
#[derive(Debug, Clone, Args)]
pub struct InfoArgs {
    /// Fail (125) unless the server is ready: what it knows of at least one part of its scope is fresh. For probes
    #[arg(long)]
    pub ready: bool,

    /// How it is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,

    /// What to talk to.
    #[command(flatten)]
    pub target: TargetArgs,
}
