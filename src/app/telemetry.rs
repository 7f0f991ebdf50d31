//! The process's own log: structured, on stderr, never on stdout.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::args::LogFormat;

/// How much is written unless `RUST_LOG` says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// A server: what it does.
    Info,
    /// A client: what goes wrong.
    Warn,
}

/// Installs the subscriber.
pub(super) fn init(format: LogFormat, level: Level) {
    let default = match level {
        // kube logs each failed connection at ERROR by itself; the watches report it once.
        Level::Info => "info,kube_client=off,kube_runtime=off",
        Level::Warn => "warn,kube_client=off,kube_runtime=off",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let registry = tracing_subscriber::registry().with(filter);
    let ansi = std::io::stderr().is_terminal();
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(ansi);
    let installed = match format {
        LogFormat::Text => registry.with(layer).try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    // Only a test that starts two programs in one process finds one installed already.
    drop(installed);
}
