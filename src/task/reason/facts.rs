//! What each reason means, whose doing it is, and what to do: one row each, in the contract's order.
//!
//! The row's origin and advice are what an outcome gets: the origin always, the advice as a rule
//! (see `outcome::cause::advice`, which knows whether the primary container had started).

use super::Reason;
use crate::task::outcome::{Origin, RetryAdvice};

/// Which part of a task's life a reason belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The containers ended by themselves.
    End,
    /// A container cannot be made or started.
    Start,
    /// The image.
    Image,
    /// No node yet.
    Scheduling,
    /// A limit of the task's own.
    Timeout,
    /// A caller ended it.
    Caller,
    /// The cluster took it away.
    Disruption,
    /// What became of it is not known.
    Lost,
}

/// Whether a task may wait for it: then it may have a grace of its own while pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It may.
    Waits,
    /// It only says how something ended.
    Ends,
}

/// A row of [`TABLE`].
#[derive(Debug, Clone, Copy)]
pub struct Fact {
    /// The reason.
    pub reason: Reason,
    /// Part of a task's life.
    pub group: Group,
    /// Whether a task may wait for it.
    pub waiting: Waiting,
    /// Whose doing it is.
    pub origin: Origin,
    /// Whether another attempt makes sense, as a rule.
    pub advice: RetryAdvice,
    /// What happened.
    pub meaning: &'static str,
    /// Who should act.
    pub who: &'static str,
    /// What to do.
    pub act: &'static str,
}

impl Reason {
    /// Its row.
    pub fn fact(self) -> &'static Fact {
        // A test holds the table to one row for each reason, in order.
        &TABLE[Reason::ALL.iter().position(|r| *r == self).unwrap_or(TABLE.len() - 1)]
    }

    /// Whose doing it is.
    pub fn origin(self) -> Origin {
        self.fact().origin
    }

    /// Whether another attempt makes sense, as a rule.
    pub fn advice(self) -> RetryAdvice {
        self.fact().advice
    }

    /// Whether a task may wait for it.
    pub fn waiting(self) -> Waiting {
        self.fact().waiting
    }
}

const NOBODY: &str = "nobody";
const AUTHOR: &str = "the author of the task";
const OPERATOR: &str = "the operator of the cluster";
const NODE: &str = "the operator of the node";
const EITHER: &str = "the author of the task, then the operator of the cluster";

/// An end by itself, after the primary container has run.
const fn end(reason: Reason, who: &'static str, meaning: &'static str, act: &'static str) -> Fact {
    let (group, waiting) = (Group::End, Waiting::Ends);
    let (origin, advice) = (Origin::User, RetryAdvice::MayHaveSideEffects);
    Fact { reason, group, waiting, origin, advice, meaning, who, act }
}

/// Something in the way of a start.
const fn wait(reason: Reason, group: Group, who: &'static str, meaning: &'static str, act: &'static str) -> Fact {
    let (waiting, advice) = (Waiting::Waits, RetryAdvice::SafeNeverStarted);
    Fact { reason, group, waiting, origin: Origin::User, advice, meaning, who, act }
}

/// Something that ended the task from outside, while it may have been running.
const fn ended(reason: Reason, group: Group, who: &'static str, meaning: &'static str, act: &'static str) -> Fact {
    let (waiting, advice) = (Waiting::Ends, RetryAdvice::MayHaveSideEffects);
    Fact { reason, group, waiting, origin: Origin::Cluster, advice, meaning, who, act }
}

impl Fact {
    const fn by(self, origin: Origin) -> Fact {
        Fact { origin, ..self }
    }

    const fn advise(self, advice: RetryAdvice) -> Fact {
        Fact { advice, ..self }
    }

    const fn waits(self) -> Fact {
        Fact { waiting: Waiting::Waits, ..self }
    }
}

use Group::{Caller, Disruption, Image, Lost, Scheduling, Start, Timeout};
use Reason as R;
use RetryAdvice::{SafeNeverStarted, Useless};

/// One row for each reason, in the order of [`Reason::ALL`].
#[rustfmt::skip]
pub const TABLE: &[Fact] = &[
    end(R::Completed, NOBODY,
        "The primary container ended with exit code 0.",
        "Nothing.").advise(RetryAdvice::None),
    end(R::CompletedDuringDisruption, AUTHOR,
        "The primary container ended with exit code 0 while the cluster was taking the pod away: most likely it had done its work, but a handler of SIGTERM may have ended it early.",
        "If the program exits with 0 when it is told to stop, let it exit with another code, or look at its work before relying on it."),
    end(R::ExitCode, AUTHOR,
        "The primary container ended with an exit code other than 0; 128 + n usually means signal n.",
        "Look at the last lines of its log and at the termination message."),
    end(R::OomKilled, AUTHOR,
        "The primary container used more memory than its limit, or the node had none left, and it ended with an exit code other than 0.",
        "Raise `resources.limits.memory`, or use less."),
    end(R::InitContainerFailed, AUTHOR,
        "An init container failed (`Outcome.container` names it); the primary container never started.",
        "Look at that container's log.").advise(SafeNeverStarted),
    end(R::SidecarFailed, "the author of that container",
        "A sidecar or another container failed, and the primary container's own end does not explain the pod's.",
        "Look at that container's log (`Outcome.container` names it)."),
    end(R::PostStartHookFailed, "the author of the hook",
        "The primary container's postStart hook failed, so that Kubernetes killed the container. Known from the Event alone: where that was lost, the reason is EXIT_CODE.",
        "Run the hook's command by hand in the image; a hook that waits for the program must have a limit."),
    end(R::CrashLoopBackOff, AUTHOR,
        "The container failed and is to be started again (restartPolicy OnFailure); it waits for its back-off.",
        "Look at the log of the run before; give the task an execution timeout, so that it does not go on for ever.").waits(),

    wait(R::StartError, Start, AUTHOR,
        "The runtime could not start the command: it is not in the image, is not executable, is for another architecture, or the working directory is missing.",
        "Mend `command` or the image; Kubernetes' message has the runtime's words."),
    wait(R::RunContainerError, Start, EITHER,
        "The runtime could not run the container it had made.",
        "Read Kubernetes' message: it has the runtime's words."),
    wait(R::CreateContainerError, Start, EITHER,
        "The runtime could not create the container, or a hook before its start failed. Kubernetes repeats it.",
        "Read Kubernetes' message; if it names nothing of the task's own, look at the node."),
    wait(R::CreateContainerConfigError, Start, AUTHOR,
        "What the container is configured with is not there or contradicts itself: a secret, a config map or a key of them is missing, a subPath is bad, runAsNonRoot with an image that runs as root. Goes away by itself when the object appears.",
        "Create what the message names, or mend the reference."),
    wait(R::PodSandboxFailed, Start, OPERATOR,
        "The pod's surroundings (network, cgroups, runtime class, devices) could not be made. Kubernetes repeats it.",
        "Look at the node's network plugin and runtime; a runtime class may name a handler that the node does not have.").by(Origin::Cluster),
    wait(R::VolumeMountFailed, Start, EITHER,
        "A volume could not be attached or mounted: a claim, secret or config map is missing, or its storage fails.",
        "Create what the message names; for storage, look at its driver."),
    wait(R::ContainerCreating, Start, OPERATOR,
        "The node prepares the pod: volumes, network, images. Normal for a while.",
        "If it lasts, look at the notices: they say what fails.").by(Origin::Cluster),
    wait(R::PodInitializing, Start, AUTHOR,
        "Init containers run. Normal.",
        "If it lasts, look at their logs."),

    wait(R::ImagePullFailed, Image, EITHER,
        "The image cannot be pulled: it does not exist, its registry refuses, or the network fails. Kubernetes repeats it with back-off.",
        "Check name, tag and pull secret; if they are right, look at the registry."),
    wait(R::ImageNeverPull, Image, AUTHOR,
        "The pull policy is Never and the node does not have the image.",
        "Change `image_pull_policy`, or put the image on the nodes."),
    wait(R::ImageNameInvalid, Image, AUTHOR,
        "The image's name cannot be parsed.",
        "Mend the name: it can never work.").advise(Useless),
    wait(R::ImageInspectError, Image, NODE,
        "The node cannot inspect the image it has. Kubernetes repeats it.",
        "Look at the node's image store.").by(Origin::Cluster),
    wait(R::ImageRegistryUnavailable, Image, OPERATOR,
        "The registry does not answer. Kubernetes repeats it.",
        "Look at the registry and the network to it.").by(Origin::Cluster),
    wait(R::ImageSignatureInvalid, Image, "the author of the image",
        "The image's signature is not accepted.",
        "Sign the image, or take one that is signed."),
    wait(R::ImageOther, Image, AUTHOR,
        "Something else is wrong with the image; Kubernetes' word says what.",
        "Read Kubernetes' message."),

    wait(R::Scheduling, Scheduling, OPERATOR,
        "The scheduler has not looked at the pod yet. Normal for a moment.",
        "If it lasts, look whether the scheduler that the pod names is running.").by(Origin::Cluster),
    wait(R::Unschedulable, Scheduling, EITHER,
        "No node can take the pod: resources, selectors, taints, volumes. The message counts the nodes by cause.",
        "Ask for less or for something else, or add nodes.").by(Origin::Cluster),
    wait(R::SchedulerError, Scheduling, OPERATOR,
        "The scheduler failed with an error of its own. It repeats.",
        "Look at the scheduler.").by(Origin::Cluster),
    wait(R::Queued, Scheduling, "nobody, or the operator of podlaunch for its limits",
        "podlaunch holds the pod back because a limit of its own is reached.",
        "Wait, or raise the limit.").by(Origin::Executor),
    wait(R::Gated, Scheduling, "whoever set the gate",
        "Somebody else's scheduling gate holds the pod back.",
        "Look at `spec.schedulingGates` of the pod: who put it there takes it off.").by(Origin::Unknown),

    ended(R::ScheduleTimeout, Timeout, OPERATOR,
        "The schedule timeout passed, and nothing was known of why the pod was not bound to a node.",
        "Look at the scheduler.").by(Origin::Caller).advise(SafeNeverStarted),
    ended(R::StartupTimeout, Timeout, OPERATOR,
        "The startup timeout passed, and nothing was known of why the primary container had not started.",
        "Look at the notices and at the node.").by(Origin::Caller).advise(SafeNeverStarted),
    ended(R::ExecutionTimeout, Timeout, AUTHOR,
        "The execution timeout passed and the task was stopped; the exit code says how it took the stop.",
        "Give it more time, or less to do.").by(Origin::Caller),
    ended(R::DeadlineExceeded, Timeout, AUTHOR,
        "The pod's own `activeDeadlineSeconds`, asked for in a manifest or template, passed.",
        "Give it more time, or less to do.").by(Origin::Caller),
    ended(R::LostTimeout, Timeout, OPERATOR,
        "The node did not report for the lost timeout. The process may still be running there.",
        "Look at the node; make sure that the process is gone before the task is run again."),

    ended(R::CancelledByCaller, Caller, NOBODY,
        "A caller cancelled it; `Outcome.stop` has who, when and why.",
        "Nothing.").by(Origin::Caller),
    ended(R::CancelledBeforeLaunch, Caller, NOBODY,
        "A caller cancelled it before it was launched: no pod was ever made.",
        "Nothing.").by(Origin::Caller).advise(SafeNeverStarted),
    ended(R::Disconnected, Caller, "the caller",
        "Nobody listened for as long as its disconnect policy allows.",
        "Look at what became of the caller.").by(Origin::Caller),

    ended(R::Evicted, Disruption, "the author of the task if it used more than it asked for, else the operator of the cluster",
        "The node evicted it for want of memory, disk or process ids, or because it used more local storage than its limit.",
        "Read Kubernetes' message: it says what ran short and who used most of it."),
    ended(R::Preempted, Disruption, AUTHOR,
        "The scheduler took it away for a pod of higher priority.",
        "Run it again, or give it a priority class."),
    ended(R::PreemptedByNode, Disruption, OPERATOR,
        "The node took it away for a critical pod.",
        "Run it again; reserve room for critical pods."),
    ended(R::NodeShutdown, Disruption, NOBODY,
        "The node shut down, or was shutting down when the pod came.",
        "Run it again."),
    ended(R::TaintEvicted, Disruption, OPERATOR,
        "A NoExecute taint that it does not tolerate was put on its node: the node is lost, or was taken out of service.",
        "Look at the node's taints; run it again."),
    ended(R::ApiEvicted, Disruption, OPERATOR,
        "It was evicted through the API: a node drain, an autoscaler, a descheduler.",
        "Run it again; a PodDisruptionBudget holds evictions back."),
    ended(R::PodGc, Disruption, OPERATOR,
        "Kubernetes' garbage collection took it: its node is gone.",
        "Run it again; look at the node."),
    ended(R::PodDeleted, Disruption, "whoever deleted it",
        "Somebody else deleted the pod, or its namespace.",
        "Cancel tasks through podlaunch instead: then pod and log stay."),
    ended(R::DisruptedOther, Disruption, OPERATOR,
        "The cluster took it away for a reason not listed here; Kubernetes' word says which.",
        "Read Kubernetes' message."),
    ended(R::AdmissionRejectedByNode, Disruption, NOBODY,
        "The node refused the pod although it had been bound to it: resources gone meanwhile, an unfit node, a sysctl or profile it does not allow.",
        "Run it again: another attempt may go elsewhere. If it repeats, read Kubernetes' message.").advise(SafeNeverStarted),

    ended(R::NodeLost, Lost, OPERATOR,
        "The node is gone, and with it what became of the task.",
        "Look at the node; make sure that the process is gone before the task is run again."),
    ended(R::NodeUnreachable, Lost, OPERATOR,
        "The node does not report. Not an end by itself: it may come back.",
        "Look at the node."),
    ended(R::ContainerStatusUnknown, Lost, OPERATOR,
        "The node no longer knew the container when it was asked how it ended: the 137 that Kubernetes shows is made up, no exit code exists.",
        "Look at the node: it was restarted, or its runtime lost the container."),
    ended(R::ExitCodeUnknown, Lost, NODE,
        "The runtime lost track of the container: the 255 that Kubernetes shows is made up, no exit code exists.",
        "Look at the node's runtime: it was restarted while the container ended."),
    ended(R::PodVanished, Lost, "whoever deleted it",
        "The pod vanished without its end having been seen: force-deleted, or deleted while nobody watched.",
        "Do not force-delete pods; the finalizer keeps the outcome of those that are deleted while nobody watches."),

    ended(R::Unknown, Lost, OPERATOR,
        "None of the above is known. Kubernetes' words say all there is.",
        "Read Kubernetes' message; a newer podlaunch may know it.").by(Origin::Unknown).waits(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_row_for_each_reason_in_order() {
        let rows: Vec<Reason> = TABLE.iter().map(|fact| fact.reason).collect();
        assert_eq!(rows, Reason::ALL);
        for fact in TABLE {
            assert!(fact.meaning.ends_with('.') && fact.act.ends_with('.'), "{}", fact.reason);
            assert!(!fact.who.is_empty() && !fact.who.ends_with('.'), "{}", fact.reason);
            assert_eq!(fact.reason.fact().reason, fact.reason);
        }
    }

    /// The contract's comments say the same in other words; what a program goes by must agree.
    #[test]
    fn the_contract_gives_the_same_advice() {
        let proto = include_str!("../../../proto/podlaunch/v1/reason.proto");
        for fact in TABLE {
            let value = format!("\n  REASON_{} = ", fact.reason);
            let (before, _) = proto.split_once(&value).unwrap_or_else(|| panic!("{} is not there", fact.reason));
            let comment: String = before.lines().rev().take_while(|l| l.trim_start().starts_with("//")).collect();
            let named = |advice: &str| comment.contains(advice);
            match fact.advice {
                RetryAdvice::SafeNeverStarted => assert!(named("SAFE_NEVER_STARTED"), "{}", fact.reason),
                RetryAdvice::Useless => assert!(named("USELESS"), "{}", fact.reason),
                RetryAdvice::None => assert!(named("Nobody needs to act"), "{}", fact.reason),
                RetryAdvice::MayHaveSideEffects if fact.reason == Reason::NodeUnreachable => {}
                RetryAdvice::MayHaveSideEffects => assert!(named("MAY_HAVE_SIDE_EFFECTS"), "{}", fact.reason),
            }
        }
    }
}
