//! `docs/reasons.md`, written from the tables.
//!
//! `PODLAUNCH_REWRITE_DOCS=1 cargo test --lib reason::guide` writes it; without the variable the
//! same test compares.

use std::fmt::Write as _;

use super::{Code, Fact, Field, Group, RULES, Reading, Reason, Rule, TABLE, Waiting, Word};
use crate::task::outcome::{Origin, RetryAdvice};

const HEAD: &str = "\
# Reasons

Why a task waits, is being ended, or ended: every value of `Reason`, what it means, who should act, and what to do.
Written from the tables in `src/task/reason` by `PODLAUNCH_REWRITE_DOCS=1 cargo test --lib reason::guide`; do not edit.

An outcome has one reason, and beside it:

- **origin**: whose doing it is. USER: the task's own code, image or configuration. CALLER: a cancel or a timeout it
  asked for. CLUSTER: the cluster. EXECUTOR: podlaunch.
- **retry advice**: SAFE_NEVER_STARTED: stored data proves that the primary container never started.
  MAY_HAVE_SIDE_EFFECTS: it ran, or may have. USELESS: it would end the same way again. The table has the rule; an
  outcome's own advice knows whether the container had started, and counts.
- **certainty**: OBSERVED: the pod object said so. INFERRED: concluded from what it said. MAY_STILL_BE_RUNNING: the
  process may still be running somewhere.
- **Kubernetes' own words**, verbatim, but for literal values of environment variables, which are shown as `***`.

Where several things happened, the reason is the first of these that did: a stop recorded by podlaunch before the end;
a disruption or a pod-level reason; an init container's failure; the primary container's own end; another container's.
A schedule or startup timeout, or a `pending_graces` entry, has what the task was waiting for as its reason;
`Outcome.timeout` says that a timeout ended it.
";

const GROUPS: &[(Group, &str)] = &[
    (Group::End, "Ends by itself"),
    (Group::Start, "Cannot start"),
    (Group::Image, "Image"),
    (Group::Scheduling, "Without a node"),
    (Group::Timeout, "Timeouts"),
    (Group::Caller, "Ended by a caller"),
    (Group::Disruption, "Taken away by the cluster"),
    (Group::Lost, "Not known"),
];

const FIELDS: &[(Field, &str)] = &[
    (Field::Waiting, "`state.waiting.reason` of a container"),
    (Field::Terminated, "`state.terminated.reason` of a container"),
    (Field::Pod, "`status.reason` of a failed pod"),
    (Field::Unscheduled, "`reason` of condition PodScheduled=False"),
    (Field::Disruption, "`reason` of condition DisruptionTarget=True"),
    (Field::Event, "`reason` of an Event about the pod"),
];

fn guide() -> String {
    let mut text = HEAD.to_owned();
    for (group, title) in GROUPS {
        let _ = writeln!(text, "\n## {title}\n");
        for fact in TABLE.iter().filter(|fact| fact.group == *group) {
            entry(&mut text, fact);
        }
    }
    text.push_str("\n## Kubernetes' words\n\nRead from the top; the first row that fits counts.\n");
    for (field, title) in FIELDS {
        let _ = writeln!(text, "\n### {title}\n\n| word | and | means |\n|---|---|---|");
        for rule in RULES.iter().filter(|rule| rule.field == *field) {
            row(&mut text, rule);
        }
    }
    text
}

fn entry(text: &mut String, fact: &Fact) {
    let _ = writeln!(text, "### {}\n\n{}\n", fact.reason, fact.meaning);
    let waits = match fact.waiting {
        Waiting::Waits => "; a task may wait for it, so it may have a pending grace",
        Waiting::Ends => "",
    };
    let _ = writeln!(text, "- Who: {}. What to do: {}", fact.who, fact.act);
    let _ = writeln!(text, "- Origin {}, retry advice {}{waits}.\n", origin(fact.origin), advice(fact.advice));
}

fn row(text: &mut String, rule: &Rule) {
    let word = match rule.word {
        Word::Is(word) => format!("`{word}`"),
        Word::Begins(with) => format!("`{with}…`"),
        Word::Any => "any other".to_owned(),
    };
    let quoted: Vec<String> = rule.said.iter().map(|t| format!("\"{t}\"")).collect();
    let code = match rule.code {
        Code::Any => String::new(),
        Code::Zero => "exit code 0".to_owned(),
        Code::NotZero => "exit code not 0".to_owned(),
        Code::Is(code) => format!("exit code {code}"),
    };
    let and = if quoted.is_empty() { code } else { format!("the message has {}", quoted.join(" or ")) };
    let means = match rule.reading {
        Reading::Means(reason) => link(reason),
        Reading::Step(reason) => format!("a normal step ({})", link(reason)),
        Reading::Clears => "what was in the way no longer is".to_owned(),
        Reading::Silent => "nothing about why it waits".to_owned(),
        Reading::AsWaiting => "what follows `Error: `, read as a waiting reason".to_owned(),
    };
    let _ = writeln!(text, "| {word} | {and} | {means} |");
}

fn link(reason: Reason) -> String {
    format!("[{reason}](#{})", reason.as_str().to_lowercase())
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::User => "USER",
        Origin::Caller => "CALLER",
        Origin::Cluster => "CLUSTER",
        Origin::Executor => "EXECUTOR",
        Origin::Unknown => "not known",
    }
}

fn advice(advice: RetryAdvice) -> &'static str {
    match advice {
        RetryAdvice::None => "none",
        RetryAdvice::SafeNeverStarted => "SAFE_NEVER_STARTED",
        RetryAdvice::MayHaveSideEffects => "MAY_HAVE_SIDE_EFFECTS",
        RetryAdvice::Useless => "USELESS",
    }
}

#[test]
fn the_page_is_what_the_tables_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reasons.md");
    let text = guide();
    if std::env::var_os("PODLAUNCH_REWRITE_DOCS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == text, "docs/reasons.md is not what the tables say: run with PODLAUNCH_REWRITE_DOCS=1");
    let groups: usize = GROUPS.iter().map(|(group, _)| TABLE.iter().filter(|fact| fact.group == *group).count()).sum();
    let fields: usize = FIELDS.iter().map(|(field, _)| RULES.iter().filter(|rule| rule.field == *field).count()).sum();
    assert_eq!((groups, fields), (TABLE.len(), RULES.len()), "a row is in no section");
}
