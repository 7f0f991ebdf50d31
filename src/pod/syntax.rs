//! The syntax of names and values, as Kubernetes has it; each check says what is allowed.

const MAX_LABEL: usize = 63;
const MAX_SUBDOMAIN: usize = 253;
const MAX_IMAGE: usize = 1024;

fn edge(byte: Option<&u8>) -> bool {
    byte.is_some_and(u8::is_ascii_alphanumeric)
}

/// A DNS label: names of containers and volumes.
pub(super) fn dns_label(name: &str) -> Result<(), String> {
    let bytes = name.as_bytes();
    let lower = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    if bytes.len() <= MAX_LABEL && edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(lower) {
        return Ok(());
    }
    Err("must be 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends".into())
}

fn name_part(bytes: &[u8]) -> bool {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    bytes.len() <= MAX_LABEL && edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(allowed)
}

/// The name of a template.
pub(super) fn template_name(name: &str) -> Result<(), String> {
    if name_part(name.as_bytes()) {
        return Ok(());
    }
    Err("must be 1 to 63 of A-Z, a-z, 0-9, '-', '_' and '.', with a letter or digit at both ends".into())
}

/// The key of a label or annotation.
pub(super) fn label_key(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let prefix_good = prefix
        .is_none_or(|prefix| prefix.len() <= MAX_SUBDOMAIN && prefix.split('.').all(|part| dns_label(part).is_ok()));
    if prefix_good && name_part(name.as_bytes()) {
        return Ok(());
    }
    Err(format!(
        "has the key {key:?}; a key is an optional DNS name and '/', then 1 to 63 of A-Z, a-z, 0-9, '-', '_' and '.', \
         with a letter or digit at both ends"
    ))
}

/// The value of the label `key`.
pub(super) fn label_value(key: &str, value: &str) -> Result<(), String> {
    if value.is_empty() || name_part(value.as_bytes()) {
        return Ok(());
    }
    Err(format!(
        "has a value of {key:?} that is not empty or 1 to 63 of A-Z, a-z, 0-9, '-', '_' and '.', with a letter or \
         digit at both ends"
    ))
}

/// The name of an environment variable.
pub(super) fn env_name(name: &str) -> Result<(), String> {
    if !name.is_empty() && name.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=') {
        return Ok(());
    }
    Err("must be 1 or more printable ASCII characters without '='".into())
}

/// An image reference: whether it is one at all, the node says.
pub(super) fn image(image: &str) -> Result<(), String> {
    if image.is_empty() || image.len() > MAX_IMAGE || image.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("must be 1 to {MAX_IMAGE} bytes without white space"));
    }
    Ok(())
}

/// A Kubernetes quantity: a decimal number with an optional suffix or exponent.
pub(super) fn quantity(text: &str) -> Result<(), String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(unsigned);
    let rest = &unsigned[whole..];
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => (digits(rest), &rest[digits(rest)..]),
        None => (0, rest),
    };
    let known = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let exponent = suffix.strip_prefix(['e', 'E']).is_some_and(|exponent| {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned) == unsigned.len()
    });
    if whole + fraction > 0 && (known.contains(&suffix) || exponent) {
        return Ok(());
    }
    Err("must be a Kubernetes quantity such as 500m, 2, 1.5, 128Mi or 1Gi".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        for good in ["0", "1", "500m", "1.5", ".5", "1.", "128Mi", "1Gi", "1e3", "12E6", "1E", "+1", "-1", "1k", "100n"]
        {
            assert!(quantity(good).is_ok(), "{good}");
        }
        for bad in ["", "m", "1 Gi", "1gi", "1KB", "1K", "0x1", "1e", "1e+", "--1", ".", "1.2.3", "1mm", "1µ"] {
            assert!(quantity(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels() {
        for (key, value) in [("a", ""), ("app.kubernetes.io/name", "x_1.Y-2"), ("A_b", &"x".repeat(63))] {
            assert!(label_key(key).is_ok() && label_value(key, value).is_ok(), "{key} {value}");
        }
        for key in ["", "/a", "a/", "a/b/c", "UPPER.io/a", "-a", "a b", &"x".repeat(64)] {
            assert!(label_key(key).is_err(), "{key}");
        }
        for value in ["-", "a b", "ä", "a/", &"x".repeat(64)] {
            assert!(label_value("k", value).is_err(), "{value}");
        }
    }

    #[test]
    fn names() {
        for (name, good) in [("a", true), ("a-1", true), ("", false), ("A", false), ("-a", false), ("a.b", false)] {
            assert_eq!(dns_label(name).is_ok(), good, "{name}");
        }
        for (name, good) in [("A", true), ("a.b-c", true), ("1", true), ("", false), ("a=b", false), ("ä", false)] {
            assert_eq!(env_name(name).is_ok(), good, "{name}");
        }
        for (name, good) in [("busybox", true), ("", false), (" busybox", false), ("a\n", false)] {
            assert_eq!(image(name).is_ok(), good, "{name}");
        }
    }
}
