//! What changed in each container. A row remembers how far each was told, so nothing comes twice
//! and nothing goes back, however the watch coalesces.

use jiff::Timestamp;

use super::{Row, notices, uid};
use crate::task::event::{ContainerChange, ContainerPhase, TaskEvent, TaskEventBody};
use crate::task::observation::{ContainerObservation, ContainerState, Observation, Terminated};
use crate::task::reason;

/// Most reasons told for one phase of one run; a container that waits for more different ones
/// than this waits for nothing new.
const MAX_TOLD: usize = 16;

/// How far a container was told.
#[derive(Debug, Clone, Default)]
pub(super) struct Mark {
    restart: u32,
    /// [`ContainerPhase::rank`]; 0 for nothing yet.
    rank: u8,
    /// Hashes of what was told at this place: a waiting reason may come, go and come again.
    told: Vec<u64>,
}

impl Mark {
    /// Whether this is news; if so it is remembered.
    fn take(&mut self, restart: u32, rank: u8, uid: &str) -> bool {
        let told = fingerprint(uid);
        match (restart, rank).cmp(&(self.restart, self.rank)) {
            std::cmp::Ordering::Less => return false,
            std::cmp::Ordering::Equal if self.told.contains(&told) || self.told.len() >= MAX_TOLD => return false,
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => {
                (self.restart, self.rank) = (restart, rank);
                self.told.clear();
            }
        }
        self.told.push(told);
        true
    }
}

/// FNV-1a of an event's uid: enough to know it again within one run of one container.
fn fingerprint(uid: &str) -> u64 {
    uid.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

pub(super) fn advance(row: &mut Row, previous: Option<&Observation>, now: Timestamp, events: &mut Vec<TaskEvent>) {
    let o = std::sync::Arc::clone(&row.observation);
    row.marks.resize_with(o.containers.len(), Mark::default);
    for (c, mark) in o.containers.iter().zip(&mut row.marks) {
        for (restart, phase) in phases(c) {
            let uid = uid::container(&o.uid, &c.name, restart, &phase);
            if !mark.take(restart, phase.rank(), &uid) {
                continue;
            }
            let occurred = occurred(&phase);
            let change = ContainerChange {
                container: c.name.clone(),
                kind: c.role,
                restart,
                phase,
                image_id: c.image_id.clone(),
            };
            events.push(TaskEvent { uid, occurred, observed: now, body: TaskEventBody::Container(change) });
        }
    }
    notices::remarks(&o, previous, now, events);
}

/// The phases a status shows, oldest first: the end of the run before, then the present one. While
/// it waits for its next run restartCount still is that of the last.
fn phases(c: &ContainerObservation) -> impl Iterator<Item = (u32, ContainerPhase)> {
    let waiting = matches!(c.state, ContainerState::Waiting { .. });
    let before = if waiting { Some(c.restarts) } else { c.restarts.checked_sub(1) };
    let ended =
        before.zip(c.last.as_ref()).map(|(r, t): (u32, &Terminated)| (r, ContainerPhase::Terminated(t.clone())));
    let restart = if waiting && c.last.is_some() { c.restarts.saturating_add(1) } else { c.restarts };
    ended.into_iter().chain(phase(&c.state).map(|p| (restart, p)))
}

fn phase(state: &ContainerState) -> Option<ContainerPhase> {
    Some(match state {
        ContainerState::Unset => return None,
        ContainerState::Waiting { reason, message } => ContainerPhase::Waiting {
            classified: reason::waiting(reason),
            reason: reason.clone(),
            message: message.clone(),
        },
        ContainerState::Running { started } => ContainerPhase::Running { started: *started },
        ContainerState::Terminated(t) => ContainerPhase::Terminated(t.clone()),
    })
}

fn occurred(phase: &ContainerPhase) -> Option<Timestamp> {
    match phase {
        ContainerPhase::Waiting { .. } => None,
        ContainerPhase::Running { started } => *started,
        ContainerPhase::Terminated(t) => t.finished,
    }
}
