//! When a call is worth repeating, and how long to wait before. No clock: times are arguments.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The first wait.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait of our own; a server may ask for more.
const LONGEST: Duration = Duration::from_secs(5);

/// What the end of a call, before response headers, means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallEnd {
    /// Its effect is not known, or it was refused for the moment: repeat it, not before this.
    Repeat(Duration),
    /// It is refused for good.
    Final,
}

/// What this end of a call means: the contract's list of codes.
pub(crate) fn judge(status: &Status) -> CallEnd {
    let asked = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
    match status.code() {
        Code::Unavailable
        | Code::Unknown
        | Code::Internal
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Aborted => CallEnd::Repeat(asked.unwrap_or_default()),
        Code::ResourceExhausted | Code::FailedPrecondition => asked.map_or(CallEnd::Final, CallEnd::Repeat),
        _ => CallEnd::Final,
    }
}

/// Whether no server was reached at all, so that the call had no effect.
pub(crate) fn never_connected(status: &Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// Waits that double from 100 ms to 5 s.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// How long to wait now, at least as long as was asked for.
    pub(crate) fn step(&mut self, asked: Duration) -> Duration {
        let own = self.next;
        self.next = (own * 2).min(LONGEST);
        own.max(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn codes() {
        use Code::*;
        for code in [Unavailable, Unknown, Internal, DeadlineExceeded, Cancelled, Aborted] {
            let status = Status::new(code, "");
            assert_eq!(judge(&status), CallEnd::Repeat(Duration::ZERO), "{code:?}");
        }
        for code in [
            InvalidArgument,
            NotFound,
            AlreadyExists,
            PermissionDenied,
            ResourceExhausted,
            FailedPrecondition,
            OutOfRange,
            Unimplemented,
            DataLoss,
            Unauthenticated,
        ] {
            assert_eq!(judge(&Status::new(code, "")), CallEnd::Final, "{code:?}");
        }
        let delay = Duration::from_secs(7);
        for code in [Unavailable, ResourceExhausted, FailedPrecondition] {
            let details = ErrorDetails::with_retry_info(Some(delay));
            let status = Status::with_error_details(code, "", details);
            assert_eq!(judge(&status), CallEnd::Repeat(delay), "{code:?}");
        }
        let details = ErrorDetails::with_retry_info(Some(delay));
        let status = Status::with_error_details(NotFound, "", details);
        assert_eq!(judge(&status), CallEnd::Final);
    }

    #[test]
    fn waits_double_up_to_a_bound_and_heed_the_server() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..8).map(|_| backoff.step(Duration::ZERO).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        let mut backoff = Backoff::new();
        assert_eq!(backoff.step(Duration::from_secs(9)), Duration::from_secs(9));
        assert_eq!(backoff.step(Duration::ZERO), Duration::from_millis(200));
    }

    #[test]
    fn a_connection_that_never_was_is_told_from_a_lost_one() {
        let mut status = Status::unavailable("");
        assert!(!never_connected(&status));
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        status.set_source(std::sync::Arc::new(tonic::ConnectError(refused.into())));
        assert!(never_connected(&status));
    }
}
