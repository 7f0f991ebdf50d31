//! A task's life in lines for people, one for each thing worth knowing.
//!
//! ```text
//! 2026-11-23T06:00:00Z default/hello#1 created pod hello-5f0c…
//! 2026-11-23T06:00:00Z default/hello#1 PENDING UNSCHEDULABLE Unschedulable: 0/1 nodes are available: …
//! 2026-11-23T06:00:09Z default/hello#1 RUNNING on node-1
//! 2026-11-23T06:00:12Z default/hello#1 SUCCEEDED
//! ```
//!
//! While a task is not running, Kubernetes' remarks say why, each once. The time is when it happened, by whoever noted
//! it; where nobody did, when podlaunch saw it. Pure: text in, text out.

use std::collections::{BTreeSet, VecDeque};

use super::Story;
use super::names::name;
use super::report;
use super::text::{DIM, WARN, key, kubernetes, sanitize, seconds, state_style, styled, why};
use crate::cli::io::Colour;
use crate::cli::session::Update;
use crate::proto::v1;
use v1::event::Body;

/// Remarks that are remembered so that they are not repeated.
const REMEMBERED: usize = 256;

/// Warnings of Kubernetes that a failure repeats: between them and the end may be a long log.
const WARNINGS: usize = 5;

/// Remarks of Kubernetes that only say in other words what the states say.
const COMMONPLACE: [&str; 5] = ["Scheduled", "Pulled", "Created", "Started", "Killing"];

/// Turns updates into lines.
pub(crate) struct Transcript {
    colour: Colour,
    story: Story,
    /// The task's name in each line.
    task: String,
    /// The primary container has started.
    running: Running,
    last_state: Option<String>,
    told: BTreeSet<String>,
    warnings: VecDeque<String>,
    /// Namespace and name of the pod.
    pod: Option<(String, String)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Running {
    NotYet,
    Since,
}

impl Transcript {
    pub(crate) fn new(colour: Colour, story: Story) -> Self {
        Self {
            colour,
            story,
            task: String::new(),
            running: Running::NotYet,
            last_state: None,
            told: BTreeSet::new(),
            warnings: VecDeque::new(),
            pod: None,
        }
    }

    /// The lines for this update, without newlines. None for log lines.
    pub(crate) fn lines(&mut self, update: &Update) -> Vec<String> {
        match update {
            Update::Accepted(accepted) => {
                if let Some(asked) = &accepted.key {
                    self.task = key(asked);
                }
                self.pod = accepted.pod.as_ref().map(|pod| (pod.namespace.clone(), pod.name.clone()));
                self.accepted(accepted).into_iter().collect()
            }
            Update::Event(event) => self.event(event),
            _ => Vec::new(),
        }
    }

    fn accepted(&self, accepted: &v1::Accepted) -> Option<String> {
        if self.story == Story::Losses {
            return None;
        }
        let task = accepted.task.as_ref();
        let created = task.and_then(|task| task.times.as_ref()).and_then(|times| times.created_time.as_ref());
        let pod = accepted.pod.as_ref().map_or("", |pod| pod.name.as_str());
        let how = match accepted.how() {
            v1::AcceptedHow::Created => "created pod",
            v1::AcceptedHow::Attached => "is there already: attached to pod",
            v1::AcceptedHow::Replayed => "has ended already: replaying pod",
            v1::AcceptedHow::Unspecified => "pod",
        };
        Some(self.line(created, &format!("{how} {pod}")))
    }

    fn event(&mut self, event: &v1::Event) -> Vec<String> {
        let time = event.occurred_time.as_ref().or(event.observed_time.as_ref());
        match (&event.body, self.story) {
            (Some(Body::LogGap(gap)), _) => vec![self.line(time, &self.gap(gap))],
            (Some(Body::Termination(end)), Story::Losses) => {
                report::losses(end).into_iter().map(|loss| self.line(time, &styled(self.colour, WARN, &loss))).collect()
            }
            (_, Story::Losses) | (None | Some(Body::LogChunk(_) | Body::LogEnd(_)), _) => Vec::new(),
            (Some(Body::StateChange(change)), _) => {
                let text = self.state(change);
                text.map(|text| self.line(time, &text)).into_iter().collect()
            }
            (Some(Body::ContainerChange(change)), _) => {
                let text = container(change);
                text.map(|text| self.line(time, &text)).into_iter().collect()
            }
            (Some(Body::Notice(notice)), _) => {
                let text = self.notice(notice);
                text.map(|text| self.line(time, &text)).into_iter().collect()
            }
            (Some(Body::Termination(end)), _) => {
                let (summary, details) = report::termination(end, self.colour);
                let mut lines = vec![self.line(time, &summary)];
                lines.extend(details.into_iter().map(|detail| format!("  {detail}")));
                lines.extend(self.afterwards(end));
                lines
            }
        }
    }

    /// Under the report of a failure: what Kubernetes warned of, and where to look on.
    fn afterwards(&self, end: &v1::Termination) -> Vec<String> {
        let outcome = end.outcome.clone().unwrap_or_default();
        if matches!(outcome.state(), v1::TaskState::Succeeded | v1::TaskState::Cancelled) {
            return Vec::new();
        }
        let mut lines = Vec::new();
        if !self.warnings.is_empty() {
            lines.push("  Kubernetes warned of:".to_owned());
            lines.extend(self.warnings.iter().map(|warning| format!("    {warning}")));
        }
        let described = self
            .pod
            .as_ref()
            .map(|(namespace, pod)| format!(", kubectl -n {} describe pod {}", sanitize(namespace), sanitize(pod)));
        lines.push(format!("  look on: podlaunch get -o wide {}{}", self.task, described.unwrap_or_default()));
        lines
    }

    fn line(&self, time: Option<&prost_types::Timestamp>, text: &str) -> String {
        let time = styled(self.colour, DIM, &seconds(time));
        format!("{time} {} {text}", self.task)
    }

    /// None if it only repeats the line before.
    fn state(&mut self, change: &v1::StateChange) -> Option<String> {
        if change.state() == v1::TaskState::Running {
            self.running = Running::Since;
        }
        let state = name::<v1::TaskState>(change.state);
        let mut text = styled(self.colour, state_style(change.state()), &state);
        if change.state() == v1::TaskState::Running && !change.node_name.is_empty() {
            text.push_str(&format!(" on {}", change.node_name));
        }
        let why = why(change.reason, &change.kubernetes_reason, &change.kubernetes_message);
        if !why.is_empty() {
            text.push_str(&format!(" {why}"));
            self.remember(kubernetes(&change.kubernetes_reason, &change.kubernetes_message));
        }
        if let Some(position) = change.queue_position {
            text.push_str(&format!(" ({position} before it)"));
        }
        if self.last_state.as_ref() == Some(&text) {
            return None;
        }
        self.last_state = Some(text.clone());
        Some(text)
    }

    /// None for what is commonplace or was told before.
    fn notice(&mut self, notice: &v1::PodNotice) -> Option<String> {
        let normal = notice.severity() != v1::NoticeSeverity::Warning;
        let of_kubernetes = notice.kind() == v1::NoticeKind::KubernetesEvent;
        let commonplace = COMMONPLACE.contains(&notice.reason.as_str());
        if of_kubernetes && normal && (commonplace || self.running == Running::Since) {
            return None;
        }
        let words = kubernetes(&notice.reason, &notice.message);
        if !self.remember(words.clone()) {
            return None;
        }
        let words = match (of_kubernetes, notice.kind()) {
            (true, _) | (_, v1::NoticeKind::Unspecified) => words,
            _ => format!("{} {words}", name::<v1::NoticeKind>(notice.kind)),
        };
        if normal {
            return Some(words);
        }
        if self.warnings.len() >= WARNINGS {
            self.warnings.pop_front();
        }
        self.warnings.push_back(words.clone());
        Some(styled(self.colour, WARN, &words))
    }

    /// Whether it is new.
    fn remember(&mut self, words: String) -> bool {
        if self.told.len() >= REMEMBERED {
            self.told.clear();
        }
        self.told.insert(words)
    }

    fn gap(&self, gap: &v1::LogGap) -> String {
        let lines = gap.lines.map_or_else(|| "lines".to_owned(), |lines| format!("{lines} lines"));
        let text = format!("log of {}: {lines} missing here ({})", gap.container, name::<v1::LogLossCause>(gap.cause));
        styled(self.colour, WARN, &text)
    }
}

/// What the states do not say: another container's failure, another start of the primary one.
fn container(change: &v1::ContainerChange) -> Option<String> {
    use v1::container_change::State;
    let primary = change.role() == v1::ContainerRole::Primary;
    match &change.state {
        Some(State::Running(_)) if change.restart > 0 => {
            Some(format!("container {} was started again (restart {})", change.container, change.restart))
        }
        Some(State::Terminated(end)) if !primary && end.exit_code != Some(0) => {
            let words = kubernetes(&end.reason, "");
            Some(match end.exit_code {
                Some(code) => format!("container {} ended with exit code {code} {words}", change.container),
                None => format!("container {} ended: {words}", change.container),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
