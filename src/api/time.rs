//! Times and durations of the contract.
//!
//! ```text
//! google.protobuf.Duration ──whole_seconds──▶ seconds, rounded up, within bounds, or a violation
//! jiff::Timestamp ──timestamp──▶ google.protobuf.Timestamp ──from_timestamp──▶ jiff::Timestamp
//! ```

use std::ops::RangeInclusive;

use jiff::Timestamp;
use prost_types::Duration;

use super::checks::Checks;

const NANOS: i32 = 1_000_000_000;

/// Whole seconds of a duration that is set, parts of a second rounded up. A duration that is
/// malformed or outside of `allowed` (seconds) is a violation of `field`.
pub(super) fn whole_seconds(
    checks: &mut Checks,
    field: impl FnOnce() -> String,
    duration: Option<&Duration>,
    allowed: RangeInclusive<i64>,
) -> Option<i64> {
    let duration = duration?;
    let seconds = match round_up(duration) {
        Ok(seconds) => seconds,
        Err(problem) => {
            checks.wrong(field(), problem);
            return None;
        }
    };
    let (least, most) = (*allowed.start(), *allowed.end());
    if !allowed.contains(&seconds) {
        checks.wrong(field(), format!("must be between {least} s and {most} s"));
        return None;
    }
    Some(seconds)
}

fn round_up(duration: &Duration) -> Result<i64, &'static str> {
    let (seconds, nanos) = (duration.seconds, duration.nanos);
    let signs_differ = (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0);
    if !(-NANOS < nanos && nanos < NANOS) || signs_differ {
        return Err("is not a valid duration");
    }
    if seconds < 0 || nanos < 0 {
        return Err("must not be negative");
    }
    seconds.checked_add(i64::from(nanos > 0)).ok_or("is too long")
}

/// A time of the contract.
pub(super) fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    // jiff rounds towards zero, the contract's nanos count forward from the second.
    let nanos = time.subsec_nanosecond();
    if nanos < 0 {
        return prost_types::Timestamp { seconds: time.as_second() - 1, nanos: nanos + NANOS };
    }
    prost_types::Timestamp { seconds: time.as_second(), nanos }
}

/// A time that a caller sent; `None` where it is malformed.
pub(super) fn from_timestamp(time: &prost_types::Timestamp) -> Option<Timestamp> {
    if !(0..NANOS).contains(&time.nanos) {
        return None;
    }
    Timestamp::new(time.seconds, time.nanos).ok()
}

/// A duration of whole seconds.
pub(super) fn seconds(seconds: i64) -> Duration {
    Duration { seconds, nanos: 0 }
}

/// A duration of the standard library.
pub(super) fn duration(time: std::time::Duration) -> Duration {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Duration { seconds, nanos: i32::try_from(time.subsec_nanos()).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::checks::Refusal;

    #[test]
    fn durations_round_up_and_are_bounded() {
        let table = [
            (0, 0, Some(0)),
            (0, 1, Some(1)),
            (59, 999_999_999, Some(60)),
            (60, 0, Some(60)),
            (60, 1, None),
            (-1, 0, None),
            (0, -1, None),
            (1, -1, None),
            (-1, 1, None),
            (1, 1_000_000_000, None),
            (i64::MAX, 1, None),
            (i64::MIN, i32::MIN, None),
        ];
        for (seconds, nanos, expected) in table {
            let mut checks = Checks::default();
            let got = whole_seconds(&mut checks, || "f".into(), Some(&Duration { seconds, nanos }), 0..=60);
            assert_eq!(got, expected, "{seconds} {nanos}");
            match checks.settle(()) {
                Ok(()) => assert!(expected.is_some(), "{seconds} {nanos}"),
                Err(Refusal::Invalid(wrong)) => assert_eq!((wrong.len(), wrong[0].field.as_str()), (1, "f")),
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(whole_seconds(&mut Checks::default(), || "f".into(), None, 1..=2), None);
    }

    #[test]
    fn malformed_times_are_none() {
        for (seconds, nanos) in [(0, -1), (0, NANOS), (i64::MAX, 0), (i64::MIN, 5)] {
            assert_eq!(from_timestamp(&prost_types::Timestamp { seconds, nanos }), None, "{seconds} {nanos}");
        }
    }

    #[test]
    fn times_keep_their_nanoseconds() {
        for (text, seconds, nanos) in [
            ("2025-01-02T03:04:05.000000006Z", 1_735_787_045, 6),
            ("1970-01-01T00:00:00Z", 0, 0),
            ("1969-12-31T23:59:59.25Z", -1, 250_000_000),
        ] {
            let time = timestamp(text.parse().unwrap());
            assert_eq!((time.seconds, time.nanos), (seconds, nanos), "{text}");
            assert_eq!(from_timestamp(&time), Some(text.parse().unwrap()));
        }
    }
}
