//! The time in front of every line of a log read with `timestamps=true`: RFC 3339 with nine digits, `Z` or an offset,
//! then one space. The node's clock.

use jiff::{Timestamp, civil::DateTime, tz::Offset};

/// `2026-01-02T03:04`.
const MINUTE: usize = 16;
/// `2026-01-02T03:04:05.123456789`, the zone follows.
const BARE: usize = 29;

/// Parses stamps one after the other; successive lines mostly share their minute, whose calendar part is kept.
#[derive(Debug, Clone)]
pub(super) struct StampReader {
    minute: [u8; MINUTE],
    /// Unix second at which `minute` begins, read as UTC.
    base: i64,
}

impl StampReader {
    pub(super) fn new() -> Self {
        StampReader { minute: *b"1970-01-01T00:00", base: 0 }
    }

    /// The stamp at the front of `line` and where the content begins; `None` when the line has no whole prefix.
    #[inline]
    pub(super) fn prefix(&mut self, line: &[u8]) -> Option<(Timestamp, usize)> {
        let bare: &[u8; BARE] = line.first_chunk()?;
        let (offset, end) = zone(&line[BARE..])?;
        if bare[MINUTE] != b':' || bare[19] != b'.' {
            return None;
        }
        let second = digits(&bare[17..19])?;
        let nanos = digits(&bare[20..29])?;
        if second > 59 {
            return None;
        }
        let minute: &[u8; MINUTE] = bare.first_chunk()?;
        if *minute != self.minute {
            self.base = minute_start(minute)?;
            self.minute = *minute;
        }
        let second = self.base + i64::from(second) - i64::from(offset);
        // Before 1970 second and fraction must not differ in sign; `new` balances them.
        let stamp = Timestamp::new(second, i32::try_from(nanos).ok()?).ok()?;
        Some((stamp, BARE + end))
    }
}

/// Parses one prefix: the stamp and the index of the first content byte.
pub fn parse_prefix(line: &[u8]) -> Option<(Timestamp, usize)> {
    StampReader::new().prefix(line)
}

/// Seconds east of UTC and the length of zone and space.
#[inline]
fn zone(rest: &[u8]) -> Option<(i32, usize)> {
    match rest {
        [b'Z', b' ', ..] => Some((0, 2)),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, b' ', ..] => {
            let hours = i32::try_from(digits(&[*h1, *h2])?).ok()?;
            let minutes = i32::try_from(digits(&[*m1, *m2])?).ok()?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            let east = hours * 3600 + minutes * 60;
            Some((if *sign == b'-' { -east } else { east }, 7))
        }
        _ => None,
    }
}

/// A decimal number of at most nine digits.
#[inline]
fn digits(text: &[u8]) -> Option<u32> {
    let mut number = 0u32;
    let mut wrong = false;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        wrong |= digit > 9;
        number = number.wrapping_mul(10).wrapping_add(u32::from(digit));
    }
    if wrong { None } else { Some(number) }
}

fn minute_start(text: &[u8; MINUTE]) -> Option<i64> {
    let [_, _, _, _, b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _] = text else {
        return None;
    };
    let year = i16::try_from(digits(&text[0..4])?).ok()?;
    let part = |at: usize| digits(&text[at..at + 2]).and_then(|number| i8::try_from(number).ok());
    let time = DateTime::new(year, part(5)?, part(8)?, part(11)?, part(14)?, 0, 0).ok()?;
    Offset::UTC.to_timestamp(time).ok().map(Timestamp::as_second)
}

/// The whole second at or before `stamp`, also before 1970.
#[inline]
pub(super) fn floor_second(stamp: Timestamp) -> i64 {
    stamp.as_second() - i64::from(stamp.subsec_nanosecond() < 0)
}

/// Nanoseconds from `from` to `to`; what does not fit (292 years) is the nearest end of the range.
#[inline]
pub(super) fn nanos_between(from: Timestamp, to: Timestamp) -> i64 {
    let seconds = to.as_second() - from.as_second();
    let rest = i64::from(to.subsec_nanosecond()) - i64::from(from.subsec_nanosecond());
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Option<(String, usize)> {
        parse_prefix(text.as_bytes()).map(|(stamp, at)| (stamp.to_string(), at))
    }

    #[test]
    fn reads_the_forms_of_a_prefix() {
        let table = [
            ("2026-07-30T12:34:56.000000001Z x", Some(("2026-07-30T12:34:56.000000001Z", 31))),
            ("2026-07-30T12:34:56.120000000Z ", Some(("2026-07-30T12:34:56.12Z", 31))),
            ("2026-07-30T12:34:56.120000000+02:00 x", Some(("2026-07-30T10:34:56.12Z", 36))),
            ("2026-07-30T00:04:56.120000000-05:30 x", Some(("2026-07-30T05:34:56.12Z", 36))),
            ("1969-12-31T23:59:59.500000000Z x", Some(("1969-12-31T23:59:59.5Z", 31))),
            ("2026-07-30T12:34:56.000000001Z", None),
            ("2026-07-30T12:34:56.000000001Zx", None),
            ("2026-07-30T12:34:56.00000001Z  x", None),
            ("2026-07-30T12:34:60.000000001Z x", None),
            ("2026-13-30T12:34:56.000000001Z x", None),
            ("2026-02-30T12:34:56.000000001Z x", None),
            ("2026-07-30 12:34:56.000000001Z x", None),
            ("2026-07-30T12:34:56.00000000xZ x", None),
            ("unable to retrieve container logs for containerd://0", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(parsed(text), expected.map(|(stamp, at)| (stamp.to_owned(), at)), "{text}");
        }
    }

    #[test]
    fn a_second_before_1970_is_rounded_down() {
        let stamp: Timestamp = "1969-12-31T23:59:59.5Z".parse().unwrap();
        assert_eq!(floor_second(stamp), -1);
        assert_eq!(nanos_between(stamp, Timestamp::UNIX_EPOCH), 500_000_000);
    }

    proptest! {
        #[test]
        fn reads_what_is_written(all in prop::collection::vec((-10_000_000_000i64..200_000_000_000, 0i32..1_000_000_000, -1439i32..1440), 1..8)) {
            let mut reader = StampReader::new();
            for (second, nanos, zone) in all {
                let stamp = Timestamp::new(second, nanos).unwrap();
                let offset = Offset::from_seconds(zone * 60).unwrap();
                let local = offset.to_datetime(stamp);
                let (sign, zone) = if zone < 0 { ('-', -zone) } else { ('+', zone) };
                let text = format!("{}.{:09}{sign}{:02}:{:02} x", local.strftime("%Y-%m-%dT%H:%M:%S"), nanos, zone / 60, zone % 60);
                prop_assume!(text.len() == 37 && !text.starts_with('-'));
                prop_assert_eq!(reader.prefix(text.as_bytes()), Some((stamp, 36)));
            }
        }

        #[test]
        fn never_panics(text in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse_prefix(&text);
        }
    }
}
