//! Tables as `kubectl get` prints them: columns and cells by kind.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::pods::view as pods;
use super::view::{RowObject, metadata};
use crate::local::store::{Kind, Meta};

/// Name, and 0 for what is always shown or 1 for `-o wide`.
type Column = (&'static str, u8);

/// A table of the objects.
pub fn table<'a>(kind: Kind, objects: impl IntoIterator<Item = &'a Value>, meta: &Value, row: RowObject) -> Value {
    let now = Timestamp::now();
    let rows = objects.into_iter().map(|object| {
        let mut shown = json!({"cells": cells(kind, object, now)});
        match row {
            RowObject::None => {}
            RowObject::Metadata => shown["object"] = metadata(object),
            RowObject::Whole => shown["object"] = object.clone(),
        }
        shown
    });
    let rows: Vec<Value> = rows.collect();
    let columns: Vec<Value> = columns(kind)
        .iter()
        .map(|(name, priority)| {
            let format = if *name == "Name" { "name" } else { "" };
            json!({"name": name, "type": "string", "format": format, "description": "", "priority": priority})
        })
        .collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "columnDefinitions": columns, "rows": rows})
}

fn columns(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Pod => &[
            ("Name", 0),
            ("Ready", 0),
            ("Status", 0),
            ("Restarts", 0),
            ("Age", 0),
            ("IP", 1),
            ("Node", 1),
            ("Nominated Node", 1),
            ("Readiness Gates", 1),
        ],
        Kind::Event => &[
            ("Last Seen", 0),
            ("Type", 0),
            ("Reason", 0),
            ("Object", 0),
            ("Subobject", 1),
            ("Source", 1),
            ("Message", 0),
            ("First Seen", 1),
            ("Count", 1),
            ("Name", 1),
        ],
        Kind::Namespace => &[("Name", 0), ("Status", 0), ("Age", 0)],
        Kind::Node => &[("Name", 0), ("Status", 0), ("Roles", 0), ("Age", 0), ("Version", 0)],
        Kind::Secret => &[("Name", 0), ("Type", 0), ("Data", 0), ("Age", 0)],
        Kind::ConfigMap => &[("Name", 0), ("Data", 0), ("Age", 0)],
        Kind::Lease => &[("Name", 0), ("Holder", 0), ("Age", 0)],
        Kind::ServiceAccount => &[("Name", 0), ("Secrets", 0), ("Age", 0)],
    }
}

fn cells(kind: Kind, object: &Value, now: Timestamp) -> Vec<Value> {
    let name = json!(object.name());
    let age = json!(since(&object["metadata"]["creationTimestamp"], now));
    match kind {
        Kind::Pod => pods::cells(object, now),
        Kind::Event => event_cells(object, now),
        Kind::Namespace => vec![name, object["status"]["phase"].clone(), age],
        Kind::Node => {
            let conditions = object["status"]["conditions"].as_array();
            let ready = conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True");
            let status = if ready { "Ready" } else { "NotReady" };
            let version = object["status"]["nodeInfo"]["kubeletVersion"].as_str().unwrap_or_default();
            vec![name, json!(status), json!("<none>"), age, json!(version)]
        }
        Kind::Secret => vec![name, object["type"].clone(), json!(entries(object, &["data"])), age],
        Kind::ConfigMap => vec![name, json!(entries(object, &["data", "binaryData"])), age],
        Kind::Lease => {
            let holder = object["spec"]["holderIdentity"].as_str().unwrap_or_default();
            vec![name, json!(holder), age]
        }
        Kind::ServiceAccount => {
            let secrets = object["secrets"].as_array().map_or(0, Vec::len);
            vec![name, json!(secrets), age]
        }
    }
}

fn entries(object: &Value, fields: &[&str]) -> usize {
    fields.iter().map(|f| object[*f].as_object().map_or(0, |m| m.len())).sum()
}

fn event_cells(event: &Value, now: Timestamp) -> Vec<Value> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let involved = &event["involvedObject"];
    let first = [&event["firstTimestamp"], &event["eventTime"]].into_iter().find(|t| t.is_string());
    let last = [&event["series"]["lastObservedTime"], &event["lastTimestamp"]].into_iter().find(|t| t.is_string());
    let first = first.map_or_else(|| "<unknown>".to_owned(), |t| since(t, now));
    let last = last.map_or_else(|| first.clone(), |t| since(t, now));
    let count = event["series"]["count"].as_i64().or(event["count"].as_i64()).unwrap_or(1);
    let component = [&event["source"]["component"], &event["reportingComponent"]];
    let source = component.into_iter().map(text).find(|s| !s.is_empty()).unwrap_or_default();
    vec![
        json!(last),
        event["type"].clone(),
        event["reason"].clone(),
        json!(format!("{}/{}", text(&involved["kind"]).to_lowercase(), text(&involved["name"]))),
        json!(text(&involved["fieldPath"])),
        json!(source),
        json!(text(&event["message"]).trim()),
        json!(first),
        json!(count),
        json!(event.name()),
    ]
}

/// How long ago a timestamp was, as kubectl says it.
pub fn since(stamp: &Value, now: Timestamp) -> String {
    let Some(at) = stamp.as_str().and_then(|t| t.parse::<Timestamp>().ok()) else {
        return "<unknown>".to_owned();
    };
    duration(now.as_second() - at.as_second())
}

/// Two units at most, coarser with age.
fn duration(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let pair = |big: i64, unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{big}{unit}"),
        small => format!("{big}{unit}{small}{small_unit}"),
    };
    match seconds {
        ..0 if seconds < -1 => "<invalid>".to_owned(),
        ..=0 => "0s".to_owned(),
        s if s < 2 * MINUTE => format!("{s}s"),
        s if s < 10 * MINUTE => pair(s / MINUTE, "m", s % MINUTE, "s"),
        s if s < 3 * HOUR => format!("{}m", s / MINUTE),
        s if s < 8 * HOUR => pair(s / HOUR, "h", s % HOUR / MINUTE, "m"),
        s if s < 2 * DAY => format!("{}h", s / HOUR),
        s if s < 8 * DAY => pair(s / DAY, "d", s % DAY / HOUR, "h"),
        s if s < 2 * YEAR => format!("{}d", s / DAY),
        s if s < 8 * YEAR => pair(s / YEAR, "y", s % YEAR / DAY, "d"),
        s => format!("{}y", s / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        for (seconds, expected) in [
            (-5, "<invalid>"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (185, "3m5s"),
            (600, "10m"),
            (3 * 3600, "3h"),
            (3 * 3600 + 60, "3h1m"),
            (9 * 3600, "9h"),
            (2 * 86400 + 3600, "2d1h"),
            (30 * 86400, "30d"),
        ] {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
    }
}
