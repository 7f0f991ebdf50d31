//! The end of a task in lines for people: what became of it, why, and what can be done.

use std::fmt::Write as _;

use super::names::name;
use super::text::{WARN, kubernetes, sanitize, span, state_style, styled};
use crate::cli::io::Colour;
use crate::proto::v1;

/// One line with state and reason, and what is to be known beside it. Nothing beside a success of which all logs came.
pub(crate) fn termination(end: &v1::Termination, colour: Colour) -> (String, Vec<String>) {
    let unknown = v1::Outcome::default();
    let outcome = end.outcome.as_ref().unwrap_or(&unknown);
    let state = outcome.state();
    let mut summary = styled(colour, state_style(state), &name::<v1::TaskState>(outcome.state));
    let plain = state == v1::TaskState::Succeeded && outcome.reason() == v1::Reason::Completed;
    if !plain {
        let _ = write!(summary, " {}", name::<v1::Reason>(outcome.reason));
    }
    let mut details = Vec::new();
    if !plain {
        causes(outcome, &mut details);
        details.extend(outcome.times.as_ref().and_then(timings));
        message(end, outcome, &mut details);
    }
    details.extend(outcome.result.as_ref().map(result));
    let losses = losses(end);
    details.extend(losses.iter().map(|loss| styled(colour, WARN, loss)));
    (summary, details)
}

fn result(result: &v1::TaskResult) -> String {
    let size = result.size_bytes.map_or_else(String::new, |size| format!(", {size} bytes"));
    let how = match result.state() {
        v1::ResultState::Inline | v1::ResultState::Stored => "; `podlaunch result` prints it",
        v1::ResultState::Missing => ": the task wrote none",
        v1::ResultState::TooLarge => ": it was not taken",
        v1::ResultState::Gone => ": it was lost with the pod",
        v1::ResultState::Unreadable => ": it is no file that may be read",
        v1::ResultState::Unspecified => "",
    };
    format!("result: {}{size}{how}", name::<v1::ResultState>(result.state))
}

fn causes(outcome: &v1::Outcome, details: &mut Vec<String>) {
    let words = kubernetes(&outcome.kubernetes_reason, &outcome.kubernetes_message);
    if !words.is_empty() {
        details.push(format!("Kubernetes: {words}"));
    }
    if outcome.timeout != 0 {
        let timeout = name::<v1::TimeoutKind>(outcome.timeout);
        details.push(format!("ended by its {} timeout", timeout.to_lowercase()));
    }
    if let Some(stop) = &outcome.stop {
        details.push(stopped(stop));
    }
    if let Some(code) = outcome.exit_code {
        let signal = outcome.signal.map_or_else(String::new, |signal| format!(", signal {signal}"));
        details.push(format!("exit code: {code}{signal}"));
    }
    if outcome.oom_killed {
        details.push("killed for want of memory".to_owned());
    }
    if outcome.origin != 0 {
        details.push(format!("origin: {}", name::<v1::Origin>(outcome.origin)));
    }
    if outcome.retry_advice != 0 {
        details.push(format!(
            "another attempt: {}{}",
            name::<v1::RetryAdvice>(outcome.retry_advice),
            advice(outcome.retry_advice())
        ));
    }
    if !matches!(outcome.certainty(), v1::Certainty::Observed | v1::Certainty::Unspecified) {
        details.push(format!("certainty: {}", name::<v1::Certainty>(outcome.certainty)));
    }
}

/// How long what took, as far as the times are known.
fn timings(times: &v1::TaskTimes) -> Option<String> {
    let step = |name: &str, from: &Option<prost_types::Timestamp>, to: &Option<prost_types::Timestamp>| {
        let seconds = to.as_ref()?.seconds.checked_sub(from.as_ref()?.seconds)?.max(0);
        Some(format!("{name} {}", span(&prost_types::Duration { seconds, nanos: 0 })))
    };
    let steps = [
        step("waited for a node", &times.created_time, &times.scheduled_time),
        step("started in", &times.scheduled_time, &times.started_time),
        step("ran", &times.started_time, &times.finished_time),
    ];
    let known: Vec<String> = steps.into_iter().flatten().collect();
    (!known.is_empty()).then(|| format!("times: {}", known.join(", ")))
}

fn stopped(stop: &v1::StopInfo) -> String {
    let mut text = format!("stopped by {}", name::<v1::StopCause>(stop.cause));
    if !stop.caller.is_empty() {
        let _ = write!(text, " of {}", sanitize(&stop.caller));
    }
    if !stop.reason.is_empty() {
        let _ = write!(text, ": {}", sanitize(&stop.reason));
    }
    text
}

fn advice(advice: v1::RetryAdvice) -> &'static str {
    match advice {
        v1::RetryAdvice::SafeNeverStarted => " (it never started)",
        v1::RetryAdvice::MayHaveSideEffects => " (it may have done some of its work)",
        v1::RetryAdvice::Useless => " (the same would happen again)",
        v1::RetryAdvice::Unspecified => "",
    }
}

/// The termination message, unless the user has it: as Kubernetes' words, or as the last lines of a log that came.
fn message(end: &v1::Termination, outcome: &v1::Outcome, details: &mut Vec<String>) {
    let text = String::from_utf8_lossy(&outcome.termination_message);
    let log_came = end
        .delivery
        .iter()
        .flat_map(|delivery| &delivery.containers)
        .any(|delivery| delivery.container == outcome.container && delivery.lines > 0);
    let text = text.trim();
    if text.is_empty() || log_came || outcome.kubernetes_message.contains(text) {
        return;
    }
    let of = if outcome.container.is_empty() { String::new() } else { format!(" of {}", sanitize(&outcome.container)) };
    details.push(format!("message{of}:"));
    details.extend(text.lines().map(|line| format!("  {}", sanitize(line))));
}

/// One line for each log of which not all is known to have come.
pub(crate) fn losses(end: &v1::Termination) -> Vec<String> {
    let deliveries = end.delivery.iter().flat_map(|delivery| &delivery.containers);
    deliveries
        .filter(|delivery| {
            !matches!(delivery.verdict(), v1::DeliveryVerdict::Complete | v1::DeliveryVerdict::NotRequested)
        })
        .map(|delivery| {
            let mut text =
                format!("log of {}: {}", sanitize(&delivery.container), name::<v1::DeliveryVerdict>(delivery.verdict));
            if delivery.cause != 0 {
                let _ = write!(text, " ({})", name::<v1::LogLossCause>(delivery.cause));
            }
            let _ = write!(text, ", {} lines came", delivery.lines);
            text
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_error() -> v1::Outcome {
        v1::Outcome {
            state: v1::TaskState::Failed.into(),
            reason: v1::Reason::StartError.into(),
            kubernetes_reason: "StartError".to_owned(),
            kubernetes_message: "exec: \"Python\": executable file not found in $PATH".to_owned(),
            origin: v1::Origin::User.into(),
            retry_advice: v1::RetryAdvice::SafeNeverStarted.into(),
            certainty: v1::Certainty::Observed.into(),
            ..Default::default()
        }
    }

    fn end(outcome: v1::Outcome, containers: Vec<v1::ContainerDelivery>) -> v1::Termination {
        v1::Termination { outcome: Some(outcome), delivery: Some(v1::Delivery { containers }) }
    }

    #[test]
    fn a_success_is_one_word() {
        let outcome = v1::Outcome {
            state: v1::TaskState::Succeeded.into(),
            reason: v1::Reason::Completed.into(),
            exit_code: Some(0),
            ..Default::default()
        };
        let (summary, details) = termination(&end(outcome, vec![]), Colour::Plain);
        assert_eq!(summary, "SUCCEEDED");
        assert!(details.is_empty(), "{details:?}");
    }

    #[test]
    fn a_failure_says_why_in_kubernetes_words_and_what_can_be_done() {
        let (summary, details) = termination(&end(start_error(), vec![]), Colour::Plain);
        assert_eq!(summary, "FAILED START_ERROR");
        assert_eq!(
            details,
            [
                "Kubernetes: StartError: exec: \"Python\": executable file not found in $PATH",
                "origin: USER",
                "another attempt: SAFE_NEVER_STARTED (it never started)",
            ]
        );
    }

    #[test]
    fn stops_timeouts_and_codes_are_named() {
        let outcome = v1::Outcome {
            state: v1::TaskState::Cancelled.into(),
            reason: v1::Reason::CancelledByCaller.into(),
            exit_code: Some(143),
            signal: Some(15),
            timeout: v1::TimeoutKind::Execution.into(),
            certainty: v1::Certainty::Inferred.into(),
            stop: Some(v1::StopInfo {
                cause: v1::StopCause::Cancel.into(),
                caller: "alice".to_owned(),
                reason: "too slow".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let (summary, details) = termination(&end(outcome, vec![]), Colour::Plain);
        assert_eq!(summary, "CANCELLED CANCELLED_BY_CALLER");
        assert_eq!(
            details,
            [
                "ended by its execution timeout",
                "stopped by CANCEL of alice: too slow",
                "exit code: 143, signal 15",
                "certainty: INFERRED",
            ]
        );
    }

    #[test]
    fn how_long_what_took() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let times = |created_time, scheduled_time, started_time, finished_time| v1::TaskTimes {
            created_time,
            scheduled_time,
            started_time,
            finished_time,
        };
        let whole = times(at(10), at(12), at(75), at(3675));
        assert_eq!(timings(&whole).as_deref(), Some("times: waited for a node 2s, started in 1m3s, ran 1h"));
        assert_eq!(timings(&times(at(10), at(10), None, None)).as_deref(), Some("times: waited for a node 0s"));
        assert_eq!(timings(&times(None, None, at(9), at(8))).as_deref(), Some("times: ran 0s"), "clocks differ");
        assert_eq!(timings(&v1::TaskTimes::default()), None);
        let outcome = v1::Outcome { times: Some(whole), ..start_error() };
        let (_, details) = termination(&end(outcome, vec![]), Colour::Plain);
        assert!(details.iter().any(|line| line.starts_with("times: ")), "{details:?}");
    }

    #[test]
    fn what_is_missing_is_said_beside_any_state() {
        let delivery = |verdict: v1::DeliveryVerdict, cause: v1::LogLossCause| v1::ContainerDelivery {
            container: "main".to_owned(),
            verdict: verdict.into(),
            cause: cause.into(),
            lines: 12,
            ..Default::default()
        };
        use v1::{DeliveryVerdict as V, LogLossCause as C};
        let end = end(
            v1::Outcome {
                state: v1::TaskState::Succeeded.into(),
                reason: v1::Reason::Completed.into(),
                ..Default::default()
            },
            vec![
                delivery(V::Complete, C::Unspecified),
                delivery(V::Unverified, C::PodDeleted),
                delivery(V::Truncated, C::Rotated),
                delivery(V::NotRequested, C::Unspecified),
            ],
        );
        let (_, details) = termination(&end, Colour::Plain);
        assert_eq!(
            details,
            ["log of main: UNVERIFIED (POD_DELETED), 12 lines came", "log of main: TRUNCATED (ROTATED), 12 lines came",]
        );
    }

    #[test]
    fn a_message_is_shown_only_where_the_log_did_not_come() {
        let mut outcome = start_error();
        outcome.container = "setup".to_owned();
        outcome.termination_message = bytes::Bytes::from_static(b"no disk\n\x1b[2Jgone\n");
        let delivered = |lines| v1::ContainerDelivery {
            container: "setup".to_owned(),
            verdict: v1::DeliveryVerdict::Complete.into(),
            lines,
            ..Default::default()
        };
        let shown = |lines| termination(&end(outcome.clone(), vec![delivered(lines)]), Colour::Plain).1;
        let details = shown(0);
        assert_eq!(details[details.len() - 3..], ["message of setup:", "  no disk", r"  \u{1b}[2Jgone"]);
        assert!(!shown(2).iter().any(|line| line.contains("no disk")));
    }
}
