//! The flags of `run` that describe the primary container.

use clap::{Args, ValueEnum};

use crate::cli::args::reference::{FieldEnv, KeyUse};
use crate::cli::args::value::{EnvSource, Pair, SecretEnv, Text};
use crate::cli::args::volume::{Port, User, VolumeFlag};

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

/// Where a termination message comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MessagePolicy {
    /// The file alone.
    File,
    /// The end of the log where the file is empty and the container failed.
    #[value(name = "fallback-to-logs", alias = "FallbackToLogsOnError")]
    FallbackToLogs,
}

/// The primary container.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Container")]
pub struct ContainerArgs {
    /// Name of the primary container, whose exit decides the task [default: the manifest's, else main]
    #[arg(long, value_name = "NAME")]
    pub container: Option<String>,

    /// The entrypoint in place of the image's; the words after `--` are its arguments. May be given several times
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    pub entrypoint: Vec<String>,

    /// The words after `--` are arguments to the image's own entrypoint
    #[arg(long, conflicts_with = "entrypoint")]
    pub keep_entrypoint: bool,

    /// Environment variable. Readable for all who may read the pod: for secrets use --secret
    #[arg(short, long, value_name = "K=V")]
    pub env: Vec<Pair>,

    /// All keys of a secret or config map as environment
    #[arg(long, value_name = "secret:NAME|configmap:NAME")]
    pub env_from: Vec<EnvSource>,

    /// A secret: K=SECRET:KEY is an environment variable, /DIR=SECRET a folder of its keys, /FILE=SECRET:KEY one file
    #[arg(long, value_name = "K|/PATH=SECRET[:KEY]")]
    pub secret: Vec<KeyUse>,

    /// A config map, in the same forms as --secret
    #[arg(long, value_name = "K|/PATH=CONFIGMAP[:KEY]")]
    pub config_map: Vec<KeyUse>,

    /// Environment variable from a key of a secret. --env may refer to it as $(K)
    #[arg(long, value_name = "K=SECRET:KEY")]
    pub secret_env: Vec<SecretEnv>,

    /// Environment variable from a field of the pod (metadata.name, status.podIP …) or a resource of the container
    /// (limits.memory, requests.cpu …)
    #[arg(long, value_name = "K=FIELD")]
    pub field_env: Vec<FieldEnv>,

    /// A volume and where it is mounted, also in the containers of --init and --sidecar:
    /// pvc:CLAIM:PATH, emptydir:PATH[:SIZE], memory:PATH[:SIZE], secret:NAME:PATH, configmap:NAME:PATH,
    /// /HOST:PATH, token:AUDIENCE:PATH, podinfo:PATH, NAME:PATH (a volume of manifest or template). `:ro` at the end
    /// of pvc, host path and NAME: read-only
    #[arg(short, long, value_name = "VOLUME:PATH[:ro]")]
    pub volume: Vec<VolumeFlag>,

    /// CPU it asks for and may use at most (request and limit), such as 500m
    #[arg(long, value_name = "QUANTITY")]
    pub cpu: Option<String>,

    /// Memory it asks for and may use at most (request and limit), such as 1Gi
    #[arg(long, value_name = "QUANTITY")]
    pub memory: Option<String>,

    /// GPUs: a number of nvidia.com/gpu, or RESOURCE=N
    #[arg(long, value_name = "[RESOURCE=]N")]
    pub gpu: Option<String>,

    /// What a node must have free for it, over --cpu, --memory and --gpu
    #[arg(long, value_name = "RESOURCE=QUANTITY", value_delimiter = ',')]
    pub requests: Vec<Pair>,

    /// What it may use at most, over --cpu, --memory and --gpu
    #[arg(long, value_name = "RESOURCE=QUANTITY", value_delimiter = ',')]
    pub limits: Vec<Pair>,

    /// When the image is pulled [default: Kubernetes' own rule]
    #[arg(long, value_name = "POLICY", ignore_case = true)]
    pub image_pull_policy: Option<PullPolicy>,

    /// Working directory [default: the image's]
    #[arg(short, long, value_name = "DIR")]
    pub working_dir: Option<String>,

    /// A port it listens on, for those who look
    #[arg(long, value_name = "[NAME=]N[/PROTOCOL]")]
    pub port: Vec<Port>,

    /// User and group it runs as, by number
    #[arg(short, long, value_name = "UID[:GID]", conflicts_with = "container_security_context")]
    pub user: Option<User>,

    /// Full rights on the node. Servers usually refuse it
    #[arg(long, conflicts_with = "container_security_context")]
    pub privileged: bool,

    /// A SecurityContext of the container, YAML or JSON; @FILE: from a file
    #[arg(long, value_name = "YAML|@FILE")]
    pub container_security_context: Option<Text>,

    /// Where the termination message comes from [default: fallback-to-logs]
    #[arg(long, value_name = "POLICY", ignore_case = true)]
    pub termination_message_policy: Option<MessagePolicy>,
}
