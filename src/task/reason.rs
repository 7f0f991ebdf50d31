//! Why a task is as it is: one open list, and the tables that read Kubernetes' words into it.
//!
//! ```text
//!   state.waiting.reason ──▶ waiting()        ┐
//!   Pod event            ──▶ notice()         ├─▶ Reason ──▶ pending reason, StateChange, Outcome
//!   condition            ──▶ unscheduled(),   │
//!                            disruption()     │
//!   status.reason        ──▶ pod_level()      ┘
//! ```
//!
//! Kubernetes' own words always travel beside a [`Reason`]; these tables lose nothing. A text this
//! code does not know (written by a newer one) reads as [`Reason::Unknown`].

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident = $text:literal,)+) => {
        /// Why a task waits, is ending, or ended. Texts are part of the stored format: add, never rename.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])+ $name,)+
        }

        impl Reason {
            /// All of them, in the order of the contract.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)+];

            /// The name callers see, without the enum's prefix.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Reason::$name => $text,)+
                }
            }

            /// Reads a name; one that is not known is [`Reason::Unknown`].
            pub fn parse(text: &str) -> Reason {
                match text {
                    $($text => Reason::$name,)+
                    _ => Reason::Unknown,
                }
            }
        }
    };
}

reasons! {
    /// The primary container ended with exit code 0.
    Completed = "COMPLETED",
    /// Exit code 0 while the cluster was taking the pod away.
    CompletedDuringDisruption = "COMPLETED_DURING_DISRUPTION",
    /// An exit code other than 0.
    ExitCode = "EXIT_CODE",
    /// Want of memory, and an exit code other than 0.
    OomKilled = "OOM_KILLED",
    /// An init container failed; the primary never started.
    InitContainerFailed = "INIT_CONTAINER_FAILED",
    /// A sidecar or another container failed, and the primary's end does not explain the pod's.
    SidecarFailed = "SIDECAR_FAILED",
    /// The primary's postStart hook failed.
    PostStartHookFailed = "POST_START_HOOK_FAILED",
    /// A container waits for its next restart.
    CrashLoopBackOff = "CRASH_LOOP_BACK_OFF",
    /// The runtime could not start the command.
    StartError = "START_ERROR",
    /// The runtime could not run the container it had made.
    RunContainerError = "RUN_CONTAINER_ERROR",
    /// The runtime could not create the container.
    CreateContainerError = "CREATE_CONTAINER_ERROR",
    /// What the container is configured with is missing or contradicts itself.
    CreateContainerConfigError = "CREATE_CONTAINER_CONFIG_ERROR",
    /// The pod's sandbox could not be made.
    PodSandboxFailed = "POD_SANDBOX_FAILED",
    /// A volume could not be attached or mounted.
    VolumeMountFailed = "VOLUME_MOUNT_FAILED",
    /// The node prepares the pod.
    ContainerCreating = "CONTAINER_CREATING",
    /// Init containers run.
    PodInitializing = "POD_INITIALIZING",
    /// The image cannot be pulled.
    ImagePullFailed = "IMAGE_PULL_FAILED",
    /// Pull policy Never, and the node does not have the image.
    ImageNeverPull = "IMAGE_NEVER_PULL",
    /// The image's name cannot be parsed.
    ImageNameInvalid = "IMAGE_NAME_INVALID",
    /// The node cannot inspect the image.
    ImageInspectError = "IMAGE_INSPECT_ERROR",
    /// The registry does not answer.
    ImageRegistryUnavailable = "IMAGE_REGISTRY_UNAVAILABLE",
    /// The image's signature is not accepted.
    ImageSignatureInvalid = "IMAGE_SIGNATURE_INVALID",
    /// Something else is wrong with the image.
    ImageOther = "IMAGE_OTHER",
    /// The scheduler has not looked at the pod yet.
    Scheduling = "SCHEDULING",
    /// No node can take the pod.
    Unschedulable = "UNSCHEDULABLE",
    /// The scheduler failed.
    SchedulerError = "SCHEDULER_ERROR",
    /// podlaunch's own queue holds the pod back.
    Queued = "QUEUED",
    /// Somebody else's scheduling gate holds the pod back.
    Gated = "GATED",
    /// Not bound in time, and nothing is known of why.
    ScheduleTimeout = "SCHEDULE_TIMEOUT",
    /// Not started in time, and nothing is known of why.
    StartupTimeout = "STARTUP_TIMEOUT",
    /// Ran longer than its execution timeout.
    ExecutionTimeout = "EXECUTION_TIMEOUT",
    /// The pod's own activeDeadlineSeconds passed.
    DeadlineExceeded = "DEADLINE_EXCEEDED",
    /// The node did not report for the lost timeout.
    LostTimeout = "LOST_TIMEOUT",
    /// A caller cancelled it.
    CancelledByCaller = "CANCELLED_BY_CALLER",
    /// A caller cancelled it before it was launched.
    CancelledBeforeLaunch = "CANCELLED_BEFORE_LAUNCH",
    /// Nobody listened for as long as its disconnect policy allows.
    Disconnected = "DISCONNECTED",
    /// The node evicted it for want of resources.
    Evicted = "EVICTED",
    /// The scheduler took it away for a pod of higher priority.
    Preempted = "PREEMPTED",
    /// The node took it away for a critical pod.
    PreemptedByNode = "PREEMPTED_BY_NODE",
    /// The node shut down.
    NodeShutdown = "NODE_SHUTDOWN",
    /// A NoExecute taint on its node.
    TaintEvicted = "TAINT_EVICTED",
    /// Evicted through the API.
    ApiEvicted = "API_EVICTED",
    /// Kubernetes' garbage collection.
    PodGc = "POD_GC",
    /// Somebody else deleted the pod.
    PodDeleted = "POD_DELETED",
    /// A disruption not listed here.
    DisruptedOther = "DISRUPTED_OTHER",
    /// The node refused the pod it was bound to.
    AdmissionRejectedByNode = "ADMISSION_REJECTED_BY_NODE",
    /// The node is gone.
    NodeLost = "NODE_LOST",
    /// The node does not report.
    NodeUnreachable = "NODE_UNREACHABLE",
    /// The node no longer knew the container: no exit code exists.
    ContainerStatusUnknown = "CONTAINER_STATUS_UNKNOWN",
    /// The runtime lost track of the container: no exit code exists.
    ExitCodeUnknown = "EXIT_CODE_UNKNOWN",
    /// The pod vanished without its end having been seen.
    PodVanished = "POD_VANISHED",
    /// None of the above.
    Unknown = "UNKNOWN",
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Reason::parse(&text))
    }
}

/// Reads `state.waiting.reason`. None for the normal steps (`ContainerCreating`,
/// `PodInitializing`) and for an empty one; a word that is not known is [`Reason::Unknown`].
pub fn waiting(word: &str) -> Option<Reason> {
    Some(match word {
        "" | "ContainerCreating" | "PodInitializing" => return None,
        "ErrImagePull" | "ImagePullBackOff" => Reason::ImagePullFailed,
        "ErrImageNeverPull" => Reason::ImageNeverPull,
        "InvalidImageName" => Reason::ImageNameInvalid,
        "ImageInspectError" => Reason::ImageInspectError,
        "RegistryUnavailable" => Reason::ImageRegistryUnavailable,
        "SignatureValidationFailed" => Reason::ImageSignatureInvalid,
        "CreateContainerConfigError" => Reason::CreateContainerConfigError,
        "CreateContainerError" | "PreCreateHookError" | "PreStartHookError" | "RROUnsupported" => {
            Reason::CreateContainerError
        }
        "PostStartHookError" => Reason::PostStartHookFailed,
        "RunContainerError" | "ContainerCannotRun" => Reason::RunContainerError,
        "StartError" => Reason::StartError,
        "CreatePodSandboxError" | "ConfigPodSandboxError" | "KillPodSandboxError" => Reason::PodSandboxFailed,
        "CrashLoopBackOff" | "RestartingAllContainers" => Reason::CrashLoopBackOff,
        _ => Reason::Unknown,
    })
}

/// Reads the reason of condition `PodScheduled=False`.
pub fn unscheduled(word: &str) -> Option<Reason> {
    match word {
        "Unschedulable" => Some(Reason::Unschedulable),
        "SchedulerError" => Some(Reason::SchedulerError),
        "SchedulingGated" => Some(Reason::Gated),
        _ => None,
    }
}

/// Reads the reason of condition `DisruptionTarget=True`. `TerminationByKubelet` says only who;
/// `status.reason` says why, see [`pod_level`].
pub fn disruption(word: &str) -> Reason {
    match word {
        "PreemptionByScheduler" => Reason::Preempted,
        "DeletionByTaintManager" => Reason::TaintEvicted,
        "EvictionByEvictionAPI" => Reason::ApiEvicted,
        "DeletionByPodGC" => Reason::PodGc,
        _ => Reason::DisruptedOther,
    }
}

/// Reads `status.reason` of a failed pod, except the node's refusals (see [`is_admission`]).
pub fn pod_level(word: &str) -> Option<Reason> {
    match word {
        "Evicted" => Some(Reason::Evicted),
        "Preempting" => Some(Reason::PreemptedByNode),
        "Terminated" | "NodeShutdown" | "Shutdown" => Some(Reason::NodeShutdown),
        "DeadlineExceeded" => Some(Reason::DeadlineExceeded),
        "NodeLost" => Some(Reason::NodeLost),
        _ => None,
    }
}

/// Whether `status.reason` is a kubelet's refusal of a pod that had been bound to it. The list is
/// open (every scheduler predicate's name may appear), so the caller also accepts any word on a
/// failed pod that has no container status at all.
pub fn is_admission(word: &str) -> bool {
    word.starts_with("OutOf")
        || matches!(
            word,
            "NodeAffinity"
                | "NodePorts"
                | "TopologyAffinityError"
                | "UnexpectedAdmissionError"
                | "InvalidNodeInfo"
                | "PodOSNotSupported"
                | "PodOSSelectorNodeLabelDoesNotMatch"
                | "InitContainerRestartPolicyForbidden"
                | "SupplementalGroupsPolicyNotSupported"
                | "UnexpectedPredicateFailureType"
                | "PodFeatureUnsupported"
                | "AppArmor"
                | "SysctlForbidden"
        )
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
    match word {
        "FailedScheduling" => Hint::Waits(Reason::Unschedulable),
        "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" | "VolumeResizeFailed" => {
            Hint::Waits(Reason::VolumeMountFailed)
        }
        "FailedCreatePodSandBox" | "FailedPodSandBoxStatus" | "NetworkNotReady" | "FailedCreatePodContainer" => {
            Hint::Waits(Reason::PodSandboxFailed)
        }
        "ErrImageNeverPull" => Hint::Waits(Reason::ImageNeverPull),
        "InspectFailed" => Hint::Waits(inspect_failed(message)),
        "BackOff" if message.contains("pulling image") => Hint::Waits(Reason::ImagePullFailed),
        "Failed" => failed(message),
        "Scheduled" | "Pulled" | "Started" | "SuccessfulMountVolume" => Hint::Clears,
        _ => Hint::Silent,
    }
}

fn inspect_failed(message: &str) -> Reason {
    if message.contains("parse image name") || message.contains("invalid reference format") {
        Reason::ImageNameInvalid
    } else {
        Reason::ImageInspectError
    }
}

/// `Failed` is kubelet's word for half a dozen things: `Failed to pull image …`, or
/// `Error: <waiting reason or message>`.
fn failed(message: &str) -> Hint {
    if message.starts_with("Failed to pull image") {
        return Hint::Waits(Reason::ImagePullFailed);
    }
    let Some(error) = message.strip_prefix("Error: ") else { return Hint::Silent };
    match waiting(error) {
        // The runtime's words for a command it cannot start: that container ends, it does not wait.
        Some(Reason::Unknown) | None if error.contains("OCI runtime") || error.contains("containerd task") => {
            Hint::Silent
        }
        Some(Reason::Unknown) | None if error.contains("not found") || error.contains("runAsNonRoot") => {
            Hint::Waits(Reason::CreateContainerConfigError)
        }
        Some(Reason::Unknown) | None => Hint::Silent,
        Some(reason) => Hint::Waits(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_strangers_are_unknown() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), *reason);
            let json = serde_json::to_string(reason).unwrap();
            assert_eq!(json, format!("\"{}\"", reason.as_str()));
            assert_eq!(serde_json::from_str::<Reason>(&json).unwrap(), *reason);
        }
        assert_eq!(serde_json::from_str::<Reason>("\"FROM_A_NEWER_ONE\"").unwrap(), Reason::Unknown);
        assert!(serde_json::from_str::<Reason>("7").is_err());
    }

    #[test]
    fn waiting_words() {
        for (word, reason) in [
            ("ContainerCreating", None),
            ("PodInitializing", None),
            ("ErrImagePull", Some(Reason::ImagePullFailed)),
            ("ImagePullBackOff", Some(Reason::ImagePullFailed)),
            ("RegistryUnavailable", Some(Reason::ImageRegistryUnavailable)),
            ("ImageInspectError", Some(Reason::ImageInspectError)),
            ("InvalidImageName", Some(Reason::ImageNameInvalid)),
            ("ErrImageNeverPull", Some(Reason::ImageNeverPull)),
            ("CreateContainerConfigError", Some(Reason::CreateContainerConfigError)),
            ("PreCreateHookError", Some(Reason::CreateContainerError)),
            ("RunContainerError", Some(Reason::RunContainerError)),
            ("CrashLoopBackOff", Some(Reason::CrashLoopBackOff)),
            ("SomethingNew", Some(Reason::Unknown)),
        ] {
            assert_eq!(waiting(word), reason, "{word}");
        }
    }

    #[test]
    fn events_explain_before_the_status_does() {
        for (word, message, hint) in [
            ("Failed", "Failed to pull image \"x\": no", Hint::Waits(Reason::ImagePullFailed)),
            ("Failed", "Error: ErrImagePull", Hint::Waits(Reason::ImagePullFailed)),
            ("Failed", "Error: secret \"s\" not found", Hint::Waits(Reason::CreateContainerConfigError)),
            ("Failed", "Error: failed to create containerd task: no such file", Hint::Silent),
            (
                "Failed",
                "Error: OCI runtime create failed: exec: \"x\": executable file not found in $PATH",
                Hint::Silent,
            ),
            ("BackOff", "Back-off pulling image \"x\"", Hint::Waits(Reason::ImagePullFailed)),
            ("BackOff", "Back-off restarting failed container", Hint::Silent),
            ("FailedMount", "MountVolume.SetUp failed", Hint::Waits(Reason::VolumeMountFailed)),
            ("InspectFailed", "couldn't parse image name \"A\"", Hint::Waits(Reason::ImageNameInvalid)),
            ("Pulled", "", Hint::Clears),
            ("Killing", "", Hint::Silent),
        ] {
            assert_eq!(notice(word, message), hint, "{word} {message}");
        }
    }
}
