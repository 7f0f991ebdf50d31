//! What the first Ctrl-C does: asks for the task's stop until the server has it.

use std::time::Duration;

use tokio::sync::watch;
use tonic::Code;

use crate::cli::failure::Failure;
use crate::cli::io::Console;
use crate::cli::query::send_cancel;
use crate::cli::session::Client;
use crate::cli::session::retry::{CallEnd, judge};
use crate::proto::v1;

/// Between two tries while the server cannot be reached.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks for a task's stop.
pub(super) struct Stop {
    pub(super) client: Client,
    /// The key as it was asked for: good before the server has named it in full.
    pub(super) asked: v1::TaskKey,
    /// The key as the server accepted it; none while the launch is on its way.
    pub(super) known: watch::Receiver<Option<v1::TaskKey>>,
}

impl Stop {
    /// Returns when the stop is recorded, or refused for good; both are told on stderr.
    pub(super) async fn run(mut self, console: &Console) {
        let note = console.err("cancelling; Ctrl-C again leaves without waiting for the end");
        // Beside each other: a stderr that nobody reads must not hold the cancel back.
        let ((), sent) = tokio::join!(note, self.send());
        let Err(failure) = sent else {
            return;
        };
        for line in failure.report() {
            console.err(&line).await;
        }
        console.err("the task could not be cancelled; Ctrl-C again leaves it running").await;
    }

    async fn send(&mut self) -> Result<(), Failure> {
        loop {
            let known = self.known.borrow_and_update().clone();
            let accepted = known.is_some();
            let request = v1::CancelTaskRequest {
                key: Some(known.unwrap_or_else(|| self.asked.clone())),
                reason: "interrupted (Ctrl-C)".to_owned(),
                ..Default::default()
            };
            let status = match send_cancel(request, &self.client).await {
                Ok(_) => return Ok(()),
                Err(Failure::Call(status)) => status,
                Err(failure) => return Err(failure),
            };
            let wait = match judge(&status) {
                CallEnd::Repeat(asked) => asked.max(PAUSE),
                // The launch is still on its way: there is nothing to stop until it has arrived.
                CallEnd::Final if status.code() == Code::NotFound && !accepted => {
                    if self.known.changed().await.is_err() {
                        return Err(Failure::Call(status));
                    }
                    continue;
                }
                CallEnd::Final => return Err(Failure::Call(status)),
            };
            tokio::time::sleep(wait).await;
        }
    }
}
