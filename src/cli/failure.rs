//! What goes wrong in a command, told once: code, reason, what to mend, when to repeat, and the chain of causes.
//!
//! ```text
//! tonic::Status ─ google.rpc details ─▶ Failure ─▶ lines for stderr ─▶ ExitStatus
//! ```

use std::error::Error;
use std::io;
use std::path::PathBuf;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::exit::ExitStatus;
use super::print::text::sanitize;
use super::session::retry::never_connected;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server refused, or could not be asked. Whether repeating helps is in the status.
    #[error("{}", status_line(.0))]
    Call(Box<Status>),
    /// Tried again for as long as allowed; the status is that of the last try.
    #[error("gave up after {seconds} s without progress: {}", status_line(.status))]
    GaveUp {
        /// For how long it was tried, whole seconds.
        seconds: u64,
        /// How the last try ended.
        status: Box<Status>,
    },
    /// Stdout cannot be written to.
    #[error("cannot write to stdout")]
    Output(#[source] io::Error),
    /// A file named by a flag cannot be read.
    #[error("{flag} `{}`: cannot be read", .path.display())]
    File {
        /// The flag.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file named by a flag cannot be written.
    #[error("{flag} `{}`: cannot be written", .path.display())]
    Written {
        /// The flag.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A result came that is not the one the server announced.
    #[error("the result is not to be trusted: {problem}; ask again")]
    Result {
        /// What is wrong.
        problem: String,
    },
    /// A flag's value makes no request.
    #[error("{flag}: {problem}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The server answered something that the contract does not have.
    #[error("the server's answer lacks `{field}`: it does not keep to the contract")]
    Answer {
        /// What is missing.
        field: &'static str,
    },
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Call(Box::new(status))
    }
}

impl Failure {
    /// The exit status that tells it.
    #[must_use]
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitStatus::OUTPUT_CLOSED,
            _ => ExitStatus::PODLAUNCH_FAILED,
        }
    }

    /// All there is to say, in lines. Empty for a stdout that was closed: that is how `head` ends a pipe.
    #[must_use]
    pub fn report(&self) -> Vec<String> {
        if self.exit_status() == ExitStatus::OUTPUT_CLOSED {
            return Vec::new();
        }
        let mut lines = vec![format!("error: {self}")];
        if let Self::Call(status) | Self::GaveUp { status, .. } = self {
            details(status, &mut lines);
            causes(status.source(), &mut lines, status.message());
            if never_connected(status) {
                lines.push("  no server answers there: see --endpoint, or start one with `podlaunch serve`".to_owned());
            }
        } else {
            causes(self.source(), &mut lines, "");
        }
        lines
    }
}

/// Code and message in one line.
pub(super) fn status_line(status: &Status) -> String {
    let name = code_name(status.code());
    match (status.get_details_error_info(), status.message()) {
        (Some(info), message) if !info.reason.is_empty() => {
            format!("{name} / {}: {}", sanitize(&info.reason), sanitize(message))
        }
        (_, "") => name.to_owned(),
        (_, message) => format!("{name}: {}", sanitize(message)),
    }
}

fn details(status: &Status, lines: &mut Vec<String>) {
    let details: ErrorDetails = status.get_error_details();
    if let Some(request) = details.bad_request() {
        for violation in &request.field_violations {
            lines.push(format!("  field {}: {}", sanitize(&violation.field), sanitize(&violation.description)));
        }
    }
    if let Some(failure) = details.precondition_failure() {
        for violation in &failure.violations {
            lines.push(format!(
                "  precondition {} {}: {}",
                sanitize(&violation.r#type),
                sanitize(&violation.subject),
                sanitize(&violation.description)
            ));
        }
    }
    if let Some(failure) = details.quota_failure() {
        for violation in &failure.violations {
            lines.push(format!("  quota {}: {}", sanitize(&violation.subject), sanitize(&violation.description)));
        }
    }
    if let Some(resource) = details.resource_info() {
        lines.push(format!(
            "  {} {}: {}",
            sanitize(&resource.resource_type),
            sanitize(&resource.resource_name),
            sanitize(&resource.description)
        ));
    }
    if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
        lines.push(format!("  repeating can help, after {} s", delay.as_secs_f64()));
    }
}

/// The chain of causes, leaving out what says nothing new.
fn causes(mut source: Option<&(dyn Error + 'static)>, lines: &mut Vec<String>, said: &str) {
    let mut said = vec![said.to_owned(), "transport error".to_owned()];
    while let Some(error) = source {
        let text = error.to_string();
        if !text.is_empty() && !said.iter().any(|said| said.contains(&text)) {
            lines.push(format!("  caused by: {}", sanitize(&text)));
            said.push(text);
        }
        source = error.source();
    }
}

/// The code's name in the contract's words.
pub(super) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_error_with_details_is_told_line_by_line() {
        let mut details = ErrorDetails::new();
        details
            .set_error_info("INVALID_REQUEST", "podlaunch.dev", [])
            .add_bad_request_violation("spec.container.image", "must not be empty")
            .add_bad_request_violation("key.task_id", "is required")
            .set_retry_info(Some(Duration::from_millis(1500)));
        let status = Status::with_error_details(Code::InvalidArgument, "two problems", details);
        let failure = Failure::from(status);
        assert_eq!(
            failure.report(),
            [
                "error: INVALID_ARGUMENT / INVALID_REQUEST: two problems",
                "  field spec.container.image: must not be empty",
                "  field key.task_id: is required",
                "  repeating can help, after 1.5 s",
            ]
        );
        assert_eq!(failure.exit_status(), ExitStatus::PODLAUNCH_FAILED);
    }

    #[test]
    fn causes_follow_once_each() {
        let mut status = Status::unavailable("tcp connect error");
        status.set_source(std::sync::Arc::new(io::Error::other("Connection refused")));
        assert_eq!(
            Failure::from(status).report(),
            ["error: UNAVAILABLE: tcp connect error", "  caused by: Connection refused"]
        );
        let file = Failure::File { flag: "--file", path: PathBuf::from("pod.yaml"), source: io::Error::other("gone") };
        assert_eq!(file.report(), ["error: --file `pod.yaml`: cannot be read", "  caused by: gone"]);
    }

    #[test]
    fn a_closed_pipe_is_quiet() {
        let closed = Failure::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(closed.exit_status(), ExitStatus::OUTPUT_CLOSED);
        assert!(closed.report().is_empty());
        let full = Failure::Output(io::ErrorKind::StorageFull.into());
        assert_eq!(full.exit_status(), ExitStatus::PODLAUNCH_FAILED);
        assert_eq!(full.report().len(), 2);
    }

    #[test]
    fn control_characters_of_others_do_not_reach_the_terminal() {
        let report = Failure::from(Status::internal("a\u{1b}[2Jb\nc")).report();
        assert_eq!(report, [r"error: INTERNAL: a\u{1b}[2Jb c"]);
    }
}
