//! Watches: newline-ended JSON events on one response body.
//!
//! ```text
//! no version or streaming list: objects as ADDED → bookmark "initial-events-end" ─┐
//! version given ──────────────────────────────────────────────────────────────────┴→ changes, bookmarks, until the timeout
//! too old: one ERROR event with a 410 Status on HTTP 200, then the end
//! ```
//!
//! The body pulls: nothing is queued for a reader that does not read; it holds a place in the store's history and its snapshot of
//! the initial objects. A permit bounds how many bodies are open.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, stream};
use http::{StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::query::{Bookmarks, ListOptions, WatchOptions};
use super::status::ApiError;
use super::view::View;
use crate::local::store::{Change, Changed, Kind, Meta, Store, Subscription};

/// When the first bookmark is due, and the ones after it.
const FIRST_BOOKMARK: Duration = Duration::from_millis(900);
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// How long a version from the future is waited for.
const VERSION_WAIT: Duration = Duration::from_secs(3);
/// Bytes of events put into one chunk of the body.
const CHUNK: usize = 32 * 1024;

/// What a watch needs besides its options.
pub struct WatchContext {
    pub store: Store,
    pub kind: Kind,
    pub namespace: Option<String>,
    pub view: View,
    pub stop: CancellationToken,
    pub permit: OwnedSemaphorePermit,
}

/// Answers a watch.
pub fn respond(context: WatchContext, list: &ListOptions, watch: &WatchOptions) -> Response {
    let timeout = watch.timeout_seconds.map(Duration::from_secs);
    let mut watcher = Watcher {
        filter: Filter { namespace: context.namespace, list: list.clone() },
        store: context.store,
        kind: context.kind,
        view: context.view,
        bookmarks: watch.bookmarks,
        stop: context.stop,
        end: timeout.map(|t| Instant::now() + t),
        bookmark_at: Instant::now() + FIRST_BOOKMARK,
        phase: match watch.from {
            Some(version) => Phase::Resume(version),
            None => Phase::Begin(watch.not_older_than),
        },
        _permit: context.permit,
    };
    watcher.start();
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache, private")];
    (StatusCode::OK, headers, Body::from_stream(watcher.into_stream())).into_response()
}

/// Which objects a watch shows.
struct Filter {
    namespace: Option<String>,
    list: ListOptions,
}

impl Filter {
    fn shows(&self, object: &Value) -> bool {
        self.namespace.as_deref().is_none_or(|n| object.namespace() == n)
            && self.list.labels.matches(object)
            && self.list.fields.matches(object)
    }

    /// The event a change is to this watcher: an object that leaves its view is deleted for it, one that enters is added.
    fn event(&self, changed: &Changed) -> Option<(&'static str, Arc<Value>)> {
        let before = changed.previous.as_ref().filter(|p| self.shows(p));
        let now = self.shows(&changed.object);
        match (changed.change, before, now) {
            (Change::Deleted, Some(_), _) => Some(("DELETED", Arc::clone(&changed.object))),
            (Change::Deleted, None, _) => None,
            (_, Some(_), true) => Some(("MODIFIED", Arc::clone(&changed.object))),
            (_, None, true) => Some(("ADDED", Arc::clone(&changed.object))),
            (_, Some(old), false) => {
                let mut last = Value::clone(old);
                last["metadata"]["resourceVersion"] = json!(changed.resource_version.to_string());
                Some(("DELETED", Arc::new(last)))
            }
            (_, None, false) => None,
        }
    }
}

enum Phase {
    /// Begin with the objects, once the store has this version.
    Begin(u64),
    /// Objects still to be sent, then live after this version.
    Initial(VecDeque<Arc<Value>>, u64),
    Resume(u64),
    Live(Subscription),
    Over,
}

struct Watcher {
    filter: Filter,
    store: Store,
    kind: Kind,
    view: View,
    bookmarks: Bookmarks,
    stop: CancellationToken,
    end: Option<Instant>,
    bookmark_at: Instant,
    phase: Phase,
    _permit: OwnedSemaphorePermit,
}

impl Watcher {
    fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut watcher| async move {
            let chunk = watcher.next_chunk().await?;
            Some((Ok(Bytes::from(chunk)), watcher))
        })
    }

    async fn next_chunk(&mut self) -> Option<Vec<u8>> {
        loop {
            let chunk = match std::mem::replace(&mut self.phase, Phase::Over) {
                Phase::Begin(version) => self.begin(version).await?,
                Phase::Initial(objects, version) => self.initial(objects, version),
                Phase::Resume(version) => self.resume(version),
                Phase::Live(subscription) => self.live(subscription).await?,
                Phase::Over => return None,
            };
            if !chunk.is_empty() {
                return Some(chunk);
            }
        }
    }

    /// A watch shows what is there when it is asked for, not when its body is first read.
    fn start(&mut self) {
        if matches!(self.phase, Phase::Begin(version) if version <= self.store.version()) {
            self.snapshot();
        }
    }

    fn snapshot(&mut self) {
        let (objects, version) = self.store.list(self.kind, self.filter.namespace.as_deref());
        let shown = objects.into_iter().filter(|o| self.filter.shows(o)).collect();
        self.phase = Phase::Initial(shown, version);
    }

    async fn begin(&mut self, version: u64) -> Option<Vec<u8>> {
        if !await_version(&self.store, self.kind, version).await {
            return Some(error_event(&ApiError::version_too_large(version, self.store.version())));
        }
        self.snapshot();
        Some(Vec::new())
    }

    fn initial(&mut self, mut objects: VecDeque<Arc<Value>>, version: u64) -> Vec<u8> {
        let mut chunk = Vec::new();
        while let Some(object) = objects.pop_front() {
            self.write("ADDED", &object, &mut chunk);
            if chunk.len() >= CHUNK {
                self.phase = Phase::Initial(objects, version);
                return chunk;
            }
        }
        if self.bookmarks == Bookmarks::Allowed {
            let mut mark = bookmark(self.kind, version);
            mark["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
            self.write("BOOKMARK", &mark, &mut chunk);
        }
        self.phase = Phase::Resume(version);
        chunk
    }

    fn resume(&mut self, version: u64) -> Vec<u8> {
        match self.store.subscribe(self.kind, Some(version)) {
            Ok(subscription) => {
                self.phase = Phase::Live(subscription);
                Vec::new()
            }
            Err(error) => error_event(&error.into()),
        }
    }

    async fn live(&mut self, mut subscription: Subscription) -> Option<Vec<u8>> {
        let mut chunk = Vec::new();
        let end = self.end;
        let over = async move {
            match end {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return None,
            () = over => return None,
            changed = subscription.next() => match changed? {
                Ok(changed) => self.take(&changed, &mut chunk),
                Err(error) => return Some(error_event(&error.into())),
            },
            () = tokio::time::sleep_until(self.bookmark_at), if self.bookmarks == Bookmarks::Allowed => {
                // While changes are still unread a bookmark would skip them; they come first and this branch comes again.
                if let Some(version) = subscription.caught_up() {
                    self.write("BOOKMARK", &bookmark(self.kind, version), &mut chunk);
                    self.bookmark_at = Instant::now() + BOOKMARK_EVERY;
                }
            }
        }
        self.drain(&mut subscription, &mut chunk);
        self.phase = Phase::Live(subscription);
        Some(chunk)
    }

    /// Adds what is ready to the chunk; an error is met again by the next wait.
    fn drain(&self, subscription: &mut Subscription, chunk: &mut Vec<u8>) {
        while !chunk.is_empty() && chunk.len() < CHUNK {
            match subscription.ready() {
                Some(changed) => self.take(&changed, chunk),
                None => return,
            }
        }
    }

    fn take(&self, changed: &Changed, chunk: &mut Vec<u8>) {
        if let Some((kind, object)) = self.filter.event(changed) {
            self.write(kind, &object, chunk);
        }
    }

    fn write(&self, kind: &str, object: &Value, into: &mut Vec<u8>) {
        let shown = match kind {
            "BOOKMARK" => None,
            _ => self.view.of_one(self.kind, object),
        };
        let body = shown.as_ref().unwrap_or(object);
        into.extend_from_slice(format!("{{\"type\":\"{kind}\",\"object\":{body}}}\n").as_bytes());
    }
}

/// Whether the store reached a version within [`VERSION_WAIT`].
pub async fn await_version(store: &Store, kind: Kind, version: u64) -> bool {
    let deadline = Instant::now() + VERSION_WAIT;
    while store.version() < version {
        let Ok(mut changes) = store.subscribe(kind, None) else {
            return false;
        };
        let tick = Instant::now() + Duration::from_millis(100);
        let wake = tokio::time::timeout_at(tick.min(deadline), changes.next()).await;
        if wake.is_err() && Instant::now() >= deadline {
            return store.version() >= version;
        }
    }
    true
}

fn bookmark(kind: Kind, version: u64) -> Value {
    let mut mark = json!({
        "kind": kind.name(), "apiVersion": kind.api_version(),
        "metadata": {"resourceVersion": version.to_string()},
    });
    if kind == Kind::Pod {
        mark["spec"] = json!({"containers": null});
        mark["status"] = json!({});
    }
    mark
}

fn error_event(error: &ApiError) -> Vec<u8> {
    format!("{{\"type\":\"ERROR\",\"object\":{}}}\n", error.to_status()).into_bytes()
}
