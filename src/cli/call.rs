//! Calls with one answer: bounded in time, repeated for a moment where that can help.

use std::time::Duration;

use tonic::{Request, Response, Status};

use super::failure::Failure;
use super::session::retry::{Backoff, CallEnd, judge, never_connected};

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a call is made at most.
const TRIES: u32 = 5;

/// Makes the call. A server that is not there is an error at once: somebody is waiting for the answer.
pub(super) async fn call<Q, A, F>(request: Q, mut send: impl FnMut(Request<Q>) -> F) -> Result<A, Failure>
where
    Q: Clone,
    F: Future<Output = Result<Response<A>, Status>>,
{
    let mut backoff = Backoff::new();
    let mut tries = 1;
    loop {
        let mut message = Request::new(request.clone());
        message.set_timeout(TIMEOUT);
        let status = match send(message).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => status,
        };
        match judge(&status) {
            CallEnd::Repeat(asked) if tries < TRIES && !never_connected(&status) => {
                tokio::time::sleep(backoff.step(asked)).await;
                tries += 1;
            }
            _ => return Err(status.into()),
        }
    }
}
