//! Container logs: written in the runtime's format, read as the kubelet serves them.
//!
//! ```text
//! pipes → file::AttemptLog (record::Splitter) → `<root>/pods/<uid>/logs/<container>/<restart>.log`
//!                       ▲
//! pods/log → serve::LogServer → read::Reader → body
//! ```

pub mod clock;
pub mod file;
pub mod read;
pub mod record;
pub mod serve;

#[cfg(test)]
mod tests;
