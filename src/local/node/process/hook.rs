//! Commands of a container: its own, and those of its lifecycle hooks.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use super::cgroup::Cgroup;
use super::lookup::{StartError, exec_failed, find_program};
use super::spawner::{Process, Spawner};
use crate::local::node::spec::env::{Environment, array};

/// What every process of a container is started with.
#[derive(Clone, Debug)]
pub struct Setting {
    pub env: Environment,
    pub directory: PathBuf,
    /// Keeps its limits, where it has some and they can be kept.
    pub cgroup: Option<Arc<Cgroup>>,
}

impl Setting {
    /// The command for `argv`, its program looked up in the setting's own PATH.
    pub fn command(&self, argv: &[String]) -> Result<Command, StartError> {
        let program = argv.first().map(String::as_str).unwrap_or_default();
        let path = self.env.get("PATH").map(String::as_str).unwrap_or_default();
        let file = find_program(program, path, &self.directory)?;
        let mut command = Command::new(file);
        command
            .arg0(program)
            .args(argv.iter().skip(1))
            .env_clear()
            .envs(&self.env)
            .current_dir(&self.directory)
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Starts `argv`; `output` is where its two streams go.
    pub async fn start(
        &self,
        spawner: &Spawner,
        argv: &[String],
        output: fn() -> Stdio,
    ) -> Result<Process, StartError> {
        let mut command = self.command(argv)?;
        command.stdout(output()).stderr(output());
        let program = argv.first().map(String::as_str).unwrap_or_default();
        let doors = self.cgroup.as_ref().map_or(Ok(Vec::new()), |group| group.doors());
        let doors = doors.map_err(|error| exec_failed(program, &error))?;
        spawner.spawn(command, doors).await.map_err(|error| exec_failed(program, &error))
    }
}

/// What a lifecycle hook does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    Exec(Vec<String>),
    Sleep(Duration),
    /// A kind that the local cluster has not; it fails.
    Unsupported,
}

impl Hook {
    /// Reads a `lifecycle` handler; `None` when there is none.
    pub fn read(handler: &Value) -> Option<Hook> {
        if handler.is_null() {
            return None;
        }
        if !handler["exec"].is_null() {
            let argv = array(&handler["exec"]["command"]).filter_map(Value::as_str);
            return Some(Hook::Exec(argv.map(str::to_owned).collect()));
        }
        match handler["sleep"]["seconds"].as_u64() {
            Some(seconds) => Some(Hook::Sleep(Duration::from_secs(seconds))),
            None => Some(Hook::Unsupported),
        }
    }

    /// Runs the hook to its end. Its output is not kept. Dropping the future kills it.
    pub async fn run(&self, spawner: &Spawner, setting: &Setting) -> Result<(), HookFailed> {
        match self {
            Hook::Sleep(time) => {
                tokio::time::sleep(*time).await;
                Ok(())
            }
            Hook::Unsupported => Err(HookFailed),
            Hook::Exec(argv) => {
                let mut process = setting.start(spawner, argv, Stdio::null).await.map_err(|_| HookFailed)?;
                let status = process.child.wait().await;
                process.group.close();
                match status {
                    Ok(status) if status.success() => Ok(()),
                    _ => Err(HookFailed),
                }
            }
        }
    }
}

/// A hook did not end with success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hook failed")]
pub struct HookFailed;
