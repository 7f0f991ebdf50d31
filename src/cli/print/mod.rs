//! What a command prints.
//!
//! ```text
//! session::Update ─▶ Printer ─┬─ Text   lines ─▶ stdout, transcript and report ─▶ stderr
//!                             └─ Json   json, one object a line ─▶ stdout, trouble ─▶ stderr
//! ```

pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod names;
pub(crate) mod report;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod transcript;

use std::time::Duration;

use super::args::Format;
use super::failure::{Failure, status_line};
use super::io::Console;
use super::session::{Retrying, Update};
use crate::proto::v1;
use lines::{Lines, Marks};
use transcript::Transcript;
use v1::event::Body;

/// Waits and repetitions shorter than this are not worth a line.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// What of a task's life is told on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Story {
    /// All of it: `run`.
    Whole,
    /// Only what is missing of the logs: `logs`.
    Losses,
}

/// Prints a task's updates as they come.
pub(crate) struct Printer {
    console: Console,
    how: How,
    /// The trouble that was told last: the same is not told again.
    trouble: Option<String>,
}

enum How {
    Text { lines: Lines, transcript: Transcript },
    Json,
}

impl Printer {
    pub(crate) fn new(console: Console, format: Format, marks: Marks, story: Story) -> Self {
        let how = match format {
            Format::Text => How::Text {
                lines: Lines::new(marks, console.out_colour),
                transcript: Transcript::new(console.err_colour, story),
            },
            Format::Json => How::Json,
        };
        Self { console, how, trouble: None }
    }

    /// Prints an update. An error is stdout's.
    pub(crate) async fn show(&mut self, update: &Update) -> Result<(), Failure> {
        match update {
            Update::Retrying(retrying) => {
                self.retrying(retrying).await;
                return Ok(());
            }
            Update::Resumed => {
                if self.trouble.take().is_some() {
                    self.console.err("connection restored").await;
                }
                return Ok(());
            }
            Update::Event(_) => self.trouble = None,
            Update::Accepted(_) | Update::EndOfAvailable(_) | Update::Validated(_) => {}
        }
        match &mut self.how {
            How::Text { lines, transcript } => {
                if let Update::Event(v1::Event { body: Some(Body::LogChunk(chunk)), .. }) = update {
                    let bytes = lines.render(chunk);
                    return self.console.out(&bytes).await.map_err(Failure::Output);
                }
                for line in transcript.lines(update) {
                    self.console.err(&line).await;
                }
                Ok(())
            }
            How::Json => match json(update) {
                Some(line) => self.console.out(&line).await.map_err(Failure::Output),
                None => Ok(()),
            },
        }
    }

    async fn retrying(&mut self, retrying: &Retrying) {
        if retrying.tries < 2 && retrying.delay < WORTH_TELLING {
            return;
        }
        let trouble = status_line(&retrying.status);
        if self.trouble.as_ref() != Some(&trouble) {
            self.console.err(&format!("{trouble}; trying again")).await;
            self.trouble = Some(trouble);
        }
    }
}

fn json(update: &Update) -> Option<Vec<u8>> {
    Some(match update {
        Update::Accepted(accepted) => json::line(&json::accepted(accepted)),
        Update::Event(event) => json::line(&json::EventJson::of(event)?),
        Update::EndOfAvailable(end) => json::line(&json::end_of_available(end)),
        Update::Validated(validated) => json::line(&json::ValidatedJson::of(validated)),
        Update::Retrying(_) | Update::Resumed => return None,
    })
}
