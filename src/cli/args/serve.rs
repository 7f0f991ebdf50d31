//! The flags of the commands that serve: `serve` and `local`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::value::{Listen, LocalImage, Pair, Switch, duration, loopback, positive_duration, size};

/// How the server's own log is written, on stderr.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `podlaunch serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Where to listen: IP:PORT or unix:/path. May be given several times. Other addresses than loopback are served
    /// with TLS to known callers only
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50051")]
    pub listen: Vec<Listen>,

    /// Who may call, and how.
    #[command(flatten)]
    pub security: SecurityArgs,

    /// Whether gRPC reflection is served
    #[arg(long, value_name = "WHEN", default_value = "on")]
    pub reflection: Switch,

    /// How the server's own log is written on stderr; RUST_LOG says how much
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Which cluster and which part of it.
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// How result files are taken.
    #[command(flatten)]
    pub result: ServeResultArgs,

    /// What tasks have in common, and what they must have.
    #[command(flatten)]
    pub templates: TemplateArgs,

    /// Bounds and times.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// Templates, and what is enforced.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Templates")]
pub struct TemplateArgs {
    /// Templates by name: a folder of NAME.yaml, NAME.yml or NAME.json, each a pod manifest; read again when they change
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,

    /// Templates in ConfigMaps of the server's own namespace: their keys NAME.yaml or NAME.json. The labels that choose
    /// them; followed as they change. A template of --templates wins over one of the same name
    #[arg(
        long,
        value_name = "SELECTOR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "podlaunch.dev/templates=true"
    )]
    pub template_configmaps: Option<String>,

    /// What every pod of a namespace gets, whatever is asked for: a YAML file of NAMESPACE (or "*"): patch. A launch
    /// that contradicts it is refused; read again when it changes
    #[arg(long, value_name = "FILE")]
    pub enforced: Option<PathBuf>,
}

/// Which cluster is served, and which part of it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// The kubeconfig [default: $KUBECONFIG, else ~/.kube/config, else the account of the pod this runs in]
    #[arg(long, value_name = "PATH")]
    pub kubeconfig: Option<PathBuf>,

    /// The context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,

    /// Name of this installation: tells its pods from another's in the same cluster
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub instance: String,

    /// Serve only this namespace. May be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    pub namespace: Vec<String>,

    /// Keep a pod that others delete until its outcome is recorded, by a finalizer
    #[arg(long, value_name = "WHEN", default_value = "off")]
    pub finalizer: Switch,

    /// Namespace of the outcome records and of the Lease that the replicas share [default: the namespace of the
    /// kubeconfig's context, or of the pod this runs in]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub record_namespace: String,

    /// Serve an embedded single-machine cluster instead. No isolation, for development
    #[arg(long, conflicts_with_all = ["kubeconfig", "context"])]
    pub local: bool,

    /// With --local: DIR/bin is the only PATH inside the image NAME; other images use this machine's PATH
    #[arg(long, value_name = "NAME=DIR", requires = "local")]
    pub local_image: Vec<LocalImage>,
}

/// Who may call over the network, and the Unix socket's group.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Security")]
pub struct SecurityArgs {
    /// Certificate chain of the server, PEM; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the server, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Certificates whose clients are known callers, PEM: mutual TLS
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,

    /// Known callers by bearer token: lines NAME:TOKEN; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub token_file: Option<PathBuf>,

    /// Serve anybody who reaches a TLS listener
    #[arg(long, requires = "tls_cert")]
    pub allow_unauthenticated: bool,

    /// Group that may connect to the Unix sockets, by name or number [default: the server's own]
    #[arg(long, value_name = "GROUP")]
    pub socket_group: Option<String>,
}

/// How result files are taken: by a sidecar in the pods that give one.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Results")]
pub struct ServeResultArgs {
    /// Image of the sidecar; has a POSIX shell, base64, cat, head, sha256sum, sleep, tr and wc
    #[arg(long, value_name = "IMAGE", default_value = "busybox:1")]
    pub result_image: String,

    /// A resource request of the sidecar. Given once, the defaults are off. May be given several times
    #[arg(long, value_name = "NAME=QUANTITY", default_values = ["cpu=10m", "memory=16Mi"])]
    pub result_request: Vec<Pair>,

    /// A resource limit of the sidecar, where quotas ask for limits. May be given several times [default: none]
    #[arg(long, value_name = "NAME=QUANTITY")]
    pub result_limit: Vec<Pair>,

    /// Largest result that a task may ask for. Its text in base64 must fit a log file of the nodes
    #[arg(long, value_name = "SIZE", default_value = "4Mi", value_parser = size)]
    pub max_result_size: u64,
}

/// The server's bounds and times.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// How long a bound task may take to start if it does not say; 0: for ever
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub default_startup_timeout: Duration,

    /// Size at which the nodes rotate a container's log: the kubelet's containerLogMaxSize
    #[arg(long, value_name = "SIZE", default_value = "10Mi", value_parser = size)]
    pub container_log_max_size: u64,

    /// How long the end of a task waits for the rest of its log
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = positive_duration)]
    pub log_wait: Duration,

    /// How long other containers may go on after a task's primary container has ended, before its pod is stopped
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub sidecar_grace: Duration,

    /// For how long after its end a task's key makes no second pod
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = positive_duration)]
    pub idempotency_window: Duration,

    /// How long the pod and log of a task that succeeded are kept, if the task does not say
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub retain_success: Duration,

    /// The same for one that ended in any other way
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub retain_failure: Duration,

    /// How long a stream's reader may stand still
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = positive_duration)]
    pub stall_limit: Duration,

    /// How many streams may be open at once
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_streams: u32,

    /// How many connections a listener may have open; one more is closed at once. Each listener counts for itself
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,

    /// How long open streams may go on after SIGTERM
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    pub drain: Duration,
}

impl LimitArgs {
    /// The default startup timeout; none where the flag is 0.
    #[must_use]
    pub fn startup_timeout(&self) -> Option<Duration> {
        Some(self.default_startup_timeout).filter(|timeout| !timeout.is_zero())
    }
}

/// `podlaunch release-finalizers`.
#[derive(Debug, Clone, Args)]
pub struct ReleaseFinalizersArgs {
    /// The kubeconfig [default: $KUBECONFIG, else ~/.kube/config, else the account of the pod this runs in]
    #[arg(long, value_name = "PATH")]
    pub kubeconfig: Option<PathBuf>,

    /// The context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,

    /// Name of the installation
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub instance: String,

    /// Only pods of this namespace. May be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    pub namespace: Vec<String>,
}

/// `podlaunch local`.
#[derive(Debug, Clone, Args)]
pub struct LocalArgs {
    /// Where to listen: IP:PORT of this machine; port 0: any that is free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = loopback)]
    pub listen: SocketAddr,

    /// DIR/bin is the only PATH inside the image NAME; other images use this machine's PATH
    #[arg(long, value_name = "NAME=DIR")]
    pub local_image: Vec<LocalImage>,

    /// Where the kubeconfig and the pods' files are put [default: a new temporary folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// Let whoever has the token ask for faults at /podlaunch.dev/faults: for tests
    #[arg(long)]
    pub faults: bool,
}
