//! The sending side of a stream, with its patience.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::stream::Raw;

/// The stream is closed, or its reader stood still for too long: whoever sends, ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed;

/// Sends to one stream.
#[derive(Clone)]
pub(super) struct Outlet {
    sender: mpsc::Sender<Raw>,
    patience: Duration,
    stalled: Arc<AtomicBool>,
}

impl Outlet {
    pub fn new(sender: mpsc::Sender<Raw>, patience: Duration, stalled: Arc<AtomicBool>) -> Outlet {
        Outlet { sender, patience, stalled }
    }

    /// Sends one item, waiting while the stream is full.
    pub async fn send(&self, raw: Raw) -> Result<(), Closed> {
        use mpsc::error::SendTimeoutError;
        match self.sender.send_timeout(raw, self.patience).await {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Timeout(_)) => {
                self.stalled.store(true, Ordering::Release);
                Err(Closed)
            }
            Err(SendTimeoutError::Closed(_)) => Err(Closed),
        }
    }

    /// Resolves when the reader is gone.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }
}
