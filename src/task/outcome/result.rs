//! What a task gave back, as far as the pod says.
//!
//! ```text
//!                        primary never started ─▶ MISSING
//! TERMINATION_MESSAGE    exit 0: its message; empty ─▶ MISSING, as long as is kept of one ─▶ TOO_LARGE
//!                        another exit: MISSING (its message may be the last lines of its log)
//! FILE                   the sidecar's word; without one ─▶ GONE
//! ```

use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};

use super::facts::{Facts, Started, is_start_error};
use crate::task::observation::{ContainerState, Observation, Terminated};
use crate::task::result::{Digest, ResultKind, ResultSource, Word, message_share};

/// How a result was had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ResultState {
    /// It is in the outcome.
    Inline,
    /// It is in the sidecar's log while the pod exists.
    Stored,
    /// The task wrote none.
    Missing,
    /// It is larger than was allowed, or than Kubernetes keeps.
    TooLarge,
    /// It could not be read before the pod or its sidecar was gone.
    Gone,
    /// It is no file, or may not be read by the sidecar.
    Unreadable,
}

/// A result in an outcome. At most one of `text` and `base64` is set, whichever is the shorter in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskResult {
    /// How it was had.
    pub state: ResultState,
    /// Size in bytes; with Inline the data says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// SHA-256 in hex; with Inline the data says it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl TaskResult {
    fn new(state: ResultState) -> Self {
        TaskResult { state, size: None, sha256: String::new(), text: None, base64: None }
    }

    pub(super) fn inline(data: &[u8]) -> Self {
        let base64 = BASE64.encode(data);
        let text = std::str::from_utf8(data).ok().filter(|text| {
            // Plain text: nothing in it can fail to be written as JSON.
            serde_json::to_string(text).is_ok_and(|json| json.len() <= base64.len() + 2)
        });
        match text {
            Some(text) => TaskResult { text: Some(text.to_owned()), ..Self::new(ResultState::Inline) },
            None => TaskResult { base64: Some(base64), ..Self::new(ResultState::Inline) },
        }
    }

    fn stored(digest: Digest) -> Self {
        let sha256 = HEXLOWER.encode(&digest.sha256);
        TaskResult { size: Some(digest.size), sha256, ..Self::new(ResultState::Stored) }
    }

    fn too_large(size: Option<u64>) -> Self {
        TaskResult { size, ..Self::new(ResultState::TooLarge) }
    }

    /// The bytes, where the outcome has them.
    pub fn data(&self) -> Option<Vec<u8>> {
        match (&self.text, &self.base64) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(base64)) => BASE64.decode(base64.as_bytes()).ok(),
            (None, None) => None,
        }
    }

    /// Size and hash, where both are known.
    pub fn digest(&self) -> Option<Digest> {
        if let Some(data) = self.data() {
            return Some(Digest::of(&data));
        }
        let sha256 = HEXLOWER.decode(self.sha256.as_bytes()).ok()?.try_into().ok()?;
        Some(Digest { size: self.size?, sha256 })
    }

    /// Size, where it is known.
    pub fn size(&self) -> Option<u64> {
        self.data().map(|data| data.len() as u64).or(self.size)
    }

    /// Whether a termination message is this result: then it need not be kept twice.
    pub(super) fn is_message(&self, o: &Observation, end: Option<&Terminated>) -> bool {
        let by_message = o.policy.result.as_ref().is_some_and(|s| s.kind == ResultKind::TerminationMessage);
        by_message && end.is_some_and(|t| self.data().is_some_and(|data| data == t.message.as_bytes()))
    }
}

/// Whether nothing about a result can come any more while the pod goes on.
pub(super) fn is_settled(o: &Observation) -> bool {
    if o.primary_terminated().is_some_and(is_start_error) {
        return true;
    }
    match &o.result_sidecar {
        Some(sidecar) => matches!(sidecar.state, ContainerState::Terminated(_)),
        None => true,
    }
}

/// The result, where one was asked for.
pub(super) fn of(o: &Observation, facts: &Facts<'_>) -> Option<TaskResult> {
    let source = o.policy.result.as_ref()?;
    if facts.started == Started::Never {
        return Some(TaskResult::new(ResultState::Missing));
    }
    Some(match source.kind {
        ResultKind::TerminationMessage => of_message(o, facts, source),
        ResultKind::File => of_file(o, facts),
    })
}

fn of_message(o: &Observation, facts: &Facts<'_>, source: &ResultSource) -> TaskResult {
    let message = facts.end.map(|t| t.message.as_bytes()).unwrap_or_default();
    let share = message_share(o.containers.len());
    match facts.exit_code() {
        None => TaskResult::new(ResultState::Gone),
        Some(0) if message.len() >= share => TaskResult::too_large(None),
        Some(0) if message.len() as u64 > source.max_bytes() => TaskResult::too_large(Some(message.len() as u64)),
        Some(0) if !message.is_empty() => TaskResult::inline(message),
        Some(_) => TaskResult::new(ResultState::Missing),
    }
}

fn of_file(o: &Observation, facts: &Facts<'_>) -> TaskResult {
    let said = match o.result_sidecar.as_ref().map(|c| &c.state) {
        Some(ContainerState::Terminated(t)) if looked_after(t, facts) => Word::parse(&t.message),
        _ => None,
    };
    match said {
        Some(Word::Taken { inline: Some(data), .. }) => TaskResult::inline(&data),
        Some(Word::Taken { digest, inline: None }) => TaskResult::stored(digest),
        Some(Word::TooLarge { size }) => TaskResult::too_large(Some(size)),
        Some(Word::Missing) => TaskResult::new(ResultState::Missing),
        Some(Word::Unreadable) => TaskResult::new(ResultState::Unreadable),
        Some(Word::Ready) | None => TaskResult::new(ResultState::Gone),
    }
}

/// A sidecar that ended before the primary did has not seen what that wrote. Both stamps are the node's, in whole
/// seconds.
fn looked_after(sidecar: &Terminated, facts: &Facts<'_>) -> bool {
    let primary = facts.end.and_then(|t| t.finished);
    primary.zip(sidecar.finished).is_none_or(|(primary, looked)| looked >= primary)
}

#[cfg(test)]
#[path = "result_tests.rs"]
mod tests;
