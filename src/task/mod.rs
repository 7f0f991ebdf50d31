//! What a task *is*: the rules, as pure functions over plain data.
//!
//! ```text
//!   pod object ──pod::observe──▶ Observation ─┐
//!   deletion, relist, Pod events ─────────────┼─▶ machine::step(row, input, now) ─▶ row, events, effects
//!   the clock ────────────────────────────────┘            │
//!                                                          └─▶ outcome::decide(observation) ─▶ Outcome
//!   TaskKey + instance ──▶ deterministic pod name          (stored by one patch, then read back)
//!   TaskSpec ──▶ fingerprint
//!   events + log positions ──▶ Cursor ──▶ where a stream goes on
//! ```
//!
//! Nothing here waits, reads a clock, draws a random number or talks to anything: time and
//! identifiers are arguments. The executor feeds observations in and performs the effects.

pub mod cursor;
pub mod event;
pub mod fingerprint;
pub mod key;
pub mod literals;
pub mod machine;
pub mod meta;
pub mod observation;
pub mod outcome;
pub mod policy;
pub mod reason;
pub mod record;
pub mod result;
pub mod spec;
pub mod state;

pub use cursor::Cursor;
pub use event::{ContainerChange, ContainerKind, ContainerPhase, Notice, StateChange, TaskEvent, TaskEventBody};
pub use key::{Attempt, Instance, KeyError, TaskKey};
pub use literals::Literals;
pub use machine::{Effect, Input, Row, Step, step};
pub use observation::{Condition, ContainerObservation, ContainerState, Observation, Terminated};
pub use outcome::{Certainty, Origin, Outcome, RetryAdvice};
pub use policy::{LogSelection, Retention, StoredPolicy, Timeouts};
pub use reason::Reason;
pub use record::Record;
pub use result::{ResultKind, ResultSource};
pub use spec::TaskSpec;
pub use state::State;
