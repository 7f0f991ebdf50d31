//! The stored form: JSON of at most 8 KiB, whatever the pod's messages are.
//!
//! Shortened in a fixed order, so that every replica cuts the same way: containers that decided
//! nothing, then the termination message, then Kubernetes' message, then the words of the stop.

use super::{MAX_CONTAINERS, MAX_KUBERNETES_MESSAGE, MAX_MESSAGE, MAX_WORD, Outcome};

/// Longest stored text, bytes.
pub const MAX_TEXT: usize = 8 * 1024;
/// Longest text that is looked at when reading: a newer version may store more than this one does.
const MAX_READ: usize = 64 * 1024;

/// A stored text that is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum OutcomeError {
    /// Longer than any version stores.
    #[error("the stored outcome is {0} bytes long; at most {MAX_READ} are read")]
    TooLong(usize),
    /// Not the JSON of an outcome.
    #[error("the stored outcome cannot be read")]
    Malformed(#[source] serde_json::Error),
    /// Its state is not terminal.
    #[error("the stored outcome's state {0} is not terminal")]
    NotTerminal(super::State),
}

impl Outcome {
    /// The stored form: JSON, at most [`MAX_TEXT`] bytes.
    pub fn to_text(&self) -> String {
        match self.encode() {
            Some(text) if text.len() <= MAX_TEXT => text,
            _ => self.clone().within_limits().encode().unwrap_or_default(),
        }
    }

    /// Reads a stored form, of this version or a newer one.
    pub fn from_text(text: &str) -> Result<Outcome, OutcomeError> {
        if text.len() > MAX_READ {
            return Err(OutcomeError::TooLong(text.len()));
        }
        let outcome: Outcome = serde_json::from_str(text).map_err(OutcomeError::Malformed)?;
        if outcome.state.is_terminal() { Ok(outcome) } else { Err(OutcomeError::NotTerminal(outcome.state)) }
    }

    fn encode(&self) -> Option<String> {
        // Plain fields and string keys: nothing in it can fail to be written as JSON.
        serde_json::to_string(self).ok()
    }

    fn size(&self) -> usize {
        self.encode().map_or(0, |text| text.len())
    }

    /// Cuts what is over its limit, and then as much as the whole is over [`MAX_TEXT`].
    pub(super) fn within_limits(mut self) -> Outcome {
        self.cut_fields();
        if self.size() <= MAX_TEXT {
            return self;
        }
        self.shortened = true;
        let keep = |c: &super::ContainerSummary, decider: &str| c.name == decider || c.role == super::Role::Primary;
        while self.size() > MAX_TEXT
            && let Some(at) = self.containers.iter().rposition(|c| !keep(c, &self.container))
        {
            self.containers.remove(at);
        }
        for field in TEXTS {
            shrink(&mut self, *field);
        }
        self
    }

    fn cut_fields(&mut self) {
        let mut shortened = cut(&mut self.kubernetes_reason, MAX_WORD);
        shortened |= cut(&mut self.kubernetes_message, MAX_KUBERNETES_MESSAGE);
        shortened |= cut(&mut self.termination_message, MAX_MESSAGE);
        for c in &mut self.containers {
            shortened |= cut(&mut c.reason, MAX_WORD);
        }
        if let Some(stop) = &mut self.stop {
            shortened |= cut(&mut stop.caller, MAX_WORD);
            shortened |= cut(&mut stop.message, MAX_KUBERNETES_MESSAGE);
            if let Some(pending) = &mut stop.pending {
                shortened |= cut(&mut pending.kubernetes_reason, MAX_WORD);
                // The outcome's own copy may be longer; this one only says why it was stopped.
                shortened |= cut(&mut pending.kubernetes_message, MAX_WORD);
            }
        }
        while self.containers.len() > MAX_CONTAINERS {
            let decided = |c: &super::ContainerSummary| c.name == self.container || c.role == super::Role::Primary;
            let Some(at) = self.containers.iter().rposition(|c| !decided(c)) else { break };
            self.containers.remove(at);
            shortened = true;
        }
        self.shortened |= shortened;
    }
}

type Field = fn(&mut Outcome) -> Option<&mut String>;

/// What is cut where leaving out containers was not enough, in this order.
const TEXTS: &[Field] = &[
    |o| Some(&mut o.termination_message),
    |o| Some(&mut o.kubernetes_message),
    |o| Some(&mut o.stop.as_mut()?.pending.as_mut()?.kubernetes_message),
    |o| Some(&mut o.stop.as_mut()?.message),
    |o| Some(&mut o.stop.as_mut()?.caller),
    |o| Some(&mut o.stop.as_mut()?.pending.as_mut()?.kubernetes_reason),
    |o| Some(&mut o.kubernetes_reason),
    |o| Some(&mut o.containers.first_mut()?.reason),
    |o| Some(&mut o.containers.last_mut()?.reason),
];

/// Cuts one text as far as the whole is too long. An escape makes a byte up to six long, so it is
/// cut in steps that cannot cut too much, until it fits.
fn shrink(outcome: &mut Outcome, field: Field) {
    loop {
        let over = outcome.size().saturating_sub(MAX_TEXT);
        let Some(text) = field(outcome).filter(|text| over > 0 && !text.is_empty()) else { return };
        let keep = text.len().saturating_sub((over / 6).max(32));
        cut(text, keep);
    }
}

/// Cuts at a character's boundary; whether it had to.
fn cut(text: &mut String, limit: usize) -> bool {
    if text.len() <= limit {
        return false;
    }
    let end = (0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    true
}
