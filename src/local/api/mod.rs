//! A small Kubernetes API server over the [`Store`].
//!
//! ```text
//! request → route (path → Route) → discovery | resource handlers → Store
//!                                      │            ├ watch   (stream from the store's history)
//!                                      │            └ logs    (NodeLogs of the node agent)
//!                                      └ errors as Status objects, in Kubernetes' words
//! background: scheduler (binds pods to the one node), namespaces (empties those being deleted), events and pods (their limits)
//! ```
//!
//! The router is plain axum: `kube::Client::new(router, "default")` works in process, [`super::serve`] puts TLS before it.

mod decode;
mod delete;
mod discovery;
mod openapi;
mod patch;
pub(in crate::local) mod pods;
mod protobuf;
mod query;
mod resource;
mod route;
mod selector;
mod status;
mod table;
mod validate;
mod view;
mod watch;
mod write;

pub mod controllers;
mod logs;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::local::node::logs_api::NodeLogs;
use crate::local::store::Store;
pub(in crate::local) use route::{Route, Target, route};
pub use status::ApiError;

/// Open watches and log bodies; a further one is answered 429.
const MAX_STREAMS: usize = 32_768;

/// What the handlers share; clones share it too.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

struct Parts {
    store: Store,
    logs: Arc<dyn NodeLogs>,
    streams: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Api {
    /// `stop` ends every open watch and log body when cancelled.
    pub fn new(store: Store, logs: Arc<dyn NodeLogs>, stop: CancellationToken) -> Api {
        Api(Arc::new(Parts { store, logs, streams: Arc::new(Semaphore::new(MAX_STREAMS)), stop }))
    }

    /// The server's routes.
    pub fn router(&self) -> Router {
        Router::new().fallback(handle).with_state(self.clone())
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    fn logs(&self) -> &dyn NodeLogs {
        self.0.logs.as_ref()
    }

    fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    fn stream_permit(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let free = Arc::clone(&self.0.streams).try_acquire_owned();
        free.map_err(|_| ApiError::too_many_streams())
    }
}

async fn handle(State(api): State<Api>, request: Request) -> Response {
    let answer = match route(request.uri().path()) {
        Route::Resource(target) => resource::handle(&api, target, request).await,
        Route::NoResource => Err(ApiError::no_such_resource()),
        Route::NoPath => Ok(plain(StatusCode::NOT_FOUND, "404 page not found\n")),
        Route::Health => Ok(plain(StatusCode::OK, "ok")),
        found => discovery::answer(&found, &request),
    };
    answer.unwrap_or_else(IntoResponse::into_response)
}

fn plain(code: StatusCode, text: &'static str) -> Response {
    (code, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

#[cfg(test)]
pub(in crate::local) mod testing;
