//! The names of the labels, annotations and the finalizer podlaunch puts on a pod.
//!
//! They are the only store there is: whatever must survive a restart is under one of these.

/// Label: the instance that made the pod. The watch selects by it.
pub const LABEL_INSTANCE: &str = "podlaunch.dev/instance";
/// Label: the task id, or its slug and hash where it does not fit a label value.
pub const LABEL_TASK: &str = "podlaunch.dev/task";
/// Label: the attempt, decimal.
pub const LABEL_ATTEMPT: &str = "podlaunch.dev/attempt";
/// Label of every pod any podlaunch made; `app.kubernetes.io/managed-by=podlaunch`.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`LABEL_MANAGED_BY`].
pub const MANAGED_BY: &str = "podlaunch";

/// Annotation: version of this schema of annotations, decimal. Only [`SCHEMA`] is understood.
pub const SCHEMA_KEY: &str = "podlaunch.dev/schema";
/// The schema this code writes and reads.
pub const SCHEMA: &str = "1";
/// Annotation: the caller's task id, as it was sent.
pub const TASK_ID: &str = "podlaunch.dev/task-id";
/// Annotation: fingerprint of the task spec (`v1:` + sha-256 in hex).
pub const FINGERPRINT: &str = "podlaunch.dev/fingerprint";
/// Annotation: name of the primary container.
pub const PRIMARY: &str = "podlaunch.dev/primary";
/// Annotation: the timeouts and log selection, JSON ([`crate::task::policy::StoredPolicy`]).
pub const POLICY: &str = "podlaunch.dev/policy";
/// Annotation: the template the pod was made from and its content, `NAME@sha256:…`.
pub const TEMPLATE: &str = "podlaunch.dev/template";
/// Annotation of a template itself: what it is for, for people. Never on a pod.
pub const DESCRIPTION: &str = "podlaunch.dev/description";
/// Annotation: W3C `traceparent` of the launch.
pub const TRACEPARENT: &str = "podlaunch.dev/traceparent";
/// Annotation: the recorded stop, JSON ([`crate::task::observation::Stop`]).
pub const STOP: &str = "podlaunch.dev/stop";
/// Annotation: the outcome, JSON ([`crate::task::outcome::Outcome`]). Once there, it is the outcome.
pub const OUTCOME: &str = "podlaunch.dev/outcome";
/// Annotation: later attempts that resolved to this pod, decimal, comma-separated, ascending.
pub const ATTACHED_ATTEMPTS: &str = "podlaunch.dev/attached-attempts";
/// Annotation: when the outcome was stored (podlaunch's clock, RFC 3339). Written by the same patch; retention
/// and the idempotency window count from it.
pub const ENDED: &str = "podlaunch.dev/ended";
/// Annotation: when a caller released the finished task (podlaunch's clock, RFC 3339). Its pod goes at once.
pub const RELEASED: &str = "podlaunch.dev/released";
/// Annotation: when what went on after the primary container had ended was stopped (podlaunch's clock, RFC 3339).
/// Written by the patch that stops it, on a version of the pod that shows nothing else that ends it; never part of the
/// outcome.
pub const CLEANUP: &str = "podlaunch.dev/cleanup";
/// Annotation: until when the task counts as listened to (podlaunch's clock, RFC 3339); renewed by every replica
/// that serves a stream of it. Only on tasks with a disconnect policy.
pub const ATTACHED_UNTIL: &str = "podlaunch.dev/attached-until";
/// Finalizer: keeps the status of a pod that others delete until its outcome is recorded.
pub const FINALIZER: &str = "podlaunch.dev/outcome";
/// Scheduling gate of a task that waits in podlaunch's own queue.
pub const GATE: &str = "podlaunch.dev/queue";
/// Label of the ConfigMap that is an outcome record; its value is the record's schema, [`RECORD_SCHEMA`].
pub const LABEL_RECORD: &str = "podlaunch.dev/record";
/// The schema of records this code writes and reads.
pub const RECORD_SCHEMA: &str = "1";
/// Prefix of everything that is ours; a caller may not set labels or annotations below it.
pub const PREFIX: &str = "podlaunch.dev/";
