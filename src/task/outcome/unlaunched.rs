//! The outcome of a task that was cancelled before any launch.

use super::{Certainty, Origin, Outcome, PodVersion, REASON_VERSION, RetryAdvice, Times};
use crate::task::observation::Stop;
use crate::task::reason::Reason;
use crate::task::state::State;

/// CANCELLED, by a stop that no pod has; `pod` is the name the pod would have had.
pub fn unlaunched(pod: String, stop: Stop) -> Outcome {
    Outcome {
        state: State::Cancelled,
        reason: Reason::CancelledByCaller,
        reason_version: REASON_VERSION,
        kubernetes_reason: String::new(),
        kubernetes_message: String::new(),
        origin: Origin::Caller,
        retry_advice: RetryAdvice::SafeNeverStarted,
        certainty: Certainty::Observed,
        exit_code: None,
        signal: None,
        oom_killed: false,
        timeout: None,
        stop: Some(stop),
        container: String::new(),
        containers: Vec::new(),
        times: Times::default(),
        termination_message: String::new(),
        pod: PodVersion { name: pod, uid: String::new(), resource_version: 0, node: String::new() },
        result: None,
        shortened: false,
    }
    .within_limits()
}
