//! The composition root: flags in, parts joined, processes run.
//!
//! ```text
//! serve       cluster (kubeconfig, in-cluster, or embedded) ─▶ executor ─▶ api ─▶ listeners
//! local       embedded cluster ─▶ TLS listener, kubeconfig
//! run --local embedded cluster ─▶ executor ─▶ api ─▶ in-process channel ─▶ cli
//! the rest    endpoint ─▶ channel ─▶ cli
//! ```
//!
//! The only module that names the embedded cluster: to everything else it is a cluster.

mod auth;
mod connections;
mod embedded;
mod listen;
mod release;
mod reload;
mod serve;
mod telemetry;
mod templates;
mod tls;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{self, Cli, Command, Io, Target};

/// Exit status when podlaunch itself fails.
const FAILED: u8 = 125;

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // The first provider installed is the process's; a second call would only say so.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&anyhow::Error::new(error).context("the runtime cannot be started")),
    };
    let code = runtime.block_on(run(cli.command));
    // A blocked read of stdin or a name lookup must not hold the end.
    runtime.shutdown_background();
    match code {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => {
            telemetry::init(args.log_format, telemetry::Level::Info);
            serve::run(*args).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Local(args) => {
            telemetry::init(cli::args::LogFormat::Text, telemetry::Level::Info);
            embedded::run(args).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::ReleaseFinalizers(args) => {
            telemetry::init(cli::args::LogFormat::Text, telemetry::Level::Warn);
            release::run(args).await
        }
        Command::Completions(args) => {
            cli::completions(args.shell, &mut std::io::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Client(command) => {
            telemetry::init(cli::args::LogFormat::Text, telemetry::Level::Warn);
            match command.target() {
                Target::Endpoint(server) => {
                    let channel = cli::connect(&server)?;
                    Ok(cli::execute(command, channel, Io::standard()).await.into())
                }
                Target::Nowhere => Ok(cli::execute_nowhere(command, crate::api::preview, Io::standard()).await.into()),
                Target::Local(images) => {
                    let all = embedded::InProcess::start(images).await?;
                    let status = cli::execute(command, all.channel(), Io::standard()).await;
                    all.shutdown().await;
                    Ok(status.into())
                }
            }
        }
    }
}

#[allow(clippy::print_stderr, reason = "the one place where an error that ends the program is printed")]
fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("podlaunch: {error:#}");
    ExitCode::from(FAILED)
}
