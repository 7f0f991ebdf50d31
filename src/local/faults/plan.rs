//! The rules of a fault plan, and which of them a request meets. Pure: the only chance is a seeded generator.
//!
//! ```text
//! request → Seen → the first rule that matches, is past its `skip`, has `times` left and wins its `probability` → Planned
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::answer::Answer;

/// What a request is, as far as rules look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub path: String,
    /// Kubernetes' verb: get, list, watch, create, update, patch, delete, deletecollection; empty for other paths.
    pub verb: &'static str,
    /// `pods`, `pods/log` …; empty for other paths.
    pub resource: String,
    pub namespace: String,
    /// Of a create: the name in its body.
    pub name: String,
    /// The caller's User-Agent.
    pub agent: String,
    pub query: BTreeMap<String, String>,
}

/// Which requests a rule is about. What is left out matches everything; `*` in a text stands for any characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verb: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Parameters that must be there with these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
}

impl Match {
    fn takes(&self, seen: &Seen) -> bool {
        let pairs = [
            (&self.method, seen.method.as_str()),
            (&self.path, seen.path.as_str()),
            (&self.verb, seen.verb),
            (&self.resource, seen.resource.as_str()),
            (&self.namespace, seen.namespace.as_str()),
            (&self.name, seen.name.as_str()),
            (&self.agent, seen.agent.as_str()),
        ];
        let texts = pairs.iter().all(|(pattern, text)| pattern.as_deref().is_none_or(|p| is_like(p, text)));
        let has = |(key, pattern): (&String, &String)| seen.query.get(key).is_some_and(|value| is_like(pattern, value));
        texts && self.query.iter().all(has)
    }
}

/// Whether a text is like a pattern in which `*` stands for any characters.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    let found = middle.iter().try_fold(rest, |rest, part| rest.find(part).map(|at| &rest[at + part.len()..]));
    found.is_some_and(|rest| rest.len() >= last.len() && rest.ends_with(last))
}

/// Whether a request is carried out before it is denied its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing was done.
    #[default]
    None,
    /// It was done.
    Done,
}

/// How a request or a body is broken off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Break {
    /// The connection ends, and all else on it.
    #[default]
    Connection,
    /// Only this stream of an HTTP/2 connection is reset.
    Stream,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Nothing but the rule's delay.
    Pass,
    /// Another answer, in place of the request or after it ("5xx with effect").
    Answer {
        answer: Answer,
        #[serde(default)]
        effect: Effect,
    },
    /// No answer: a reset before the request is done, or a lost reply after it.
    Sever {
        #[serde(default)]
        effect: Effect,
        #[serde(default)]
        by: Break,
    },
    /// The answer is held back until the rule is removed.
    Hold {
        #[serde(default)]
        effect: Effect,
    },
    /// The body is broken off after `after` bytes, and up to `spread` more by chance.
    Cut {
        #[serde(default)]
        after: u64,
        #[serde(default)]
        spread: u64,
        by: Break,
    },
    /// The body ends in good order after `after` bytes, and up to `spread` more by chance; then `text` if there is one.
    /// Without `after`: where it would have ended.
    End {
        #[serde(default)]
        after: Option<u64>,
        #[serde(default)]
        spread: u64,
        #[serde(default)]
        text: String,
    },
    /// After `after` bytes the body gives nothing more and stays open.
    Silence {
        #[serde(default)]
        after: u64,
    },
    /// A watch ends in good order after `after` events, bookmarks included.
    Close {
        #[serde(default)]
        after: u64,
    },
    /// A watch says ERROR 410 after `after` events, and ends.
    Expire {
        #[serde(default)]
        after: u64,
    },
}

/// A rule as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is told apart by; a new rule takes the place of the old one of its name.
    pub name: String,
    #[serde(default, rename = "match")]
    pub on: Match,
    /// How many matching requests are let pass first.
    #[serde(default)]
    pub skip: u64,
    /// How many requests it takes at most; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How likely it takes a matching request; none: surely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Waited before all else.
    #[serde(default)]
    pub delay_ms: u64,
    pub action: Action,
}

/// What a request is to suffer.
#[derive(Clone, Debug)]
pub struct Planned {
    pub delay_ms: u64,
    /// With chance settled: `spread` is 0.
    pub action: Action,
    /// To be counted up when the fault really happens.
    pub fired: Fired,
    /// Ends a hold.
    pub removed: CancellationToken,
}

/// How often a rule's fault happened.
#[derive(Clone, Debug, Default)]
pub struct Fired(Arc<AtomicU64>);

impl Fired {
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A rule and what became of it.
#[derive(Debug)]
struct Active {
    rule: Rule,
    chance: fastrand::Rng,
    matched: u64,
    taken: u64,
    fired: Fired,
    removed: CancellationToken,
}

impl Drop for Active {
    fn drop(&mut self) {
        self.removed.cancel();
    }
}

/// A rule with its counts, as it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub rule: Rule,
    /// Requests that were like its match.
    pub matched: u64,
    /// Requests it took.
    pub taken: u64,
    /// Faults that really happened: a body that ended before its cut was not cut.
    pub fired: u64,
}

/// The rules in force.
#[derive(Debug)]
pub struct Plan {
    seed: u64,
    rules: Vec<Active>,
}

impl Plan {
    pub fn new(seed: u64) -> Plan {
        Plan { seed, rules: Vec::new() }
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Seeds the chance of rules that are added from now on.
    pub fn reseed(&mut self, seed: u64) {
        self.seed = seed;
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Adds a rule, or puts it in the place of the one of its name, its counts at 0.
    pub fn add(&mut self, rule: Rule) {
        let name = rule.name.bytes().fold(self.seed, |sum, byte| sum.rotate_left(5) ^ u64::from(byte));
        let chance = fastrand::Rng::with_seed(name);
        let removed = CancellationToken::new();
        let new = Active { chance, rule, matched: 0, taken: 0, fired: Fired::default(), removed };
        match self.rules.iter_mut().find(|old| old.rule.name == new.rule.name) {
            Some(old) => *old = new,
            None => self.rules.push(new),
        }
    }

    /// Removes the rules whose names are like the pattern.
    pub fn remove(&mut self, pattern: &str) {
        self.rules.retain(|active| !is_like(pattern, &active.rule.name));
    }

    /// The rules whose names are like the pattern, with their counts.
    pub fn report(&self, pattern: &str) -> Vec<Report> {
        let wanted = self.rules.iter().filter(|active| is_like(pattern, &active.rule.name));
        wanted
            .map(|active| Report {
                rule: active.rule.clone(),
                matched: active.matched,
                taken: active.taken,
                fired: active.fired.get(),
            })
            .collect()
    }

    /// What the request is to suffer, if anything.
    pub fn decide(&mut self, seen: &Seen) -> Option<Planned> {
        self.rules.iter_mut().filter(|active| active.rule.on.takes(seen)).find_map(Active::take)
    }
}

impl Active {
    fn take(&mut self) -> Option<Planned> {
        self.matched += 1;
        if self.matched <= self.rule.skip || self.rule.times.is_some_and(|times| self.taken >= times) {
            return None;
        }
        if self.rule.probability.is_some_and(|probability| self.chance.f64() >= probability) {
            return None;
        }
        self.taken += 1;
        let action = self.settled();
        let fired = self.fired.clone();
        Some(Planned { delay_ms: self.rule.delay_ms, action, fired, removed: self.removed.clone() })
    }

    fn settled(&mut self) -> Action {
        let mut action = self.rule.action.clone();
        match &mut action {
            Action::Cut { after, spread, .. } | Action::End { after: Some(after), spread, .. } => {
                *after += self.chance.u64(0..=*spread);
                *spread = 0;
            }
            _ => {}
        }
        action
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(rules: serde_json::Value) -> Plan {
        let mut plan = Plan::new(1);
        let rules: Vec<Rule> = serde_json::from_value(rules).unwrap();
        rules.into_iter().for_each(|rule| plan.add(rule));
        plan
    }

    fn create(name: &str) -> Seen {
        Seen {
            method: "POST".into(),
            path: "/api/v1/namespaces/n/pods".into(),
            verb: "create",
            resource: "pods".into(),
            namespace: "n".into(),
            name: name.into(),
            agent: "podlaunch/0.1.0 instance/a".into(),
            query: BTreeMap::from([("dryRun".into(), "All".into())]),
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, like) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*a", "a", false),
            ("*b*", "abc", true),
            ("*b*b*", "abc", false),
            ("a*b*c", "a-b-b-c", true),
        ] {
            assert_eq!(is_like(pattern, text), like, "{pattern} {text}");
        }
    }

    #[test]
    fn every_part_of_a_match_counts() {
        let right = json!({"method": "POST", "path": "/api/*/pods", "verb": "create", "resource": "pods",
            "namespace": "n", "name": "p*", "agent": "*instance/a", "query": {"dryRun": "A*"}});
        let takes = |on: &serde_json::Value| {
            let on: Match = serde_json::from_value(on.clone()).unwrap();
            on.takes(&create("p1"))
        };
        assert!(takes(&right));
        for field in ["method", "path", "verb", "resource", "namespace", "name", "agent"] {
            let mut wrong = right.clone();
            wrong[field] = json!("other");
            assert!(!takes(&wrong), "{field}");
        }
        for query in [json!({"dryRun": "None"}), json!({"follow": "*"})] {
            assert!(!takes(&json!({"query": query})), "{query}");
        }
        assert!(serde_json::from_value::<Match>(json!({"verbs": "get"})).is_err(), "a misspelt field is refused");
    }

    #[test]
    fn skip_and_times_count_matching_requests() {
        let mut plan =
            plan(json!([{"name": "r", "match": {"name": "p"}, "skip": 1, "times": 2, "action": {"do": "pass"}}]));
        let taken: Vec<bool> = (0..5).map(|_| plan.decide(&create("p")).is_some()).collect();
        assert_eq!(taken, [false, true, true, false, false]);
        assert!(plan.decide(&create("other")).is_none());
        let report = &plan.report("*")[0];
        assert_eq!((report.matched, report.taken, report.fired), (5, 2, 0));
    }

    #[test]
    fn the_first_rule_that_is_due_takes_the_request() {
        let mut plan = plan(json!([
            {"name": "first", "times": 1, "action": {"do": "sever"}},
            {"name": "second", "action": {"do": "hold"}},
        ]));
        let done = |planned: Option<Planned>| planned.unwrap().action;
        assert_eq!(done(plan.decide(&create("p"))), Action::Sever { effect: Effect::None, by: Break::Connection });
        assert_eq!(done(plan.decide(&create("p"))), Action::Hold { effect: Effect::None });
    }

    #[test]
    fn chance_follows_from_the_seed() {
        let rules = json!([
            {"name": "half", "probability": 0.5,
             "action": {"do": "cut", "after": 10, "spread": 1000, "by": "stream"}}
        ]);
        let run = || {
            let mut plan = plan(rules.clone());
            let decided = (0..200).map(|_| plan.decide(&create("p")).map(|planned| planned.action));
            decided.collect::<Vec<_>>()
        };
        let first = run();
        assert_eq!(first, run());
        let taken = first.iter().flatten().count();
        assert!((50..150).contains(&taken), "{taken}");
        for action in first.iter().flatten() {
            let Action::Cut { after, spread: 0, .. } = action else { panic!("{action:?}") };
            assert!((10..=1010).contains(after), "{after}");
        }
    }

    #[test]
    fn a_rule_that_is_removed_or_replaced_ends_its_holds() {
        let hold = json!([{"name": "a/hold", "action": {"do": "hold"}}]);
        let mut plan = plan(hold.clone());
        let held = plan.decide(&create("p")).unwrap();
        plan.remove("b/*");
        assert!(!held.removed.is_cancelled());
        plan.remove("a/*");
        assert!(held.removed.is_cancelled() && plan.is_empty());

        let rule: Rule = serde_json::from_value(hold[0].clone()).unwrap();
        plan.add(rule.clone());
        let held = plan.decide(&create("p")).unwrap();
        plan.add(rule);
        assert!(held.removed.is_cancelled());
        assert_eq!(plan.report("*")[0].taken, 0, "a new rule counts from 0");
    }
}
