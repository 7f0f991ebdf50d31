//! The command line: a client of the gRPC contract, and of nothing else.
//!
//! ```text
//! argv ─▶ Cli (args) ─▶ Command ─┬─ Serve, Local            for the composition root
//!                                └─ Client ─▶ execute ─┬─ run      LaunchTask … Termination ─▶ exit code
//!                                     ▲                ├─ logs     AttachTask
//!                                     │                ├─ result   GetTaskResult, resumed and verified
//!                   connect(endpoint) ┘                ├─ get, cancel, templates, info
//!                   or an in-process channel           └─ failure ─▶ stderr, 125
//! ```
//!
//! `session` makes one sequence of events of as many streams as it takes; `print` turns it into text or JSON; `exit`
//! has the table of exit statuses.

pub mod args;
mod call;
mod connect;
mod exit;
mod failure;
mod io;
mod logs;
mod print;
mod query;
mod request;
mod result;
mod run;
mod session;
#[cfg(test)]
mod testing;

use clap::CommandFactory as _;

pub use args::{Cli, ClientCommand, Command, Target};
pub use connect::{Connection, connect};
pub use exit::ExitStatus;
pub use io::Io;
pub use run::Preview;

use failure::Failure;
use session::Client;

/// Runs a client command over `connection` to its end, errors told on stderr.
///
/// Ends early only by its own bounds (`--retry-for`) or, for `run`, by a second Ctrl-C. Dropping the future leaves the
/// task running.
pub async fn execute(command: ClientCommand, connection: impl Into<Connection>, io: Io) -> ExitStatus {
    let (console, interrupts) = io.into_parts();
    let client = Client::new(connection.into().transport());
    let result = match &command {
        ClientCommand::Run(args) => run::run(args, client, console.clone(), interrupts).await,
        ClientCommand::Logs(args) => logs::logs(args, client, console.clone()).await,
        ClientCommand::Result(args) => result::result(args, &client, &console).await,
        ClientCommand::Get(args) => query::get(args, &client, &console).await,
        ClientCommand::Cancel(args) => query::cancel(args, &client, &console).await,
        ClientCommand::Delete(args) => query::delete(args, &client, &console).await,
        ClientCommand::Templates(args) => query::templates(args, &client, &console).await,
        ClientCommand::Info(args) => query::info(args, &client, &console).await,
    };
    told(result, &console).await
}

/// Runs a command that needs nobody ([`Target::Nowhere`]), `preview` in the server's place.
pub async fn execute_nowhere(command: ClientCommand, preview: Preview, io: Io) -> ExitStatus {
    let (console, _) = io.into_parts();
    let result = match &command {
        ClientCommand::Run(args) => run::preview(args, preview, &console).await,
        _ => Err(Failure::Flag { flag: "--dry-run", problem: "only `run` has it".to_owned() }),
    };
    told(result, &console).await
}

/// The exit status; a failure is told on stderr.
async fn told(result: Result<ExitStatus, Failure>, console: &io::Console) -> ExitStatus {
    match result {
        Ok(status) => status,
        Err(failure) => {
            for line in failure.report() {
                console.err(&line).await;
            }
            failure.exit_status()
        }
    }
}

/// Writes the completion script for a shell.
///
/// # Errors
///
/// Those of `out`.
pub fn completions(shell: clap_complete::Shell, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let mut command = Cli::command();
    // Into memory first: the generator itself does not survive an output that is closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "podlaunch", &mut script);
    out.write_all(&script)
}
