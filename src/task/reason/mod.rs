//! Why a task is as it is: one open list, one table of what Kubernetes' words mean, one of what
//! each reason means for whoever reads it.
//!
//! ```text
//!   state.waiting.reason ┐
//!   state.terminated     │  words.rs: RULES       ┌─▶ pending reason, StateChange
//!   condition            ├─ first that fits ─▶ Reason ─▶ Outcome (reason, origin, advice as a rule)
//!   status.reason        │                        └─▶ facts.rs: TABLE ─▶ guide.rs ─▶ docs/reasons.md
//!   Pod event            ┘
//! ```
//!
//! Kubernetes' own words always travel beside a [`Reason`]; these tables lose nothing. A text this
//! code does not know (written by a newer one) reads as [`Reason::Unknown`].

use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod facts;
#[cfg(test)]
mod guide;
mod words;

pub use facts::{Fact, Group, TABLE, Waiting};
pub(in crate::task) use words::step;
pub use words::{Code, Field, Hint, RULES, Reading, Rule, Word, disruption, end, is_admission, notice, pod_level};
pub use words::{unscheduled, waiting};

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
