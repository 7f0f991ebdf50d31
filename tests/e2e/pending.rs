//! Why a task is not getting on is shown while it lasts, and is the reason when a timeout ends it.

use std::time::Duration;

use crate::harness::cluster::waiting_reason;
use crate::harness::failure::failure;
use crate::harness::server::{Server, unique_instance};
use crate::harness::spec::{Build as _, command, seconds, sh};
use crate::harness::v1::env_var::Source;
use crate::harness::v1::{self, Reason, TaskState, TimeoutKind};
use crate::harness::{images, run};

/// Long enough for a busy node to find out that a container cannot start.
const STARTUP: prost_types::Duration = prost_types::Duration { seconds: 12, nanos: 0 };

/// The next version of a pod that cannot pull its image comes some 10 s later: in this time means in the same one.
const BEFORE_THE_NEXT_VERSION: Duration = Duration::from_secs(5);

#[test]
fn a_pull_failure_is_shown_at_once_and_ends_by_the_startup_timeout() {
    run(async |t| {
        let spec = command(images::UNPULLABLE, &["true"]).timeouts(|timeouts| timeouts.startup = Some(STARTUP));
        let mut stream = t.start("unpullable", spec).await;
        let pod = stream.seen.pod().name.clone();

        {
            let raw = t
                .cluster
                .watch_until(&pod, |pod| matches!(waiting_reason(pod), Some("ErrImagePull" | "ImagePullBackOff")));
            let shown = stream.until("the reason was shown", |seen| seen.showed(Reason::ImagePullFailed));
            let (mut raw, mut shown) = (std::pin::pin!(raw), std::pin::pin!(shown));
            tokio::select! {
                _ = &mut shown => {}
                _ = &mut raw => {
                    let late = tokio::time::timeout(BEFORE_THE_NEXT_VERSION, shown).await;
                    assert!(late.is_ok(), "the raw watch shows it, the stream does not");
                }
            }
        }

        let task = stream.collect().await;
        let change = task.state_changes().find(|change| change.reason() == Reason::ImagePullFailed);
        let change = change.expect("it was shown");
        assert_eq!(change.state(), TaskState::Starting);
        // `Failed` is the word of the Event, which may come before the pod's status says so.
        let words = ["ErrImagePull", "ImagePullBackOff", "Failed"];
        assert!(words.contains(&change.kubernetes_reason.as_str()), "{change:?}");
        assert!(change.kubernetes_message.contains("registry.invalid"), "{change:?}");

        let outcome = task.assert_ended(TaskState::Failed, Reason::ImagePullFailed);
        assert_eq!(outcome.timeout(), TimeoutKind::Startup);
        task.assert_never_started();
        assert_eq!(outcome.stop.as_ref().map(v1::StopInfo::cause), Some(v1::StopCause::StartupTimeout));
    });
}

#[test]
fn a_missing_secret_key_ends_by_the_startup_timeout() {
    run(async |t| {
        t.cluster.create_secret("store", "other", "x").await;
        let key = v1::KeyRef { name: "store".to_owned(), key: "missing".to_owned(), optional: false };
        let spec =
            sh("true").env_from("TOKEN", Source::SecretKey(key)).timeouts(|timeouts| timeouts.startup = Some(STARTUP));
        let task = t.start("keyless", spec).await.collect().await;
        let reason = Reason::CreateContainerConfigError;
        let change = task.state_changes().find(|change| change.reason() == reason);
        let change = change.unwrap_or_else(|| panic!("it was not shown:\n{task}"));
        assert!(matches!(change.kubernetes_reason.as_str(), "CreateContainerConfigError" | "Failed"), "{change:?}");
        assert!(change.kubernetes_message.contains("missing"), "{change:?}");
        let outcome = task.assert_ended(TaskState::Failed, reason);
        assert_eq!(outcome.timeout(), TimeoutKind::Startup);
        task.assert_never_started();
    });
}

/// What was missing appears: the task goes on as if nothing had been.
#[test]
fn a_secret_that_appears_later() {
    run(async |t| {
        let key = v1::KeyRef { name: "late".to_owned(), key: "token".to_owned(), optional: false };
        let mut stream = t.start("patient", sh(r#"echo "$TOKEN""#).env_from("TOKEN", Source::SecretKey(key))).await;
        stream.until("it waits for the secret", |seen| seen.showed(Reason::CreateContainerConfigError)).await;
        t.cluster.create_secret("late", "token", "here").await;
        stream.collect().await.assert_succeeded(b"here\n");
    });
}

#[test]
fn an_unschedulable_task_ends_by_the_schedule_timeout() {
    run(async |t| {
        let spec = sh("true").nowhere().timeouts(|timeouts| timeouts.schedule = Some(seconds(2)));
        let task = t.start("nowhere", spec).await.collect().await;
        let change = task.state_changes().find(|change| change.reason() == Reason::Unschedulable);
        let change = change.unwrap_or_else(|| panic!("it was not shown:\n{task}"));
        assert_eq!(change.state(), TaskState::Pending);
        // The condition's word or the Event's, whichever came first.
        assert!(matches!(change.kubernetes_reason.as_str(), "Unschedulable" | "FailedScheduling"), "{change:?}");
        let outcome = task.assert_ended(TaskState::Failed, Reason::Unschedulable);
        assert_eq!(outcome.timeout(), TimeoutKind::Schedule);
        task.assert_never_started();
        assert_eq!(outcome.node_name, "");
    });
}

/// Where a pod is not bound, a gate of somebody else's holds it too.
#[test]
fn a_gated_task_waits_and_can_be_cancelled() {
    run(async |t| {
        let mut spec = sh("true");
        spec.manifest = "{containers: [{name: main}], schedulingGates: [{name: example.org/hold}]}".to_owned();
        let mut stream = t.start("gated", spec).await;
        stream.until("the gate is shown", |seen| seen.showed(Reason::Gated)).await;
        assert_eq!(stream.seen.state(), TaskState::Pending);
        t.cancel(stream.seen.key(), "").await.expect("it can be cancelled");
        let task = stream.collect().await;
        task.assert_ended(TaskState::Cancelled, Reason::CancelledByCaller);
        task.assert_never_started();
    });
}

/// Kubernetes' own remarks come along.
#[test]
fn notices_tell_what_kubernetes_says() {
    run(async |t| {
        let spec = command(images::UNPULLABLE, &["true"]).timeouts(|timeouts| timeouts.startup = Some(STARTUP));
        let task = t.start("noticed", spec).await.collect().await;
        let failed = task.notices().find(|notice| notice.reason == "Failed");
        let failed = failed.unwrap_or_else(|| panic!("no notice of the failed pull:\n{task}"));
        assert_eq!(failed.kind(), v1::NoticeKind::KubernetesEvent);
        assert_eq!(failed.severity(), v1::NoticeSeverity::Warning);
    });
}

fn grace(reason: Reason, time: prost_types::Duration) -> Vec<v1::PendingGrace> {
    vec![v1::PendingGrace { reason: reason.into(), grace: Some(time) }]
}

/// A grace for one reason ends the task when that reason has lasted, though the timeouts would let it wait for ever.
#[test]
fn a_reason_with_a_grace_of_its_own() {
    run(async |t| {
        let now = seconds(0);
        let unpullable = command(images::UNPULLABLE, &["true"])
            .timeouts(|timeouts| timeouts.pending_graces = grace(Reason::ImagePullFailed, now));
        let nowhere = sh("true")
            .nowhere()
            .timeouts(|timeouts| timeouts.pending_graces = grace(Reason::Unschedulable, seconds(1)));
        for (name, spec, reason, timeout) in [
            ("unpullable", unpullable, Reason::ImagePullFailed, TimeoutKind::Startup),
            ("nowhere", nowhere, Reason::Unschedulable, TimeoutKind::Schedule),
        ] {
            let task = t.start(name, spec).await.collect().await;
            let outcome = task.assert_ended(TaskState::Failed, reason);
            assert_eq!(outcome.timeout(), timeout, "\n{task}");
            assert!(!outcome.kubernetes_message.is_empty(), "Kubernetes' words are kept\n{task}");
            assert_eq!(outcome.exit_code, None);
        }
        // Another reason's grace says nothing.
        let other = grace(Reason::ImagePullFailed, now);
        let task = t.run(sh("true").timeouts(|timeouts| timeouts.pending_graces = other)).await;
        task.assert_succeeded(b"");
    });
}

/// The grace is stored with the task: a server that was not there when it began ends it.
#[test]
fn a_grace_outlives_the_server() {
    run(async |t| {
        let instance = unique_instance();
        let first = Server::start(&instance);
        let graces = grace(Reason::Unschedulable, seconds(4));
        let spec = sh("true").nowhere().timeouts(|timeouts| timeouts.pending_graces = graces);
        let client = first.connect().await;
        let mut stream = client.launch(t.request("left-alone", spec)).await.expect("accepted");
        stream.until("why it waits is shown", |seen| seen.showed(Reason::Unschedulable)).await;
        first.kill();
        let second = Server::start(&instance);
        let attach = v1::AttachTaskRequest { key: Some(stream.seen.key()), ..Default::default() };
        let task = second.connect().await.attach(attach).await.expect("it is known").collect().await;
        let outcome = task.assert_ended(TaskState::Failed, Reason::Unschedulable);
        assert_eq!(outcome.timeout(), TimeoutKind::Schedule);
    });
}

#[test]
fn a_grace_for_what_no_task_waits_for() {
    run(async |t| {
        let wrong = |graces| sh("true").timeouts(|timeouts| timeouts.pending_graces = graces);
        let one = grace(Reason::ImagePullFailed, seconds(1));
        for graces in [grace(Reason::ExitCode, seconds(1)), [one.clone(), one].concat()] {
            let failure = failure(t.launch(t.request("wrong", wrong(graces))).await);
            failure.expect(tonic::Code::InvalidArgument, "INVALID_REQUEST");
            assert!(failure.names("spec.timeouts.pending_graces"), "{failure}");
        }
    });
}
