//! The flags of `podlaunch run`.
//!
//! ```text
//! template ◀─ manifest (-f) ◀─ container.rs, pod.rs: flags named as kubectl's, docker's and KubernetesPodOperator's
//! ```

mod container;
mod pod;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

pub use container::{ContainerArgs, MessagePolicy, PullPolicy};
pub use pod::{PodArgs, Restart};

use super::policy::AfterwardsArgs;
use super::target::{RetryArgs, TargetArgs};
use super::value::{Grace, duration, positive_duration, size};

/// `podlaunch run`.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = super::EXIT_CODES)]
pub struct RunArgs {
    /// The image
    #[arg(long, required_unless_present_any = ["file", "template"])]
    pub image: Option<String>,

    /// A template of the server, by name: what the task has in common with others. See `podlaunch templates`
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub template: String,

    /// A pod manifest (Pod, PodTemplateSpec or PodSpec; YAML or JSON), `-`: stdin. Merged over the template, other
    /// flags over it, as `kubectl patch` does
    #[arg(short, long, value_name = "PATH")]
    pub file: Option<PathBuf>,

    /// The command and its arguments, in place of the image's entrypoint. No shell
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,

    /// The task's name.
    #[command(flatten)]
    pub identity: IdentityArgs,

    /// The primary container.
    #[command(flatten)]
    pub container: ContainerArgs,

    /// The pod.
    #[command(flatten)]
    pub pod: PodArgs,

    /// Timeouts.
    #[command(flatten)]
    pub timeouts: TimeoutArgs,

    /// Its result.
    #[command(flatten)]
    pub result: RunResultArgs,

    /// What becomes of it without its caller, and afterwards.
    #[command(flatten)]
    pub afterwards: AfterwardsArgs,

    /// What is printed.
    #[command(flatten)]
    pub output: RunOutputArgs,

    /// What to talk to.
    #[command(flatten)]
    pub target: TargetArgs,

    /// For how long to try again.
    #[command(flatten)]
    pub retry: RetryArgs,
}

/// Who makes a pod that is not launched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// This process: no server, no cluster.
    Client,
    /// The server, and through it the cluster.
    Server,
}

/// How `run` prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum RunFormat {
    /// For people.
    #[default]
    Text,
    /// JSON.
    Json,
    /// YAML; with --dry-run only.
    Yaml,
}

/// The task's key.
#[derive(Debug, Clone, Args)]
pub struct IdentityArgs {
    /// The task's id. The same id with the same flags attaches to the task instead of starting another
    /// [default: run- and 8 random hexadecimal digits]
    #[arg(long, value_name = "ID")]
    pub task_id: Option<String>,

    /// Namespace of the pod
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    pub namespace: String,

    /// Number of the attempt; another attempt is another pod
    #[arg(long, value_name = "N", default_value = "1")]
    pub attempt: NonZeroU32,

    /// The cluster, where the server has several
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub cluster: String,
}

/// How long what may take.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Timeouts")]
pub struct TimeoutArgs {
    /// From the pod's creation until it has a node [default: none]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub schedule_timeout: Option<Duration>,

    /// From having a node until the container runs [default: the server's]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub startup_timeout: Option<Duration>,

    /// From the container's start until its end [default: none]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub execution_timeout: Option<Duration>,

    /// From SIGTERM to SIGKILL when it is stopped [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub grace: Option<Duration>,

    /// How long it may wait for one reason before it runs, such as IMAGE_PULL_FAILED=2m [default: the timeouts above]
    #[arg(long, value_name = "REASON=TIME")]
    pub pending_grace: Vec<Grace>,

    /// How long to wait for resource quota [default: not at all]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait_for_quota: Option<Duration>,
}

/// Where a task's result is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResultFrom {
    /// The primary container's termination message.
    Message,
    /// A file.
    File,
}

/// What the task gives back; `podlaunch result` prints it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Result")]
pub struct RunResultArgs {
    /// The task's result: its termination message (/dev/termination-log, less than 4 KiB), or the file
    /// /airflow/xcom/return.json [default: it has none]
    #[arg(long, value_name = "FROM")]
    pub result: Option<ResultFrom>,

    /// The task's result is this file of the primary container; its directory becomes a volume
    #[arg(long, value_name = "PATH")]
    pub result_file: Option<String>,

    /// The largest result that is taken [default: 1Mi]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub result_max_size: Option<u64>,
}

/// What is printed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct RunOutputArgs {
    /// Print no log
    #[arg(long, conflicts_with = "logs_of")]
    pub no_logs: bool,

    /// Whose log is printed: primary, all, or container names. With more than one each line begins with its container
    #[arg(long, value_name = "primary|all|NAME", value_delimiter = ',', default_value = "primary")]
    pub logs_of: Vec<String>,

    /// Launch, print the task's name, and leave it running
    #[arg(long, conflicts_with_all = ["validate_only", "dry_run"])]
    pub detach: bool,

    /// Launch nothing, print the pod. client: as podlaunch would send it, without asking anybody; server: as the
    /// cluster would store it, with its defaults and admission, after it has checked it
    #[arg(long, value_name = "WHERE", conflicts_with = "validate_only")]
    pub dry_run: Option<DryRun>,

    /// Launch nothing: let the cluster check the pod, and print the whole answer
    #[arg(long)]
    pub validate_only: bool,

    /// Text: the task's lines on stdout, all else on stderr. JSON: one event a line on stdout. With --dry-run the pod
    /// as YAML (default) or JSON
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: RunFormat,
}
