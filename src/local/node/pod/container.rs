//! What a pod's task knows of each container.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::local::node::config::BackOff;
use crate::local::node::process::run::StopOrder;
use crate::local::node::spec::env::array;

/// What a container is to its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the next one starts.
    Init,
    /// An init container with `restartPolicy: Always`: started in its turn, runs beside the others.
    Sidecar,
    Main,
}

/// A container's state, as its status shows it.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    Waiting {
        reason: &'static str,
        message: String,
    },
    /// The process runs, its postStart hook does too; still shown as waiting.
    Starting {
        since: Timestamp,
    },
    Running {
        since: Timestamp,
    },
    Ended(Ended),
}

/// `state.terminated`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    pub exit_code: i32,
    pub reason: &'static str,
    pub message: String,
    pub started: Timestamp,
    pub finished: Timestamp,
    pub id: String,
}

/// Where a container is in a [`BackOff`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Delay(Option<Duration>);

impl Delay {
    /// The next delay.
    pub fn next(&mut self, back_off: BackOff) -> Duration {
        let next = match self.0 {
            None => back_off.first,
            Some(last) => last.saturating_mul(2).min(back_off.limit),
        };
        self.0 = Some(next);
        next
    }

    /// The delay last given.
    pub fn current(self) -> Duration {
        self.0.unwrap_or_default()
    }

    /// Begins anew.
    pub fn reset(&mut self) {
        self.0 = None;
    }
}

/// When something is tried (again).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Now,
    At(Instant),
    Never,
}

impl Due {
    /// In so long.
    pub fn after(delay: Duration) -> Due {
        Due::At(Instant::now() + delay)
    }

    /// The time has come.
    pub fn is_due(self) -> bool {
        match self {
            Due::Now => true,
            Due::At(at) => at <= Instant::now(),
            Due::Never => false,
        }
    }

    /// When to look again; `None` when never.
    pub fn at(self) -> Option<Instant> {
        match self {
            Due::Now => Some(Instant::now()),
            Due::At(at) => Some(at),
            Due::Never => None,
        }
    }
}

/// One container of a pod.
pub struct Container {
    pub name: String,
    pub role: Role,
    pub spec: Value,
    pub state: State,
    /// `lastState.terminated`.
    pub last: Option<Ended>,
    pub restarts: u32,
    /// The id of the newest attempt, empty before the first.
    pub id: String,
    /// Never started in a pod that was ended: shown as `ContainerStatusUnknown`.
    pub lost: bool,
    /// When it is to be started.
    pub due: Due,
    pub crash_delay: Delay,
    pub pull_delay: Delay,
    /// The image's next pull is due then.
    pub pull_at: Option<Instant>,
    /// Orders the running attempt to stop.
    pub stop: Option<watch::Sender<StopOrder>>,
}

impl Container {
    /// The containers of a pod, init containers first, in the order they start in.
    pub fn all(pod: &Value) -> Vec<Container> {
        let inits: Vec<&Value> = array(&pod["spec"]["initContainers"]).collect();
        let reason = if inits.is_empty() { "ContainerCreating" } else { "PodInitializing" };
        let inits = inits.into_iter().map(|spec| {
            let sidecar = spec["restartPolicy"] == "Always";
            let role = if sidecar { Role::Sidecar } else { Role::Init };
            Container::new(spec, role, reason)
        });
        let mains = array(&pod["spec"]["containers"]).map(|spec| Container::new(spec, Role::Main, reason));
        inits.chain(mains).collect()
    }

    fn new(spec: &Value, role: Role, reason: &'static str) -> Container {
        Container {
            name: spec["name"].as_str().unwrap_or_default().to_owned(),
            role,
            spec: spec.clone(),
            state: State::Waiting { reason, message: String::new() },
            last: None,
            restarts: 0,
            id: String::new(),
            lost: false,
            due: Due::Now,
            crash_delay: Delay::default(),
            pull_delay: Delay::default(),
            pull_at: None,
            stop: None,
        }
    }

    /// The container's path in its pod, for Events.
    pub fn field(&self) -> String {
        let list = match self.role {
            Role::Init | Role::Sidecar => "initContainers",
            Role::Main => "containers",
        };
        format!("spec.{list}{{{}}}", self.name)
    }

    /// A process of it runs.
    pub fn is_active(&self) -> bool {
        matches!(self.state, State::Starting { .. } | State::Running { .. })
    }

    /// Its state is `running`.
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<&Ended> {
        match &self.state {
            State::Ended(ended) => Some(ended),
            _ => None,
        }
    }

    /// It does what the next container waits for: an init container has succeeded, a sidecar runs.
    pub fn is_initialized(&self) -> bool {
        match self.role {
            Role::Init => self.ended().is_some_and(|ended| ended.exit_code == 0),
            Role::Sidecar => self.is_running() || self.ended().is_some() || self.last.is_some(),
            Role::Main => false,
        }
    }

    /// `ready`. There are no probes here.
    pub fn is_ready(&self) -> bool {
        match self.role {
            Role::Init => self.is_initialized(),
            Role::Sidecar | Role::Main => self.is_running(),
        }
    }

    /// Waits with this reason and message.
    pub fn wait(&mut self, reason: &'static str, message: String) {
        self.state = State::Waiting { reason, message };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit() {
        let back_off = BackOff { first: Duration::from_secs(10), limit: Duration::from_secs(300) };
        let mut delay = Delay::default();
        let seconds: Vec<u64> = (0..7).map(|_| delay.next(back_off).as_secs()).collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160, 300, 300]);
        delay.reset();
        assert_eq!(delay.next(back_off).as_secs(), 10);
    }
}
