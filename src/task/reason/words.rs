//! What Kubernetes' words mean: one list of rules, read from the top, the first that fits counts.
//!
//! A word is read in the field it stands in: `Unknown` of a container's end is not `Unknown` of a
//! condition. The list is open on Kubernetes' side (node admission, waiting reasons, events), so
//! each field has a rule for what it does not know.

use super::Reason;
use crate::task::observation::Terminated;

/// The field a word stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `status.containerStatuses[].state.waiting.reason`.
    Waiting,
    /// `status.containerStatuses[].state.terminated.reason`, with its exit code.
    Terminated,
    /// `status.reason` of a pod whose phase is Failed.
    Pod,
    /// `reason` of condition PodScheduled=False.
    Unscheduled,
    /// `reason` of condition DisruptionTarget=True.
    Disruption,
    /// `reason` of an Event about the pod, with its message.
    Event,
}

/// Which words a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// This one.
    Is(&'static str),
    /// All that begin so.
    Begins(&'static str),
    /// Any.
    Any,
}

/// Which exit codes a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Any.
    Any,
    /// 0.
    Zero,
    /// Any but 0.
    NotZero,
    /// This one.
    Is(i32),
}

/// What a word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A step that is normal.
    Step(Reason),
    /// The task waits for this, is being ended by it, or has ended so.
    Means(Reason),
    /// An event: what was in the way no longer is.
    Clears,
    /// An event that says nothing about why a task is not getting on.
    Silent,
    /// An event `Error: <word>`: the word is read as [`Field::Waiting`].
    AsWaiting,
}

/// A row of [`RULES`].
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The field.
    pub field: Field,
    /// The word.
    pub word: Word,
    /// The message has one of these in it; an empty list asks for none.
    pub said: &'static [&'static str],
    /// The exit code.
    pub code: Code,
    /// What it means.
    pub reading: Reading,
}

const fn rule(field: Field, word: Word, reading: Reading) -> Rule {
    Rule { field, word, said: &[], code: Code::Any, reading }
}

const fn waits(word: &'static str, reason: Reason) -> Rule {
    rule(Field::Waiting, Word::Is(word), Reading::Means(reason))
}

const fn ends(word: Word, code: Code, reason: Reason) -> Rule {
    Rule { code, ..rule(Field::Terminated, word, Reading::Means(reason)) }
}

const fn pod(word: &'static str, reason: Reason) -> Rule {
    rule(Field::Pod, Word::Is(word), Reading::Means(reason))
}

const fn refused(word: Word) -> Rule {
    rule(Field::Pod, word, Reading::Means(Reason::AdmissionRejectedByNode))
}

const fn disrupts(word: Word, reason: Reason) -> Rule {
    rule(Field::Disruption, word, Reading::Means(reason))
}

const fn unscheduled_by(word: &'static str, reason: Reason) -> Rule {
    rule(Field::Unscheduled, Word::Is(word), Reading::Means(reason))
}

const fn event(word: &'static str, reading: Reading) -> Rule {
    rule(Field::Event, Word::Is(word), reading)
}

impl Rule {
    const fn said(self, any_of: &'static [&'static str]) -> Rule {
        Rule { said: any_of, ..self }
    }

    fn fits(&self, field: Field, word: &str, message: &str, code: i32) -> bool {
        let word = match self.word {
            Word::Is(this) => word == this,
            Word::Begins(with) => word.starts_with(with),
            Word::Any => true,
        };
        let code = match self.code {
            Code::Any => true,
            Code::Zero => code == 0,
            Code::NotZero => code != 0,
            Code::Is(this) => code == this,
        };
        self.field == field && word && code && (self.said.is_empty() || self.said.iter().any(|t| message.contains(t)))
    }
}

use Code::{Any, Is as CodeIs, NotZero, Zero};
use Reading::{AsWaiting, Clears, Means, Silent, Step};
use Reason as R;
use Word::{Any as AnyWord, Begins, Is};

/// The runtime's words for a command it cannot start: such a container ends, it does not wait.
const RUNTIME: &[&str] = &["OCI runtime", "containerd task", "shim task"];
const CONFIG: &[&str] =
    &["not found", "couldn't find key", "runAsNonRoot", "run as root", "non-numeric user", "subPath", "subpath"];
const CREATE: &[&str] = &[
    "failed to generate container",
    "failed to create containerd container",
    "failed to reserve container name",
    "failed to generate spec",
];

/// All rules. The order within a field counts.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    rule(Field::Waiting, Is("ContainerCreating"), Step(R::ContainerCreating)),
    rule(Field::Waiting, Is("PodInitializing"), Step(R::PodInitializing)),
    waits("ErrImagePull", R::ImagePullFailed),
    waits("ImagePullBackOff", R::ImagePullFailed),
    waits("ErrImageNeverPull", R::ImageNeverPull),
    waits("InvalidImageName", R::ImageNameInvalid),
    waits("ImageInspectError", R::ImageInspectError),
    waits("RegistryUnavailable", R::ImageRegistryUnavailable),
    waits("SignatureValidationFailed", R::ImageSignatureInvalid),
    waits("ImageVolumeMountFailed", R::VolumeMountFailed),
    rule(Field::Waiting, Begins("ErrImage"), Means(R::ImageOther)),
    rule(Field::Waiting, Begins("Image"), Means(R::ImageOther)),
    waits("CreateContainerConfigError", R::CreateContainerConfigError),
    waits("CreateContainerError", R::CreateContainerError),
    waits("PreCreateHookError", R::CreateContainerError),
    waits("PreStartHookError", R::CreateContainerError),
    waits("RROUnsupported", R::CreateContainerError),
    waits("PostStartHookError", R::PostStartHookFailed),
    waits("RunContainerError", R::RunContainerError),
    waits("ContainerCannotRun", R::RunContainerError),
    waits("StartError", R::StartError),
    waits("CreatePodSandboxError", R::PodSandboxFailed),
    waits("ConfigPodSandboxError", R::PodSandboxFailed),
    waits("KillPodSandboxError", R::PodSandboxFailed),
    waits("CrashLoopBackOff", R::CrashLoopBackOff),
    waits("RestartingAllContainers", R::CrashLoopBackOff),
    rule(Field::Waiting, AnyWord, Means(R::Unknown)),

    ends(Is("StartError"), Any, R::StartError),
    ends(Is("ContainerCannotRun"), Any, R::RunContainerError),
    ends(Is("ContainerStatusUnknown"), Any, R::ContainerStatusUnknown),
    ends(Is("Unknown"), CodeIs(255), R::ExitCodeUnknown),
    ends(AnyWord, Zero, R::Completed),
    ends(Is("OOMKilled"), NotZero, R::OomKilled),
    ends(AnyWord, NotZero, R::ExitCode),

    pod("Evicted", R::Evicted),
    pod("Preempting", R::PreemptedByNode),
    pod("Terminated", R::NodeShutdown),
    pod("NodeShutdown", R::NodeShutdown),
    pod("Shutdown", R::NodeShutdown),
    pod("DeadlineExceeded", R::DeadlineExceeded),
    pod("NodeLost", R::NodeLost),
    refused(Begins("OutOf")),
    refused(Is("NodeAffinity")),
    refused(Is("NodePorts")),
    refused(Is("TopologyAffinityError")),
    refused(Is("UnexpectedAdmissionError")),
    refused(Is("InvalidNodeInfo")),
    refused(Is("PodOSNotSupported")),
    refused(Is("PodOSSelectorNodeLabelDoesNotMatch")),
    refused(Is("InitContainerRestartPolicyForbidden")),
    refused(Is("SupplementalGroupsPolicyNotSupported")),
    refused(Is("UnexpectedPredicateFailureType")),
    refused(Is("PodFeatureUnsupported")),
    refused(Is("PodLevelResourcesNotSupported")),
    refused(Is("VolumeAttachmentLimitExceeded")),
    refused(Is("AppArmor")),
    refused(Is("SysctlForbidden")),
    refused(Is("UnknownReason")),

    unscheduled_by("Unschedulable", R::Unschedulable),
    unscheduled_by("SchedulerError", R::SchedulerError),
    unscheduled_by("SchedulingGated", R::Gated),

    disrupts(Is("PreemptionByScheduler"), R::Preempted),
    disrupts(Is("DeletionByTaintManager"), R::TaintEvicted),
    disrupts(Is("EvictionByEvictionAPI"), R::ApiEvicted),
    disrupts(Is("DeletionByPodGC"), R::PodGc),
    disrupts(AnyWord, R::DisruptedOther),

    event("FailedScheduling", Means(R::Unschedulable)),
    event("FailedMount", Means(R::VolumeMountFailed)),
    event("FailedAttachVolume", Means(R::VolumeMountFailed)),
    event("FailedMapVolume", Means(R::VolumeMountFailed)),
    event("VolumeResizeFailed", Means(R::VolumeMountFailed)),
    event("FailedCreatePodSandBox", Means(R::PodSandboxFailed)),
    event("FailedPodSandBoxStatus", Means(R::PodSandboxFailed)),
    event("FailedCreatePodContainer", Means(R::PodSandboxFailed)),
    event("FailedPrepareDynamicResources", Means(R::PodSandboxFailed)),
    event("NetworkNotReady", Means(R::PodSandboxFailed)),
    event("ErrImageNeverPull", Means(R::ImageNeverPull)),
    event("InspectFailed", Means(R::ImageNameInvalid)).said(&["parse image name", "invalid reference format"]),
    event("InspectFailed", Means(R::ImageInspectError)),
    event("BackOff", Means(R::ImagePullFailed)).said(&["pulling image"]),
    event("Failed", Means(R::ImagePullFailed)).said(&["Failed to pull image"]),
    event("Failed", Silent).said(RUNTIME),
    event("Failed", Means(R::CreateContainerConfigError)).said(CONFIG),
    event("Failed", Means(R::CreateContainerError)).said(CREATE),
    event("Failed", AsWaiting),
    event("Scheduled", Clears),
    event("Pulled", Clears),
    event("Started", Clears),
    event("SuccessfulMountVolume", Clears),
    event("SuccessfulAttachVolume", Silent),
    rule(Field::Event, AnyWord, Silent),
];

fn read(field: Field, word: &str, message: &str, code: i32) -> Option<Reading> {
    RULES.iter().find(|rule| rule.fits(field, word, message, code)).map(|rule| rule.reading)
}

fn meaning(field: Field, word: &str) -> Option<Reason> {
    match read(field, word, "", 0)? {
        Means(reason) => Some(reason),
        Step(_) | Clears | Silent | AsWaiting => None,
    }
}

/// Reads `state.waiting.reason`. None for the normal steps (`ContainerCreating`,
/// `PodInitializing`) and for an empty one; a word that is not known is [`Reason::Unknown`].
pub fn waiting(word: &str) -> Option<Reason> {
    if word.is_empty() { None } else { meaning(Field::Waiting, word) }
}

/// Reads `state.waiting.reason` where it is a normal step.
pub(in crate::task) fn step(word: &str) -> Option<Reason> {
    match read(Field::Waiting, word, "", 0)? {
        Step(reason) => Some(reason),
        _ => None,
    }
}

/// Reads how a container ended.
pub fn end(t: &Terminated) -> Reason {
    match read(Field::Terminated, &t.reason, "", t.code) {
        Some(Means(reason)) => reason,
        _ => Reason::ExitCode,
    }
}

/// Reads the reason of condition `PodScheduled=False`.
pub fn unscheduled(word: &str) -> Option<Reason> {
    meaning(Field::Unscheduled, word)
}

/// Reads the reason of condition `DisruptionTarget=True`. `TerminationByKubelet` says only who;
/// `status.reason` says why, see [`pod_level`].
pub fn disruption(word: &str) -> Reason {
    meaning(Field::Disruption, word).unwrap_or(Reason::DisruptedOther)
}

/// Reads `status.reason` of a failed pod, except the node's refusals (see [`is_admission`]).
pub fn pod_level(word: &str) -> Option<Reason> {
    meaning(Field::Pod, word).filter(|reason| *reason != Reason::AdmissionRejectedByNode)
}

/// Whether `status.reason` is a kubelet's refusal of a pod that had been bound to it. The list is
/// open (every scheduler predicate's name may appear), so the caller also accepts any word on a
/// failed pod that has no container status at all.
pub fn is_admission(word: &str) -> bool {
    meaning(Field::Pod, word) == Some(Reason::AdmissionRejectedByNode)
}

/// What a Pod event says about why a task is not getting on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// It waits for this.
    Waits(Reason),
    /// What was in the way no longer is.
    Clears,
    /// Nothing about it.
    Silent,
}

/// Reads a Pod event. Events come seconds before the status says the same, so the first `Failed`
/// already explains a pull that hangs; `message` tells apart what shares the word `Failed`.
pub fn notice(word: &str, message: &str) -> Hint {
    match read(Field::Event, word, message, 0) {
        Some(Means(reason)) => Hint::Waits(reason),
        Some(Clears) => Hint::Clears,
        Some(AsWaiting) => match message.strip_prefix("Error: ").and_then(waiting) {
            Some(Reason::Unknown) | None => Hint::Silent,
            Some(reason) => Hint::Waits(reason),
        },
        Some(Silent | Step(_)) | None => Hint::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule that an earlier one hides is a mistake.
    #[test]
    fn every_rule_can_fit() {
        for (i, rule) in RULES.iter().enumerate() {
            let word = match rule.word {
                Is(word) => word.to_owned(),
                Begins(with) => format!("{with}x"),
                AnyWord => "NoSuchWord".to_owned(),
            };
            let message = rule.said.first().copied().unwrap_or_default();
            let code = match rule.code {
                Any | Zero => 0,
                NotZero => 1,
                CodeIs(code) => code,
            };
            let first = RULES.iter().position(|r| r.fits(rule.field, &word, message, code));
            assert_eq!(first, Some(i), "{rule:?} is hidden");
        }
    }

    #[test]
    fn ends_of_a_container() {
        let ended = |reason: &str, code| {
            let reason = reason.to_owned();
            end(&Terminated { code, signal: None, reason, message: String::new(), started: None, finished: None })
        };
        for (reason, code, expected) in [
            ("Completed", 0, Reason::Completed),
            ("OOMKilled", 0, Reason::Completed),
            ("OOMKilled", 137, Reason::OomKilled),
            ("Error", 137, Reason::ExitCode),
            ("Error", 255, Reason::ExitCode),
            ("Unknown", 255, Reason::ExitCodeUnknown),
            ("Unknown", 1, Reason::ExitCode),
            ("ContainerStatusUnknown", 137, Reason::ContainerStatusUnknown),
            ("StartError", 128, Reason::StartError),
            ("ContainerCannotRun", 127, Reason::RunContainerError),
            ("", 3, Reason::ExitCode),
            ("SomethingNew", 0, Reason::Completed),
        ] {
            assert_eq!(ended(reason, code), expected, "{reason} {code}");
        }
    }

    #[test]
    fn normal_steps_are_no_reason_to_worry() {
        assert_eq!((step("ContainerCreating"), waiting("ContainerCreating")), (Some(Reason::ContainerCreating), None));
        assert_eq!((step("PodInitializing"), waiting("PodInitializing")), (Some(Reason::PodInitializing), None));
        assert_eq!((step("ErrImagePull"), step("")), (None, None));
    }
}
