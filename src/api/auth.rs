//! Who calls: decided once for each call, before anything is decoded.
//!
//! ```text
//! connection and metadata ─▶ Authenticate ─▶ Caller, in the request's extensions ─▶ stops, spans
//!                                        └─▶ UNAUTHENTICATED
//! ```
//!
//! What a listener knows of its callers is the composition root's business; here is only the form.

use std::sync::Arc;

use tonic::service::Interceptor;
use tonic::{Code, Request, Status};

use super::errors::unauthenticated;

/// A caller's name, such as `uid:1000`, `cert:scheduler` or `token:airflow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(pub String);

/// Tells who calls.
pub trait Authenticate: Send + Sync + 'static {
    /// The caller, or why it is not known: what it should show.
    fn authenticate(&self, request: &Request<()>) -> Result<Caller, String>;
}

/// Asks an [`Authenticate`] at each call.
#[derive(Clone)]
pub struct Gate(Arc<dyn Authenticate>);

impl Gate {
    /// A gate that lets through whom `who` knows.
    pub fn new(who: impl Authenticate) -> Gate {
        Gate(Arc::new(who))
    }
}

impl Interceptor for Gate {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        match self.0.authenticate(&request) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                Ok(request)
            }
            Err(what) => {
                let status = unauthenticated(&what);
                debug_assert_eq!(status.code(), Code::Unauthenticated);
                Err(status)
            }
        }
    }
}
