//! `$(VAR)` in env values, commands and arguments.

/// Replaces `$(NAME)` by what `lookup` knows; `$$` is one `$`; what is unknown or malformed stays as it is.
pub fn expand<'a>(text: &str, lookup: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = reference(after, &lookup, &mut out);
    }
    out.push_str(rest);
    out
}

/// Handles what follows a `$`; returns what follows that.
fn reference<'t, 'a>(after: &'t str, lookup: &impl Fn(&str) -> Option<&'a str>, out: &mut String) -> &'t str {
    if let Some(rest) = after.strip_prefix('$') {
        out.push('$');
        return rest;
    }
    let Some((name, rest)) = after.strip_prefix('(').and_then(|inner| inner.split_once(')')) else {
        out.push('$');
        return after;
    };
    match lookup(name) {
        Some(value) => out.push_str(value),
        None => {
            out.push_str("$(");
            out.push_str(name);
            out.push(')');
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_expand_as_kubernetes_expands_them() {
        let lookup = |name: &str| match name {
            "A" => Some("1"),
            "B" => Some("$(A)"),
            "EMPTY" => Some(""),
            _ => None,
        };
        for (given, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("$(A)", "1"),
            ("x$(A)y$(A)", "x1y1"),
            ("$(B)", "$(A)"),
            ("[$(EMPTY)]", "[]"),
            ("$(C)", "$(C)"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$$$$(A)", "$$(A)"),
            ("$A ${A} $", "$A ${A} $"),
            ("$(A", "$(A"),
            ("$()", "$()"),
        ] {
            assert_eq!(expand(given, lookup), expected, "{given}");
        }
    }
}
