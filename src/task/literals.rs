//! Literal values of environment variables, and texts without them.
//!
//! ```text
//!   a request's spec (api::scrub) ──┐
//!   a watched pod (pod::observe) ───┴─▶ Literals ──scrub──▶ the text with *** for each of them
//! ```
//!
//! Kubernetes' messages echo them: a refusal quotes a field, a runtime quotes the command that
//! `$(NAME)` was expanded into. What a container itself prints is not touched.
//!
//! A task's literals are kept in memory until its outcome, one block a task, so that an Event's
//! message can be cleaned by a server that did not launch it. Never shown, never written.

use std::sync::Arc;

/// Shortest literal that is looked for, bytes: shorter ones would hit ordinary words.
const SHORTEST: usize = 4;
/// What stands for a literal.
const MASK: &str = "***";
/// Most bytes of literals kept of one task. Beyond, its messages are not shown at all.
const MAX_BYTES: usize = 64 * 1024;
/// Between two literals in the block; a literal that has it in it is looked for in parts.
const BETWEEN: char = '\0';

/// Literals of one request or pod. Cheap to clone; never shows what it holds.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Literals {
    kept: Kept,
}

#[derive(Clone, Default, PartialEq, Eq)]
enum Kept {
    #[default]
    None,
    /// Separated by [`BETWEEN`], the longest first: one that contains another leaves nothing of itself.
    Block(Arc<str>),
    /// More than is kept.
    TooMany,
}

impl std::fmt::Debug for Literals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Literals(_)")
    }
}

impl Literals {
    /// The values that are worth hiding: of 4 bytes or more, and not part of a name in `public`,
    /// which podlaunch itself writes. The parts around `$(NAME)` references count each.
    pub fn of<'a>(values: impl Iterator<Item = &'a str>, public: &[&str]) -> Literals {
        let parts = values.flat_map(parts).flat_map(|part| part.split(BETWEEN));
        let mut found: Vec<&str> =
            parts.filter(|part| part.len() >= SHORTEST && !public.iter().any(|name| name.contains(part))).collect();
        found.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        found.dedup();
        let bytes: usize = found.iter().map(|part| part.len() + 1).sum();
        let kept = match bytes {
            0 => Kept::None,
            1..=MAX_BYTES => Kept::Block(found.join("\0").into()),
            _ => Kept::TooMany,
        };
        Literals { kept }
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.kept == Kept::None
    }

    /// `text` without any of the literals.
    pub fn scrub(&self, text: &str) -> String {
        match &self.kept {
            Kept::None => text.to_owned(),
            Kept::TooMany if text.is_empty() => String::new(),
            Kept::TooMany => format!("{MASK} (not shown: it may quote one of the many environment values)"),
            Kept::Block(block) => {
                let mut clean = text.to_owned();
                for literal in block.split(BETWEEN) {
                    mask(&mut clean, literal);
                }
                clean
            }
        }
    }

    /// The same in place.
    pub fn clean(&self, text: &mut String) {
        if !self.is_empty() && !text.is_empty() {
            *text = self.scrub(text);
        }
    }
}

/// Masks a literal as it is, and as JSON and Go's `%q` write it.
fn mask(text: &mut String, literal: &str) {
    for spelling in spellings(literal) {
        if text.contains(spelling.as_ref()) {
            *text = text.replace(spelling.as_ref(), MASK);
        }
    }
}

fn spellings(literal: &str) -> Vec<std::borrow::Cow<'_, str>> {
    let plain = |c: char| !c.is_control() && !matches!(c, '"' | '\\' | '<' | '>' | '&');
    let mut all = vec![std::borrow::Cow::Borrowed(literal)];
    if !literal.chars().all(plain) {
        all.push(go_quoted(literal).into());
        if let Ok(json) = serde_json::to_string(literal) {
            all.push(json[1..json.len() - 1].to_owned().into());
            // Go's JSON writes these three so.
            let html = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
            all.push(html[1..html.len() - 1].to_owned().into());
        }
        all.sort_unstable_by_key(|spelling| std::cmp::Reverse(spelling.len()));
    }
    all
}

/// What stands around `$(NAME)` in a value: Kubernetes expands it, so only that comes back.
fn parts(value: &str) -> Vec<&str> {
    let mut found = vec![value];
    if value.contains("$(") {
        found.extend(value.split("$(").enumerate().map(|(i, part)| match part.split_once(')') {
            Some((_, rest)) if i > 0 => rest,
            _ => part,
        }));
    }
    found
}

fn go_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_masked() {
        let values = ["hunter2", "hunter2-longer", "line\none \"x\"", "abc", "host=$(HOST);pass=word", "a<b>c"];
        let literals = Literals::of(values.into_iter(), &[]);
        for (text, clean) in [
            ("Invalid value: \"hunter2\": no", "Invalid value: \"***\": no"),
            ("a hunter2-longer b", "a *** b"),
            ("raw line\none \"x\" end", "raw *** end"),
            ("quoted \"line\\none \\\"x\\\"\" end", "quoted \"***\" end"),
            ("abc stays: too short", "abc stays: too short"),
            ("exec: \"host=db;pass=word\": not found", "exec: \"***db***\": not found"),
            ("html \"a\\u003cb\\u003ec\"", "html \"***\""),
        ] {
            assert_eq!(literals.scrub(text), clean);
        }
        assert!(!format!("{literals:?}").contains("hunter2"));
    }

    #[test]
    fn what_podlaunch_writes_itself_is_not_hidden() {
        let literals = Literals::of(["main", "busybox", "prod-key"].into_iter(), &["main", "busybox:1"]);
        assert_eq!(literals.scrub("container main of busybox:1: prod-key"), "container main of busybox:1: ***");
    }

    #[test]
    fn nothing_to_hide_changes_nothing() {
        assert_eq!(Literals::default().scrub("as it is"), "as it is");
        assert!(Literals::of(["abc"].into_iter(), &[]).is_empty());
    }

    #[test]
    fn more_than_is_kept_hides_the_whole_text() {
        let values: Vec<String> = (0..10_000).map(|i| format!("value-{i}")).collect();
        let literals = Literals::of(values.iter().map(String::as_str), &[]);
        let clean = literals.scrub("quotes value-7 and value-9999");
        assert!(!clean.contains("value-") && clean.starts_with(MASK), "{clean}");
        assert_eq!(literals.scrub(""), "");
    }
}
