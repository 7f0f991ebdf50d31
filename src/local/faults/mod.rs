//! Faults on demand, for tests: `podlaunch local --faults`. Without that flag none of this is in the way of a request.
//!
//! ```text
//! request → token → faults::layer ─┬─ /podlaunch.dev/faults        GET rules and counts, POST rules, DELETE ?name=PATTERN
//!                                  ├─ /podlaunch.dev/faults/acts   POST an act: it happens at once
//!                                  └─ plan::decide ─ nothing ────────────────────────────→ API server
//!                                        └ delay → other answer, severed, held, body cut …  (before or after it)
//! acts → store (compaction, disruptions, node loss), node agent (cut off), log files (rotation, clock)
//! ```
//!
//! A rule in full; only `name` and `action` must be there, and `*` stands for any characters:
//!
//! ```json
//! {"seed": 7, "rules": [{
//!   "name": "my-test/lost reply",
//!   "match": {"verb": "create", "resource": "pods", "namespace": "n", "name": "*", "agent": "*instance/a",
//!             "method": "POST", "path": "*", "query": {"follow": "true"}},
//!   "skip": 1, "times": 2, "probability": 0.5, "delay_ms": 10,
//!   "action": {"do": "sever", "effect": "done", "by": "connection"}
//! }]}
//! ```
//!
//! The actions are those of [`plan::Action`], the answers those of [`answer::Answer`], the acts those of [`act::Act`]. A rule
//! counts the requests it `matched` and has `taken`, and how often its fault really `fired`: a test that asks for a fault asserts
//! that it came. Several tests share a cluster, so each names its rules and matches its own namespace or User-Agent.
//! Chance is seeded; the seed is logged, told by GET and may be given.

pub mod act;
pub mod answer;
mod body;
mod layer;
pub mod plan;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::node::Faulty;
use super::store::Store;
use plan::Plan;

/// A connection of the server, for whoever answers a request on it: what it is told to end ends at once, with everything on it.
#[derive(Clone, Debug, Default)]
pub struct Connection(CancellationToken);

impl Connection {
    /// Ends the connection without a word.
    fn sever(&self) {
        self.0.cancel();
    }

    /// Waits until somebody ends it.
    pub async fn severed(&self) {
        self.0.cancelled().await;
    }
}

/// Put into an answer's extensions: it is not to be sent, its stream is to be reset.
#[derive(Clone, Copy, Debug)]
pub struct Severed;

/// The fault kit of one cluster. Clones share it.
#[derive(Clone)]
pub struct Faults(Arc<Shared>);

struct Shared {
    plan: Mutex<Plan>,
    store: Store,
    node: Faulty,
}

impl Faults {
    pub fn new(store: Store, node: Faulty) -> Faults {
        let seed = fastrand::u64(..);
        tracing::info!(seed, "faults can be asked for: for tests only");
        Faults(Arc::new(Shared { plan: Mutex::new(Plan::new(seed)), store, node }))
    }

    /// The server with the faults in front of it.
    pub fn wrap(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), layer::handle))
    }
}

#[cfg(test)]
mod tests;
