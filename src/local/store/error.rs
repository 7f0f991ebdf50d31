//! Why the store refused.

use super::Kind;

/// A refusal of the store. None is worth a blind retry except [`StoreError::Conflict`], after a fresh read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("{} \"{name}\" not found", kind.qualified())]
    NotFound { kind: Kind, name: String },
    #[error("{} \"{name}\" already exists", kind.qualified())]
    AlreadyExists { kind: Kind, name: String, deleting: Deleting },
    /// A uid or resourceVersion the caller insisted on is not the stored one; `message` is the precondition's own words.
    #[error("{message}")]
    Conflict { kind: Kind, name: String, message: String },
    #[error("namespaces \"{namespace}\" not found")]
    NamespaceMissing { namespace: String },
    #[error("namespace {namespace} is being terminated")]
    NamespaceTerminating { kind: Kind, name: String, namespace: String },
    /// The history does not reach back to the asked version: list again.
    #[error("too old resource version: {asked} ({oldest})")]
    TooOld { asked: u64, oldest: u64 },
    #[error("an object without metadata.{field} cannot be stored")]
    Incomplete { field: &'static str },
    /// The bound on objects of one kind is reached: delete some.
    #[error("no room for more {}", kind.plural())]
    Full { kind: Kind },
    /// The closure given to [`super::Store::update`] changed its mind; nothing was written.
    #[error("the update was given up")]
    Aborted,
}

/// Whether the object that is in the way is itself on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleting {
    Yes,
    No,
}
