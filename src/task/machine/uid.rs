//! Identities of events: 16 bytes of sha-256 over the pod's uid and the content, base32.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::task::event::{ContainerPhase, Notice};
use crate::task::reason::Reason;
use crate::task::state::State;

const BYTES: usize = 16;

fn hash(parts: &[&[u8]]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    data_encoding::BASE32_NOPAD.encode(&sha.finalize()[..BYTES]).to_ascii_lowercase()
}

/// A state. Its reason belongs to its identity only where the same state comes again with another.
pub(super) fn state(pod: &str, state: State, reason: Option<Reason>) -> String {
    let reason = match state {
        State::Pending | State::Starting => reason.map_or("", Reason::as_str),
        _ => "",
    };
    hash(&[pod.as_bytes(), b"state", state.as_str().as_bytes(), reason.as_bytes()])
}

/// UNREACHABLE, or the return from it. `since` tells one silence of the node from the next.
pub(super) fn silence(pod: &str, state: State, base: State, since: Timestamp) -> String {
    let since = since.as_millisecond().to_be_bytes();
    hash(&[pod.as_bytes(), b"silence", state.as_str().as_bytes(), base.as_str().as_bytes(), &since])
}

/// A phase of one run of a container.
pub(super) fn container(pod: &str, name: &str, restart: u32, phase: &ContainerPhase) -> String {
    let (kind, reason): (&[u8], &str) = match phase {
        ContainerPhase::Waiting { reason, .. } => (b"waiting", reason),
        ContainerPhase::Running { .. } => (b"running", ""),
        ContainerPhase::Terminated(t) => (b"terminated", &t.reason),
    };
    hash(&[pod.as_bytes(), b"container", name.as_bytes(), kind, &restart.to_be_bytes(), reason.as_bytes()])
}

/// A Kubernetes event, in one of its versions.
pub(super) fn notice(pod: &str, notice: &Notice) -> String {
    hash(&[pod.as_bytes(), b"notice", &notice.version.to_be_bytes(), notice.reason.as_bytes()])
}

/// A remark of podlaunch's own.
pub(super) fn remark(pod: &str, word: &str, container: &str, occurrence: &str) -> String {
    hash(&[pod.as_bytes(), b"remark", word.as_bytes(), container.as_bytes(), occurrence.as_bytes()])
}

/// The outcome: there is one.
pub(super) fn outcome(pod: &str) -> String {
    hash(&[pod.as_bytes(), b"outcome"])
}
