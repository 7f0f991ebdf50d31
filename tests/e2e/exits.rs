//! How a task ends by itself, and what its outcome says.

use crate::harness::spec::{Build as _, command, sh};
use crate::harness::v1::env_var::Source;
use crate::harness::v1::{self, Reason, RetryAdvice, TaskState};
use crate::harness::{images, run};

#[test]
fn an_exit_code() {
    run(async |t| {
        let task = t.run(sh("echo last words; exit 3")).await;
        let outcome = task.assert_ended(TaskState::Failed, Reason::ExitCode);
        task.assert_exit_code(3);
        assert_eq!(outcome.origin(), v1::Origin::User);
        assert_eq!(outcome.retry_advice(), RetryAdvice::MayHaveSideEffects);
        assert_eq!(outcome.certainty(), v1::Certainty::Observed);
        assert_eq!(outcome.container, "main");
        assert!(!outcome.oom_killed);
        assert_eq!(outcome.termination_message.as_ref(), b"last words\n", "the last lines ride in the status");
        task.assert_output(b"last words\n");
    });
}

/// 137 is what a kill gives, and what a program may give.
#[test]
fn exit_137_is_no_oom_kill() {
    run(async |t| {
        let task = t.run(sh("exit 137")).await;
        let outcome = task.assert_ended(TaskState::Failed, Reason::ExitCode);
        task.assert_exit_code(137);
        assert_eq!(outcome.signal, None);
        assert!(!outcome.oom_killed);
    });
}

#[test]
fn an_oom_kill() {
    run(async |t| {
        let take = ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"];
        let task = t.run(command(images::BUSYBOX, &take).limit_memory("32Mi")).await;
        if !t.backend.is_real() && task.outcome().reason() == Reason::Completed {
            return println!("skipped: the embedded node may make no control groups here, and says so");
        }
        let outcome = task.assert_ended(TaskState::Failed, Reason::OomKilled);
        task.assert_exit_code(137);
        assert_eq!(outcome.kubernetes_reason, "OOMKilled");
        assert!(outcome.oom_killed);
    });
}

#[test]
fn a_program_that_is_not_there() {
    run(async |t| {
        let task = t.run(command(images::BUSYBOX, &["no-such-program", "-v"])).await;
        let outcome = task.assert_ended(TaskState::Failed, Reason::StartError);
        task.assert_never_started();
        assert_eq!(outcome.kubernetes_reason, "StartError");
        let words = &outcome.kubernetes_message;
        assert!(words.contains("executable file not found in $PATH"), "{words}");
        assert_eq!(task.output(), b"");
    });
}

#[test]
fn states_and_times_of_a_success() {
    run(async |t| {
        let task = t.run(sh("sleep 2")).await;
        task.assert_succeeded(b"");
        let states: Vec<TaskState> = task.state_changes().map(v1::StateChange::state).collect();
        assert!(states.contains(&TaskState::Running), "{states:?}");
        let times = task.outcome().times.expect("Outcome.times is set");
        let started = times.started_time.expect("it started");
        let finished = times.finished_time.expect("it ended");
        assert!((1..=30).contains(&(finished.seconds - started.seconds)), "{times:?}");
        assert!(times.created_time.is_some() && times.scheduled_time.is_some(), "{times:?}");
        assert!(!task.outcome().node_name.is_empty());
    });
}

#[test]
fn an_init_container_runs_first() {
    run(async |t| {
        let spec = sh("echo main").init("first", "echo one").init("second", "echo two").all_logs();
        let task = t.run(spec).await;
        task.assert_succeeded(b"main\n");
        assert_eq!(task.log("first"), b"one\n");
        assert_eq!(task.log("second"), b"two\n");
        let order: Vec<&str> = task
            .container_changes()
            .filter(|change| matches!(change.state, Some(v1::container_change::State::Terminated(_))))
            .map(|change| change.container.as_str())
            .collect();
        assert_eq!(order, ["first", "second", "main"]);
    });
}

#[test]
fn an_init_container_that_fails() {
    run(async |t| {
        let task = t.run(sh("echo main").init("prepare", "echo broken; exit 7").all_logs()).await;
        let outcome = task.assert_ended(TaskState::Failed, Reason::InitContainerFailed);
        assert_eq!(outcome.container, "prepare");
        task.assert_never_started();
        assert_eq!(task.log("prepare"), b"broken\n");
    });
}

#[test]
fn environment_from_a_secret_and_expansion() {
    run(async |t| {
        t.cluster.create_secret("store", "token", "s3cr3t-value").await;
        let key = v1::KeyRef { name: "store".to_owned(), key: "token".to_owned(), optional: false };
        let spec = sh(r#"echo "$TOKEN $GREETING""#)
            .env_from("TOKEN", Source::SecretKey(key))
            .env("NAME", "world")
            .env("GREETING", "hello $(NAME)");
        t.run(spec).await.assert_succeeded(b"s3cr3t-value hello world\n");
    });
}

/// G9: what a caller sends as a literal is nowhere but in the pod's own environment.
#[test]
fn literal_values_are_not_told() {
    run(async |t| {
        let value = format!("hunter2-{}", t.namespace);
        let task = t.run(sh("exit 1").env("PASSWORD", &value)).await;
        task.assert_ended(TaskState::Failed, Reason::ExitCode);
        let pod = t.cluster.pod(&task.pod().name).await;
        let annotations = format!("{:?}", pod.metadata.annotations);
        assert!(!annotations.contains(&value), "an annotation tells it");
        let log = std::fs::read(&crate::harness::server::Server::shared().process.log);
        let log = log.expect("the server's log");
        assert!(memchr::memmem::find(&log, value.as_bytes()).is_none(), "the server's log tells it");
    });
}

#[test]
fn a_manifest() {
    run(async |t| {
        let manifest = "
kind: Pod
metadata:
  labels: {team: data}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: work
    image: busybox:1
    command: [sh, -c, 'echo \"$GREETING\"']
    env: [{name: GREETING, value: from the manifest}]
";
        let spec = v1::TaskSpec { manifest: manifest.to_owned(), ..Default::default() };
        let task = t.run(spec.clone().env("GREETING", "from the short form")).await;
        assert_eq!(task.log("work"), b"from the short form\n");
        task.assert_ended(TaskState::Succeeded, Reason::Completed);
        let labels = &task.accepted.task.as_ref().expect("Accepted.task is set").labels;
        assert_eq!(labels.get("team").map(String::as_str), Some("data"));
    });
}
