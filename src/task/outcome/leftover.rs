//! Containers that go on when the primary has ended: nothing in Kubernetes ends the pod then.
//!
//! ```text
//! primary ended for good ─▶ a regular container goes on ─▶ nothing else ends the pod ─▶ left over
//!                             (native sidecars are the kubelet's to end)
//! left over for the sidecar grace ─▶ one patch: annotation podlaunch.dev/cleanup, activeDeadlineSeconds = 1
//! ```
//!
//! The patch tests the version that this was seen in, so the annotation proves that the primary's end came before
//! whatever ends the pod afterwards: the outcome is the primary's.

use jiff::{SignedDuration, Timestamp};

use super::decide::deadline_may_have_fired;
use super::facts::{disruption_target, is_own_exit};
use crate::task::observation::{ContainerObservation, ContainerState, Observation, Role};

/// How long after a container's end a node reports it, at most.
const REPORT_SECONDS: i64 = 5;

/// Whether the primary has ended for good, others go on, and nothing ends the pod.
pub fn is_left_over(o: &Observation) -> bool {
    let Some(end) = o.primary_ended() else { return false };
    let ending = o.stop.is_some() || o.cleanup.is_some() || o.deletion.is_some() || is_ended_by_node(o);
    // The kubelet is about to end the pod for its deadline, and that is how the primary may have ended too.
    let deadline = o.outcome.is_none() && deadline_may_have_fired(o, end);
    let others = o.containers.iter().filter(|c| c.role == Role::Other);
    !ending && !deadline && o.node.is_some() && others.into_iter().any(|c| goes_on(o, c))
}

/// Since when, by the node's clock: the primary's end, or its report if that is known to be later.
pub fn left_over_since(o: &Observation) -> Option<Timestamp> {
    let finished = o.primary_ended()?.finished;
    let reported = o.condition("ContainersReady").filter(|c| c.status == "False").and_then(|c| c.since);
    [finished, reported].into_iter().flatten().max()
}

/// For how long they must have gone on before podlaunch may end them without hiding what ended the primary. A node that
/// ends a pod kills its last container when the pod's grace is over; until then an eviction may not show in the object.
pub fn must_have_gone_on(o: &Observation) -> SignedDuration {
    match o.primary_ended() {
        Some(end) if o.outcome.is_none() && !is_own_exit(end) => {
            SignedDuration::from_secs(o.grace_seconds.saturating_add(REPORT_SECONDS))
        }
        _ => SignedDuration::ZERO,
    }
}

fn goes_on(o: &Observation, c: &ContainerObservation) -> bool {
    match &c.state {
        ContainerState::Terminated(end) => !o.ends_for_good(end),
        ContainerState::Running { .. } | ContainerState::Waiting { .. } | ContainerState::Unset => true,
    }
}

/// Whether the node ends the pod by itself. A deadline shows in the phase only when the last container has ended, but in
/// the reason of these conditions from its beginning.
fn is_ended_by_node(o: &Observation) -> bool {
    let over =
        |kind| o.condition(kind).is_some_and(|c| matches!(c.reason.as_deref(), Some("PodFailed" | "PodCompleted")));
    o.phase_is_terminal()
        || o.reason.is_some()
        || disruption_target(o).is_some()
        || over("Ready")
        || over("ContainersReady")
}

#[cfg(test)]
#[path = "leftover_tests.rs"]
mod tests;
