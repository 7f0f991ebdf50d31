//! A child process: its own log goes to a file, it is asked to stop, and killed if it does not.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// The binary that is measured.
const BINARY: &str = env!("CARGO_BIN_EXE_podlaunch");
/// How long it may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How long it may take to print what it was started for.
const OUTPUT_LIMIT: Duration = Duration::from_secs(20);

/// Where logs and results go: `target/bench`.
pub fn folder() -> anyhow::Result<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().context("the target folder")?;
    let folder = target.join("bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// A running `podlaunch`. Killed when dropped.
pub struct Process {
    child: Child,
    /// Read to its end as long as this lives, so that the process never writes into a closed pipe.
    stdout: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Process {
    /// Starts it with these arguments; stderr goes to `NAME.log`.
    pub fn start(name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
        let log = folder()?.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut child = Command::new(BINARY)
            .args(arguments)
            // A log setting of the caller's would be measured too.
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {BINARY}"))?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        Ok(Process { child, stdout: BufReader::new(stdout).lines(), log })
    }

    /// The first line on stdout that ends in the path of a file.
    pub async fn printed_file(&mut self) -> anyhow::Result<PathBuf> {
        let read = async {
            while let Some(line) = self.stdout.next_line().await? {
                let path = PathBuf::from(line.rsplit(": ").next().unwrap_or_default().trim());
                if path.is_file() {
                    return Ok(path);
                }
            }
            anyhow::bail!("it ended without printing a path")
        };
        let path = timeout(OUTPUT_LIMIT, read).await.context("no path was printed")?;
        path.with_context(|| format!("see {}", self.log.display()))
    }

    /// Fails if it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("podlaunch ended ({status}); see {}", self.log.display()),
        }
    }

    /// Its log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// SIGTERM, then SIGKILL.
    pub async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It may have ended meanwhile; its pid is not reused before it is waited for.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            eprintln!("bench: {} does not stop and is killed", self.log.display());
            // Dropped next, which kills it as well.
            let _ = self.child.kill().await;
        }
    }
}
