//! The flags of `run` that describe the pod around the primary container.

use clap::{Args, ValueEnum};

use crate::cli::args::reference::{HelperFlag, HostEntry, Toleration};
use crate::cli::args::value::{Pair, Switch, Text};

/// When Kubernetes starts a container again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Restart {
    /// Never.
    Never,
    /// When it ends with another exit code than 0.
    #[value(alias = "OnFailure")]
    OnFailure,
}

/// The pod around the container.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Pod")]
pub struct PodArgs {
    /// Label of the pod
    #[arg(short, long, value_name = "K=V")]
    pub label: Vec<Pair>,

    /// Annotation of the pod
    #[arg(long, value_name = "K=V")]
    pub annotation: Vec<Pair>,

    /// A container that runs to its end before the task's: its name, its image, its environment and its command, in
    /// shell quoting
    #[arg(long, value_name = "NAME=IMAGE [K=V…] [CMD…]")]
    pub init: Vec<HelperFlag>,

    /// A container that runs beside the task's and ends after it (a native sidecar)
    #[arg(long, value_name = "NAME=IMAGE [K=V…] [CMD…]")]
    pub sidecar: Vec<HelperFlag>,

    /// Label that a node must have
    #[arg(long, value_name = "K=V")]
    pub node_selector: Vec<Pair>,

    /// A taint it tolerates: KEY or KEY=VALUE, its effect, for how long; `*`: any taint
    #[arg(long, value_name = "KEY[=VALUE][:EFFECT[:TIME]]")]
    pub toleration: Vec<Toleration>,

    /// A Kubernetes Affinity, YAML or JSON; @FILE: from a file
    #[arg(long, value_name = "YAML|@FILE")]
    pub affinity: Option<Text>,

    /// A list of TopologySpreadConstraint, YAML or JSON; @FILE: from a file
    #[arg(long, value_name = "YAML|@FILE")]
    pub topology_spread: Option<Text>,

    /// Service account of the pod [default: the namespace's]
    #[arg(long, value_name = "NAME")]
    pub service_account: Option<String>,

    /// Whether the service account's token is mounted [default: as the account says]
    #[arg(long, value_name = "WHEN")]
    pub automount_token: Option<Switch>,

    /// A secret for pulling images
    #[arg(long, value_name = "SECRET", alias = "image-pull-secret")]
    pub pull_secret: Vec<String>,

    /// Priority class
    #[arg(long, value_name = "NAME")]
    pub priority_class: Option<String>,

    /// A PodSecurityContext, YAML or JSON; @FILE: from a file
    #[arg(long, value_name = "YAML|@FILE")]
    pub security_context: Option<Text>,

    /// Runtime class, such as gvisor
    #[arg(long, value_name = "NAME")]
    pub runtime_class: Option<String>,

    /// Scheduler [default: the cluster's]
    #[arg(long, value_name = "NAME")]
    pub scheduler: Option<String>,

    /// Host name inside the pod [default: the pod's name]
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,

    /// Subdomain of the host name
    #[arg(long, value_name = "NAME")]
    pub subdomain: Option<String>,

    /// DNS policy, in Kubernetes' words [default: ClusterFirst]
    #[arg(long, value_name = "POLICY")]
    pub dns_policy: Option<String>,

    /// A PodDNSConfig, YAML or JSON; @FILE: from a file
    #[arg(long, value_name = "YAML|@FILE")]
    pub dns_config: Option<Text>,

    /// An entry of /etc/hosts
    #[arg(long, value_name = "NAME:IP")]
    pub add_host: Vec<HostEntry>,

    /// The node's own network. Servers usually refuse it
    #[arg(long)]
    pub host_network: bool,

    /// Whether a failed container is started again [default: never]
    #[arg(long, value_name = "WHEN", ignore_case = true)]
    pub restart: Option<Restart>,
}
