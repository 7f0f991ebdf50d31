//! What a command reads and writes: stdout, stderr, Ctrl-C. Given from outside, so that tests can stand in for a
//! terminal.
//!
//! ```text
//! Io ─▶ Console { out: the task's bytes or JSON, err: all else }   shared by printing and cancelling
//!    └▶ Interrupts                                                 one item for each Ctrl-C
//! ```
//!
//! Writing is asynchronous: a pager that does not read must not keep a Ctrl-C from being noticed.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Mutex;

/// Something to write to.
pub type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// One item for each Ctrl-C. Listening begins when it is first polled: until then a Ctrl-C ends the process as usual.
pub type Interrupts = BoxStream<'static, ()>;

/// Whether text for people may be coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// It goes to a terminal that shows colours.
    Ansi,
    /// Plain text.
    Plain,
}

/// Whether stdout and stderr are shown on one screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// Both are terminals: a line of stderr must not be appended to an unfinished one of stdout.
    Shared,
    /// They go to different places.
    Separate,
}

/// What a command reads and writes.
pub struct Io {
    /// Results: the task's lines, JSON.
    pub out: Output,
    /// All else.
    pub err: Output,
    /// Whether `out` may be coloured.
    pub out_colour: Colour,
    /// Whether `err` may be coloured.
    pub err_colour: Colour,
    /// Whether `out` and `err` are shown together.
    pub screen: Screen,
    /// Ctrl-C.
    pub interrupts: Interrupts,
}

impl Io {
    /// The process's own. Colours only on a terminal, and not where NO_COLOR or the terminal's kind forbids them.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            out: Box::new(tokio::io::stdout()),
            err: Box::new(tokio::io::stderr()),
            out_colour: colour(anstream::AutoStream::choice(&io::stdout())),
            err_colour: colour(anstream::AutoStream::choice(&io::stderr())),
            screen: if io::stdout().is_terminal() && io::stderr().is_terminal() {
                Screen::Shared
            } else {
                Screen::Separate
            },
            interrupts: interrupts(),
        }
    }

    /// Splits it into what is shared and what one owner waits for.
    pub(super) fn into_parts(self) -> (Console, Interrupts) {
        let console = Console {
            out: Arc::new(Mutex::new(self.out)),
            err: Arc::new(Mutex::new(self.err)),
            out_colour: self.out_colour,
            err_colour: self.err_colour,
            screen: self.screen,
            unfinished: Arc::default(),
        };
        (console, self.interrupts)
    }
}

fn colour(choice: anstream::ColorChoice) -> Colour {
    match choice {
        anstream::ColorChoice::Never => Colour::Plain,
        _ => Colour::Ansi,
    }
}

/// Where a command writes. Clones write to the same place.
#[derive(Clone)]
pub(super) struct Console {
    out: Arc<Mutex<Output>>,
    err: Arc<Mutex<Output>>,
    pub(super) out_colour: Colour,
    pub(super) err_colour: Colour,
    screen: Screen,
    /// On a shared screen: the last line of stdout has no newline yet.
    unfinished: Arc<AtomicBool>,
}

impl Console {
    /// Writes to stdout and flushes.
    pub(super) async fn out(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = self.out.lock().await;
        out.write_all(bytes).await?;
        if let (Screen::Shared, Some(last)) = (self.screen, bytes.last()) {
            self.unfinished.store(*last != b'\n', Ordering::Relaxed);
        }
        out.flush().await
    }

    /// Writes a text and a newline to stderr. That nobody reads it is no error: stdout and exit status say enough.
    pub(super) async fn err(&self, text: &str) {
        let mut err = self.err.lock().await;
        let begin = if self.unfinished.swap(false, Ordering::Relaxed) { "\n" } else { "" };
        let line = format!("{begin}{text}\n");
        if err.write_all(line.as_bytes()).await.is_ok() {
            // The same: nobody to tell.
            let _ = err.flush().await;
        }
    }
}

#[cfg(unix)]
fn interrupts() -> Interrupts {
    use tokio::signal::unix::{SignalKind, signal};
    futures::stream::once(async { signal(SignalKind::interrupt()) })
        .filter_map(|signal| async { signal.ok() })
        .flat_map(|signal| {
            futures::stream::unfold(signal, |mut signal| async { signal.recv().await.map(|()| ((), signal)) })
        })
        .boxed()
}

#[cfg(not(unix))]
fn interrupts() -> Interrupts {
    futures::stream::unfold((), |()| async { tokio::signal::ctrl_c().await.ok().map(|()| ((), ())) }).boxed()
}
