//! Joins the rules to the cluster: observations in, effects out, streams to callers.
//!
//! ```text
//!  watch of pods ──┐                                    ┌─▶ StoreOutcome, StoreRecord (effects.rs, records.rs)
//!  watch of Events ┼─▶ Table: one row per pod ──step()──┤
//!  watch of records┤        │ event list, version       └─▶ next duty (duty.rs) ─▶ wheel (deadlines.rs)
//!  answers of POST,┘        │                                 ─▶ the keeper acts (keeper.rs, tend.rs)
//!  GET, PATCH               ▼
//!                 stream per caller (stream.rs): row events, and for each chosen container
//!                 a reader of its log (reader.rs) ─▶ bounded channel ─▶ cursor, sequence ─▶ api
//!                    └ one read from the node for all that are at the same place (feed.rs, follow.rs)
//! ```
//!
//! A tokio task exists for the watches, the timekeeper, an effect in progress, a stream and a
//! followed log; a row costs none. Every task belongs to [`Executor`]'s tracker or to the stream
//! that started it, and ends with it.

mod deadlines;
mod disconnect;
mod drain;
mod duty;
mod effects;
mod error;
mod feed;
mod follow;
mod group;
mod keeper;
mod launch;
mod open_body;
mod outlet;
mod previous;
mod pump;
mod reader;
mod records;
mod release;
mod result;
mod run_state;
mod start;
mod stop;
mod stream;
mod table;
mod templates;
mod tend;
mod watches;
mod which_run;

#[cfg(test)]
mod log_tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use error::ExecError;
pub use launch::{How, Launch, Launched, Validated};
pub use previous::IfPreviousActive;
pub use release::Cancelled;
pub use result::OpenResult;
pub use stop::{StopRequest, Stopped};
pub use stream::{
    ContainerDelivery, Filter, GapCause, LogGap, Show, Start, StreamBody, StreamEvent, StreamItem, StreamPlace,
    TaskStream, Until,
};
pub use table::{Entry, Presence, View};
pub use templates::{TemplateSource, Templates};

use crate::cluster::Scope;
pub use crate::cluster::{ApiFailure, Cluster, Denial};
use crate::pod::build::Finalizer;
use crate::pod::result::ResultSettings;
use crate::task::{Instance, TaskKey};
use deadlines::Timekeeper;
use table::Table;

/// Settings of an executor. Every field has a flag of `serve`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Separates installations in one cluster.
    pub instance: Instance,
    /// What is served.
    pub scope: Scope,
    /// Whether new pods carry the finalizer.
    pub finalizer: Finalizer,
    /// The kubelet's `containerLogMaxSize`, bytes; below half of it a log cannot have rotated.
    pub container_log_max_size: u64,
    /// Longest wait for the rest of a log after the last byte of it, once the task has ended.
    pub log_wait: Duration,
    /// How long other containers may go on after the primary has ended.
    pub sidecar_grace: Duration,
    /// Startup timeout of tasks that ask for none, seconds.
    pub default_startup_seconds: Option<i64>,
    /// How result files are taken.
    pub result: ResultSettings,
    /// How long a task's key stays taken after its end.
    pub idempotency_window: Duration,
    /// How long pods of finished tasks are kept.
    pub retention: RetentionDefaults,
    /// Namespace of the outcome records and of the keeper's Lease; empty for the cluster connection's own.
    pub record_namespace: String,
    /// Name of this replica among those of the instance, for the keeper's Lease.
    pub replica: String,
    /// How long a stream may be full before it ends with READER_TOO_SLOW.
    pub stall_limit: Duration,
    /// Most open streams.
    pub max_streams: usize,
    /// Templates, and what is enforced; changed while the executor runs.
    pub templates: Templates,
}

/// How long pods of finished tasks are kept where the task does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionDefaults {
    /// After SUCCEEDED.
    pub after_success: Duration,
    /// After any other end.
    pub after_failure: Duration,
}

impl Default for RetentionDefaults {
    fn default() -> Self {
        RetentionDefaults { after_success: Duration::from_secs(10 * 60), after_failure: Duration::from_secs(24 * 3600) }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            instance: Instance::default(),
            scope: Scope::default(),
            finalizer: Finalizer::Off,
            container_log_max_size: 10 << 20,
            log_wait: Duration::from_secs(30),
            sidecar_grace: Duration::from_secs(10),
            default_startup_seconds: Some(3600),
            result: ResultSettings::default(),
            idempotency_window: Duration::from_secs(3600),
            retention: RetentionDefaults::default(),
            record_namespace: String::new(),
            replica: "podlaunch".into(),
            stall_limit: Duration::from_secs(60),
            max_streams: 20_000,
            templates: Templates::default(),
        }
    }
}

/// The executor of one cluster. Cheap to clone; [`Executor::shutdown`] ends its tasks.
#[derive(Clone)]
pub struct Executor {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    cluster: Cluster,
    table: Table,
    timekeeper: Timekeeper,
    keeper: keeper::Keeper,
    records: records::Records,
    foreign: watches::Foreign,
    launching: launch::Launching,
    logs: Arc<group::Groups>,
    streams: Arc<tokio::sync::Semaphore>,
    health: watches::Health,
    tasks: TaskTracker,
    stopping: CancellationToken,
    draining: CancellationToken,
}

impl Executor {
    /// Starts the watches, the timekeeper and the keeper.
    pub fn start(cluster: Cluster, settings: Settings) -> Executor {
        let executor = Executor::idle(cluster, settings);
        watches::start(&executor);
        records::start(&executor);
        deadlines::start(&executor);
        keeper::start(&executor);
        executor
    }

    /// An executor that learns nothing by itself.
    fn idle(cluster: Cluster, settings: Settings) -> Executor {
        let streams = Arc::new(tokio::sync::Semaphore::new(settings.max_streams));
        let health = watches::Health::new(&settings.scope);
        let inner = Arc::new(Inner {
            settings,
            cluster,
            table: Table::default(),
            timekeeper: Timekeeper::default(),
            keeper: keeper::Keeper::default(),
            records: records::Records::default(),
            foreign: watches::Foreign::default(),
            launching: launch::Launching::default(),
            logs: Arc::default(),
            streams,
            health,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            draining: CancellationToken::new(),
        });
        Executor { inner }
    }

    /// The settings it runs with.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Where outcome records and the keeper's Lease are.
    pub fn record_namespace(&self) -> &str {
        match self.inner.settings.record_namespace.as_str() {
            "" => self.inner.cluster.default_namespace(),
            name => name,
        }
    }

    /// The cluster it talks to.
    pub fn cluster(&self) -> &Cluster {
        &self.inner.cluster
    }

    /// Whether at least one part of the scope is fresh.
    pub fn is_ready(&self) -> bool {
        self.inner.health.any_fresh()
    }

    /// Whether what is known of a namespace is fresh.
    pub fn is_fresh(&self, namespace: &str) -> bool {
        self.inner.health.is_fresh(namespace)
    }

    /// Waits until [`Executor::is_ready`] is `ready`, or has changed to it.
    pub async fn readiness(&self, ready: Readiness) {
        self.inner.health.wait(ready).await;
    }

    /// A task by its exact key, from the table; when it is not there, quorum reads of its pod and of its record by
    /// their deterministic name decide.
    pub async fn find(&self, key: &TaskKey) -> Result<Arc<Entry>, ExecError> {
        self.check_served(key)?;
        let name = key.pod_name(&self.inner.settings.instance);
        if let Some(entry) = self.known_by_name(&key.namespace, &name) {
            return Ok(entry);
        }
        if let Some(entry) = self.inner.table.attached(&key.namespace, &key.task_id, key.attempt) {
            return Ok(entry);
        }
        if let Some(entry) = self.look_up(&key.namespace, &name).await? {
            return Ok(entry);
        }
        let recorded = self.look_up_record(&name).await?;
        let recorded = recorded.filter(|entry| records::holds_key(entry, Timestamp::now()));
        recorded.ok_or_else(|| ExecError::TaskUnknown { key: key.to_string() })
    }

    /// The entry of a name, while it stands for its key.
    fn known_by_name(&self, namespace: &str, name: &str) -> Option<Arc<Entry>> {
        let entry = self.inner.table.get(namespace, name)?;
        records::holds_key(&entry, Timestamp::now()).then_some(entry)
    }

    /// The highest attempt of a task the table knows.
    pub async fn find_latest(&self, namespace: &str, task_id: &str) -> Result<Arc<Entry>, ExecError> {
        let first = TaskKey::new("", namespace, task_id, 1)?;
        self.check_served(&first)?;
        match self.inner.table.latest(namespace, task_id) {
            Some(entry) => Ok(entry),
            // The table is complete once a list has been read; attempt 1 is the only name that
            // can be guessed.
            None => self.find(&first).await,
        }
    }

    fn check_served(&self, key: &TaskKey) -> Result<(), ExecError> {
        if !key.cluster.is_empty() {
            return Err(ExecError::ClusterUnknown { cluster: key.cluster.clone() });
        }
        if !self.inner.settings.scope.serves(&key.namespace) {
            return Err(ExecError::NamespaceNotServed { namespace: key.namespace.clone() });
        }
        Ok(())
    }

    /// Tells the streams to end with `Draining`; new launches are refused.
    pub fn drain(&self) {
        self.inner.draining.cancel();
    }

    /// Ends every task of the executor and waits for them.
    pub async fn shutdown(&self) {
        self.inner.draining.cancel();
        self.release_lease().await;
        self.inner.stopping.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Resolves when [`Executor::drain`] is called.
    pub async fn drain_begun(&self) {
        self.inner.draining.cancelled().await;
    }

    /// Whether [`Executor::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.inner.draining.is_cancelled()
    }

    /// Runs `work` until it is done or the executor stops; for tasks that belong to its service.
    pub fn run<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn(work);
    }

    /// Runs `work` until it is done or the executor stops.
    fn spawn<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stopping = self.inner.stopping.clone();
        self.inner.tasks.spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = work => {}
            }
        });
    }
}

/// What [`Executor::readiness`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// At least one part of the scope is fresh.
    Ready,
    /// None is.
    NotReady,
}
