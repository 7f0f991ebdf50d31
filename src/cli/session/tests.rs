//! The sequence of updates over streams that break.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::*;
use crate::cli::testing::{Call, Fake, Fault, cursor, end, events, key, log, start, state};
use v1::TaskState;

const RETRY_FOR: Duration = Duration::from_secs(300);

fn launch_request() -> v1::LaunchTaskRequest {
    v1::LaunchTaskRequest { key: Some(v1::TaskKey { cluster: String::new(), ..key() }), ..Default::default() }
}

fn five_events() -> Vec<v1::Event> {
    events([
        state(TaskState::Pending),
        state(TaskState::Running),
        log("main", "one\n"),
        log("main", "two\n"),
        end(TaskState::Succeeded, Some(0)),
    ])
}

/// What a session gave out, to its end or its failure.
struct Seen {
    accepted: usize,
    cursors: Vec<Bytes>,
    retries: Vec<Code>,
    failure: Option<Failure>,
}

async fn collect(fake: &Arc<Fake>, opening: Opening) -> Seen {
    let running = start(fake);
    let mut session = Session::new(
        Client::new(crate::cli::connect::Connection::from(running.channel.clone()).transport()),
        opening,
        RETRY_FOR,
    );
    let mut seen = Seen { accepted: 0, cursors: Vec::new(), retries: Vec::new(), failure: None };
    loop {
        match session.next().await {
            Ok(Some(Update::Accepted(_))) => seen.accepted += 1,
            Ok(Some(Update::Event(event))) => seen.cursors.push(event.cursor),
            Ok(Some(Update::Retrying(retrying))) => seen.retries.push(retrying.status.code()),
            Ok(Some(_)) => {}
            Ok(None) => return seen,
            Err(failure) => {
                seen.failure = Some(failure);
                return seen;
            }
        }
    }
}

async fn launch(faults: impl IntoIterator<Item = Fault>) -> (Arc<Fake>, Seen) {
    let fake = Fake::new(five_events(), faults);
    let seen = collect(&fake, Opening::Launch(Box::new(launch_request()))).await;
    (fake, seen)
}

fn all() -> Vec<Bytes> {
    (1..=5).map(cursor).collect()
}

#[tokio::test(start_paused = true)]
async fn one_clean_stream() {
    let (fake, seen) = launch([]).await;
    assert!(seen.failure.is_none());
    assert_eq!((seen.accepted, seen.cursors), (1, all()));
    assert_eq!(fake.calls.lock().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn before_accepted_the_same_launch_is_repeated() {
    let unavailable = || Fault::Refuse(Status::unavailable("no"));
    let (fake, seen) = launch([unavailable(), Fault::Refuse(Status::internal("?")), unavailable()]).await;
    assert!(seen.failure.is_none());
    assert_eq!((seen.accepted, seen.cursors), (1, all()));
    let same = Call::Launch(Box::new(launch_request()));
    assert_eq!(*fake.calls.lock(), vec![same; 4]);
}

#[tokio::test(start_paused = true)]
async fn after_accepted_whatever_the_code_attaches_at_the_last_cursor() {
    for code in [
        Code::Unavailable,
        Code::Unknown,
        Code::Internal,
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Aborted,
        Code::NotFound,
        Code::ResourceExhausted,
    ] {
        let (fake, seen) = launch([Fault::End(2, Status::new(code, "over"))]).await;
        assert!(seen.failure.is_none(), "{code:?}");
        assert_eq!((seen.accepted, seen.cursors), (1, all()), "{code:?}");
        assert_eq!(seen.retries, [code]);
        let attach = v1::AttachTaskRequest {
            key: Some(key()),
            start_at: Some(v1::attach_task_request::StartAt::Cursor(cursor(2))),
            ..Default::default()
        };
        assert_eq!(fake.calls.lock()[1], Call::Attach(attach), "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_first_event_the_cursor_of_accepted_counts() {
    let (fake, seen) = launch([Fault::EndOk(0)]).await;
    assert_eq!((seen.accepted, seen.cursors), (1, all()));
    let calls = fake.calls.lock();
    let Call::Attach(attach) = &calls[1] else {
        panic!("{calls:?}");
    };
    let expected = v1::attach_task_request::StartAt::Cursor(cursor(0));
    assert_eq!(attach.start_at, Some(expected));
}

#[tokio::test(start_paused = true)]
async fn ok_without_a_termination_and_a_cut_are_no_end() {
    let faults = [Fault::EndOk(2), Fault::Cut(1), Fault::EndOk(0), Fault::Cut(0)];
    let (_, seen) = launch(faults).await;
    assert!(seen.failure.is_none(), "{:?}", seen.failure);
    assert_eq!((seen.accepted, seen.cursors), (1, all()));
}

#[tokio::test(start_paused = true)]
async fn a_draining_replica_is_read_to_its_end_and_left_without_a_wait() {
    let (fake, seen) = launch([Fault::Drain(1, 2)]).await;
    assert_eq!(seen.cursors, all());
    assert!(seen.retries.is_empty(), "{:?}", seen.retries);
    assert_eq!(fake.calls.lock().len(), 2);
    // It had the Termination: no second stream is needed.
    let (fake, seen) = launch([Fault::Drain(1, 9)]).await;
    assert_eq!(seen.cursors, all());
    assert_eq!(fake.calls.lock().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_final_refusal_surfaces_at_once() {
    let refused = |code| Fault::Refuse(Status::new(code, "no"));
    let (fake, seen) = launch([refused(Code::AlreadyExists)]).await;
    assert!(matches!(seen.failure, Some(Failure::Call(status)) if status.code() == Code::AlreadyExists));
    assert_eq!(fake.calls.lock().len(), 1);
    // In the middle of a chain too: the attach has the last word.
    let (fake, seen) = launch([Fault::EndOk(1), refused(Code::NotFound)]).await;
    assert!(matches!(seen.failure, Some(Failure::Call(status)) if status.code() == Code::NotFound));
    assert_eq!((seen.cursors.len(), fake.calls.lock().len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn retry_info_is_heeded_and_makes_a_refusal_repeatable() {
    let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(30)));
    let quota = Status::with_error_details(Code::ResourceExhausted, "quota", details);
    let begin = Instant::now();
    let (_, seen) = launch([Fault::Refuse(quota)]).await;
    assert_eq!(seen.cursors, all());
    let passed = begin.elapsed();
    assert!(passed >= Duration::from_secs(30) && passed < Duration::from_secs(31), "{passed:?}");
}

#[tokio::test(start_paused = true)]
async fn gives_up_after_the_allowed_time_without_progress() {
    let begin = Instant::now();
    let broken = std::iter::repeat_n(Fault::Refuse(Status::unavailable("no")), 1000);
    let (_, seen) = launch([Fault::EndOk(2)].into_iter().chain(broken)).await;
    let Some(Failure::GaveUp { seconds: 300, status }) = seen.failure else {
        panic!("{:?}", seen.failure);
    };
    assert_eq!(status.code(), Code::Unavailable);
    assert!(begin.elapsed() < RETRY_FOR + Duration::from_secs(1));
    assert_eq!(seen.cursors.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_progress_is_no_progress() {
    // Each attach is accepted and ends: without a bound this would go on for ever.
    let fake = Fake::new(five_events(), std::iter::repeat_n(Fault::EndOk(0), 1000));
    let begin = Instant::now();
    let seen = collect(&fake, Opening::Launch(Box::new(launch_request()))).await;
    assert!(matches!(seen.failure, Some(Failure::GaveUp { .. })));
    assert!(begin.elapsed() < RETRY_FOR + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_never_there_is_given_up_soon() {
    let fake = Fake::new(five_events(), []);
    fake.refusals.store(u32::MAX, Ordering::SeqCst);
    let begin = Instant::now();
    let seen = collect(&fake, Opening::Launch(Box::new(launch_request()))).await;
    assert!(matches!(seen.failure, Some(Failure::GaveUp { .. })), "{:?}", seen.failure);
    assert!(begin.elapsed() < FIRST_CONTACT + Duration::from_secs(1));
    // One that comes up a moment later is used.
    let fake = Fake::new(five_events(), []);
    fake.refusals.store(3, Ordering::SeqCst);
    let seen = collect(&fake, Opening::Launch(Box::new(launch_request()))).await;
    assert!(seen.failure.is_none(), "{:?}", seen.failure);
    assert_eq!(seen.cursors, all());
}

#[tokio::test(start_paused = true)]
async fn what_is_available_ends_without_a_termination() {
    let mut some = five_events();
    some.pop();
    let fake = Fake::new(some, [Fault::EndOk(2)]);
    let request =
        v1::AttachTaskRequest { key: Some(key()), until: v1::StreamUntil::Available.into(), ..Default::default() };
    let seen = collect(&fake, Opening::Attach(Box::new(request))).await;
    assert!(seen.failure.is_none());
    assert_eq!(seen.cursors, (1..=4).map(cursor).collect::<Vec<_>>());
    let calls = fake.calls.lock();
    let Call::Attach(second) = &calls[1] else {
        panic!("{calls:?}");
    };
    assert_eq!(second.until(), v1::StreamUntil::Available, "the rest of the request is kept");
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Refuse(Status::unavailable("no"))),
        Just(Fault::Refuse(Status::unknown("?"))),
        (0..4_usize).prop_map(|count| Fault::End(count, Status::internal("broken"))),
        (0..4_usize).prop_map(Fault::EndOk),
        (0..4_usize).prop_map(Fault::Cut),
        (0..4_usize, 0..3_usize).prop_map(|(count, more)| Fault::Drain(count, more)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_event_comes_once_and_in_order_whatever_breaks(
        faults in prop::collection::vec(fault(), 0..12),
        lines in 0..20_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let mut bodies: VecDeque<_> = (0..lines).map(|line| log("main", line.to_string())).collect();
        bodies.push_front(state(TaskState::Running));
        bodies.push_back(end(TaskState::Succeeded, Some(0)));
        let fake = Fake::new(events(bodies), faults);
        let opening = Opening::Launch(Box::new(launch_request()));
        let seen = runtime.block_on(collect(&fake, opening));
        prop_assert!(seen.failure.is_none(), "{:?}", seen.failure);
        prop_assert_eq!(seen.accepted, 1);
        prop_assert_eq!(seen.cursors, (1..=lines + 2).map(cursor).collect::<Vec<_>>());
    }
}
