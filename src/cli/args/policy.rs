//! The flags of `run` about what becomes of the task when nobody listens, and of its pod afterwards.

use std::time::Duration;

use clap::Args;

use super::value::{cancel_after, duration};

/// What becomes of the task without its caller, and of its pod after its end.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Afterwards")]
pub struct AfterwardsArgs {
    /// Stop the task when nobody has listened to it for so long, at least 60s [default: it goes on]
    #[arg(long, value_name = "TIME", value_parser = cancel_after)]
    pub cancel_after: Option<Duration>,

    /// How long pod and log are kept if it succeeds [default: the server's]
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "keep")]
    pub retain_success: Option<Duration>,

    /// How long pod and log are kept if it ends in any other way [default: the server's]
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "keep")]
    pub retain_failure: Option<Duration>,

    /// Keep pod and log until `podlaunch delete`
    #[arg(long)]
    pub keep: bool,
}
