//! Small pieces of text for people: keys, times, spans, words of others made safe for a terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::names::name;
use crate::cli::io::Colour;
use crate::proto::v1;

/// What is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What to look at.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// What matters less.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What is going on.
pub(crate) const BUSY: Style = AnsiColor::Cyan.on_default();

/// `text` in this style, where colours are shown.
pub(crate) fn styled(colour: Colour, style: Style, text: &str) -> String {
    match colour {
        Colour::Ansi => format!("{style}{text}{style:#}"),
        Colour::Plain => text.to_owned(),
    }
}

/// The style of a state.
pub(crate) fn state_style(state: v1::TaskState) -> Style {
    match state {
        v1::TaskState::Succeeded => GOOD,
        v1::TaskState::Failed | v1::TaskState::Disrupted | v1::TaskState::Lost => BAD,
        v1::TaskState::Cancelled | v1::TaskState::Terminating | v1::TaskState::Unreachable => WARN,
        _ => BUSY,
    }
}

/// `NAMESPACE/TASK_ID#ATTEMPT`, with the attempt only where it is known.
pub(crate) fn key(key: &v1::TaskKey) -> String {
    let mut text = format!("{}/{}", key.namespace, key.task_id);
    if key.attempt != 0 {
        let _ = write!(text, "#{}", key.attempt);
    }
    sanitize(&text)
}

/// Converts a protobuf time; none where it is out of range.
pub(crate) fn timestamp(time: &prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::new(time.seconds, time.nanos).ok()
}

/// RFC 3339 in whole seconds, UTC. `-` where the time is not known.
pub(crate) fn seconds(time: Option<&prost_types::Timestamp>) -> String {
    time.and_then(timestamp)
        .and_then(|time| Timestamp::new(time.as_second(), 0).ok())
        .map_or_else(|| "-".to_owned(), |time| time.to_string())
}

/// RFC 3339 with nine digits of fraction, UTC: what log lines are stamped with.
pub(crate) fn nanoseconds(time: Timestamp) -> String {
    format!("{time:.9}")
}

/// RFC 3339, as many digits of fraction as there are.
pub(crate) fn exact(time: &prost_types::Timestamp) -> Option<String> {
    timestamp(time).map(|time| time.to_string())
}

/// A span as people write it: `1h30m`, `250ms`, `0s`.
pub(crate) fn span(span: &prost_types::Duration) -> String {
    let mut text = String::new();
    let (hours, minutes) = (span.seconds / 3600, span.seconds % 3600 / 60);
    let (seconds, millis) = (span.seconds % 60, span.nanos / 1_000_000);
    for (amount, unit) in [(hours, "h"), (minutes, "m"), (seconds, "s"), (millis.into(), "ms")] {
        if amount != 0 {
            let _ = write!(text, "{amount}{unit}");
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// A number of bytes as Kubernetes writes it, where that is a whole number: `10Mi`.
pub(crate) fn bytes(amount: u64) -> String {
    for (unit, factor) in [("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)] {
        if amount >= factor && amount.is_multiple_of(factor) {
            return format!("{}{unit}", amount / factor);
        }
    }
    amount.to_string()
}

/// Words of others in one line: line breaks become spaces, other control characters are written out. So nobody's
/// text can move the cursor of, or hide itself on, the terminal it is shown on.
pub(crate) fn sanitize(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\n' | '\t' => safe.push(' '),
            '\r' => {}
            c if c.is_control() => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe
}

/// `REASON KubernetesReason: its message`, leaving out what is not there and a word that only repeats the reason.
pub(crate) fn why(reason: i32, kubernetes_reason: &str, kubernetes_message: &str) -> String {
    let mut text = String::new();
    if reason != 0 {
        text.push_str(&name::<v1::Reason>(reason));
    }
    let words = kubernetes(kubernetes_reason, kubernetes_message);
    if !words.is_empty() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&words);
    }
    text
}

/// `Reason: message` in Kubernetes' own words.
pub(crate) fn kubernetes(reason: &str, message: &str) -> String {
    match (reason, message) {
        ("", message) => sanitize(message),
        (reason, "") => sanitize(reason),
        (reason, message) => format!("{}: {}", sanitize(reason), sanitize(message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let time = prost_types::Timestamp { seconds: 1_795_413_600, nanos: 120_000_000 };
        assert_eq!(seconds(Some(&time)), "2026-11-23T06:00:00Z");
        assert_eq!(exact(&time).as_deref(), Some("2026-11-23T06:00:00.12Z"));
        assert_eq!(timestamp(&time).map(nanoseconds).as_deref(), Some("2026-11-23T06:00:00.120000000Z"));
        assert_eq!(seconds(None), "-");
        let never = prost_types::Timestamp { seconds: i64::MAX, nanos: 0 };
        assert_eq!(seconds(Some(&never)), "-");
    }

    #[test]
    fn spans_and_sizes() {
        let text = |seconds, nanos| span(&prost_types::Duration { seconds, nanos });
        assert_eq!(text(5400, 0), "1h30m");
        assert_eq!(text(30, 250_000_000), "30s250ms");
        assert_eq!(text(0, 0), "0s");
        assert_eq!(bytes(10 << 20), "10Mi");
        assert_eq!(bytes(1000), "1000");
        assert_eq!(bytes(0), "0");
    }

    #[test]
    fn words_of_others_stay_in_one_harmless_line() {
        assert_eq!(sanitize("a\r\nb\tc\u{1b}[31m\u{9b}\0\n"), r"a b c\u{1b}[31m\u{9b}\u{0}");
        assert_eq!(
            why(41, "Unschedulable", "0/1 nodes are available"),
            "UNSCHEDULABLE Unschedulable: 0/1 nodes are available"
        );
        assert_eq!(why(0, "", ""), "");
        assert_eq!(why(26, "", ""), "CONTAINER_CREATING");
    }

    #[test]
    fn colours_only_where_asked_for() {
        assert_eq!(styled(Colour::Plain, BAD, "x"), "x");
        assert_eq!(styled(Colour::Ansi, BAD, "x"), "\u{1b}[1m\u{1b}[31mx\u{1b}[0m");
    }
}
