//! The tools of the cluster under test: what restarts its parts. Tests that need them run alone.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use super::Ctx;

/// The folder named by `PODLAUNCH_E2E_CLUSTER_TOOLS`.
pub struct Tools(PathBuf);

/// The tools, or a word on why the test does not run.
pub fn of(t: &Ctx) -> Option<Tools> {
    match std::env::var_os("PODLAUNCH_E2E_CLUSTER_TOOLS").filter(|_| t.backend.is_real()) {
        Some(folder) => Some(Tools(folder.into())),
        None => {
            println!("skipped: PODLAUNCH_E2E_CLUSTER_TOOLS names no tools that restart parts of the cluster");
            None
        }
    }
}

impl Tools {
    /// Restarts a part and waits until the tool says it is up.
    pub async fn restart(&self, part: &str) {
        self.call("restart", &[part]).await;
    }

    /// Where a tool is.
    pub fn path(&self, tool: &str) -> PathBuf {
        self.0.join(tool)
    }

    /// Runs a tool to its end.
    pub async fn call(&self, tool: &str, arguments: &[&str]) {
        println!("{tool} {}", arguments.join(" "));
        let child = tokio::process::Command::new(self.path(tool)).args(arguments).stdout(Stdio::null()).status();
        let status = tokio::time::timeout(Duration::from_secs(300), child).await;
        let status = status.unwrap_or_else(|_| panic!("{tool} takes too long")).expect("a tool that can be run");
        assert!(status.success(), "{tool} {arguments:?}: {status}");
    }
}
