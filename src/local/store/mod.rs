//! All objects of the local cluster, in memory.
//!
//! ```text
//! API handlers, scheduler, namespace controller, node agent
//!        │ get / list                 │ create / update / remove  (one lock, never held over an await)
//!        ▼                            ▼
//!   Arc<Value> snapshots        objects + resourceVersion + history ring per kind → Subscription (watches)
//! ```
//!
//! Invariants: one counter gives every write its own `resourceVersion`; an object never changes in place (readers hold `Arc`s);
//! a uid never changes under a name without a DELETED between; an object whose deletion is due (deletionTimestamp, grace 0,
//! no finalizers) is gone by the end of the write that made it so.

mod error;
mod history;
mod kind;
mod meta;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};

pub use error::{Deleting, StoreError};
pub use history::{Change, Changed, Subscription};
pub use kind::Kind;
pub use meta::{Meta, timestamp_micro, timestamp_seconds};
pub(in crate::local) use meta::{SERVER_VERSION, default_service_account, mark_deleted};

use history::Ring;

/// The name of the one node.
pub const NODE_NAME: &str = "local";

/// Changes kept per kind for watches that resume.
const HISTORY: usize = 4096;

/// Objects of one kind; a further one is refused.
const MAX_OBJECTS: usize = 50_000;

type Key = (String, String);

/// A handle on the objects; clones share them.
#[derive(Clone)]
pub struct Store(Arc<Mutex<State>>);

struct State {
    version: u64,
    kinds: BTreeMap<Kind, Shelf>,
}

struct Shelf {
    objects: BTreeMap<Key, Arc<Value>>,
    ring: Ring,
}

impl Default for Store {
    fn default() -> Store {
        Store::new()
    }
}

impl Store {
    /// A store with the namespaces `default` and `kube-system` and the node [`NODE_NAME`].
    pub fn new() -> Store {
        Store::with_history(HISTORY)
    }

    /// As [`Store::new`], keeping only `changes` changes of each kind for resuming watches.
    pub fn with_history(changes: usize) -> Store {
        let kinds = Kind::ALL.map(|kind| {
            let shelf = Shelf { objects: BTreeMap::new(), ring: Ring::new(changes) };
            (kind, shelf)
        });
        let mut state = State { version: 0, kinds: BTreeMap::from(kinds) };
        for namespace in ["default", "kube-system"] {
            state.seed(Kind::Namespace, meta::namespace(namespace));
            state.seed(Kind::ServiceAccount, meta::default_service_account(namespace));
        }
        state.seed(Kind::Node, meta::node(NODE_NAME));
        Store(Arc::new(Mutex::new(state)))
    }

    /// The object now. Cluster-wide kinds ignore `namespace`.
    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.0.lock().find(kind, namespace, name)
    }

    /// The objects of a namespace (or of all), by namespace and name, and the version of the store they belong to.
    pub fn list(&self, kind: Kind, namespace: Option<&str>) -> (Vec<Arc<Value>>, u64) {
        let state = self.0.lock();
        let only = namespace.filter(|_| kind.is_namespaced());
        let first = (only.unwrap_or_default().to_owned(), String::new());
        let shelf = state.kinds.get(&kind).into_iter();
        let objects = shelf.flat_map(|shelf| shelf.objects.range(first.clone()..));
        let wanted = |key: &Key| only.is_none_or(|n| key.0 == n);
        let found = objects.take_while(|(key, _)| wanted(key)).map(|(_, object)| Arc::clone(object));
        (found.collect(), state.version)
    }

    /// The version of the newest write.
    pub fn version(&self) -> u64 {
        self.0.lock().version
    }

    /// Stores a new object; fills apiVersion, kind, uid, resourceVersion, creationTimestamp and, for pods, generation.
    /// A namespaced object needs a namespace that exists and is not terminating.
    pub fn create(&self, kind: Kind, object: Value) -> Result<Arc<Value>, StoreError> {
        let mut state = self.0.lock();
        let key = state.admit(kind, &object)?;
        Ok(state.insert(kind, key, meta::born(kind, object, Timestamp::now())))
    }

    /// What [`Store::create`] would answer, without storing anything (`dryRun=All`). Its resourceVersion is absent.
    pub fn create_dry(&self, kind: Kind, object: Value) -> Result<Value, StoreError> {
        self.0.lock().admit(kind, &object)?;
        Ok(meta::born(kind, object, Timestamp::now()))
    }

    /// Changes an object under the lock. `change` gets a copy; an error drops it, an equal copy is no new version.
    /// Name, namespace, uid and creationTimestamp are kept whatever `change` does. Returns the object as it then is; when the
    /// change made its deletion due, the last state (readers see MODIFIED if the grace period became 0 just now, then DELETED).
    pub fn update<F>(&self, kind: Kind, namespace: &str, name: &str, change: F) -> Result<Arc<Value>, StoreError>
    where
        F: FnOnce(&mut Value) -> Result<(), StoreError>,
    {
        let mut state = self.0.lock();
        let old = state.find_or_err(kind, namespace, name)?;
        let mut new = Value::clone(&old);
        change(&mut new)?;
        meta::keep_identity(&old, &mut new);
        let due = new.is_due();
        if new == *old && !due {
            return Ok(old);
        }
        let key = state.key(kind, namespace, name);
        if !due {
            return Ok(state.replace(kind, key, new));
        }
        // A pod passes through "no grace left" visibly; other kinds just go.
        if kind == Kind::Pod && !old.is_final() {
            new = Value::clone(&state.replace(kind, key.clone(), new));
        }
        Ok(state.take(kind, key, new))
    }

    /// Removes an object at once; one with finalizers is only marked (deletionTimestamp, grace 0) and goes with the last of them.
    /// `uid` is a precondition.
    pub fn remove(&self, kind: Kind, namespace: &str, name: &str, uid: Option<&str>) -> Result<Arc<Value>, StoreError> {
        let mut state = self.0.lock();
        let old = state.find_or_err(kind, namespace, name)?;
        old.check_uid(kind, uid)?;
        let key = state.key(kind, namespace, name);
        let mut last = Value::clone(&old);
        let held = !last.finalizers().is_empty() || (kind == Kind::Namespace && !last["spec"]["finalizers"].is_null());
        if !held {
            return Ok(state.take(kind, key, last));
        }
        meta::mark_deleted(&mut last, Timestamp::now(), 0);
        if last == *old {
            return Ok(old);
        }
        Ok(state.replace(kind, key, last))
    }

    /// The changes after version `from`, or from now on. A version from the future is silent until it has passed.
    pub fn subscribe(&self, kind: Kind, from: Option<u64>) -> Result<Subscription, StoreError> {
        let state = self.0.lock();
        let position = from.unwrap_or(state.version);
        let Some(shelf) = state.kinds.get(&kind) else {
            return Err(StoreError::TooOld { asked: position, oldest: state.version });
        };
        shelf.ring.admit(position)?;
        let wake = shelf.ring.waker();
        drop(state);
        Ok(Subscription::new(self.clone(), kind, position, wake))
    }

    /// Forgets the history for new subscriptions: from before now none can begin. Those that are open go on.
    pub(in crate::local) fn compact(&self) {
        let mut state = self.0.lock();
        // One above: a reader at the newest version is refused too, as after a restart of a real API server.
        state.version += 1;
        let version = state.version;
        state.kinds.values_mut().for_each(|shelf| shelf.ring.compact(version));
    }

    /// The newest version, if nothing of `kind` changed after `position`.
    fn quiet_since(&self, kind: Kind, position: u64) -> Option<u64> {
        let state = self.0.lock();
        let ring = &state.kinds.get(&kind)?.ring;
        (!ring.has_after(position)).then_some(state.version)
    }

    fn with_ring<T>(&self, kind: Kind, read: impl FnOnce(&Ring) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let state = self.0.lock();
        match state.kinds.get(&kind) {
            Some(shelf) => read(&shelf.ring),
            None => Err(StoreError::TooOld { asked: 0, oldest: state.version }),
        }
    }
}

impl State {
    fn key(&self, kind: Kind, namespace: &str, name: &str) -> Key {
        let namespace = if kind.is_namespaced() { namespace } else { "" };
        (namespace.to_owned(), name.to_owned())
    }

    fn find(&self, kind: Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let key = self.key(kind, namespace, name);
        self.kinds.get(&kind)?.objects.get(&key).cloned()
    }

    fn find_or_err(&self, kind: Kind, namespace: &str, name: &str) -> Result<Arc<Value>, StoreError> {
        self.find(kind, namespace, name).ok_or_else(|| StoreError::NotFound { kind, name: name.to_owned() })
    }

    /// Whether the object may be created, and under which key.
    fn admit(&self, kind: Kind, object: &Value) -> Result<Key, StoreError> {
        let name = object.name();
        if name.is_empty() {
            return Err(StoreError::Incomplete { field: "name" });
        }
        let namespace = object.namespace();
        if kind.is_namespaced() {
            if namespace.is_empty() {
                return Err(StoreError::Incomplete { field: "namespace" });
            }
            self.admit_into(kind, name, namespace)?;
        }
        match self.find(kind, namespace, name) {
            None if self.is_full(kind) => Err(StoreError::Full { kind }),
            None => Ok(self.key(kind, namespace, name)),
            Some(other) => Err(StoreError::AlreadyExists {
                kind,
                name: name.to_owned(),
                deleting: if other.is_deleting() { Deleting::Yes } else { Deleting::No },
            }),
        }
    }

    fn is_full(&self, kind: Kind) -> bool {
        self.kinds.get(&kind).is_none_or(|shelf| shelf.objects.len() >= MAX_OBJECTS)
    }

    fn admit_into(&self, kind: Kind, name: &str, namespace: &str) -> Result<(), StoreError> {
        match self.find(Kind::Namespace, "", namespace) {
            None => Err(StoreError::NamespaceMissing { namespace: namespace.to_owned() }),
            Some(home) if home.is_deleting() => {
                Err(StoreError::NamespaceTerminating { kind, name: name.to_owned(), namespace: namespace.to_owned() })
            }
            Some(_) => Ok(()),
        }
    }

    fn seed(&mut self, kind: Kind, object: Value) {
        let key = self.key(kind, object.namespace(), object.name());
        self.insert(kind, key, meta::born(kind, object, Timestamp::now()));
    }

    fn insert(&mut self, kind: Kind, key: Key, object: Value) -> Arc<Value> {
        self.write(kind, key, object, Change::Added)
    }

    fn replace(&mut self, kind: Kind, key: Key, object: Value) -> Arc<Value> {
        self.write(kind, key, object, Change::Modified)
    }

    fn take(&mut self, kind: Kind, key: Key, object: Value) -> Arc<Value> {
        self.write(kind, key, object, Change::Deleted)
    }

    fn write(&mut self, kind: Kind, key: Key, mut object: Value, change: Change) -> Arc<Value> {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let object = Arc::new(object);
        if let Some(shelf) = self.kinds.get_mut(&kind) {
            let previous = match change {
                Change::Deleted => shelf.objects.remove(&key),
                Change::Added | Change::Modified => shelf.objects.insert(key, Arc::clone(&object)),
            };
            shelf.ring.push(Changed { change, object: Arc::clone(&object), previous, resource_version: self.version });
        }
        object
    }
}

#[cfg(test)]
mod tests;
