//! What a launch asked for beside the pod itself: timeouts and log selection.
//!
//! Stored on the pod as annotation `podlaunch.dev/policy`, so that any replica, and one started
//! later, acts the same way. Not part of the fingerprint unless said so.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::reason::Reason;
use super::result::ResultSource;

/// Longest timeout, seconds (365 days).
pub const MAX_TIMEOUT_SECONDS: i64 = 365 * 24 * 3600;
/// Timeout of an unreachable node unless asked otherwise, seconds.
pub const DEFAULT_LOST_SECONDS: i64 = 30 * 60;
/// Most graces while pending.
pub const MAX_PENDING_GRACES: usize = 16;
/// Longest termination grace, seconds (365 days).
pub const MAX_GRACE_SECONDS: i64 = 365 * 24 * 3600;

/// Shortest time after which a task without a listener may be stopped, seconds.
pub const MIN_CANCEL_AFTER_SECONDS: i64 = 60;

/// For how long pod and log of a finished task are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Retention {
    /// As long as the server's settings say.
    #[default]
    Server,
    /// Seconds after success and after any other end; `None` is the server's.
    After {
        /// After SUCCEEDED.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        success: Option<i64>,
        /// After any other end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<i64>,
    },
    /// Until the caller releases it.
    Keep,
}

/// Timeouts of a task in whole seconds; `None` is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeouts {
    /// From creation until bound to a node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<i64>,
    /// From bound until the primary container started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup: Option<i64>,
    /// From the primary container's start until its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<i64>,
    /// From unreachable until LOST; unset is [`DEFAULT_LOST_SECONDS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<i64>,
    /// Shorter ends to waiting, by reason; each reason once, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending_graces: Vec<PendingGrace>,
}

/// How long a task may wait for one reason without a break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingGrace {
    /// For what.
    pub reason: Reason,
    /// For how long, seconds; 0: it ends as soon as the reason is seen.
    pub seconds: i64,
}

impl Timeouts {
    /// `activeDeadlineSeconds` that holds while podlaunch is down. It counts from the node's
    /// acceptance of the pod, so it needs both a startup and an execution timeout; the schedule
    /// timeout only makes it laxer.
    pub fn backstop(&self) -> Option<i64> {
        Some(self.schedule.unwrap_or(0) + self.startup? + self.execution?)
    }

    /// The grace for waiting for `reason`, seconds.
    pub fn pending_grace(&self, reason: Reason) -> Option<i64> {
        self.pending_graces.iter().find(|grace| grace.reason == reason).map(|grace| grace.seconds)
    }
}

/// Which containers' logs a stream carries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LogSelection {
    /// The primary container's.
    #[default]
    Primary,
    /// Every container's, init containers and sidecars too.
    All,
    /// None.
    None,
    /// These.
    Named(Vec<String>),
}

impl LogSelection {
    /// Whether the logs of `container` are in it.
    pub fn includes(&self, container: &str, primary: &str) -> bool {
        match self {
            LogSelection::Primary => container == primary,
            LogSelection::All => true,
            LogSelection::None => false,
            LogSelection::Named(names) => names.iter().any(|n| n == container),
        }
    }
}

/// Annotation `podlaunch.dev/policy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredPolicy {
    /// Timeouts.
    pub timeouts: Timeouts,
    /// Which logs.
    pub logs: LogSelection,
    /// Where the result is taken from; unset: it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultSource>,
    /// For how long the pod is kept after the end.
    #[serde(skip_serializing_if = "is_server")]
    pub retention: Retention,
    /// Seconds without a listener after which the task is stopped; `None`: it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_after: Option<i64>,
}

fn is_server(retention: &Retention) -> bool {
    *retention == Retention::Server
}

impl StoredPolicy {
    /// Until when the task counts as listened to if a listener is there at `now`: long enough that a renewal
    /// every [`StoredPolicy::renew_every`] never cuts the time without a listener short.
    pub fn attached_until(&self, now: Timestamp) -> Option<Timestamp> {
        let after = self.cancel_after?;
        now.checked_add(SignedDuration::from_secs(after.saturating_add(after / 3))).ok()
    }

    /// How often a replica that serves a stream renews that, seconds.
    pub fn renew_every(&self) -> Option<i64> {
        Some((self.cancel_after? / 3).max(1))
    }
}
