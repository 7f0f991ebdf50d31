//! Kubernetes quantities (`500m`, `1Gi`, `2e3`), for comparing only.

/// A quantity in thousandths, saturating at the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i128);

/// Fraction digits kept while reading; finer ones round up, as Kubernetes does.
const SCALE: i128 = 1000;

impl Quantity {
    pub const ZERO: Quantity = Quantity(0);

    /// The sum, at most the largest there is.
    pub fn plus(self, other: Quantity) -> Quantity {
        Quantity(self.0.saturating_add(other.0))
    }

    /// Reads a quantity; `None` if it is none.
    pub fn parse(text: &str) -> Option<Quantity> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || number.len() > 30 {
            return None;
        }
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let scaled = apply(digits.checked_mul(SCALE)?, suffix)?;
        let divisor = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let value = scaled.checked_add(divisor - 1)? / divisor;
        Some(Quantity(if negative { -value } else { value }))
    }
}

fn apply(value: i128, suffix: &str) -> Option<i128> {
    let round_up = |divisor: i128| Some((value.checked_add(divisor - 1)?) / divisor);
    match suffix {
        "" => Some(value),
        "n" => round_up(1_000_000_000),
        "u" => round_up(1_000_000),
        "m" => round_up(1000),
        "k" => value.checked_mul(1000),
        "M" => value.checked_mul(1_000_000),
        "G" => value.checked_mul(1_000_000_000),
        "T" => value.checked_mul(1_000_000_000_000),
        "P" => value.checked_mul(1_000_000_000_000_000),
        "E" => value.checked_mul(1_000_000_000_000_000_000),
        "Ki" => value.checked_mul(1 << 10),
        "Mi" => value.checked_mul(1 << 20),
        "Gi" => value.checked_mul(1 << 30),
        "Ti" => value.checked_mul(1 << 40),
        "Pi" => value.checked_mul(1 << 50),
        "Ei" => value.checked_mul(1 << 60),
        _ => exponent(value, suffix),
    }
}

fn exponent(value: i128, suffix: &str) -> Option<i128> {
    let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let factor = 10_i128.checked_pow(power.unsigned_abs())?;
    if power >= 0 { value.checked_mul(factor) } else { Some(value.checked_add(factor - 1)? / factor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_compare() {
        let cases = [
            ("1", 1000),
            ("500m", 500),
            ("0.5", 500),
            (".5", 500),
            ("1.5k", 1_500_000),
            ("1Ki", 1_024_000),
            ("2e3", 2_000_000),
            ("1E", 1_000_000_000_000_000_000_000),
            ("-1", -1000),
            ("1n", 1),
            ("5e-1", 500),
        ];
        for (text, expected) in cases {
            assert_eq!(Quantity::parse(text), Some(Quantity(expected)), "{text}");
        }
        for text in ["", "abc", "1.2.3", "1x", "-", ".", "1e", "m"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }
}
