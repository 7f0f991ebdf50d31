//! Empties namespaces that are being deleted, then lets them go.
//!
//! ```text
//! namespace with deletionTimestamp → pods deleted with their grace, all else at once → nothing left → spec.finalizers = [] → gone
//! ```
//!
//! Woken by every deletion in the store; an object held by a finalizer holds the namespace.

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde_json::json;

use crate::local::api::pods::delete as pod_delete;
use crate::local::store::{Change, Changed, Kind, Meta, Store, StoreError, Subscription};

/// Changes looked at together.
const CHUNK: usize = 256;

/// Runs until dropped; after falling behind it looks at every namespace again.
pub(super) async fn run(store: Store) {
    loop {
        let Ok(changes) = subscribe(&store) else {
            return;
        };
        let mut changes = stream::select_all(changes).ready_chunks(CHUNK);
        reconcile(&store);
        while let Some(chunk) = changes.next().await {
            let wakes = |c: &Changed| {
                c.change == Change::Deleted || (c.object["kind"] == "Namespace" && c.object.is_deleting())
            };
            if chunk.iter().flatten().any(wakes) {
                reconcile(&store);
            }
            if chunk.iter().any(Result::is_err) {
                break;
            }
        }
        // Only a lost history ends the loop above; the store itself lives as long as this handle.
        tokio::task::yield_now().await;
    }
}

fn subscribe(store: &Store) -> Result<Vec<BoxStream<'static, Result<Changed, StoreError>>>, StoreError> {
    let kinds = Kind::ALL.into_iter().filter(|k| k.is_namespaced() || *k == Kind::Namespace);
    kinds.map(|kind| store.subscribe(kind, None).map(into_stream)).collect()
}

fn into_stream(subscription: Subscription) -> BoxStream<'static, Result<Changed, StoreError>> {
    stream::unfold(subscription, |mut s| async move { s.next().await.map(|changed| (changed, s)) }).boxed()
}

fn reconcile(store: &Store) {
    for namespace in store.list(Kind::Namespace, None).0 {
        if namespace.is_deleting() {
            empty(store, namespace.name());
        }
    }
}

fn empty(store: &Store, namespace: &str) {
    for kind in Kind::ALL.into_iter().filter(|k| k.is_namespaced()) {
        for object in store.list(kind, Some(namespace)).0 {
            if object.is_deleting() {
                continue;
            }
            let now = jiff::Timestamp::now();
            // Gone already is as good; anything else is met again at the next wake.
            let _ = match kind {
                Kind::Pod => store.update(kind, namespace, object.name(), |pod| {
                    pod_delete::mark(pod, None, now);
                    Ok(())
                }),
                _ => store.remove(kind, namespace, object.name(), Some(object.uid())),
            };
        }
    }
    let left = Kind::ALL.into_iter().filter(|k| k.is_namespaced());
    let is_empty = left.into_iter().all(|kind| store.list(kind, Some(namespace)).0.is_empty());
    if is_empty {
        let _ = store.update(Kind::Namespace, "", namespace, |home| {
            home["spec"]["finalizers"] = json!([]);
            Ok(())
        });
    }
}
