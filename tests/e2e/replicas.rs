//! Servers come and go; tasks, lines and outcomes stay.

use std::fmt::Write as _;

use tonic::Code;

use crate::harness::collected::{Collected, End};
use crate::harness::failure::Failure;
use crate::harness::run;
use crate::harness::server::{Server, unique_instance};
use crate::harness::spec::{Build as _, seconds, sh, until_stopped};
use crate::harness::v1::{AcceptedHow, Reason, TaskState};

/// Some 5 s of lines.
const SCRIPT: &str = "i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo line $i; sleep 0.1; done";

fn lines() -> String {
    let mut lines = String::new();
    for line in 1..=50 {
        writeln!(lines, "line {line}").expect("writing into memory");
    }
    lines
}

#[test]
fn a_killed_server_loses_no_line_and_repeats_none() {
    run(async |t| {
        let instance = unique_instance();
        let first = Server::start(&instance);
        let client = first.connect().await;
        let mut stream = client.launch(t.request("survivor", sh(SCRIPT))).await.expect("accepted");
        stream.until_line("line 10\n").await;
        first.kill();
        let before = stream.drain().await;
        assert!(matches!(before.end, Some(End::Error(_))), "a broken stream is no end:\n{before}");
        assert!(before.termination().is_none(), "it still ran:\n{before}");

        let second = Server::start(&instance);
        let client = second.connect().await;
        let resumed = client.resume(&before).await.expect("its cursor is good");
        assert_eq!(resumed.seen.accepted.how(), AcceptedHow::Attached);
        let resumed = resumed.collect().await;
        resumed.assert_succeeded(lines().as_bytes());

        let request = crate::harness::v1::AttachTaskRequest { key: before.accepted.key.clone(), ..Default::default() };
        let again = client.attach(request).await.expect("it is known").collect().await;
        again.assert_succeeded(lines().as_bytes());
        assert_eq!(again.outcome_bytes(), resumed.outcome_bytes());
    });
}

/// What ends while no server runs is known to the next one.
#[test]
fn a_task_that_ends_while_no_server_runs() {
    run(async |t| {
        let instance = unique_instance();
        let first = Server::start(&instance);
        let client = first.connect().await;
        let mut stream =
            client.launch(t.request("alone", sh("echo one; sleep 2; echo two; exit 5"))).await.expect("accepted");
        stream.until_line("one\n").await;
        first.kill();
        let before = stream.drain().await;
        let pod = before.pod().name.clone();
        t.cluster
            .watch_until(&pod, |pod| {
                let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
                phase == Some("Failed")
            })
            .await;

        let second = Server::start(&instance);
        let client = second.connect().await;
        let task = client.resume(&before).await.expect("its cursor is good").collect().await;
        task.assert_ended(TaskState::Failed, Reason::ExitCode);
        task.assert_exit_code(5);
        task.assert_output(b"one\ntwo\n");
    });
}

/// An outcome is decided once: every later replica tells the same bytes, in every way it can be asked.
#[test]
fn the_outcome_is_the_same_on_every_replica() {
    run(async |t| {
        let instance = unique_instance();
        let server = Server::start(&instance);
        let request = t.request("fixed", sh("echo x; exit 3"));
        let first = server.connect().await.launch(request.clone()).await.expect("accepted").collect().await;
        for _ in 0..2 {
            let server = Server::start(&instance);
            let client = server.connect().await;
            let again = client.launch(request.clone()).await.expect("accepted").collect().await;
            assert_eq!(again.accepted.how(), AcceptedHow::Replayed);
            assert_eq!(again.outcome_bytes(), first.outcome_bytes());
            let known = client.get(first.key()).await.expect("it is known");
            assert_eq!(known.outcome.as_ref(), Some(first.outcome()));
        }
        assert_eq!(t.cluster.list_pods().await.len(), 1);
    });
}

/// Two replicas at once serve the same task, and a stop by one is seen by the other.
#[test]
fn two_replicas_at_once() {
    run(async |t| {
        let instance = unique_instance();
        let servers = (Server::start(&instance), Server::start(&instance));
        let (left, right) = (servers.0.connect().await, servers.1.connect().await);
        let request = t.request("shared", until_stopped("echo bye; exit 4"));
        let mut one = left.launch(request.clone()).await.expect("accepted");
        let mut two = right.launch(request).await.expect("accepted");
        one.until_line("ready\n").await;
        two.until_line("ready\n").await;
        right.cancel(one.seen.key(), "").await.expect("it can be cancelled");
        let (one, two): (Collected, Collected) = (one.collect().await, two.collect().await);
        assert_eq!(one.outcome_bytes(), two.outcome_bytes());
        one.assert_ended(TaskState::Cancelled, Reason::CancelledByCaller);
        one.assert_output(b"ready\nbye\n");
        two.assert_output(b"ready\nbye\n");
        assert_eq!(t.cluster.list_pods().await.len(), 1);
    });
}

/// Timeouts hold over a restart of the server.
#[test]
fn a_timeout_that_begins_under_one_server_ends_under_the_next() {
    run(async |t| {
        let instance = unique_instance();
        let first = Server::start(&instance);
        let spec = until_stopped("exit 0").timeouts(|timeouts| timeouts.execution = Some(seconds(5)));
        let mut stream = first.connect().await.launch(t.request("bounded", spec)).await.expect("accepted");
        stream.until_line("ready\n").await;
        first.kill();
        let before = stream.drain().await;
        let second = Server::start(&instance);
        let task = second.connect().await.resume(&before).await.expect("its cursor is good").collect().await;
        task.assert_ended(TaskState::Failed, Reason::ExecutionTimeout);
        task.assert_exit_code(0);
    });
}

/// On SIGTERM streams are told, and end with UNAVAILABLE; clients go on elsewhere.
#[test]
fn a_graceful_shutdown() {
    run(async |t| {
        let instance = unique_instance();
        let first = Server::start_with(&instance, &["--drain", "5s"]);
        let client = first.connect().await;
        let request = t.request("moved", until_stopped("echo after; exit 0"));
        let mut stream = client.launch(request).await.expect("accepted");
        stream.until_line("ready\n").await;
        let second = Server::start(&instance);
        first.terminate();
        let before = stream.drain().await;
        assert!(before.draining, "Draining was not sent:\n{before}");
        let Some(End::Error(status)) = &before.end else {
            panic!("not ended by an error:\n{before}");
        };
        Failure::of(status).expect(Code::Unavailable, "SHUTTING_DOWN");
        let status = first.process.wait().await;
        assert!(status.success(), "{status}; {}", first.process.tail());

        let client = second.connect().await;
        let resumed = client.resume(&before).await.expect("its cursor is good");
        client.cancel(before.key(), "").await.expect("it can be cancelled");
        let task = resumed.collect().await;
        task.assert_ended(TaskState::Cancelled, Reason::CancelledByCaller);
        task.assert_output(b"ready\nafter\n");
    });
}
