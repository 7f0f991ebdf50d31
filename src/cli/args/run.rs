//! The flags of `podlaunch run`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::target::{RetryArgs, TargetArgs};
use super::value::{EnvSource, Format, Grace, Pair, SecretEnv, duration, positive_duration};

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PullPolicy {
    /// Each time.
    Always,
    /// If the node does not have it.
    #[value(alias = "IfNotPresent")]
    IfNotPresent,
    /// Never.
    Never,
}

/// When Kubernetes starts a container again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Restart {
    /// Never.
    Never,
    /// When it ends with another exit code than 0.
    OnFailure,
}

/// `podlaunch run`.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = super::EXIT_CODES)]
pub struct RunArgs {
    /// The image
    #[arg(long, required_unless_present = "file")]
    pub image: Option<String>,

    /// A pod manifest (Pod, PodTemplateSpec or PodSpec; YAML or JSON), `-`: stdin. Other flags are merged over it
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

/// The primary container.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Container")]
pub struct ContainerArgs {
    /// Name of the primary container, whose exit decides the task [default: the manifest's, else main]
    #[arg(long, value_name = "NAME")]
    pub container: Option<String>,

    /// Environment variable. Readable for all who may read the pod: for secrets use --secret-env
    #[arg(short, long, value_name = "K=V")]
    pub env: Vec<Pair>,

    /// All keys of a secret or config map as environment
    #[arg(long, value_name = "secret:NAME|configmap:NAME")]
    pub env_from: Vec<EnvSource>,

    /// Environment variable from a key of a secret. --env may refer to it as $(K)
    #[arg(long, value_name = "K=SECRET:KEY")]
    pub secret_env: Vec<SecretEnv>,

    /// CPU it asks for and may use at most (request and limit), such as 500m
    #[arg(long, value_name = "QUANTITY")]
    pub cpu: Option<String>,

    /// Memory it asks for and may use at most (request and limit), such as 1Gi
    #[arg(long, value_name = "QUANTITY")]
    pub memory: Option<String>,

    /// When the image is pulled [default: Kubernetes' own rule]
    #[arg(long, value_name = "POLICY", ignore_case = true)]
    pub image_pull_policy: Option<PullPolicy>,

    /// Working directory [default: the image's]
    #[arg(short, long, value_name = "DIR")]
    pub working_dir: Option<String>,
}

/// The pod around the container.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Pod")]
pub struct PodArgs {
    /// Label of the pod
    #[arg(short, long, value_name = "K=V")]
    pub label: Vec<Pair>,

    /// Annotation of the pod
    #[arg(long, value_name = "K=V")]
    pub annotation: Vec<Pair>,

    /// Label that a node must have
    #[arg(long, value_name = "K=V")]
    pub node_selector: Vec<Pair>,

    /// Service account of the pod [default: the namespace's]
    #[arg(long, value_name = "NAME")]
    pub service_account: Option<String>,

    /// Whether a failed container is started again [default: never]
    #[arg(long, value_name = "WHEN")]
    pub restart: Option<Restart>,
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
    #[arg(long, conflicts_with = "validate_only")]
    pub detach: bool,

    /// Launch nothing: let the cluster check the pod, and print it
    #[arg(long)]
    pub validate_only: bool,

    /// Text: the task's lines on stdout, all else on stderr. JSON: one event a line on stdout
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}
