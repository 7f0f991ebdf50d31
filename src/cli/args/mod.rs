//! The command line as types.
//!
//! ```text
//! argv ──clap──▶ Cli ─▶ Command ─┬─ Serve, Local     the composition root runs them
//!                                ├─ Client(…)        cli::execute, over a channel
//!                                └─ Completions      cli::completions
//! ```
//!
//! Flags only: nothing here connects, reads files or decides. Usage errors are clap's, exit status 2.

mod client;
mod policy;
mod reference;
mod run;
mod serve;
mod target;
#[cfg(test)]
mod tests;
mod value;
mod volume;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub use client::{CancelArgs, DeleteArgs, GetArgs, InfoArgs, LogsArgs, ResultArgs, TemplatesArgs};
pub use policy::AfterwardsArgs;
pub use reference::{HelperFlag, HostEntry, KeyUse, Toleration};
pub use run::{
    ContainerArgs, DryRun, MessagePolicy, PodArgs, PullPolicy, Restart, ResultFrom, RunArgs, RunFormat, RunOutputArgs,
    RunResultArgs, TimeoutArgs,
};
pub use serve::{LocalArgs, LogFormat, ReleaseFinalizersArgs, SecurityArgs, ServeArgs, ServeResultArgs, TemplateArgs};
pub use target::{Server, Target};
pub use value::{EnvSource, Format, Grace, Listen, LocalImage, Pair, Switch, TaskFormat, Text};
pub use volume::{Access, Medium, Port, User, VolumeFlag, VolumeFrom};

/// Shown by `run --help`; the same table as [`ExitStatus`](crate::cli::ExitStatus).
const EXIT_CODES: &str = "\
Exit status:
  0     the task succeeded (with --detach: it was launched)
  N     the task failed with exit code N
  2     wrong usage
  75    the cluster took the task away, or its outcome cannot be known
  125   podlaunch itself failed: no connection, request refused, …
  126   the task failed without an exit code: it never started, or timed out before
  130   the task was cancelled, or a second Ctrl-C left it
  141   nobody reads stdout any more; the task goes on

Ctrl-C cancels the task and waits for its end. A second Ctrl-C leaves at once; a stop that the server has goes on.
A closed stdout or a killed podlaunch does not cancel the task.";

/// Launches Kubernetes pods and streams their transitions and log lines until they end.
#[derive(Debug, Parser)]
#[command(name = "podlaunch", version, about, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, parsed once")]
pub enum Command {
    /// Serve the gRPC API
    Serve(Box<ServeArgs>),
    /// Run an embedded single-machine cluster as a process of its own, for kubectl and tests
    Local(LocalArgs),
    /// What a client does over the gRPC API.
    #[command(flatten)]
    Client(ClientCommand),
    /// Take podlaunch's finalizer off all pods of an installation that is not served any more
    ReleaseFinalizers(ReleaseFinalizersArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// What a client does over the gRPC API.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Run one task: print its transitions and its log, exit with its exit code
    Run(Box<RunArgs>),
    /// Show a task
    Get(GetArgs),
    /// Print a task's log
    Logs(LogsArgs),
    /// Print what a finished task gave back
    Result(ResultArgs),
    /// Stop a task
    Cancel(CancelArgs),
    /// Release a finished task: its pod, its log and its result go; its outcome stays for a while
    Delete(DeleteArgs),
    /// List the server's templates, or show one
    Templates(TemplatesArgs),
    /// Show what the server is
    Info(InfoArgs),
}

impl ClientCommand {
    /// What the command is to be connected to.
    #[must_use]
    pub fn target(&self) -> Target {
        match self {
            Self::Run(args) if args.output.dry_run == Some(DryRun::Client) => Target::Nowhere,
            Self::Run(args) => args.target.resolve(),
            Self::Info(args) => args.target.resolve(),
            Self::Get(args) => Target::Endpoint(args.endpoint.resolve()),
            Self::Logs(args) => Target::Endpoint(args.endpoint.resolve()),
            Self::Result(args) => Target::Endpoint(args.endpoint.resolve()),
            Self::Cancel(args) => Target::Endpoint(args.endpoint.resolve()),
            Self::Delete(args) => Target::Endpoint(args.endpoint.resolve()),
            Self::Templates(args) => Target::Endpoint(args.endpoint.resolve()),
        }
    }
}

/// `podlaunch completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}
