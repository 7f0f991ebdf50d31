//! Query parameters, read as Kubernetes reads them.

use std::collections::HashMap;

use serde_json::json;

use super::selector::{FieldSelector, LabelSelector};
use super::status::{ApiError, FieldError};
use crate::local::store::Kind;

/// The parameters of a request; of a repeated one the first counts.
#[derive(Clone, Debug, Default)]
pub struct Query(HashMap<String, String>);

/// Whether a write is to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Store,
    DryRun,
}

/// How unknown fields are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// A page of a list or the start of a watch.
#[derive(Clone, Debug)]
pub struct ListOptions {
    pub labels: LabelSelector,
    pub fields: FieldSelector,
    pub watch: Option<WatchOptions>,
    /// At least 1 if present.
    pub limit: Option<usize>,
    pub resume: Option<String>,
    /// A version the answer must not be older than; 0 and absent mean any.
    pub not_older_than: u64,
}

/// What is asked of a watch.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// `None`: begin with the objects there are.
    pub from: Option<u64>,
    /// Where it begins with the objects: a version they must not be older than.
    pub not_older_than: u64,
    pub bookmarks: Bookmarks,
    pub timeout_seconds: Option<u64>,
}

/// Whether a watcher understands bookmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bookmarks {
    Allowed,
    None,
}

impl Query {
    pub fn parse(query: Option<&str>) -> Query {
        let mut found = HashMap::new();
        for pair in query.unwrap_or_default().split('&').filter(|p| !p.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            found.entry(decode(key)).or_insert_with(|| decode(value));
        }
        Query(found)
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// A flag: present and neither `0` nor `false`.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.get(key).map(|value| !matches!(value, "0" | "false"))
    }

    /// A whole number, empty meaning absent.
    pub fn integer(&self, key: &str) -> Result<Option<i64>, ApiError> {
        match self.get(key) {
            None | Some("") => Ok(None),
            Some(text) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => {
                    Err(ApiError::bad_request(format!("strconv.ParseInt: parsing {}: invalid syntax", json!(text))))
                }
            },
        }
    }

    pub fn effect(&self, options: &str) -> Result<Effect, ApiError> {
        match self.get("dryRun") {
            None | Some("") => Ok(Effect::Store),
            Some("All") => Ok(Effect::DryRun),
            Some(other) => Err(ApiError::invalid_as(
                "meta.k8s.io",
                options,
                "",
                &[FieldError::unsupported("dryRun", &json!([other]), &["All"])],
            )),
        }
    }

    pub fn field_validation(&self) -> Result<FieldValidation, ApiError> {
        match self.get("fieldValidation") {
            None | Some("" | "Warn") => Ok(FieldValidation::Warn),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some("Strict") => Ok(FieldValidation::Strict),
            Some(other) => Err(ApiError::invalid_as(
                "meta.k8s.io",
                "CreateOptions",
                "",
                &[FieldError::unsupported("fieldValidation", &json!(other), &["", "Ignore", "Strict", "Warn"])],
            )),
        }
    }

    pub fn list_options(&self, kind: Kind) -> Result<ListOptions, ApiError> {
        let labels =
            LabelSelector::parse(self.get("labelSelector").unwrap_or_default()).map_err(ApiError::bad_request)?;
        let fields =
            FieldSelector::parse(kind, self.get("fieldSelector").unwrap_or_default()).map_err(ApiError::bad_request)?;
        let limit = self.integer("limit")?;
        let watching = self.flag("watch").unwrap_or(false);
        let (watch, not_older_than) =
            if watching { (Some(self.watch_options()?), 0) } else { (None, self.list_version()?) };
        Ok(ListOptions {
            labels,
            fields,
            watch,
            limit: limit.and_then(|l| usize::try_from(l).ok()).filter(|l| *l > 0),
            resume: self.get("continue").filter(|c| !c.is_empty()).map(str::to_owned),
            not_older_than,
        })
    }

    fn list_version(&self) -> Result<u64, ApiError> {
        match self.get("resourceVersion") {
            None | Some("") => Ok(0),
            Some(text) => text.parse().map_err(|_| {
                let why = no_version(text);
                ApiError::bad_request(format!("invalid resource version: {why}"))
            }),
        }
    }

    fn watch_options(&self) -> Result<WatchOptions, ApiError> {
        self.check_initial_events()?;
        let version = match self.get("resourceVersion") {
            None | Some("") => 0,
            // Observed: a watch answers 500 where a list answers 400.
            Some(text) => text.parse().map_err(|_| ApiError::internal(no_version(text)))?,
        };
        let initial = self.flag("sendInitialEvents").unwrap_or(version == 0);
        let timeout = self.integer("timeoutSeconds")?.and_then(|t| u64::try_from(t).ok());
        Ok(WatchOptions {
            from: (!initial).then_some(version),
            not_older_than: version,
            bookmarks: match self.flag("allowWatchBookmarks") {
                Some(true) => Bookmarks::Allowed,
                _ => Bookmarks::None,
            },
            timeout_seconds: timeout.filter(|t| *t > 0),
        })
    }

    fn check_initial_events(&self) -> Result<(), ApiError> {
        let field = "resourceVersionMatch";
        let matching = self.get(field).unwrap_or_default();
        let mut errors = Vec::new();
        if self.get("sendInitialEvents").is_some() {
            if matching != "NotOlderThan" {
                let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
                errors.push(FieldError::forbidden(field, detail));
            }
            if !matches!(matching, "" | "NotOlderThan") {
                errors.push(FieldError::unsupported(field, &json!(matching), &["NotOlderThan"]));
            }
        } else if !matching.is_empty() {
            let detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            errors.push(FieldError::forbidden(field, detail));
        }
        if errors.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid_as("meta.k8s.io", "ListOptions", "", &errors))
    }
}

fn no_version(text: &str) -> String {
    let shown = json!(text);
    format!("resourceVersion: Invalid value: {shown}: strconv.ParseUint: parsing {shown}: invalid syntax")
}

/// Percent and plus decoding; what is no valid escape stays as it is.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1).and_then(hex).zip(bytes.get(at + 2).and_then(hex));
        match (bytes[at], digits) {
            (b'%', Some((high, low))) => {
                out.push(high * 16 + low);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digit: &u8) -> Option<u8> {
    char::from(*digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read() {
        for (text, expected) in
            [("a%3Db", "a=b"), ("a+b", "a b"), ("%", "%"), ("%zz%41", "%zzA"), ("%2", "%2"), ("%+1", "% 1")]
        {
            assert_eq!(decode(text), expected, "{text}");
        }
    }

    #[test]
    fn the_streaming_list_needs_its_match() {
        let refused = |q: &str| Query::parse(Some(q)).list_options(Kind::Pod).map(drop).unwrap_err().to_string();
        assert_eq!(
            refused("watch=1&sendInitialEvents=true"),
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        );
        assert_eq!(
            refused("watch=1&resourceVersionMatch=NotOlderThan"),
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        );
        let fine =
            Query::parse(Some("watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=0"));
        let watch = fine.list_options(Kind::Pod).unwrap().watch.unwrap();
        assert_eq!(watch.from, None);
        let resumed = Query::parse(Some("watch=1&resourceVersion=17&timeoutSeconds=5"));
        let watch = resumed.list_options(Kind::Pod).unwrap().watch.unwrap();
        assert_eq!((watch.from, watch.timeout_seconds), (Some(17), Some(5)));
    }
}
