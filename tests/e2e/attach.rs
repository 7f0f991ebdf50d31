//! Attaching to a task: where a stream starts and ends, and that streams do not matter to the task.

use tonic::Code;

use crate::harness::collected::End;
use crate::harness::failure::failure;
use crate::harness::server::Server;
use crate::harness::spec::{sh, until_stopped};
use crate::harness::v1::attach_task_request::StartAt;
use crate::harness::v1::{self, AcceptedHow, EventKind, Reason, StreamStart, StreamUntil, TaskState};
use crate::harness::{run, spec::Build as _};

fn asked(key: v1::TaskKey, start: StreamStart, until: StreamUntil) -> v1::AttachTaskRequest {
    v1::AttachTaskRequest {
        key: Some(key),
        start_at: Some(StartAt::Start(start.into())),
        until: until.into(),
        ..Default::default()
    }
}

#[test]
fn from_the_beginning() {
    run(async |t| {
        let mut stream = t.start("long", until_stopped("echo after; exit 0")).await;
        stream.until_line("ready\n").await;
        let key = stream.seen.key();
        let request = asked(key.clone(), StreamStart::Beginning, StreamUntil::Termination);
        let mut second = t.attach(request).await.expect("it is known");
        assert_eq!(second.seen.accepted.how(), AcceptedHow::Attached);
        second.until_line("ready\n").await;
        t.cancel(key, "").await.expect("it can be cancelled");
        let (first, second) = (stream.collect().await, second.collect().await);
        assert_eq!(second.output(), b"ready\nafter\n");
        assert_eq!(second.outcome_bytes(), first.outcome_bytes());
    });
}

#[test]
fn from_now_on() {
    run(async |t| {
        // Where now is, the stream asks the node: what is new is written a while after that.
        let mut stream = t.start("long", until_stopped("sleep 4; echo after; exit 0").grace(20)).await;
        stream.until_line("ready\n").await;
        let key = stream.seen.key();
        let request = asked(key.clone(), StreamStart::Now, StreamUntil::Termination);
        let late = t.attach(request).await.expect("it is known");
        let task = late.seen.accepted.task.as_ref().expect("Accepted.task is set");
        assert_eq!(task.state(), TaskState::Running);
        // The stop makes the task write what is new.
        t.cancel(key, "").await.expect("it can be cancelled");
        let late = late.collect().await;
        assert_eq!(late.output(), b"after\n", "no earlier line, every later one:\n{late}");
        assert!(late.state_changes().all(|change| change.state() == TaskState::Terminating), "{late}");
        assert_eq!(late.outcome_bytes(), stream.collect().await.outcome_bytes());
    });
}

#[test]
fn a_finished_task_from_now_on_gives_its_termination() {
    run(async |t| {
        let first = t.run(sh("echo over")).await;
        let request = asked(first.key(), StreamStart::Now, StreamUntil::Termination);
        let late = t.attach(request).await.expect("it is known").collect().await;
        assert_eq!(late.accepted.how(), AcceptedHow::Replayed);
        assert_eq!(late.output(), b"");
        assert_eq!(late.outcome_bytes(), first.outcome_bytes());
    });
}

#[test]
fn until_what_is_available() {
    run(async |t| {
        let mut stream = t.start("long", until_stopped("echo after; exit 0")).await;
        stream.until_line("ready\n").await;
        let key = stream.seen.key();
        let request = asked(key.clone(), StreamStart::Beginning, StreamUntil::Available);
        let so_far = t.attach(request).await.expect("it is known").drain().await;
        assert!(matches!(so_far.end, Some(End::Available)), "{so_far}");
        assert_eq!(so_far.output(), b"ready\n");
        let end = so_far.available.as_ref().expect("EndOfAvailable");
        assert_eq!(end.state(), TaskState::Running);

        t.cancel(key, "").await.expect("it can be cancelled");
        let whole = t.resume(&so_far).await.expect("its cursor is good").collect().await;
        assert_eq!(whole.output(), b"ready\nafter\n");
        assert_eq!(whole.outcome_bytes(), stream.collect().await.outcome_bytes());
    });
}

#[test]
fn a_finished_task_has_its_termination_available() {
    run(async |t| {
        let first = t.run(sh("seq 1 50")).await;
        let request = asked(first.key(), StreamStart::Beginning, StreamUntil::Available);
        let again = t.attach(request).await.expect("it is known").drain().await;
        assert!(matches!(again.end, Some(End::Ok)), "{again}");
        assert_eq!(again.outcome_bytes(), first.outcome_bytes());
        assert_eq!(again.output(), first.output());
    });
}

/// Streams, connections and clients come and go; the task goes on (G6).
#[test]
fn a_disconnect_is_no_cancel() {
    run(async |t| {
        let other = Server::shared().connect().await;
        let request = t.request("left", until_stopped("echo after; exit 0"));
        let mut stream = other.launch(request).await.expect("accepted");
        stream.until_line("ready\n").await;
        let key = stream.seen.key();
        drop(stream);
        drop(other);

        let mut again = t.attach_anew(key.clone()).await.expect("it is known");
        again.until_line("ready\n").await;
        let known = t.get(key.clone()).await.expect("it is known");
        assert_eq!((known.state(), known.stop), (TaskState::Running, None));
        t.cancel(key, "").await.expect("it can be cancelled");
        let task = again.collect().await;
        task.assert_ended(TaskState::Cancelled, Reason::CancelledByCaller);
        task.assert_output(b"ready\nafter\n");
    });
}

#[test]
fn every_cursor_of_a_stream_resumes_there() {
    run(async |t| {
        let first = t.run(sh("for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done")).await;
        for cut in 0..first.events.len() {
            let mut before = first.clone();
            before.events.truncate(cut);
            before.logs.clear();
            let prefix = std::mem::take(&mut before.events);
            for event in prefix {
                before.push(event);
            }
            let whole = t.resume(&before).await.expect("its cursor is good").collect().await;
            assert_eq!(whole.output(), first.output(), "cut after {cut} events");
            assert_eq!(whole.outcome_bytes(), first.outcome_bytes());
        }
    });
}

#[test]
fn a_filter_hides_and_nothing_else() {
    run(async |t| {
        let first = t.run(sh("echo hidden").all_logs()).await;
        let request = |kinds: &[EventKind]| v1::AttachTaskRequest {
            key: first.accepted.key.clone(),
            filter: Some(v1::EventFilter {
                kinds: kinds.iter().map(|kind| (*kind).into()).collect(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let states = t.attach(request(&[EventKind::StateChange])).await.expect("it is known").drain().await;
        assert_eq!(states.output(), b"");
        assert_eq!(states.container_changes().count(), 0, "{states}");
        assert_eq!(states.outcome_bytes(), first.outcome_bytes());
        assert_eq!(states.delivery("main").verdict(), v1::DeliveryVerdict::NotRequested);
        // What was hidden comes when it is no longer hidden.
        let before_the_end = states.events.len() - 1;
        let cursor = match before_the_end {
            0 => states.accepted.cursor.clone(),
            some => states.events[some - 1].cursor.clone(),
        };
        let request = v1::AttachTaskRequest {
            key: first.accepted.key.clone(),
            start_at: Some(StartAt::Cursor(cursor)),
            ..Default::default()
        };
        let rest = t.attach(request).await.expect("its cursor is good").drain().await;
        assert_eq!(rest.output(), b"hidden\n");
    });
}

#[test]
fn an_unknown_task_is_not_found() {
    run(async |t| {
        failure(t.attach_anew(t.key("nobody")).await).expect(Code::NotFound, "TASK_UNKNOWN");
        failure(t.get(t.key("nobody")).await).expect(Code::NotFound, "TASK_UNKNOWN");
        let known = t.run_as("known", sh("true")).await;
        let mut other_attempt = known.key();
        other_attempt.attempt = 2;
        failure(t.get(other_attempt).await).expect(Code::NotFound, "TASK_UNKNOWN");
    });
}

#[test]
fn get_shows_the_task() {
    run(async |t| {
        let mut stream = t.start("shown", until_stopped("exit 0")).await;
        stream.until_line("ready\n").await;
        let known = t.get(stream.seen.key()).await.expect("it is known");
        assert_eq!(known.state(), TaskState::Running);
        assert_eq!(known.outcome, None);
        assert_eq!(known.containers.len(), 1);
        assert_eq!(known.containers[0].name, "main");
        assert!(known.fingerprint.starts_with("v1:") && known.fingerprint.len() == 67, "{}", known.fingerprint);
        assert_eq!(known.source(), v1::TaskSource::Pod);
        t.cancel(stream.seen.key(), "").await.expect("it can be cancelled");
        let task = stream.collect().await;
        let known = t.get(task.key()).await.expect("it is known");
        assert_eq!(known.state(), TaskState::Cancelled);
        assert_eq!(known.outcome.as_ref(), Some(task.outcome()));
    });
}
