//! A launch: one key becomes at most one pod.
//!
//! ```text
//! known in the table ─▶ same fingerprint: ATTACHED, or REPLAYED once it has ended; other: mismatch
//! the watch of records not known to be alive ─▶ GET the record of that name ─▶ as above
//! else POST, by its answer:
//!   201 ─▶ CREATED          409 ─▶ GET ─▶ as above, or the name is another's
//!   403 ─▶ GET first (quota hides an existing pod), then by Kubernetes' words; quota is waited for if asked
//!   429, 5xx, reset, time-out ─▶ does the watch show it by now? Else the same bytes again, until LAUNCH_LIMIT;
//!                                then "unknown: repeat"
//! ```
//!
//! Launches of one key in one process go one after the other, so that 50 at once cost one POST.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;
use tracing::{info, warn};

use super::effects::Backoff;
use super::previous::IfPreviousActive;
use super::table::{Entry, Presence};
use super::watches::chain;
use super::{ExecError, Executor};
use crate::cluster::{ApiFailure, CreateAnswer, Denial, DryRun};
use crate::pod::build;
use crate::pod::observe::observe;
use crate::pod::slim::SlimPod;
use crate::pod::template::Template;
use crate::pod::validate::our_field;
use crate::task::fingerprint::fingerprint;
use crate::task::spec::SpecError;
use crate::task::{TaskKey, TaskSpec};

/// Longest time until response headers, the wait for an equal launch included.
const HEADERS_LIMIT: Duration = Duration::from_secs(74);
/// Longest time a launch is tried before its caller is told to repeat it.
const LAUNCH_LIMIT: Duration = Duration::from_secs(60);
/// How long a missing service account is waited for: a new namespace gets its own within this.
const SERVICE_ACCOUNT_LIMIT: Duration = Duration::from_secs(5);
/// How long a launch waits for the first list of its namespace.
const FRESH_LIMIT: Duration = Duration::from_secs(5);
/// Most bytes of annotations at launch: Kubernetes takes 256 KiB, and outcome (8 KiB), stop and attached
/// attempts are still to come.
const MAX_ANNOTATIONS: usize = (256 - 16) * 1024;
/// Longest bytes of a pod, below what the API server's store takes.
const MAX_POD: usize = 1_400_000;

/// A checked launch request.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The task.
    pub key: TaskKey,
    /// What to run.
    pub spec: TaskSpec,
    /// W3C traceparent of the caller.
    pub traceparent: Option<String>,
    /// What to do while an earlier attempt has not ended.
    pub if_previous_active: IfPreviousActive,
    /// How long a used up quota is waited for; part of the schedule timeout.
    pub wait_for_quota: Duration,
    /// Seconds without a listener after which the task is stopped.
    pub cancel_after: Option<i64>,
}

impl Launch {
    /// The wait for quota, within the schedule timeout.
    fn quota_limit(&self) -> Duration {
        let schedule = self.spec.timeouts.schedule.and_then(|seconds| u64::try_from(seconds).ok());
        schedule.map_or(self.wait_for_quota, |seconds| self.wait_for_quota.min(Duration::from_secs(seconds)))
    }
}

/// How a launch got its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// This call created it.
    Created,
    /// It was there.
    Attached,
    /// It was there and has ended.
    Replayed,
}

/// A launch that has its pod.
pub struct Launched {
    /// The task.
    pub entry: Arc<Entry>,
    /// How.
    pub how: How,
    /// Until when at least the key stays taken; absent while the task runs.
    pub idempotent_until: Option<Timestamp>,
}

/// One lock per key being launched here.
#[derive(Default)]
pub(super) struct Launching {
    locks: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

impl Launching {
    pub(super) fn lock(&self, pod: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock();
        if let Some(lock) = locks.get(pod).and_then(Weak::upgrade) {
            return lock;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        locks.insert(pod.to_string(), Arc::downgrade(&lock));
        lock
    }
}

/// What one POST came to.
enum Attempted {
    Done(Result<Launched, ExecError>),
    /// Ask again after this long, for this reason.
    Again(Duration, ExecError),
}

/// A pod ready to be posted.
struct Prepared<'a> {
    launch: &'a Launch,
    key: &'a TaskKey,
    name: String,
    fingerprint: String,
    template: Option<Arc<Template>>,
    pod: Value,
    body: Bytes,
}

/// A pod the API server would take.
#[derive(Debug, Clone)]
pub struct Validated {
    /// Name it would have.
    pub name: String,
    /// Fingerprint of its spec.
    pub fingerprint: String,
    /// The pod as the API server would store it, JSON; as it would be sent where its name is taken.
    pub pod: Value,
    /// What the API server warned of.
    pub warnings: Vec<String>,
}

impl Executor {
    /// Launches a task, or attaches to the one there.
    pub async fn launch(&self, launch: &Launch) -> Result<Launched, ExecError> {
        let prepared = match self.prepare(launch, Duration::ZERO) {
            Ok(prepared) => prepared,
            Err(refused) => return self.join_same(launch, refused).await,
        };
        let launched = tokio::time::timeout(HEADERS_LIMIT, self.launch_prepared(launch, &prepared)).await;
        launched.unwrap_or(Err(ExecError::LaunchUnknown(None)))
    }

    async fn launch_prepared(&self, launch: &Launch, prepared: &Prepared<'_>) -> Result<Launched, ExecError> {
        let lock = self.inner.launching.lock(&format!("{}/{}", prepared.key.namespace, prepared.name));
        let _one_at_a_time = lock.lock().await;
        if let Some(known) = self.known(prepared)? {
            return Ok(known);
        }
        if !self.inner.health.wait_fresh(&prepared.key.namespace, FRESH_LIMIT).await {
            return Err(ExecError::WatchStale { namespace: prepared.key.namespace.clone() });
        }
        let began = Instant::now();
        if let Some(known) = self.known_surely(prepared, began).await? {
            return Ok(known);
        }
        if let Some(attached) = self.settle_previous(launch).await? {
            return Ok(attached);
        }
        self.create(prepared, began).await
    }

    /// What is known of the key; its record is asked for where the watch of records cannot be relied on, unless it
    /// cannot be read anyway.
    async fn known_surely(&self, prepared: &Prepared<'_>, began: Instant) -> Result<Option<Launched>, ExecError> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        while !self.inner.records.are_complete() && !self.inner.records.are_unreadable() {
            match self.look_up_record(&prepared.name).await {
                Ok(_) => break,
                Err(ExecError::ClusterUnavailable(why)) if why.is_retryable() && began.elapsed() < LAUNCH_LIMIT => {
                    warn!(task = %prepared.key, error = %chain(&why), "the record could not be looked up; repeating");
                }
                Err(error) => return Err(error),
            }
            backoff.wait().await;
        }
        self.known(prepared)
    }

    /// A launch that makes no pod any more, because its template or what is enforced has changed since: a task of the
    /// same key and spec is attached to all the same.
    async fn join_same(&self, launch: &Launch, refused: ExecError) -> Result<Launched, ExecError> {
        let by_change = match &refused {
            ExecError::TemplateUnknown { .. } | ExecError::PolicyViolated(_) => true,
            ExecError::Invalid(_) => launch.spec.template.is_some(),
            _ => false,
        };
        if !by_change {
            return Err(refused);
        }
        let namespace = &launch.key.namespace;
        let Ok(fingerprint) = fingerprint(&launch.spec) else { return Err(refused) };
        if !self.inner.health.wait_fresh(namespace, FRESH_LIMIT).await {
            return Err(refused);
        }
        let name = launch.key.pod_name(&self.inner.settings.instance);
        let known = self.inner.table.get(namespace, &name);
        match known.filter(|entry| entry.view().observation.fingerprint == fingerprint.as_str()) {
            Some(entry) => Ok(self.joined(entry)),
            None => Err(refused),
        }
    }

    /// Asks the API server whether it would take the pod; nothing is created.
    pub async fn validate(&self, launch: &Launch) -> Result<Validated, ExecError> {
        let prepared = self.prepare(launch, Duration::ZERO)?;
        let tried = self.inner.cluster.try_pod(&prepared.key.namespace, &prepared.body).await;
        match tried.answer {
            CreateAnswer::Created(_) | CreateAnswer::Exists | CreateAnswer::ExistsDeleting => {
                let Prepared { name, fingerprint, pod, .. } = prepared;
                Ok(Validated { name, fingerprint, pod: tried.pod.unwrap_or(pod), warnings: tried.warnings })
            }
            CreateAnswer::Unknown(failure) => Err(ExecError::ClusterUnavailable(failure)),
            other => Err(refusal(&prepared, other)),
        }
    }

    /// The template a spec names, as it is now.
    fn template(&self, spec: &TaskSpec) -> Result<Option<Arc<Template>>, ExecError> {
        let Some(name) = &spec.template else { return Ok(None) };
        let catalog = self.inner.settings.templates.catalog();
        let template = catalog.get(name).ok_or_else(|| ExecError::template_unknown(name, &catalog))?;
        Ok(Some(template.clone()))
    }

    /// The pod to post, after a wait for quota of `waited`.
    fn prepare<'a>(&self, launch: &'a Launch, waited: Duration) -> Result<Prepared<'a>, ExecError> {
        self.check_served(&launch.key)?;
        if self.inner.draining.is_cancelled() {
            return Err(ExecError::ShuttingDown);
        }
        let settings = &self.inner.settings;
        let fingerprint = fingerprint(&launch.spec).map_err(|e| ExecError::Invalid(vec![e]))?;
        let template = self.template(&launch.spec)?;
        let pod = build::build(&build::Launch {
            instance: &settings.instance,
            key: &launch.key,
            spec: &launch.spec,
            template: template.as_deref(),
            enforced: &settings.templates.enforced(),
            fingerprint: &fingerprint,
            traceparent: launch.traceparent.as_deref(),
            finalizer: settings.finalizer,
            default_startup_seconds: settings.default_startup_seconds,
            waited_seconds: i64::try_from(waited.as_secs()).unwrap_or(i64::MAX),
            result: &settings.result,
            cancel_after: launch.cancel_after,
            now: Timestamp::now(),
        })
        .map_err(|refused| match refused {
            build::Refused::Invalid(fields) => ExecError::Invalid(fields),
            build::Refused::Policy(fields) => ExecError::PolicyViolated(fields),
        })?;
        let body = serde_json::to_vec(&pod).map_err(|e| ExecError::Internal(e.to_string()))?;
        let annotations = annotation_bytes(&pod);
        if annotations > MAX_ANNOTATIONS {
            let problem = format!(
                "the pod's annotations have {annotations} bytes with podlaunch's own; at most {MAX_ANNOTATIONS} leave room for the outcome"
            );
            return Err(ExecError::Invalid(vec![SpecError::new("spec.pod.annotations", problem)]));
        }
        if body.len() > MAX_POD {
            return Err(ExecError::TooLarge { message: format!("{} bytes", body.len()) });
        }
        let name = launch.key.pod_name(&settings.instance);
        let fingerprint = fingerprint.to_string();
        Ok(Prepared { launch, key: &launch.key, name, fingerprint, template, pod, body: body.into() })
    }

    fn known(&self, prepared: &Prepared<'_>) -> Result<Option<Launched>, ExecError> {
        match self.known_by_name(&prepared.key.namespace, &prepared.name) {
            Some(entry) => self.join(prepared, entry).map(Some),
            None => Ok(self.attached_to(prepared.key)),
        }
    }

    /// Attaches to a task that is there, if it is the same.
    fn join(&self, prepared: &Prepared<'_>, entry: Arc<Entry>) -> Result<Launched, ExecError> {
        let view = entry.view();
        // A key that was cancelled before any launch replays that to every spec.
        let never_launched = entry.uid.is_empty();
        if view.observation.fingerprint != prepared.fingerprint && !never_launched {
            return Err(ExecError::SpecMismatch {
                key: prepared.key.to_string(),
                existing: view.observation.fingerprint.clone(),
                requested: prepared.fingerprint.clone(),
            });
        }
        Ok(self.joined(entry))
    }

    /// A task that is there.
    pub(super) fn joined(&self, entry: Arc<Entry>) -> Launched {
        let view = entry.view();
        let ended = view.outcome.is_some() || view.presence == Presence::Gone;
        let how = if ended { How::Replayed } else { How::Attached };
        Launched { idempotent_until: self.idempotent_until(&entry), entry, how }
    }

    /// End of the idempotency window of a task that has ended.
    pub fn idempotent_until(&self, entry: &Entry) -> Option<Timestamp> {
        let ended = entry.view().ended?;
        ended.checked_add(self.window()).ok()
    }

    async fn create(&self, prepared: &Prepared<'_>, began: Instant) -> Result<Launched, ExecError> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        let mut body = prepared.body.clone();
        loop {
            let answer = self.inner.cluster.create_pod(&prepared.key.namespace, &body, DryRun::No).await;
            match self.decide(prepared, answer, began.elapsed()).await {
                Attempted::Done(result) => return result,
                Attempted::Again(after, why) => {
                    if began.elapsed() + after > LAUNCH_LIMIT {
                        return Err(why);
                    }
                    // Kubernetes' own words may quote the request: only ours are logged.
                    warn!(task = %prepared.key, why = why.kind(), "the launch is repeated");
                    tokio::time::sleep(after).await;
                    if matches!(why, ExecError::Forbidden(Denial::Quota(_))) {
                        let left = prepared.launch.quota_limit().saturating_sub(began.elapsed());
                        // At the limit it is tried once more.
                        let _ = tokio::time::timeout(left, backoff.wait()).await;
                        body = self.body_after(prepared, began.elapsed())?;
                    } else {
                        backoff.wait().await;
                    }
                    // What an answer did not tell, the watch may have; and an earlier one may have made a pod that is
                    // gone by now, its record left.
                    if let Some(known) = self.known_surely(prepared, began).await? {
                        return Ok(known);
                    }
                }
            }
        }
    }

    /// The pod with what is left of its schedule timeout. Nothing of an earlier body was stored: quota refused it.
    fn body_after(&self, prepared: &Prepared<'_>, waited: Duration) -> Result<Bytes, ExecError> {
        match prepared.launch.spec.timeouts.schedule {
            Some(_) => Ok(self.prepare(prepared.launch, waited)?.body),
            None => Ok(prepared.body.clone()),
        }
    }

    async fn decide(&self, prepared: &Prepared<'_>, answer: CreateAnswer, elapsed: Duration) -> Attempted {
        match answer {
            CreateAnswer::Created(pod) => match self.feed_pod(&pod) {
                Some(entry) => {
                    info!(task = %prepared.key, pod = %prepared.name, pod_uid = %entry.uid, "pod created");
                    Attempted::Done(Ok(Launched { entry, how: How::Created, idempotent_until: None }))
                }
                None => Attempted::Done(Err(ExecError::Internal(
                    "an admission webhook changed the labels or annotations podlaunch needs on its pods".into(),
                ))),
            },
            CreateAnswer::Exists | CreateAnswer::ExistsDeleting => self.existing(prepared, None).await,
            CreateAnswer::Forbidden(denial) => self.existing(prepared, Some((denial, elapsed))).await,
            CreateAnswer::Throttled(after, message) => {
                Attempted::Again(after, ExecError::RateLimited { after, message })
            }
            CreateAnswer::Unknown(failure) => Attempted::Again(Duration::ZERO, ExecError::LaunchUnknown(Some(failure))),
            other => Attempted::Done(Err(refusal(prepared, other))),
        }
    }

    /// Looks at what has the name: after a 409, and after any 403 before it is believed.
    async fn existing(&self, prepared: &Prepared<'_>, denied: Option<(Denial, Duration)>) -> Attempted {
        let found = self.inner.cluster.get_pod(&prepared.key.namespace, &prepared.name).await;
        match (found, denied) {
            (Ok(Some(pod)), _) => Attempted::Done(self.join_found(prepared, &pod)),
            (Ok(None), None) => {
                let pod = format!("{}/{}", prepared.key.namespace, prepared.name);
                Attempted::Again(Duration::ZERO, ExecError::PodTerminating { pod })
            }
            (Ok(None), Some((denial @ Denial::ServiceAccount(_), elapsed))) if elapsed < SERVICE_ACCOUNT_LIMIT => {
                Attempted::Again(Duration::ZERO, ExecError::Forbidden(denial))
            }
            (Ok(None), Some((denial @ Denial::Quota(_), elapsed))) if elapsed < prepared.launch.quota_limit() => {
                Attempted::Again(Duration::ZERO, ExecError::Forbidden(denial))
            }
            (Ok(None), Some((denial, _))) => Attempted::Done(Err(ExecError::Forbidden(denial))),
            // Where pods may not be read, the denial itself is all there is to say.
            (Err(ApiFailure::Refused { code: 403, .. }), Some((denial, _))) => {
                Attempted::Done(Err(ExecError::Forbidden(denial)))
            }
            (Err(failure), _) => Attempted::Again(Duration::ZERO, ExecError::LaunchUnknown(Some(failure))),
        }
    }

    fn join_found(&self, prepared: &Prepared<'_>, pod: &SlimPod) -> Result<Launched, ExecError> {
        if let Some(entry) = self.feed_pod(pod) {
            return self.join(prepared, entry);
        }
        let why = match observe(pod, &self.inner.settings.instance) {
            Ok(_) => String::new(),
            Err(why) => why.to_string(),
        };
        Err(ExecError::OtherInstance { pod: format!("{}/{}", prepared.key.namespace, prepared.name), why })
    }
}

fn annotation_bytes(pod: &Value) -> usize {
    let annotations = pod["metadata"]["annotations"].as_object();
    annotations.into_iter().flatten().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum()
}

/// The error of an answer that is final.
fn refusal(prepared: &Prepared<'_>, answer: CreateAnswer) -> ExecError {
    let namespace = prepared.key.namespace.clone();
    match answer {
        CreateAnswer::Invalid { message, causes } => {
            let template = prepared.template.as_ref().map(|template| template.manifest.template());
            let field = |c: crate::cluster::FieldCause| SpecError {
                field: our_field(&prepared.launch.spec, template, &prepared.pod, &c.field),
                problem: c.message,
            };
            ExecError::SpecRejected { message, fields: causes.into_iter().map(field).collect() }
        }
        CreateAnswer::NamespaceMissing(message) => ExecError::NamespaceMissing { namespace, message },
        CreateAnswer::TooLarge(message) => ExecError::TooLarge { message },
        CreateAnswer::Throttled(after, message) => ExecError::RateLimited { after, message },
        CreateAnswer::Forbidden(denial) => ExecError::Forbidden(denial),
        CreateAnswer::Refused(failure) | CreateAnswer::Unknown(failure) => ExecError::ClusterUnavailable(failure),
        CreateAnswer::Created(_) | CreateAnswer::Exists | CreateAnswer::ExistsDeleting => {
            ExecError::Internal("an answer that is no refusal".into())
        }
    }
}
