//! The syntax of names, keys and values, and the sentences that explain it.

const DNS_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name', or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const NAME_PART: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName', or 'my.name', or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue', or 'my_value', or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const ENV_NAME: &str =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";

type Checked = Result<(), String>;

fn longer(limit: usize) -> String {
    format!("must be no more than {limit} bytes")
}

fn is_dns_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_qualified_part(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.iter().copied().all(inner) && edge(bytes.first()) && edge(bytes.last())
}

/// RFC 1123 label, at most 63 bytes.
pub fn dns_label(text: &str) -> Checked {
    match text.len() > 63 {
        true => Err(longer(63)),
        false if is_dns_label(text) => Ok(()),
        false => Err(DNS_LABEL.to_owned()),
    }
}

/// RFC 1123 subdomain, at most 253 bytes.
pub fn dns_subdomain(text: &str) -> Checked {
    match text.len() > 253 {
        true => Err(longer(253)),
        false if text.split('.').all(is_dns_label) => Ok(()),
        false => Err(DNS_SUBDOMAIN.to_owned()),
    }
}

/// The name of an object whose kind asks only that it fits in a path.
pub fn path_segment(text: &str) -> Checked {
    match text {
        "." | ".." => Err(format!("may not be '{text}'")),
        _ if text.contains('/') => Err("may not contain '/'".to_owned()),
        _ if text.contains('%') => Err("may not contain '%'".to_owned()),
        _ => Ok(()),
    }
}

/// `[prefix/]name`, as labels, annotations and finalizers have.
pub fn label_key(text: &str) -> Checked {
    let name = match text.split_once('/') {
        None => text,
        Some((_, rest)) if rest.contains('/') => {
            return Err("a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName', or 'my.name', or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')".to_owned());
        }
        Some(("", _)) => return Err("prefix part must be non-empty".to_owned()),
        Some((prefix, name)) => {
            dns_subdomain(prefix).map_err(|why| format!("prefix part {why}"))?;
            name
        }
    };
    match name.len() {
        0 => Err("name part must be non-empty".to_owned()),
        64.. => Err(format!("name part {}", longer(63))),
        _ if is_qualified_part(name) => Ok(()),
        _ => Err(NAME_PART.to_owned()),
    }
}

/// The value of a label.
pub fn label_value(text: &str) -> Checked {
    match text.len() {
        0 => Ok(()),
        64.. => Err(longer(63)),
        _ if is_qualified_part(text) => Ok(()),
        _ => Err(LABEL_VALUE.to_owned()),
    }
}

/// A key of a ConfigMap or Secret.
pub fn config_key(text: &str) -> Checked {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    match text {
        "." | ".." => Err(format!("must not be '{text}'")),
        _ if text.len() > 253 => Err(longer(253)),
        _ if !text.is_empty() && text.bytes().all(inner) => Ok(()),
        _ => Err(CONFIG_KEY.to_owned()),
    }
}

/// The name of an environment variable.
pub fn env_name(text: &str) -> Checked {
    match text.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'=') {
        true => Ok(()),
        false => Err(ENV_NAME.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keys_and_values() {
        let long = "a".repeat(64);
        for good in ["a", "a-b", "0", "a.b-c.d"] {
            assert!(dns_subdomain(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a..b", "a_b", "a.-b"] {
            assert!(dns_subdomain(bad).is_err(), "{bad}");
        }
        assert!(dns_label("a.b").is_err() && dns_label(&long).is_err() && dns_label(&long[1..]).is_ok());
        for good in ["a", "A.b_c-d", "x.io/Y", "0"] {
            assert!(label_key(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "/x", "x/", "X.io/y", "a/b/c", "-a", &long] {
            assert!(label_key(bad).is_err(), "{bad}");
        }
        assert!(label_value("").is_ok() && label_value("-x").is_err() && label_value("x-").is_err());
        assert!(env_name("A B").is_ok() && env_name("A=B").is_err() && env_name("é").is_err());
        assert!(config_key("a.b_C").is_ok() && config_key("a b").is_err() && config_key("..").is_err());
    }
}
