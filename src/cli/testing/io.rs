//! A stand-in for the terminal.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;

use crate::cli::io::{Colour, Io, Screen};

/// What was written; clones see the same.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

impl AsyncWrite for Captured {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Stdout, stderr and the key Ctrl-C.
pub(crate) struct Terminal {
    pub(crate) out: Captured,
    pub(crate) err: Captured,
    pub(crate) ctrl_c: mpsc::Sender<()>,
    interrupts: mpsc::Receiver<()>,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let (ctrl_c, interrupts) = mpsc::channel(4);
        Self { out: Captured::default(), err: Captured::default(), ctrl_c, interrupts }
    }

    /// What a command gets; the captured ends and the key stay.
    pub(crate) fn split(self) -> (Io, Captured, Captured, mpsc::Sender<()>) {
        let io = Io {
            out: Box::new(self.out.clone()),
            err: Box::new(self.err.clone()),
            out_colour: Colour::Plain,
            err_colour: Colour::Plain,
            screen: Screen::Separate,
            interrupts: Box::pin(tokio_stream::wrappers::ReceiverStream::new(self.interrupts)),
        };
        (io, self.out, self.err, self.ctrl_c)
    }
}
