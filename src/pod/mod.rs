//! Pods: a task spec becomes one, and what one shows becomes an observation.
//!
//! ```text
//! template ─────────────────────────┐
//! TaskSpec ─ validate ─▶ manifest ──┼─ merge (strategic) ─▶ enforce ─▶ build: our own fields ─▶ Pod to POST
//!            short form ─ short ────┘                                                           │
//!                    field of the request ◀─ fields ─ causes of a 422 ◀─────────────────────────┘
//!
//! Pod from the watch ─ slim (listed and watched by: resource) ─▶ observe ─▶ task::Observation
//! ```
//!
//! Pure: no I/O, no clock. Pods are JSON values on the way in, so that fields this crate has never
//! heard of reach the cluster untouched.

pub mod build;
pub mod enforce;
pub mod fields;
pub mod merge;
#[cfg(test)]
mod merge_fuzz;
mod merge_list;
pub mod observe;
pub mod resource;
pub mod result;
pub mod short;
mod short_volume;
pub mod slim;
mod syntax;
pub mod template;
pub mod validate;
mod validate_pod;
