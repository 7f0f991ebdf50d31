use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::logs::{Counted, FirstLine, FirstRead, LineMark, Rotation, UnverifiedCause};
use crate::task::event::Severity;
use crate::task::observation::{Role, Terminated};
use crate::task::reason::Reason;

const UID: &str = "00982a4d-e42a-428d-8b40-201b8302f0f1";

fn event(uid: &str, body: TaskEventBody) -> TaskEvent {
    TaskEvent { uid: uid.into(), occurred: None, observed: Timestamp::UNIX_EPOCH, body }
}

fn state(uid: &str, state: State, previous: Option<State>) -> TaskEvent {
    let (kubernetes_reason, kubernetes_message) = Default::default();
    let reason = Some(Reason::Unknown);
    let change = StateChange { state, previous, reason, kubernetes_reason, kubernetes_message, node: None };
    event(uid, TaskEventBody::State(change))
}

fn phase(uid: &str, container: &str, restart: u32, phase: ContainerPhase) -> TaskEvent {
    let change = ContainerChange { container: container.into(), kind: Role::Primary, restart, phase, image_id: None };
    event(uid, TaskEventBody::Container(change))
}

fn waiting(reason: &str) -> ContainerPhase {
    ContainerPhase::Waiting { reason: reason.into(), message: String::new(), classified: None }
}

fn notice(uid: &str, version: u64) -> TaskEvent {
    let (reason, message, source) = Default::default();
    let notice =
        Notice { reason, message, severity: Severity::Normal, first: None, count: 1, container: None, source, version };
    event(uid, TaskEventBody::Notice(notice))
}

fn after(events: &[&TaskEvent]) -> Cursor {
    let mut cursor = Cursor::start(1, UID);
    events.iter().for_each(|e| cursor.passed(e));
    Cursor::decode(&cursor.encode(), 1).unwrap()
}

#[test]
fn goes_on_by_place_where_the_event_itself_is_not_there() {
    let pending = state("p", State::Pending, None);
    let starting = state("s", State::Starting, Some(State::Pending));
    let pulling = state("s/pull", State::Starting, Some(State::Starting));
    let mounting = state("s/mount", State::Starting, Some(State::Starting));
    let running = state("r", State::Running, Some(State::Starting));
    let silent = state("u", State::Unreachable, Some(State::Running));
    let back = state("r2", State::Running, Some(State::Unreachable));
    let silent2 = state("u2", State::Unreachable, Some(State::Running));
    let unsent = |passed: &[&TaskEvent], there: &[&TaskEvent]| -> Vec<String> {
        after(passed).unsent(there).into_iter().map(|i| there[i].uid.clone()).collect()
    };
    assert_eq!(unsent(&[], &[&pending, &starting]), ["p", "s"]);
    assert_eq!(unsent(&[&pending, &starting], &[&pending, &running]), ["r"]);
    assert_eq!(unsent(&[&running], &[&pending, &starting, &running]), Vec::<String>::new());
    // Another replica has told another reason.
    assert_eq!(unsent(&[&starting, &pulling], &[&pulling, &mounting]), ["s/mount"]);
    assert_eq!(unsent(&[&starting, &mounting], &[&pulling, &mounting]), Vec::<String>::new());
    // Silence comes and goes at one rank.
    assert_eq!(unsent(&[&running], &[&silent, &back]), ["u", "r2"]);
    assert_eq!(unsent(&[&running, &silent], &[&running, &silent, &back, &silent2]), ["r2", "u2"]);
    assert_eq!(unsent(&[&running, &silent2], &[&running, &silent, &back, &silent2]), Vec::<String>::new());
}

#[test]
fn containers_and_notices_go_on_too() {
    let started = ContainerPhase::Running { started: None };
    let ended = |code| {
        let (reason, message) = Default::default();
        ContainerPhase::Terminated(Terminated { code, signal: None, reason, message, started: None, finished: None })
    };
    let creating = phase("c", "main", 0, waiting("ContainerCreating"));
    let pull = phase("w", "main", 0, waiting("ErrImagePull"));
    let run = phase("r", "main", 0, started.clone());
    let end = phase("t", "main", 0, ended(1));
    let again = phase("r1", "main", 1, started);
    let other = phase("o", "other", 0, waiting("ContainerCreating"));
    let cursor = after(&[&creating, &run, &notice("n5", 5), &notice("own", 0)]);
    for (event, wanted) in [
        (&creating, false),
        (&pull, false),
        (&run, false),
        (&end, true),
        (&again, true),
        (&other, true),
        (&notice("n4", 4), false),
        (&notice("n6", 6), true),
        (&notice("own", 0), false),
        (&notice("own2", 0), true),
    ] {
        assert_eq!(cursor.wants(event), wanted, "{}", event.uid);
    }
    let early = after(&[&creating]);
    assert!(!early.wants(&creating) && early.wants(&pull));
}

#[test]
fn a_cursor_is_refused_by_kind() {
    let good = Cursor::start(1, UID).encode();
    assert_eq!(Cursor::decode(&good, 1).unwrap().check_pod(UID), Ok(()));
    assert_eq!(Cursor::decode(&good, 1).unwrap().check_pod("x"), Err(CursorError::Foreign));
    assert_eq!(Cursor::decode(&good, 2), Err(CursorError::Foreign));
    assert_eq!(Cursor::decode(&good[1..], 1), Err(CursorError::Invalid));
    assert_eq!(Cursor::decode(&[], 1), Err(CursorError::Invalid));
    assert_eq!(Cursor::decode(&vec![0; MAX_CURSOR + 1], 1), Err(CursorError::Invalid));
    let mut newer = good[..good.len() - 4].to_vec();
    newer[0] = 9;
    newer.extend(crc32fast::hash(&newer).to_be_bytes());
    assert_eq!(Cursor::decode(&newer, 1), Err(CursorError::Unsupported));
    for at in 0..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 0x10;
        assert_eq!(Cursor::decode(&damaged, 1), Err(CursorError::Invalid), "{at}");
    }
    let key = |id: &str| TaskKey::new("", "ns", id, 1).unwrap();
    assert_ne!(binding(&key("a"), &Instance::default()), binding(&key("b"), &Instance::default()));
}

#[test]
fn the_encoding_never_changes() {
    // Golden: clients keep these bytes.
    let mut cursor = Cursor::start(0x0102_0304_0506_0708, UID);
    cursor.passed(&state("r", State::Running, None));
    cursor.passed(&phase("c", "main", 2, ContainerPhase::Running { started: None }));
    cursor
        .log_mut("main", 2, Position::start)
        .unwrap()
        .position
        .advance("2027-01-15T08:00:05.25Z".parse().unwrap(), b"line\n");
    assert_eq!(data_encoding::HEXLOWER.encode(&cursor.encode()), GOLDEN);
    assert_eq!(Cursor::decode(&cursor.encode(), cursor.binding).unwrap(), cursor);
}

const GOLDEN: &str = concat!(
    "0101020304050607080400982a4de42a428d8b40201b8302f0f1000301454349e422f0529700010d6e4079e36701000202000100",
    "0200000017010501008ac8ceb40d80cab5ee015ce392a9f1d45117050080cab5ee015ce392a9f1d451170398fa06",
);

/// The promise of 1 KiB and 48 bytes per container, with long logs everywhere.
#[test]
fn the_encoding_has_a_bound() {
    for containers in [0, 1, 2, 8, 40, 200, 500] {
        let mut cursor = Cursor::start(u64::MAX, UID);
        cursor.passed(&notice("n", u64::from(u32::MAX)));
        for i in 0..30 {
            cursor.passed(&state(&format!("s{i}"), State::Running, None));
            cursor.passed(&notice(&format!("own{i}"), 0));
        }
        for i in 0..containers {
            let name = format!("container-with-a-rather-long-name-{i}");
            for w in 0..9 {
                cursor.passed(&phase(&format!("w{w}"), &name, 3, waiting(&w.to_string())));
            }
            let stamp: Timestamp = "2027-01-15T08:00:05.123456789Z".parse().unwrap();
            let mark = LineMark { stamp, hash: u64::MAX, len: 120 };
            let log = cursor.log_mut(&name, 3, Position::start).unwrap();
            log.position = Position {
                lines: 1 << 20,
                bytes: 1 << 27,
                high: Some(stamp),
                count: 10_000,
                last: Some(mark),
                first: Some(FirstLine { stamp, hash: 1 }),
                ..Position::start()
            };
        }
        let bytes = cursor.encode();
        assert!(bytes.len() <= 1024 + 48 * containers, "{containers}: {}", bytes.len());
        let back = Cursor::decode(&bytes, u64::MAX).unwrap();
        assert_eq!(back.logs.len(), containers);
        assert_eq!(back.encode(), bytes);
        // What was left out must not come a second time.
        assert!(!back.wants(&state("s3", State::Running, None)));
        if containers > 0 {
            assert!(!back.wants(&phase("w1", "container-with-a-rather-long-name-0", 3, waiting("1"))));
        }
    }
}

fn stamps() -> impl Strategy<Value = Timestamp> {
    (-377_705_023_201i64..=253_402_207_200, 0i32..1_000_000_000).prop_map(|(s, n)| Timestamp::new(s, n).unwrap())
}

fn line() -> impl Strategy<Value = LineMark> {
    (stamps(), any::<u64>(), any::<u64>()).prop_map(|(stamp, hash, len)| LineMark { stamp, hash, len })
}

fn positions() -> impl Strategy<Value = Position> {
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), proptest::option::of(any::<i64>()));
    let high = proptest::option::of(stamps());
    let lines = (proptest::option::of(line()), proptest::option::of(line()), proptest::option::of(line()));
    (numbers, high, lines, any::<bool>(), any::<bool>()).prop_map(|(n, high, (last, partial, first), rotated, same)| {
        let last = last.map(|l| LineMark { stamp: high.filter(|_| same).unwrap_or(l.stamp), ..l });
        Position {
            lines: n.0,
            counted: n.4.map_or(Counted::FromFirst, |exact_from| Counted::Unknown { exact_from }),
            bytes: n.1,
            high,
            count: n.2,
            later: n.3,
            last,
            partial,
            first: first.map(|l| FirstLine { stamp: l.stamp, hash: l.hash }),
            rotation: if rotated { Rotation::Seen } else { Rotation::NotSeen },
        }
    })
}

fn cursors() -> impl Strategy<Value = Cursor> {
    let first = proptest::sample::select(vec![
        None,
        Some(FirstRead::AtStart),
        Some(FirstRead::WhileRunning),
        Some(FirstRead::AfterEnd),
    ]);
    let ended = proptest::sample::select(vec![
        None,
        Some(Verdict::Complete),
        Some(Verdict::NotRequested),
        Some(Verdict::Unverified(UnverifiedCause::PodDeleted)),
    ]);
    let logs =
        proptest::collection::vec((0u8..6, any::<u32>(), positions(), first, any::<(u64, bool, bool)>(), ended), 0..5);
    let steps = proptest::collection::vec((0u8..4, any::<u8>(), 0u8..6), 0..40);
    let uid = prop_oneof!["[ -~]{0,40}", Just(UID.to_string())];
    let start = prop_oneof![
        Just(LogStart::Beginning),
        (any::<u32>(), stamps()).prop_map(|(lines, asked)| LogStart::Tail { lines, asked }),
        stamps().prop_map(LogStart::Since),
    ];
    (any::<u64>(), uid, steps, logs, start).prop_map(|(binding, uid, steps, logs, start)| {
        let mut cursor = Cursor::start(binding, uid).with_log_start(start);
        let states = [State::Pending, State::Starting, State::Running, State::Terminating];
        for (kind, n, who) in steps {
            let id = format!("{kind}{n}");
            cursor.passed(&match kind {
                0 => state(&id, states[usize::from(n) % 4], None),
                1 => phase(&id, &who.to_string(), u32::from(n), waiting(&id)),
                2 => phase(&id, &who.to_string(), u32::from(n), ContainerPhase::Running { started: None }),
                _ => notice(&id, u64::from(n)),
            });
        }
        for (who, restart, position, first_read, (gaps, deleted, ended_mid_line), ended) in logs {
            if let Some(log) = cursor.log_mut(&who.to_string(), restart, || position) {
                log.delivery = DeliveryBuilder { first_read, gaps, deleted, ended_mid_line };
                log.ended = ended;
            }
        }
        cursor
    })
}

proptest! {
    #[test]
    fn comes_back_as_it_was(cursor in cursors()) {
        let bytes = cursor.encode();
        let back = Cursor::decode(&bytes, cursor.binding).unwrap();
        if bytes.len() <= 1024 {
            prop_assert_eq!(&back, &cursor);
        }
        prop_assert_eq!(back.encode(), bytes);
    }

    #[test]
    fn any_bytes_are_a_cursor_or_an_error(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), sealed in any::<bool>()) {
        if sealed {
            // With version, binding and CRC in order the rest is reached.
            bytes.splice(0..0, [1, 0, 0, 0, 0, 0, 0, 0, 7]);
            bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        }
        if let Ok(cursor) = Cursor::decode(&bytes, 7) {
            let _ = cursor.encode();
        }
    }

    /// Sealed again after a change, so that the damage is not found by the CRC.
    #[test]
    fn a_forged_cursor_is_a_cursor_or_an_error(cursor in cursors(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = cursor.encode();
        bytes.truncate(bytes.len() - 4);
        let at = at.index(bytes.len());
        bytes[at] = with;
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        if let Ok(forged) = Cursor::decode(&bytes, cursor.binding) {
            let _ = forged.encode();
            let _ = forged.unsent(&[state("s", State::Running, None)]);
        }
    }
}
