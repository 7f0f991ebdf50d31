//! Which of several things that happened is the one reason: the order of precedence.

use super::facts::{Before, Facts, Started, disruption_target, ended_before, ended_before_deletion, is_start_error};
use super::{Certainty, RetryAdvice};
use crate::task::observation::{ContainerObservation, ContainerState, Observation, Role, Stop, StopCause, Terminated};
use crate::task::reason::{self, Reason};
use crate::task::state::State;

/// The decision, before it is put beside the rest of the pod.
pub(super) struct Verdict {
    pub state: State,
    pub reason: Reason,
    pub certainty: Certainty,
    /// Kubernetes' reason and message.
    pub words: (String, String),
    /// Container that decided.
    pub container: String,
    pub timeout: Option<StopCause>,
}

impl Verdict {
    fn new(state: State, reason: Reason, certainty: Certainty) -> Self {
        let (words, container) = Default::default();
        Verdict { state, reason, certainty, words, container, timeout: None }
    }

    fn words(mut self, reason: Option<&str>, message: Option<&str>) -> Self {
        self.words = (reason.unwrap_or_default().into(), message.unwrap_or_default().into());
        self
    }

    fn by(mut self, container: &str) -> Self {
        self.container = container.into();
        self
    }
}

/// A pod at its end.
pub(super) fn at_end(o: &Observation, facts: &Facts<'_>) -> Verdict {
    stopped(o, facts)
        .or_else(|| disrupted(o, facts))
        .or_else(|| init_failed(o, facts))
        .or_else(|| own_end(o, facts))
        .or_else(|| sidecar_failed(o, facts))
        .unwrap_or_else(|| inferred(o, facts))
}

/// A pod object that went away without its terminal phase having been seen.
pub(super) fn vanished(o: &Observation, facts: &Facts<'_>) -> Verdict {
    if let Some(verdict) = stopped(o, facts) {
        return verdict;
    }
    if let Some(code) = facts.exit_code() {
        let own = |v: Option<Verdict>| v.filter(|_| code < 128 || o.cleanup.is_some());
        return disrupted(o, facts)
            .or_else(|| own(own_end(o, facts)))
            .unwrap_or_else(|| Verdict::new(State::Disrupted, Reason::PodVanished, Certainty::Inferred));
    }
    if facts.started == Started::Never {
        return disrupted(o, facts).unwrap_or_else(|| deleted_before_start(o));
    }
    let target = disruption_target(o);
    Verdict::new(State::Lost, Reason::PodVanished, Certainty::MayStillBeRunning)
        .words(target.and_then(|c| c.reason.as_deref()), target.and_then(|c| c.message.as_deref()))
}

fn deleted_before_start(o: &Observation) -> Verdict {
    Verdict::new(State::Disrupted, Reason::PodDeleted, Certainty::Observed)
        .words(o.reason.as_deref(), o.message.as_deref())
}

/// A pod whose node was silent for its lost timeout.
pub(super) fn lost(o: &Observation, facts: &Facts<'_>) -> Verdict {
    if o.stop.is_none() && facts.exit_code().is_some() {
        // The primary's end had been reported; only the pod's never was.
        return vanished(o, facts);
    }
    let mut verdict = stopped(o, facts).unwrap_or_else(|| {
        let word = disruption_target(o).or_else(|| o.condition("Ready"));
        let mut lost = Verdict::new(State::Lost, Reason::LostTimeout, Certainty::MayStillBeRunning)
            .words(word.and_then(|c| c.reason.as_deref()), word.and_then(|c| c.message.as_deref()));
        lost.timeout = Some(StopCause::LostTimeout);
        lost
    });
    verdict.certainty = Certainty::MayStillBeRunning;
    verdict
}

/// How sure an ending is when its cause is known.
fn certainty(facts: &Facts<'_>) -> Certainty {
    if facts.running {
        Certainty::MayStillBeRunning
    } else if facts.started == Started::Never || facts.exit_code().is_some() {
        Certainty::Observed
    } else {
        Certainty::Inferred
    }
}

fn stopped(o: &Observation, facts: &Facts<'_>) -> Option<Verdict> {
    let stop = o.stop.as_ref()?;
    let sure = certainty(facts);
    let verdict = |state, reason| Verdict::new(state, reason, sure);
    Some(match stop.cause {
        StopCause::Cancel => verdict(State::Cancelled, Reason::CancelledByCaller),
        StopCause::Disconnected => verdict(State::Cancelled, Reason::Disconnected),
        StopCause::LostTimeout => verdict(State::Lost, Reason::LostTimeout).timed_out(stop),
        StopCause::ExecutionTimeout => verdict(State::Failed, Reason::ExecutionTimeout).timed_out(stop),
        StopCause::ScheduleTimeout => pending(stop, Reason::ScheduleTimeout, sure),
        StopCause::StartupTimeout => pending(stop, Reason::StartupTimeout, sure),
    })
}

impl Verdict {
    fn timed_out(mut self, stop: &Stop) -> Self {
        self.timeout = Some(stop.cause);
        self
    }
}

/// A schedule or startup timeout: what it was waiting for is the reason.
fn pending(stop: &Stop, unexplained: Reason, sure: Certainty) -> Verdict {
    let Some(p) = &stop.pending else {
        return Verdict::new(State::Failed, unexplained, sure).timed_out(stop);
    };
    Verdict::new(State::Failed, p.reason, sure)
        .words(Some(&p.kubernetes_reason), Some(&p.kubernetes_message))
        .timed_out(stop)
}

/// Something that came from outside.
struct Cause<'a> {
    reason: Reason,
    word: Option<&'a str>,
    message: Option<&'a str>,
}

fn disrupted(o: &Observation, facts: &Facts<'_>) -> Option<Verdict> {
    if o.cleanup.is_some() {
        // The primary had ended when nothing of this was there: it ended what podlaunch was about to end.
        return None;
    }
    let cause = by_condition(o, facts)
        .or_else(|| by_pod_reason(o))
        .or_else(|| by_deletion(o, facts))
        .or_else(|| by_event(facts))?;
    let verdict = match cause.reason {
        Reason::DeadlineExceeded => deadline(o, facts),
        reason if facts.running => {
            // Kubernetes ended the pod while the node last said "running": nobody saw the end.
            let reason = if reason == Reason::PodGc { Reason::NodeLost } else { reason };
            Verdict::new(State::Lost, reason, Certainty::MayStillBeRunning)
        }
        reason if facts.exit_code() == Some(0) && reason != Reason::AdmissionRejectedByNode => {
            Verdict::new(State::Succeeded, Reason::CompletedDuringDisruption, Certainty::Inferred)
        }
        reason => Verdict::new(State::Disrupted, reason, certainty(facts)),
    };
    Some(verdict.words(cause.word, cause.message))
}

fn by_condition<'a>(o: &'a Observation, facts: &Facts<'_>) -> Option<Cause<'a>> {
    let target = disruption_target(o)?;
    let word = target.reason.as_deref();
    let by_kubelet = word == Some("TerminationByKubelet");
    // kubelet writes the condition together with the end it causes; all others write it before.
    if !by_kubelet && target.since.is_some_and(|since| ended_before(o, facts, since)) {
        return None;
    }
    if by_kubelet && let Some(cause) = by_pod_reason(o) {
        return Some(cause);
    }
    let reason = if by_kubelet { Reason::Evicted } else { reason::disruption(word.unwrap_or_default()) };
    Some(Cause { reason, word, message: target.message.as_deref() })
}

fn by_pod_reason(o: &Observation) -> Option<Cause<'_>> {
    let word = o.reason.as_deref().filter(|w| !w.is_empty() && o.phase == "Failed")?;
    let silent = o.containers.iter().all(|c| c.state == ContainerState::Unset);
    let refused = reason::is_admission(word) || (silent && o.node.is_some());
    let reason = reason::pod_level(word).or_else(|| refused.then_some(Reason::AdmissionRejectedByNode))?;
    Some(Cause { reason, word: Some(word), message: o.message.as_deref() })
}

fn by_deletion<'a>(o: &'a Observation, facts: &Facts<'_>) -> Option<Cause<'a>> {
    o.deletion?;
    if ended_before_deletion(o, facts) {
        return None;
    }
    Some(Cause { reason: Reason::PodDeleted, word: o.reason.as_deref(), message: o.message.as_deref() })
}

/// A node that takes a pod away says so in an Event first. Where the primary then exits 0 the phase
/// is Succeeded, and nothing else of it is in the object.
fn by_event<'a>(facts: &Facts<'_>) -> Option<Cause<'a>> {
    match facts.before {
        Before::TakenAway(reason) if facts.exit_code().is_some() => Some(Cause { reason, word: None, message: None }),
        _ => None,
    }
}

/// `activeDeadlineSeconds` passed and no stop of ours is recorded: the manifest's own limit, or
/// our backstop, which holds while podlaunch is down.
fn deadline(o: &Observation, facts: &Facts<'_>) -> Verdict {
    let timeouts = &o.policy.timeouts;
    let ours = timeouts.backstop().is_some() && timeouts.backstop() == o.active_deadline_seconds;
    if !ours {
        return Verdict::new(State::Failed, Reason::DeadlineExceeded, certainty(facts));
    }
    let (reason, cause) = match facts.started {
        Started::Never => (Reason::StartupTimeout, StopCause::StartupTimeout),
        Started::Yes | Started::Unknown => (Reason::ExecutionTimeout, StopCause::ExecutionTimeout),
    };
    let mut verdict = Verdict::new(State::Failed, reason, Certainty::Inferred);
    verdict.timeout = Some(cause);
    verdict
}

fn failed(c: &ContainerObservation) -> Option<&Terminated> {
    match &c.state {
        ContainerState::Terminated(t) if t.code != 0 => Some(t),
        ContainerState::Waiting { .. } => c.last.as_ref().filter(|t| t.code != 0),
        _ => None,
    }
}

fn init_failed(o: &Observation, facts: &Facts<'_>) -> Option<Verdict> {
    if facts.started == Started::Yes {
        return None;
    }
    let (c, t) = o.containers.iter().filter(|c| c.role == Role::Init).find_map(|c| Some((c, failed(c)?)))?;
    let sure = if t.exit_code().is_some() || is_start_error(t) { Certainty::Observed } else { Certainty::Inferred };
    let message = is_start_error(t).then_some(t.message.as_str());
    Some(Verdict::new(State::Failed, Reason::InitContainerFailed, sure).words(Some(&t.reason), message).by(&c.name))
}

fn own_end(o: &Observation, facts: &Facts<'_>) -> Option<Verdict> {
    let t = facts.end?;
    let words = |message| (Some(t.reason.as_str()), message);
    let (state, reason, sure, (word, message)) = match (reason::end(t), t.exit_code()) {
        (reason @ Reason::Completed, _) => (State::Succeeded, reason, Certainty::Observed, words(None)),
        (Reason::ExitCode, Some(_)) if facts.hook_failed(o) => {
            (State::Failed, Reason::PostStartHookFailed, Certainty::Inferred, words(None))
        }
        (reason, Some(_)) => (State::Failed, reason, Certainty::Observed, words(None)),
        (reason, None) if is_start_error(t) => (State::Failed, reason, Certainty::Observed, words(Some(&*t.message))),
        (reason, None) => (State::Lost, reason, Certainty::Inferred, words(Some(&*t.message))),
    };
    Some(Verdict::new(state, reason, sure).words(word, message).by(&o.primary))
}

fn sidecar_failed(o: &Observation, facts: &Facts<'_>) -> Option<Verdict> {
    if facts.running {
        return None;
    }
    let beside = |c: &&ContainerObservation| matches!(c.role, Role::Sidecar | Role::Other);
    let (c, t) = o.containers.iter().filter(beside).find_map(|c| Some((c, failed(c)?)))?;
    Some(
        Verdict::new(State::Failed, Reason::SidecarFailed, Certainty::Inferred)
            .words(Some(&t.reason), None)
            .by(&c.name),
    )
}

/// A terminal phase, and nothing that explains it.
fn inferred(o: &Observation, facts: &Facts<'_>) -> Verdict {
    let words = (o.reason.as_deref(), o.message.as_deref());
    let verdict = if facts.running {
        Verdict::new(State::Lost, Reason::NodeLost, Certainty::MayStillBeRunning)
    } else if o.phase == "Succeeded" {
        Verdict::new(State::Succeeded, Reason::Completed, Certainty::Inferred)
    } else if facts.started == Started::Never {
        Verdict::new(State::Failed, Reason::Unknown, Certainty::Inferred)
    } else {
        Verdict::new(State::Lost, Reason::Unknown, Certainty::Inferred)
    };
    verdict.words(words.0, words.1)
}

/// Whether another attempt makes sense.
pub(super) fn advice(verdict: &Verdict, started: Started) -> RetryAdvice {
    match (verdict.state, verdict.reason, started) {
        (State::Succeeded, Reason::CompletedDuringDisruption, _) => RetryAdvice::MayHaveSideEffects,
        (State::Succeeded, ..) => RetryAdvice::None,
        (_, reason, Started::Never) if reason.advice() == RetryAdvice::Useless => RetryAdvice::Useless,
        (_, _, Started::Never) => RetryAdvice::SafeNeverStarted,
        (_, _, Started::Yes | Started::Unknown) => RetryAdvice::MayHaveSideEffects,
    }
}
