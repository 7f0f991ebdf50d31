//! Starting containers: volumes, configuration, process. The image comes between the first two (`image`).
//!
//! ```text
//! mount ─→ image ──→ configuration ──→ root, log ──→ process ──→ Running (or Starting, while postStart runs)
//!   │        │            │                             │
//! FailedMount│  CreateContainerConfigError          StartError/128
//!      ErrImagePull …
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::Worker;
use super::container::{Due, Ended, State};
use super::status::Sandbox;
use crate::local::node::events::Severity;
use crate::local::node::logs::file::AttemptLog;
use crate::local::node::process::cgroup::Limits;
use crate::local::node::process::hook::{Hook, Setting};
use crate::local::node::process::lookup::{StartError, below, check_directory};
use crate::local::node::process::run::{self, Attempt, MessagePolicy, MessageSource};
use crate::local::node::process::spawner::Process;
use crate::local::node::spec::env::{Environment, Sources, array};
use crate::local::node::spec::quantity::{ratio, thousandths};
use crate::local::node::volumes;
use crate::local::store::Meta;

const CONFIG_ERROR: &str = "CreateContainerConfigError";

/// A container that is ready to be started.
struct Prepared {
    id: String,
    argv: Vec<String>,
    setting: Setting,
    log: Arc<AttemptLog>,
    message_file: PathBuf,
    /// The working directory, if it cannot be used.
    obstacle: Option<StartError>,
}

impl Worker {
    /// Sets up the volumes if that is due; true once they are there.
    pub(super) fn mount(&mut self) -> bool {
        if self.mount_due == Due::Never {
            return true;
        }
        if !self.mount_due.is_due() {
            return false;
        }
        match volumes::prepare(&self.node.store, &self.pod, &self.directory.join("volumes")) {
            Ok(()) => {
                self.mount_due = Due::Never;
                self.sandbox = Sandbox::Ready;
                true
            }
            Err(error) => {
                self.mount_due = Due::after(self.mount_delay.next(self.node.config.timing.mount_back_off));
                self.event(None, Severity::Warning, "FailedMount", error.to_string());
                false
            }
        }
    }

    /// Whether a changed secret or config map may help.
    pub(super) fn heeds_config(&self) -> bool {
        self.stop.is_none() && (self.mount_due != Due::Never || self.lacks_config().next().is_some())
    }

    /// A secret or config map changed: what lacked one is tried now.
    pub(super) fn retry_config(&mut self) {
        if self.mount_due != Due::Never {
            self.mount_due = Due::Now;
        }
        let lacking: Vec<usize> = self.lacks_config().collect();
        lacking.into_iter().for_each(|index| self.containers[index].due = Due::Now);
    }

    fn lacks_config(&self) -> impl Iterator<Item = usize> + '_ {
        let waits = |state: &State| matches!(state, State::Waiting { reason, .. } if *reason == CONFIG_ERROR);
        self.containers.iter().enumerate().filter(move |(_, c)| waits(&c.state)).map(|(index, _)| index)
    }

    /// Starts the container, or lets it wait with the reason.
    pub(super) async fn start(&mut self, index: usize) {
        self.put_last_aside(index);
        let Some(path) = self.pull(index) else {
            return;
        };
        match self.prepare(index, path) {
            Err(message) => {
                self.event(Some(index), Severity::Warning, "Failed", format!("Error: {message}"));
                let container = &mut self.containers[index];
                container.wait(CONFIG_ERROR, message);
                container.due = Due::after(self.node.config.timing.config_retry);
            }
            Ok(prepared) => self.launch(index, prepared).await,
        }
    }

    /// The attempt that ended becomes `lastState`; the one before it goes, with its log.
    fn put_last_aside(&mut self, index: usize) {
        let container = &mut self.containers[index];
        let State::Ended(ended) = &container.state else {
            return;
        };
        let ended = ended.clone();
        if let Some(older) = container.last.replace(ended) {
            self.node.logs.remove(&older.id);
        }
        let delay = container.crash_delay.current();
        if delay.is_zero() {
            return;
        }
        let message = format!(
            "back-off {} restarting failed container={} pod={}_{}({})",
            go_duration(delay),
            container.name,
            self.pod.name(),
            self.pod.namespace(),
            self.pod.uid()
        );
        container.wait("CrashLoopBackOff", message);
        self.post();
    }

    /// Everything a process needs but the process; the error is what the waiting container says.
    fn prepare(&mut self, index: usize, path: String) -> Result<Prepared, String> {
        let container = &self.containers[index];
        let sources = Sources { store: &self.node.store, pod: &self.pod, container: &container.spec };
        let declared = sources.environment().map_err(|error| error.to_string())?;
        let argv = sources.argv(&declared);
        let root = self.directory.join("containers").join(&container.name).join("root");
        let volumes = self.directory.join("volumes");
        volumes::fresh_root(&container.spec, &declared, &volumes, &root).map_err(|error| error.to_string())?;
        let message_path = container.spec["terminationMessagePath"].as_str().unwrap_or("/dev/termination-log");
        let message_file = touch(&root, message_path)?;
        let log = self.directory.join("logs").join(&container.name).join(format!("{}.log", self.attempt(index)));
        let log = AttemptLog::create(log, self.node.config.rotation(), self.clock.clone());
        let log = log.map_err(|error| error.to_string())?;
        let directory = working_directory(&container.spec, &root);
        let env = full_environment(declared, path, self.pod.name(), &root);
        Ok(Prepared {
            id: new_id(),
            argv,
            obstacle: check_directory(&directory).err(),
            setting: Setting { env, directory, cgroup: self.node.limit(&limits(&container.spec)) },
            log,
            message_file,
        })
    }

    fn attempt(&self, index: usize) -> u32 {
        let container = &self.containers[index];
        container.restarts + u32::from(container.last.is_some() && !container.id.is_empty())
    }

    async fn launch(&mut self, index: usize, prepared: Prepared) {
        let attempt = self.attempt(index);
        let name = self.containers[index].name.clone();
        self.event(Some(index), Severity::Normal, "Created", format!("Created container: {name}"));
        let container = &mut self.containers[index];
        container.restarts = attempt;
        container.id = prepared.id.clone();
        self.node.logs.insert(&prepared.id, Arc::clone(&prepared.log));
        let process = match prepared.obstacle {
            Some(ref obstacle) => Err(obstacle.clone()),
            None => prepared.setting.start(&self.node.spawner, &prepared.argv, Stdio::piped).await,
        };
        match process {
            Ok(process) => {
                self.event(Some(index), Severity::Normal, "Started", format!("Started container {name}"));
                self.attend(index, prepared, process);
            }
            Err(error) => self.start_failed(index, &prepared, &error),
        }
    }

    /// Hands the process to a task that sees it through.
    fn attend(&mut self, index: usize, prepared: Prepared, process: Process) {
        let container = &mut self.containers[index];
        let lifecycle = &container.spec["lifecycle"];
        let post_start = Hook::read(&lifecycle["postStart"]);
        let since = self.clock.now();
        container.state = match post_start {
            Some(_) => State::Starting { since },
            None => State::Running { since },
        };
        let (stop, ordered) = watch::channel(None);
        container.stop = Some(stop);
        let policy = match container.spec["terminationMessagePolicy"].as_str() {
            Some("FallbackToLogsOnError") => MessagePolicy::FallbackToLogsOnError,
            _ => MessagePolicy::File,
        };
        let attempt = Attempt {
            index,
            process,
            log: prepared.log,
            clock: self.clock.clone(),
            rotate_every: self.node.config.timing.rotate_check,
            spawner: self.node.spawner.clone(),
            setting: prepared.setting,
            post_start,
            pre_stop: Hook::read(&lifecycle["preStop"]),
            message: MessageSource { file: prepared.message_file, policy },
        };
        let task = self.runs.spawn(run::run(attempt, ordered, self.tell.clone()));
        self.run_of.insert(task.id(), index);
    }

    fn start_failed(&mut self, index: usize, prepared: &Prepared, error: &StartError) {
        prepared.log.end();
        self.event(Some(index), Severity::Warning, "Failed", format!("Error: {error}"));
        self.containers[index].state = State::Ended(Ended {
            exit_code: 128,
            reason: "StartError",
            message: error.to_string(),
            started: Timestamp::UNIX_EPOCH,
            finished: self.clock.now(),
            id: prepared.id.clone(),
        });
        self.plan_restart(index);
    }

    /// When an ended container starts again, if it does.
    pub(super) fn plan_restart(&mut self, index: usize) {
        let timing = self.node.config.timing;
        let container = &mut self.containers[index];
        let restarts = container.ended().is_some_and(|ended| self.policy.restarts(container, ended));
        if self.stop.is_some() || !restarts {
            return;
        }
        let ran = container.ended().map(|ended| ended.finished.duration_since(ended.started).unsigned_abs());
        let began_anew =
            ran.is_some_and(|ran| ran >= timing.crash_back_off.limit * 2) && !is_start_error(container.ended());
        if container.restarts == 0 || began_anew {
            container.crash_delay.reset();
            container.due = Due::after(timing.restart_delay);
            return;
        }
        container.due = Due::after(container.crash_delay.next(timing.crash_back_off));
        let message = format!(
            "Back-off restarting failed container {} in pod {}_{}({})",
            container.name,
            self.pod.name(),
            self.pod.namespace(),
            self.pod.uid()
        );
        self.event(Some(index), Severity::Warning, "BackOff", message);
    }
}

/// `resources.limits`, as far as they can be kept anywhere here.
fn limits(container: &serde_json::Value) -> Limits {
    let limit = |name: &str| container["resources"]["limits"][name].as_str().and_then(thousandths).filter(|n| *n > 0);
    Limits {
        memory: limit("memory").and_then(|bytes| u64::try_from(ratio(bytes, 1000)).ok()),
        cpu: limit("cpu").and_then(|cores| u64::try_from(cores).ok()),
    }
}

/// It never ran: its start is the epoch, not a time.
fn is_start_error(ended: Option<&Ended>) -> bool {
    ended.is_some_and(|ended| ended.started == Timestamp::UNIX_EPOCH)
}

/// The declared environment over what the runtime sets. Nothing of this process's own environment gets in.
fn full_environment(declared: Environment, path: String, pod: &str, root: &Path) -> Environment {
    let root = root.to_string_lossy();
    let mut env = Environment::from([
        ("PATH".to_owned(), path),
        ("HOME".to_owned(), root.clone().into_owned()),
        ("HOSTNAME".to_owned(), pod.to_owned()),
        ("PODLAUNCH_CONTAINER_ROOT".to_owned(), root.into_owned()),
    ]);
    env.extend(declared);
    env
}

/// The container root by default; a directory below a mount is looked for in the container root, any other on the host.
fn working_directory(container: &serde_json::Value, root: &Path) -> PathBuf {
    let Some(wanted) = container["workingDir"].as_str().filter(|dir| !dir.is_empty()) else {
        return root.to_owned();
    };
    let mounts = array(&container["volumeMounts"]).filter_map(|mount| mount["mountPath"].as_str());
    let mut mounts = mounts.filter(|path| Path::new(wanted).starts_with(path));
    match (mounts.next(), below(root, wanted)) {
        (Some(_), Some(directory)) => {
            // The runtime creates what is missing; if it cannot, the start says so.
            let _ = fs::create_dir_all(&directory);
            directory
        }
        _ => PathBuf::from(wanted),
    }
}

/// Creates an empty termination message file; returns where it is.
fn touch(root: &Path, path: &str) -> Result<PathBuf, String> {
    let file = below(root, path).ok_or_else(|| format!("terminationMessagePath \"{path}\" leaves the container"))?;
    let parent = file.parent().unwrap_or(root);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&file, b""))
        .map_err(|error| format!("terminationMessagePath \"{path}\": {error}"))?;
    Ok(file)
}

fn new_id() -> String {
    let half = || uuid::Uuid::new_v4().simple();
    format!("containerd://{}{}", half(), half())
}

/// As Go prints whole seconds: `10s`, `1m20s`, `5m0s`.
fn go_duration(delay: Duration) -> String {
    match delay.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds => format!("{}m{}s", seconds / 60, seconds % 60),
    }
}
