//! The watches' tasks, and how fresh each part of the scope is.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::{info, warn};

use super::effects::Backoff;
use super::table::{Entry, Presence};
use super::{ExecError, Executor, Readiness};
use crate::cluster::{NoticeItem, PodItem, Scope, watch_notices, watch_pods};
use crate::pod::observe::observe;
use crate::pod::slim::SlimPod;
use crate::task::Observation;
use crate::task::machine::Input;

/// Failures in a row after which a part is stale.
const STALE_AFTER: u32 = 3;
/// Look-ups at once of what a list did not name.
const LOOK_UPS: usize = 16;
/// The watcher's longest back-off and some: without a failure for so long it is up again.
const QUIET: Duration = Duration::from_secs(35);

/// Freshness of each part of the scope.
pub(super) struct Health {
    parts: Vec<(Option<String>, Mutex<Part>)>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Part {
    listed: bool,
    failures: u32,
    last_failure: Option<Instant>,
}

impl Part {
    fn is_fresh(&self) -> bool {
        let failing = self.failures >= STALE_AFTER && self.last_failure.is_some_and(|at| at.elapsed() < QUIET);
        self.listed && !failing
    }
}

impl Health {
    pub fn new(scope: &Scope) -> Health {
        let parts = scope.parts().into_iter().map(|part| (part, Mutex::default())).collect();
        Health { parts, changed: watch::Sender::new(0) }
    }

    pub fn any_fresh(&self) -> bool {
        self.parts.iter().any(|(_, part)| part.lock().is_fresh())
    }

    pub fn is_fresh(&self, namespace: &str) -> bool {
        self.parts.iter().any(|(name, part)| name.as_deref().is_none_or(|n| n == namespace) && part.lock().is_fresh())
    }

    /// Waits until readiness is as asked; looks again at least every [`QUIET`], because a part
    /// also turns fresh by silence.
    pub async fn wait(&self, ready: Readiness) {
        let mut changed = self.changed.subscribe();
        while self.any_fresh() != (ready == Readiness::Ready) {
            // Either a change or the time is a reason to look again; the sender lives as long as
            // this, so the only other outcome is the time-out.
            let _ = tokio::time::timeout(QUIET, changed.changed()).await;
        }
    }

    /// Waits up to `limit` for a namespace to be fresh.
    pub async fn wait_fresh(&self, namespace: &str, limit: Duration) -> bool {
        let mut changed = self.changed.subscribe();
        let fresh = async {
            while !self.is_fresh(namespace) {
                if changed.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(limit, fresh).await.is_ok() && self.is_fresh(namespace)
    }

    fn note(&self, at: usize, item: &PodItem) {
        let mut part = self.parts[at].1.lock();
        let before = part.is_fresh();
        match item {
            PodItem::Failed(_) => {
                // A resumed watch is silent until something happens: silence ends a row of failures.
                if part.last_failure.is_some_and(|at| at.elapsed() >= QUIET) {
                    part.failures = 0;
                }
                part.failures += 1;
                part.last_failure = Some(Instant::now());
            }
            PodItem::ListDone => {
                part.listed = true;
                part.failures = 0;
            }
            PodItem::Restarted | PodItem::Listed(_) => {}
            PodItem::Changed(_) | PodItem::Deleted(_) => part.failures = 0,
        }
        let after = part.is_fresh();
        drop(part);
        if before != after {
            self.changed.send_modify(|v| *v += 1);
        }
    }
}

/// Most foreign pods remembered by uid; beyond, one may be told twice.
const MAX_FOREIGN: usize = 4096;

/// Pods that carry our label and are not ours: each is told once.
#[derive(Default)]
pub(super) struct Foreign {
    seen: Mutex<(HashSet<String>, u64)>,
}

impl Foreign {
    /// Their number with this one, if it is new.
    fn note(&self, uid: &str) -> Option<u64> {
        let mut seen = self.seen.lock();
        if seen.0.len() >= MAX_FOREIGN {
            seen.0.clear();
        }
        if !seen.0.insert(uid.to_owned()) {
            return None;
        }
        seen.1 += 1;
        Some(seen.1)
    }
}

/// Starts a watch of pods and one of Events for each part of the scope.
pub(super) fn start(executor: &Executor) {
    for (at, part) in executor.inner.settings.scope.parts().into_iter().enumerate() {
        let pods = watch_pods(&executor.inner.cluster, part.as_deref(), &executor.inner.settings.instance);
        let here = executor.clone();
        let name = part.clone();
        executor.spawn(async move { here.run_pod_watch(at, name, pods).await });
        let notices = watch_notices(&executor.inner.cluster, part.as_deref());
        let here = executor.clone();
        executor.spawn(async move {
            let mut notices = std::pin::pin!(notices);
            while let Some(item) = notices.next().await {
                here.feed_notice(item);
            }
        });
    }
}

impl Executor {
    async fn run_pod_watch<S>(&self, at: usize, part: Option<String>, pods: S)
    where
        S: futures::Stream<Item = PodItem> + Send,
    {
        let mut pods = std::pin::pin!(pods);
        let mut listed: HashSet<(String, String)> = HashSet::new();
        while let Some(item) = pods.next().await {
            match &item {
                PodItem::Restarted => listed.clear(),
                PodItem::Listed(pod) => {
                    listed.insert(name_of(pod));
                    self.feed_pod(pod);
                }
                PodItem::ListDone => {
                    info!(part = part.as_deref().unwrap_or("*"), pods = listed.len(), "pods listed");
                    self.look_up_missing(part.as_deref(), &listed);
                    listed = HashSet::new();
                }
                PodItem::Changed(pod) => {
                    self.feed_pod(pod);
                }
                PodItem::Deleted(pod) => self.feed_deleted(pod),
                PodItem::Failed(error) => {
                    warn!(part = part.as_deref().unwrap_or("*"), error = %chain(error), "the watch of pods failed; repeating");
                }
            }
            self.inner.health.note(at, &item);
        }
    }

    /// What a list did not name is looked up by name, never assumed gone: it may have been made
    /// after the list was read.
    fn look_up_missing(&self, part: Option<&str>, listed: &HashSet<(String, String)>) {
        let missing: Vec<_> = self
            .inner
            .table
            .of_part(part)
            .into_iter()
            .filter(|entry| {
                !listed.contains(&(entry.key.namespace.clone(), entry.pod.clone()))
                    && entry.view().presence == super::table::Presence::Present
            })
            .collect();
        if missing.is_empty() {
            return;
        }
        let here = self.clone();
        self.spawn(async move {
            let look_ups = missing.into_iter().map(|entry| here.look_up_until_known(entry));
            futures::stream::iter(look_ups).buffer_unordered(LOOK_UPS).for_each(|()| async {}).await;
        });
    }

    async fn look_up_until_known(&self, entry: Arc<Entry>) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
        while entry.view().presence == Presence::Present {
            match self.look_up(&entry.key.namespace, &entry.pod).await {
                Ok(_) => return,
                Err(error) => {
                    warn!(task = %entry.key, error = %entry.chain(&error), "a pod missing from the list could not be looked up; repeating");
                }
            }
            backoff.wait().await;
        }
    }

    /// A quorum read by name, fed to the table; what is not there any more is told so.
    pub(super) async fn look_up(&self, namespace: &str, pod: &str) -> Result<Option<Arc<Entry>>, ExecError> {
        match self.inner.cluster.get_pod(namespace, pod).await.map_err(ExecError::ClusterUnavailable)? {
            Some(found) => Ok(self.feed_pod(&found)),
            None => {
                if let Some(entry) = self.inner.table.get(namespace, pod) {
                    self.feed(&entry, Input::Gone(None));
                }
                Ok(None)
            }
        }
    }

    /// Feeds a version of a pod to the table; `None` where it is not ours.
    pub(super) fn feed_pod(&self, pod: &SlimPod) -> Option<Arc<Entry>> {
        let observation = self.observe_ours(pod)?;
        let ((entry, fed), replaced) = self.inner.table.feed(Arc::new(observation), Timestamp::now());
        self.perform(&entry, fed);
        if let Some((older, fed)) = replaced {
            self.perform(&older, fed);
            if let Some(recorded) = older.recorded().filter(|recorded| !recorded.stored.record.was_launched()) {
                self.stop_as_recorded(&entry, &recorded.stored.record);
            }
        }
        Some(entry)
    }

    fn feed_deleted(&self, pod: &SlimPod) {
        let Some(observation) = self.observe_ours(pod) else { return };
        let (namespace, name) = name_of(pod);
        let entry = self.inner.table.get(&namespace, &name);
        let Some(entry) = entry.filter(|e| e.uid == observation.uid) else { return };
        self.feed(&entry, Input::Gone(Some(Arc::new(observation))));
    }

    fn observe_ours(&self, pod: &SlimPod) -> Option<Observation> {
        match observe(pod, &self.inner.settings.instance) {
            Ok(observation) => Some(observation),
            Err(why) => {
                // Copied labels or another schema: left alone.
                let count = self.inner.foreign.note(pod.metadata.uid.as_deref().unwrap_or_default());
                if let Some(count) = count {
                    info!(pod = ?name_of(pod), %why, count, "a pod with our label is not ours and is left alone");
                }
                None
            }
        }
    }

    /// Feeds one input and performs what follows.
    pub(super) fn feed(&self, entry: &Arc<Entry>, input: Input) {
        let fed = entry.feed(input, Timestamp::now());
        self.perform(entry, fed);
    }

    fn feed_notice(&self, item: NoticeItem) {
        let Some(entry) = self.inner.table.get(&item.namespace, &item.pod).filter(|e| e.uid == item.uid) else {
            return;
        };
        self.feed(&entry, Input::Notice { occurred: item.occurred, notice: item.notice });
    }
}

/// Namespace and name.
fn name_of(pod: &SlimPod) -> (String, String) {
    let meta = &pod.metadata;
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// An error and what caused it, on one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
