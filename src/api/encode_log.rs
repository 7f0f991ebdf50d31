//! Log lines, gaps and verdicts → the message.

use super::time::timestamp;
use crate::executor::{ContainerDelivery, GapCause, LogGap};
use crate::logs::{Chunk, Delivery, FirstRead, TruncatedCause, UnverifiedCause, Verdict};
use crate::proto::v1;

/// A chunk of lines.
pub(super) fn chunk(container: String, restart: u32, chunk: Chunk) -> v1::LogChunk {
    let mut line_ends = chunk.line_ends;
    // The contract lists the ends of lines that have a newline; the last line of a log may have none.
    let unended = line_ends.last().is_some_and(|end| {
        let before = usize::try_from(*end).ok().and_then(|end| end.checked_sub(1));
        before.and_then(|at| chunk.data.get(at)) != Some(&b'\n')
    });
    if unended {
        line_ends.pop();
    }
    v1::LogChunk {
        container,
        restart,
        stream: v1::LogStream::Unspecified.into(),
        first_line: chunk.first_line,
        data: chunk.data,
        line_ends,
        first_time: Some(timestamp(chunk.first_stamp)),
        time_deltas: chunk.deltas,
        continues: chunk.continues,
    }
}

/// Missing lines.
pub(super) fn gap(container: String, restart: u32, gap: &LogGap) -> v1::LogGap {
    let cause = match gap.cause {
        GapCause::Rotated => v1::LogLossCause::Rotated,
        GapCause::Restarted => v1::LogLossCause::Restarted,
    };
    v1::LogGap {
        container,
        restart,
        cause: cause.into(),
        lines: None,
        after_time: gap.after.map(timestamp),
        before_time: None,
    }
}

/// What a chain of streams got of all logs.
pub(super) fn delivery(containers: &[ContainerDelivery]) -> v1::Delivery {
    v1::Delivery { containers: containers.iter().map(container_delivery).collect() }
}

/// What a chain of streams got of one log. Without a verdict nothing is known to be missing, and
/// nothing is known.
pub(super) fn container_delivery(end: &ContainerDelivery) -> v1::ContainerDelivery {
    let known = end.delivery.as_ref();
    let (verdict, cause) = known
        .map_or((v1::DeliveryVerdict::Unverified, v1::LogLossCause::Unknown), |delivery| verdict(&delivery.verdict));
    let count = |read: fn(&Delivery) -> u64| known.map_or(0, read);
    v1::ContainerDelivery {
        container: end.container.clone(),
        restart: end.restart,
        verdict: verdict.into(),
        cause: cause.into(),
        lines: count(|delivery| delivery.lines),
        bytes: count(|delivery| delivery.bytes),
        gaps: u32::try_from(count(|delivery| delivery.gaps)).unwrap_or(u32::MAX),
        ended_mid_line: known.is_some_and(|delivery| delivery.ended_mid_line),
        first_read: first_read(known.and_then(|delivery| delivery.first_read_opened)).into(),
    }
}

fn verdict(verdict: &Verdict) -> (v1::DeliveryVerdict, v1::LogLossCause) {
    match verdict {
        Verdict::Complete => (v1::DeliveryVerdict::Complete, v1::LogLossCause::Unspecified),
        Verdict::NotRequested => (v1::DeliveryVerdict::NotRequested, v1::LogLossCause::Unspecified),
        Verdict::Unverified(cause) => (v1::DeliveryVerdict::Unverified, unverified(*cause)),
        Verdict::Truncated(cause) => (v1::DeliveryVerdict::Truncated, truncated(*cause)),
    }
}

fn unverified(cause: UnverifiedCause) -> v1::LogLossCause {
    match cause {
        UnverifiedCause::Rotated => v1::LogLossCause::Rotated,
        UnverifiedCause::PodDeleted => v1::LogLossCause::PodDeleted,
    }
}

fn truncated(cause: TruncatedCause) -> v1::LogLossCause {
    match cause {
        TruncatedCause::DrainTimeout => v1::LogLossCause::WaitExceeded,
        TruncatedCause::NodeUnreachable => v1::LogLossCause::NodeUnreachable,
        TruncatedCause::PodGone => v1::LogLossCause::PodDeleted,
        TruncatedCause::LogRemoved => v1::LogLossCause::ContainerRemoved,
        TruncatedCause::Refused => v1::LogLossCause::Forbidden,
        TruncatedCause::Restarted => v1::LogLossCause::Restarted,
    }
}

fn first_read(at: Option<FirstRead>) -> v1::FirstRead {
    match at {
        None => v1::FirstRead::Unspecified,
        Some(FirstRead::AtStart) => v1::FirstRead::AtStart,
        Some(FirstRead::WhileRunning) => v1::FirstRead::WhileRunning,
        Some(FirstRead::AfterEnd) => v1::FirstRead::AfterEnd,
    }
}
