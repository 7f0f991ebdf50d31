//! Kubernetes quantities (`500m`, `1Gi`, `2e3`), as far as `resourceFieldRef` needs them.

/// Factors of the suffixes, in thousandths.
const SUFFIXES: [(&str, i128); 14] = [
    ("Ki", 1000 << 10),
    ("Mi", 1000 << 20),
    ("Gi", 1000 << 30),
    ("Ti", 1000 << 40),
    ("Pi", 1000 << 50),
    ("Ei", 1000 << 60),
    ("m", 1),
    ("k", 1_000_000),
    ("M", 1_000_000_000),
    ("G", 1_000_000_000_000),
    ("T", 1_000_000_000_000_000),
    ("P", 1_000_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000_000),
    ("", 1000),
];

/// The quantity in thousandths, rounded up; `None` when it is not one.
pub fn thousandths(text: &str) -> Option<i128> {
    if let Some((mantissa, exponent)) = text.split_once(['e', 'E'])
        && let Ok(exponent) = exponent.parse::<u32>()
    {
        return scaled(mantissa, 10i128.checked_pow(exponent)?.checked_mul(1000)?);
    }
    let (suffix, factor) = SUFFIXES.iter().find(|(suffix, _)| text.ends_with(suffix))?;
    scaled(text.strip_suffix(suffix)?, *factor)
}

/// How often `divisor` fits into `quantity`, rounded up, as `resourceFieldRef` shows it.
pub fn ratio(quantity: i128, divisor: i128) -> i128 {
    let whole = quantity / divisor;
    whole + i128::from(quantity % divisor > 0)
}

fn scaled(number: &str, factor: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let places = u32::try_from(fraction.len()).ok()?;
    let value = digits.parse::<i128>().ok()?.checked_mul(factor)?;
    Some(ratio(value, 10i128.checked_pow(places)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read() {
        for (text, expected) in [
            ("1", Some(1000)),
            ("500m", Some(500)),
            ("0.5", Some(500)),
            ("1.5Gi", Some(1_610_612_736_000)),
            ("2k", Some(2_000_000)),
            ("2e3", Some(2_000_000)),
            ("1E", Some(1_000_000_000_000_000_000_000)),
            ("", None),
            ("x", None),
            ("1Zi", None),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }

    #[test]
    fn ratios_round_up() {
        assert_eq!(ratio(500, 1000), 1);
        assert_eq!(ratio(500, 1), 500);
        assert_eq!(ratio(2_000_000, 1_000_000), 2);
    }
}
