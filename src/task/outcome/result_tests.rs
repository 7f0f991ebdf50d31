use proptest::prelude::*;

use super::super::tests::{at, container, ended, pod, terminated, waiting, with};
use super::super::{MAX_TEXT, Outcome, decide, decide_gone, decide_overdue, decide_vanished, result_is_due};
use super::*;
use crate::task::observation::{ContainerObservation, Role};
use crate::task::outcome::Before;
use crate::task::result::{MARK, SIDECAR};

fn asks(kind: ResultKind) -> Option<ResultSource> {
    Some(ResultSource { kind, path: None, max_bytes: None })
}

/// A task of which the primary ended with `code` and this message.
fn said(code: i32, message: &str) -> Observation {
    let reason = if code == 0 { "Completed" } else { "Error" };
    let o = ended("Running", Terminated { message: message.into(), ..terminated(code, reason) });
    with(o, |o| o.policy.result = asks(ResultKind::TerminationMessage))
}

fn sidecar(state: ContainerState) -> Option<Box<ContainerObservation>> {
    Some(Box::new(container(SIDECAR, Role::Sidecar, state)))
}

/// The sidecar's word, at its end one second after the primary's.
fn word(text: &str) -> ContainerState {
    let message = if text.is_empty() { String::new() } else { format!("{MARK} {text}") };
    ContainerState::Terminated(Terminated { message, finished: Some(at(11)), ..terminated(0, "Completed") })
}

fn by_file(code: i32, state: ContainerState) -> Observation {
    with(said(code, ""), |o| {
        o.policy.result = asks(ResultKind::File);
        o.result_sidecar = sidecar(state);
    })
}

fn result(o: &Observation) -> TaskResult {
    decide(o).expect("decided").result.expect("a result")
}

fn sha(data: &[u8]) -> String {
    HEXLOWER.encode(&Digest::of(data).sha256)
}

#[test]
fn none_is_asked_for() {
    assert_eq!(decide(&ended("Running", terminated(0, "Completed"))).unwrap().result, None);
}

#[test]
fn termination_messages() {
    use ResultState::{Gone, Inline, Missing, TooLarge};
    let long = |bytes: usize| "x".repeat(bytes);
    for (o, state, data) in [
        (said(0, "{\"a\": 1}"), Inline, Some("{\"a\": 1}".to_owned())),
        (said(0, ""), Missing, None),
        (said(0, &long(4095)), Inline, Some(long(4095))),
        (said(0, &long(4096)), TooLarge, None),
        // The last lines of its log, perhaps.
        (said(3, "Traceback …"), Missing, None),
        (with(said(0, "abc"), |o| o.policy.result.as_mut().unwrap().max_bytes = Some(2)), TooLarge, None),
        (with(said(0, "abc"), |o| o.policy.result.as_mut().unwrap().max_bytes = Some(3)), Inline, Some("abc".into())),
        (with(said(0, "abc"), |o| o.phase = "Succeeded".into()), Inline, Some("abc".into())),
        (with(pod("Failed", waiting()), |o| o.policy.result = asks(ResultKind::TerminationMessage)), Missing, None),
        (
            with(pod("Failed", ContainerState::Running { started: None }), |o| {
                o.policy.result = asks(ResultKind::TerminationMessage);
            }),
            Gone,
            None,
        ),
    ] {
        let found = result(&o);
        assert_eq!((found.state, found.data()), (state, data.map(String::into_bytes)), "{o:?}");
    }
    // Four containers share 12 KiB.
    let several = |bytes| {
        with(said(0, &long(bytes)), |o| {
            for name in ["a", "b", "c"] {
                o.containers.push(container(name, Role::Other, waiting()));
            }
        })
    };
    assert_eq!(result(&several(3071)).state, Inline);
    assert_eq!(result(&several(3072)).state, TooLarge);
}

#[test]
fn a_message_that_is_the_result_is_kept_once() {
    let outcome = decide(&said(0, "abc")).unwrap();
    assert_eq!((outcome.termination_message.as_str(), outcome.result.unwrap().size()), ("", Some(3)));
    let failed = decide(&said(3, "why")).unwrap();
    assert_eq!(failed.termination_message, "why");
    let plain = with(said(0, "abc"), |o| o.policy.result = None);
    assert_eq!(decide(&plain).unwrap().termination_message, "abc");
}

#[test]
fn words_of_the_sidecar() {
    use ResultState::{Gone, Inline, Missing, Stored, TooLarge, Unreadable};
    let abc = format!("ok 3 {} text\nabc", sha(b"abc"));
    let big = format!("ok 5000 {} log\n", sha(b"abc"));
    for (o, state, size) in [
        (by_file(0, word(&abc)), Inline, Some(3)),
        (by_file(7, word(&abc)), Inline, Some(3)),
        (by_file(0, word(&big)), Stored, Some(5000)),
        (by_file(0, word("missing\n")), Missing, None),
        (by_file(0, word("unreadable\n")), Unreadable, None),
        (by_file(0, word("too-large 2000000\n")), TooLarge, Some(2_000_000)),
        (by_file(0, word("ready\n")), Gone, None),
        (by_file(0, word("")), Gone, None),
        (by_file(0, ContainerState::Terminated(terminated(137, "ContainerStatusUnknown"))), Gone, None),
        (with(by_file(0, waiting()), |o| o.result_sidecar = None), Gone, None),
        // It ended, and said so, before the primary did.
        (
            with(by_file(0, word("missing\n")), |o| {
                if let Some(ContainerState::Terminated(t)) = o.result_sidecar.as_mut().map(|c| &mut c.state) {
                    t.finished = Some(at(9));
                }
            }),
            Gone,
            None,
        ),
        // The task never ran: nobody wrote anything.
        (
            with(by_file(0, word("ready\n")), |o| {
                o.containers[0].state = ContainerState::Terminated(terminated(128, "StartError"));
                o.phase = "Failed".into();
            }),
            Missing,
            None,
        ),
    ] {
        let found = result(&o);
        assert_eq!((found.state, found.size()), (state, size), "{:?}", o.result_sidecar);
    }
    assert_eq!(result(&by_file(0, word(&big))).digest().unwrap().sha256, Digest::of(b"abc").sha256);
}

#[test]
fn the_word_is_waited_for() {
    let running = || ContainerState::Running { started: Some(at(4)) };
    let open = by_file(0, running());
    assert_eq!((decide(&open), result_is_due(&open)), (None, true));
    // Not for ever.
    let overdue = decide_overdue(&open, Before::Unknown);
    assert_eq!((overdue.state, overdue.result.unwrap().state), (crate::task::State::Succeeded, ResultState::Gone));
    let settled = by_file(0, word("missing\n"));
    assert!(!result_is_due(&settled) && decide(&settled).is_some());
    // A terminal phase is the node's last word; a deletion may leave none.
    let over = with(by_file(0, running()), |o| o.phase = "Succeeded".into());
    assert_eq!((result(&over).state, result_is_due(&over)), (ResultState::Gone, false));
    assert_eq!(decide_gone(&open, Before::Unknown).result.unwrap().state, ResultState::Gone);
    assert_eq!(decide_vanished(&open, Before::Unknown).result.unwrap().state, ResultState::Gone);
    assert_eq!(
        decide_gone(&by_file(0, word("missing\n")), Before::Unknown).result.unwrap().state,
        ResultState::Missing
    );
    // Past its deadline the phase comes first and the sidecar's end after the primary's.
    let late = with(by_file(143, running()), |o| {
        (o.phase, o.reason) = ("Failed".into(), Some("DeadlineExceeded".into()));
    });
    assert_eq!(decide(&late), None);
    let told = with(late, |o| o.result_sidecar = sidecar(word(&format!("ok 3 {} text\nabc", sha(b"abc")))));
    assert_eq!(result(&told).state, ResultState::Inline);
}

#[test]
fn a_task_that_never_started_does_not_wait() {
    let o = with(by_file(0, ContainerState::Running { started: Some(at(4)) }), |o| {
        o.containers[0].state = ContainerState::Terminated(terminated(128, "StartError"));
    });
    assert_eq!((result(&o).state, result_is_due(&o)), (ResultState::Missing, false));
}

#[test]
fn a_task_that_asks_for_none_does_not_wait() {
    let o = ended("Running", terminated(0, "Completed"));
    assert!(!result_is_due(&o) && decide(&o).is_some());
}

#[test]
fn the_shorter_of_two_forms_is_stored() {
    for (data, is_text) in [
        (b"plain text".to_vec(), true),
        (vec![0xff; 100], false),
        (vec![1; 1000], false),
        (vec![b'"'; 1000], false),
        ("ä".repeat(500).into_bytes(), true),
        (Vec::new(), true),
    ] {
        let result = TaskResult::inline(&data);
        assert_eq!((result.text.is_some(), result.data()), (is_text, Some(data)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A result of any 4 KiB is kept whole within 8 KiB, whatever else there is to say.
    #[test]
    fn a_result_is_never_cut(
        bytes in proptest::collection::vec(any::<u8>(), 0..=4096),
        text in "[ -~\n\"]{0,3900}",
        words in "(\\PC|[\\x00-\\x1f]){0,3000}",
        count in 0usize..50,
    ) {
        for data in [&bytes[..], text.as_bytes()] {
            let form = format!("ok {} {} base64\n{}", data.len(), sha(data), BASE64.encode(data));
            let o = with(by_file(3, word(&form)), |o| {
                o.containers[0].state = ContainerState::Terminated(Terminated { message: words.clone(), ..terminated(3, &words) });
                o.node = Some("n".repeat(250));
                for i in 0..count {
                    o.containers.push(container(&format!("{i:063}"), Role::Other, waiting()));
                }
            });
            let stored = decide(&o).unwrap().to_text();
            prop_assert!(stored.len() <= MAX_TEXT, "{}", stored.len());
            let read = Outcome::from_text(&stored).unwrap();
            let kept = read.result.unwrap().data();
            prop_assert_eq!(kept.as_deref(), Some(data));
        }
    }
}
