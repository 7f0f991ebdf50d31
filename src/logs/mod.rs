//! Container logs as a pure rule: the bytes of `GET pods/log?timestamps=true` become lines, and a position from which
//! a later read goes on without giving a line twice.
//!
//! ```text
//!            one body                                        one (pod uid, container, restart)
//!  bytes ─▶ Parser ─▶ pieces ─▶ Aligner ─▶ unsent pieces ─▶ Batch ─▶ Output{Chunk | Gap, Position}
//!            │  prefix → stamp   │ finds the last line sent    │ counts, hashes, cuts at 64 KiB
//!            └─ Trailing         └─ Standing                   └─ tail_check ─▶ Delivery
//! ```
//!
//! [`BodyReader`] joins parser and aligner for one response body; [`Batch`] lives over all bodies of a container's log
//! and owns the [`Position`]. Nothing here does I/O or knows the time: the caller reads, waits and reconnects.
//!
//! What a body proves: nothing by its end. A cut read looks like a whole one, an error text may end a 200, and
//! `sinceTime` filters *records* (lines over 16 KiB are several) in whole seconds. So a line is only handed on when its
//! newline was seen (or when it is too long to be held), and only `tailLines=1` says that a log was read to its end.
//!
//! What cannot be seen: two lines of equal stamp *and* equal bytes are told apart by their number alone, which a
//! rotation takes away. And while no read is open, a clock that is set back and passes the last line sent again before
//! the next read hides the lines stamped in between from a `sinceTime` read.

mod align;
mod batch;
mod body;
mod delivery;
mod error_text;
mod hash;
mod parser;
mod place;
mod position;
mod stamp;
mod tail;

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
pub(crate) mod kubelet;
#[cfg(test)]
mod place_tests;
#[cfg(test)]
pub(crate) mod tests;

pub use align::{Aligned, Aligner, Lost, Opened, Standing};
pub use batch::{Batch, Chunk, Gap, GapCause, Item, Output};
pub use body::{BodyEnd, BodyReader};
pub use delivery::{Delivery, DeliveryBuilder, FirstRead, ReadEnd, TruncatedCause, UnverifiedCause, Verdict};
pub use error_text::is_known_error_text;
pub use parser::{Parsed, Parser, Part, Piece, Trailing, Unfinished};
pub use position::{Counted, FirstLine, LineMark, Position, Rotation, rotation_possible, start_second};
pub use stamp::parse_prefix;
pub use tail::{FirstLineCheck, LineTail, TailBody, TailCheck, first_line_check, first_stamp, tail_agrees};

/// Most bytes of log data in one [`Chunk`] and in one [`Piece`].
pub const MAX_DATA: usize = 64 * 1024;

/// Most lines in one [`Chunk`]: where lines are short, their places take more memory than their bytes.
pub const MAX_LINES: usize = 4096;

/// Most content bytes a container runtime stores in one record; a longer line is several records.
pub const RECORD_LIMIT: usize = 16 * 1024;
