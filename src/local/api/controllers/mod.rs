//! What happens without a request.
//!
//! ```text
//! scheduler:  unbound pod → fits the node? → nodeName + PodScheduled | PodScheduled=False + Event
//! namespaces: deletionTimestamp → everything in it deleted → the namespace goes
//! events:     older than an hour, or too many → removed
//! podgc:      deleted but never bound → Failed; too many terminal pods → the oldest deleted
//! ```
//!
//! Each is a task owned by [`Controllers`]; dropping it ends them.

mod events;
mod fit;
mod namespaces;
mod podgc;
mod scheduler;

use tokio::task::JoinSet;

use crate::local::store::Store;

/// The running controllers.
pub struct Controllers(JoinSet<()>);

impl Controllers {
    /// Starts them all. Needs a tokio runtime.
    pub fn start(store: &Store) -> Controllers {
        let mut tasks = JoinSet::new();
        tasks.spawn(scheduler::run(store.clone()));
        tasks.spawn(namespaces::run(store.clone()));
        tasks.spawn(events::run(store.clone()));
        tasks.spawn(podgc::run(store.clone()));
        Controllers(tasks)
    }

    /// Ends them and waits until they are gone.
    pub async fn shutdown(mut self) {
        self.0.shutdown().await;
    }
}
