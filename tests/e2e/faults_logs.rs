//! Log bodies that end early, lie, and files that change under the reader: every line once, in order, or a loss that is said.
//!
//! The oracle is the script's own numbered output. On the embedded cluster; what a proxy can do is in `faults_watch`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::harness::collected::Collected;
use crate::harness::faults::{self, Faults, Gate, Rule};
use crate::harness::podlaunch::Podlaunch;
use crate::harness::server::{Server, faulty_instance};
use crate::harness::spec::sh;
use crate::harness::stream::TaskStream;
use crate::harness::v1::{DeliveryVerdict, TaskState};
use crate::harness::{Ctx, run};

fn lines(from: u32, to: u32) -> String {
    (from..=to).fold(String::new(), |mut text, line| {
        writeln!(text, "line {line}").expect("writing into memory");
        text
    })
}

/// Bytes that lines have with their time stamps.
fn stored(text: &str) -> usize {
    text.len() + 31 * text.lines().count()
}

/// Prints lines one by one, so that each is stamped by itself.
fn print(from: u32, to: u32) -> String {
    format!("i={}; while [ $i -lt {to} ]; do i=$((i+1)); echo line $i; done", from - 1)
}

/// The same, slowly: some 100 lines in a second.
fn print_slowly(from: u32, to: u32) -> String {
    format!("i={}; while [ $i -lt {to} ]; do i=$((i+1)); echo line $i; sleep 0.01; done", from - 1)
}

fn follow(action: Value) -> Rule {
    Rule::on("get", "pods/log", action).query("follow", "true")
}

fn tail(action: Value) -> Rule {
    Rule::on("get", "pods/log", action).query("tailLines", "*")
}

async fn own_server() -> (Server, Podlaunch) {
    let server = Server::start(&faulty_instance());
    let client = server.connect().await;
    (server, client)
}

async fn launch(t: &Ctx, client: &Podlaunch, id: &str, script: &str) -> TaskStream {
    client.launch(t.request(id, sh(script))).await.unwrap_or_else(|status| panic!("{id}: {status:?}"))
}

/// What came is right as far as it goes: lines of the script, each at most once, in order. Gives their numbers.
fn numbers(seen: &Collected) -> Vec<u32> {
    let text = std::str::from_utf8(seen.output()).expect("ASCII");
    let number = |line: &str| {
        let number = line.strip_prefix("line ").and_then(|number| number.parse().ok());
        number.unwrap_or_else(|| panic!("{line:?} is no line of the script"))
    };
    let numbers: Vec<u32> = text.lines().map(number).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "not in order, or twice: {numbers:?}");
    numbers
}

/// Follows that end at random places, in good order and not.
#[test]
fn follows_that_end_at_random() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let (_server, client) = own_server().await;
        let cases = [
            ("clean", json!({"do": "end", "after": 1, "spread": 1500})),
            ("stream", json!({"do": "cut", "after": 1, "spread": 1500, "by": "stream"})),
            ("connection", json!({"do": "cut", "after": 1, "spread": 2500, "by": "connection"})),
        ];
        let expected = lines(1, 400);
        let all = cases.iter().map(async |(id, action)| {
            faults.plan(id, follow(action.clone()).named(&format!("{id}-*"))).await;
            let task = launch(t, &client, id, &print_slowly(1, 400)).await.collect().await;
            task.assert_succeeded(expected.as_bytes());
            let fired = faults.fired(id).await;
            assert!(fired >= 4, "{id}: {fired} follows were cut");
        });
        futures::future::join_all(all).await;
    });
}

/// Reads at the end of a log that break, and a tail that breaks or is slow to be true.
#[test]
fn last_reads_that_break() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let (_server, client) = own_server().await;
        // The follow gives nothing, so that everything is left to the last reads.
        faults.plan("no-follow", follow(json!({"do": "answer", "answer": "internal"}))).await;
        faults.plan("tail", tail(json!({"do": "cut", "after": 5, "by": "stream"})).times(1)).await;
        faults.plan("tail-500", tail(json!({"do": "answer", "answer": "internal"})).times(1)).await;
        faults.plan("other tails", tail(json!({"do": "pass"}))).await;
        let read = Rule::on("get", "pods/log", json!({"do": "end", "after": 100, "spread": 2000}));
        faults.plan("short", read.times(4)).await;
        let cut = Rule::on("get", "pods/log", json!({"do": "cut", "after": 50, "spread": 100, "by": "stream"}));
        faults.plan("cut", cut.times(2)).await;
        let task = launch(t, &client, "reads", &print_slowly(1, 300)).await;
        // A task that is over before it is seen to run is never followed.
        faults.until_fired("no-follow", 1).await;
        let task = task.collect().await;
        task.assert_succeeded(lines(1, 300).as_bytes());
        assert!(faults.fired("no-follow").await >= 1);
        for (name, times) in [("tail", 1), ("tail-500", 1), ("short", 4), ("cut", 2)] {
            assert_eq!(faults.fired(name).await, times, "{name}");
        }
    });
}

/// What a kubelet writes into a 200 body when it cannot go on is never a line.
#[test]
fn error_texts_in_a_body() {
    const TEXTS: [&str; 3] = [
        "unable to retrieve container logs for containerd://0123",
        "failed to try resolving symlinks in path \"/var/log/pods/x/main/0.log\": lstat: no such file or directory",
        "rpc error: code = Unavailable desc = error reading from server: EOF",
    ];
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let (_server, client) = own_server().await;
        let all = TEXTS.iter().enumerate().map(async |(case, text)| {
            let id = format!("text{case}");
            let name = |what: &str| format!("{id} {what}");
            let pod = format!("{id}-*");
            // In the midst of a line, after a whole one, in place of everything; in follows, reads and tails.
            let after_a_line = stored(&lines(1, 7));
            let cases = [
                ("tail", tail(json!({"do": "end", "text": text})), 1),
                ("instead", tail(json!({"do": "end", "after": 0, "text": text})), 1),
                ("early", follow(json!({"do": "end", "after": 0, "text": text})), 1),
                ("line", follow(json!({"do": "end", "after": after_a_line, "text": text})), 1),
                ("within", follow(json!({"do": "end", "after": 100, "spread": 900, "text": text})), 2),
            ];
            for (what, rule, times) in cases {
                faults.plan(&name(what), rule.named(&pod).times(times)).await;
            }
            let task = launch(t, &client, &id, &print_slowly(1, 200)).await.collect().await;
            task.assert_succeeded(lines(1, 200).as_bytes());
            for (what, times) in [("tail", 1), ("instead", 1), ("early", 1), ("line", 1), ("within", 2)] {
                assert_eq!(faults.fired(&name(what)).await, times, "{text}: {what}");
            }
        });
        futures::future::join_all(all).await;
    });
}

/// A task that prints lines 1 to 10, waits for the first gate, prints 11 to 20, waits for the second, prints 21 to 30.
struct InThree {
    stream: TaskStream,
    pod: String,
    gates: [Gate; 2],
}

impl InThree {
    async fn start(t: &Ctx, client: &Podlaunch) -> InThree {
        let gates = [Gate::new(), Gate::new()];
        let (first, second) = (gates[0].wait(), gates[1].wait());
        let script = format!("{}; {first}; {}; {second}; {}", print(1, 10), print(11, 20), print(21, 30));
        let mut stream = launch(t, client, "task", &script).await;
        stream.until_line("line 10\n").await;
        let pod = stream.seen.pod().name.clone();
        InThree { stream, pod, gates }
    }

    /// Waits until the container has printed a line, whoever reads it.
    async fn printed(&self, t: &Ctx, line: u32) {
        let wanted = format!("line {line}\n");
        crate::harness::wait::until("a line in the file", async || {
            let log = t.cluster.raw_log(&self.pod).await;
            if memchr::memmem::find(&log, wanted.as_bytes()).is_some() { Ok(()) } else { Err("not yet") }
        })
        .await;
    }
}

/// Ends the follow just after line 10, and holds the next one until the rule is removed. (A reset could overtake line 10.)
async fn away_after_line_10(faults: &Faults) {
    let end = stored(&lines(1, 10));
    faults.plan("cut", follow(json!({"do": "end", "after": end})).times(1)).await;
    faults.plan("away", follow(json!({"do": "hold"}))).await;
}

/// Rotations under an open follow: nothing is lost.
#[test]
fn rotations_while_a_log_is_followed() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let mut task = InThree::start(t, t).await;
        for (gate, line) in [(0, "line 20\n"), (1, "line 30\n")] {
            let keep = ["nothing", "last_line"][gate];
            faults.act_on_log(&task.pod, json!({"act": "rotate_log", "keep": keep})).await;
            task.gates[gate].open();
            task.stream.until_line(line).await;
        }
        let task = task.stream.collect().await;
        assert_eq!(task.outcome().state(), TaskState::Succeeded);
        assert_eq!(numbers(&task), (1..=30).collect::<Vec<_>>());
    });
}

/// A rotation while the reader was away, after which the last line it had is still there: nothing is lost.
#[test]
fn a_rotation_just_before_the_last_line_read() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        away_after_line_10(&faults).await;
        let task = InThree::start(t, t).await;
        faults.until_fired("away", 1).await;
        faults.act_on_log(&task.pod, json!({"act": "rotate_log", "keep": "last_line"})).await;
        task.gates[0].open();
        task.printed(t, 20).await;
        faults.remove("away").await;
        task.gates[1].open();
        let task = task.stream.collect().await;
        assert_eq!(numbers(&task), (1..=30).collect::<Vec<_>>());
    });
}

/// Lines that were rotated away while the reader was away are gone: a gap, or a verdict that is not COMPLETE.
#[test]
fn lines_that_are_rotated_away() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        away_after_line_10(&faults).await;
        let task = InThree::start(t, t).await;
        faults.until_fired("away", 1).await;
        task.gates[0].open();
        task.printed(t, 20).await;
        faults.act_on_log(&task.pod, json!({"act": "rotate_log"})).await;
        task.gates[1].open();
        task.printed(t, 30).await;
        faults.remove("away").await;
        let task = task.stream.collect().await;
        assert_eq!(task.outcome().state(), TaskState::Succeeded);
        assert_eq!(numbers(&task), (1..=10).chain(21..=30).collect::<Vec<_>>(), "what is left is told");
        let delivery = task.delivery("main");
        assert!(delivery.gaps == 1 && delivery.verdict() != DeliveryVerdict::Complete, "{delivery:?}");
    });
}

/// Nothing is left after the last rotation: no line comes again, and the end comes all the same.
#[test]
fn an_empty_file_at_the_end() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let gate = Gate::new();
        let mut stream = launch(t, t, "task", &format!("{}; {}", print(1, 10), gate.wait())).await;
        stream.until_line("line 10\n").await;
        faults.act_on_log(&stream.seen.pod().name, json!({"act": "rotate_log"})).await;
        gate.open();
        let task = stream.collect().await;
        assert_eq!(task.outcome().state(), TaskState::Succeeded);
        assert_eq!(numbers(&task), (1..=10).collect::<Vec<_>>());
        let delivery = task.delivery("main");
        assert_ne!(delivery.verdict(), DeliveryVerdict::Complete, "that it was all cannot be known: {delivery:?}");
        // Who comes now gets nothing, and is told that this is not everything.
        let late = t.attach_anew(task.key()).await.expect("it is known").collect().await;
        assert_eq!(late.output(), b"");
        assert_eq!(late.outcome_bytes(), task.outcome_bytes());
    });
}

/// The clock of the stamps steps back under an open follow, and while the reader is away.
#[test]
fn a_clock_that_steps_back() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let back = json!({"act": "skew_log", "offset_ms": -3_600_000});
        // Under an open follow that is cut afterwards.
        let end = stored(&lines(1, 15));
        faults.plan("later", follow(json!({"do": "cut", "after": end, "by": "stream"})).times(1)).await;
        let mut task = InThree::start(t, t).await;
        faults.act_on_log(&task.pod, back.clone()).await;
        task.gates[0].open();
        task.stream.until_line("line 20\n").await;
        task.gates[1].open();
        let seen = task.stream.collect().await;
        seen.assert_succeeded(lines(1, 30).as_bytes());
        assert_eq!(faults.fired("later").await, 1);
    });
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let back = json!({"act": "skew_log", "offset_ms": -3_600_000});
        away_after_line_10(&faults).await;
        let mut task = InThree::start(t, t).await;
        faults.until_fired("away", 1).await;
        faults.act_on_log(&task.pod, back).await;
        task.gates[0].open();
        task.printed(t, 20).await;
        faults.remove("away").await;
        // Not only at the end: the lines come while the container runs.
        task.stream.until_line("line 20\n").await;
        task.gates[1].open();
        let seen = task.stream.collect().await;
        seen.assert_succeeded(lines(1, 30).as_bytes());
        assert_eq!(faults.fired("cut").await, 1);
    });
}

/// Many lines of one stamp, and stamps out of order, read in pieces.
#[test]
fn stamps_that_are_equal_or_out_of_order() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let cases = [
            ("equal", json!({"act": "skew_log", "tick_us": 1_000_000})),
            ("swing", json!({"act": "skew_log", "swing_us": 700})),
            ("both", json!({"act": "skew_log", "tick_us": 500, "swing_us": 1500})),
            ("slack", json!({"act": "skew_log", "swing_us": 90_000})),
        ];
        let all = cases.iter().map(async |(id, skew)| {
            let gate = Gate::new();
            let cut = follow(json!({"do": "end", "after": 31, "spread": 3000})).named(&format!("{id}-*"));
            faults.plan(id, cut).await;
            let script = format!("echo line 1; {}; {}", gate.wait(), print_slowly(2, 400));
            let mut stream = launch(t, t, id, &script).await;
            stream.until_line("line 1\n").await;
            faults.act_on_log(&stream.seen.pod().name, skew.clone()).await;
            gate.open();
            let task = stream.collect().await;
            assert_eq!(numbers(&task), (1..=400).collect::<Vec<_>>(), "{id}");
            task.assert_succeeded(lines(1, 400).as_bytes());
            let fired = faults.fired(id).await;
            assert!(fired >= 3, "{id}: {fired} follows were cut");
        });
        futures::future::join_all(all).await;
    });
}

/// A follow that goes silent while the container runs and ends: the end finds the rest.
#[test]
fn a_follow_that_gives_nothing_more() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let end = stored(&lines(1, 10)) - 3;
        faults.plan("silent", follow(json!({"do": "silence", "after": end})).times(1)).await;
        let script = format!("{}; sleep 1; {}", print(1, 10), print(11, 50));
        let task = launch(t, t, "task", &script).await.collect().await;
        task.assert_succeeded(lines(1, 50).as_bytes());
        assert_eq!(faults.fired("silent").await, 1);
    });
}

/// A kubelet that does not know the pod yet, an API server that is busy, a node that is away: waited for.
#[test]
fn logs_that_cannot_be_read_yet() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let not_found = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "the server could not find the requested resource ( pods/log p)", "reason": "NotFound",
            "details": {"name": "p", "kind": "pods/log"}, "code": 404});
        let refused = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 500,
            "message": "Get \"https://n:10250/containerLogs/n/p/main\": dial tcp 10.0.0.1:10250: connect: connection refused"});
        let custom = |status: u16, body: &Value| {
            json!({"do": "answer", "answer": {"custom": {"status": status, "body": body.to_string(),
                "headers": {"content-type": "application/json"}}}})
        };
        let log = |action| Rule::on("get", "pods/log", action).times(2);
        faults.plan("unknown pod", log(custom(404, &not_found))).await;
        faults.plan("node away", log(custom(500, &refused))).await;
        let busy = json!({"do": "answer", "answer": {"too_many_requests": {"retry_after": 1}}});
        faults.plan("busy", log(busy)).await;
        let task = launch(t, t, "task", &print(1, 10)).await.collect().await;
        task.assert_succeeded(lines(1, 10).as_bytes());
        for name in ["unknown pod", "node away", "busy"] {
            assert_eq!(faults.fired(name).await, 2, "{name}");
        }
    });
}
