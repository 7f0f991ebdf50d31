//! Kubernetes' protobuf bodies, for the few kinds kubectl's typed commands send that way (`kubectl create namespace|configmap|…`).
//!
//! ```text
//! "k8s\0" + Unknown{typeMeta, raw} → raw by the kind's table of fields → the object as JSON
//! ```
//!
//! Answers are JSON always: such clients accept it.

use serde_json::{Map, Value, json};

use crate::local::store::Kind;

/// The content type of such bodies.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

const MAGIC: &[u8] = b"k8s\0";

/// What a field holds.
#[derive(Clone, Copy)]
enum Type {
    Text,
    Integer,
    Flag,
    Texts,
    TextMap,
    /// Values in base64, as JSON has them.
    BytesMap,
    Message(&'static [Field]),
    Messages(&'static [Field]),
}

/// Number, JSON name, type.
type Field = (u64, &'static str, Type);

const OWNER: &[Field] = &[
    (1, "kind", Type::Text),
    (3, "name", Type::Text),
    (4, "uid", Type::Text),
    (5, "apiVersion", Type::Text),
    (6, "controller", Type::Flag),
    (7, "blockOwnerDeletion", Type::Flag),
];
const META: &[Field] = &[
    (1, "name", Type::Text),
    (2, "generateName", Type::Text),
    (3, "namespace", Type::Text),
    (5, "uid", Type::Text),
    (6, "resourceVersion", Type::Text),
    (11, "labels", Type::TextMap),
    (12, "annotations", Type::TextMap),
    (13, "ownerReferences", Type::Messages(OWNER)),
    (14, "finalizers", Type::Texts),
];
const NAMESPACE: &[Field] = &[(1, "metadata", Type::Message(META))];
const CONFIG_MAP: &[Field] = &[
    (1, "metadata", Type::Message(META)),
    (2, "data", Type::TextMap),
    (3, "binaryData", Type::BytesMap),
    (4, "immutable", Type::Flag),
];
const SECRET: &[Field] = &[
    (1, "metadata", Type::Message(META)),
    (2, "data", Type::BytesMap),
    (3, "type", Type::Text),
    (4, "stringData", Type::TextMap),
    (5, "immutable", Type::Flag),
];
const NAMED: &[Field] = &[(1, "name", Type::Text)];
const SERVICE_ACCOUNT: &[Field] = &[
    (1, "metadata", Type::Message(META)),
    (3, "imagePullSecrets", Type::Messages(NAMED)),
    (4, "automountServiceAccountToken", Type::Flag),
];
const DELETE_OPTIONS: &[Field] = &[
    (1, "gracePeriodSeconds", Type::Integer),
    (2, "preconditions", Type::Message(&[(1, "uid", Type::Text), (2, "resourceVersion", Type::Text)])),
    (4, "propagationPolicy", Type::Text),
    (5, "dryRun", Type::Texts),
];
const TYPE_META: &[Field] = &[(1, "apiVersion", Type::Text), (2, "kind", Type::Text)];

/// Reads an object; `None` if the body is damaged or the kind is not read this way.
pub fn object(kind: Kind, body: &[u8]) -> Option<Value> {
    let fields = match kind {
        Kind::Namespace => NAMESPACE,
        Kind::ConfigMap => CONFIG_MAP,
        Kind::Secret => SECRET,
        Kind::ServiceAccount => SERVICE_ACCOUNT,
        Kind::Pod | Kind::Event | Kind::Node | Kind::Lease => return None,
    };
    let (type_meta, raw) = envelope(body)?;
    let mut object = message(raw, fields)?;
    for field in ["apiVersion", "kind"] {
        if let Some(value) = type_meta.get(field) {
            object.insert(field.to_owned(), value.clone());
        }
    }
    Some(Value::Object(object))
}

/// Reads DeleteOptions.
pub fn delete_options(body: &[u8]) -> Option<Value> {
    let (_, raw) = envelope(body)?;
    message(raw, DELETE_OPTIONS).map(Value::Object)
}

fn envelope(body: &[u8]) -> Option<(Map<String, Value>, &[u8])> {
    let mut reader = Reader(body.strip_prefix(MAGIC)?);
    let (mut type_meta, mut raw) = (Map::new(), &[][..]);
    while let Some(part) = reader.next()? {
        match part {
            (1, Wire::Bytes(bytes)) => type_meta = message(bytes, TYPE_META)?,
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    Some((type_meta, raw))
}

/// Fields that are not in the table are skipped.
fn message(bytes: &[u8], fields: &[Field]) -> Option<Map<String, Value>> {
    let mut reader = Reader(bytes);
    let mut object = Map::new();
    while let Some((number, wire)) = reader.next()? {
        if let Some((_, name, kind)) = fields.iter().find(|(n, _, _)| *n == number) {
            put(&mut object, name, *kind, &wire)?;
        }
    }
    Some(object)
}

fn put(object: &mut Map<String, Value>, name: &str, kind: Type, wire: &Wire<'_>) -> Option<()> {
    let value = match (kind, wire) {
        (Type::Integer, Wire::Number(n)) => json!(i64::from_ne_bytes(n.to_ne_bytes())),
        (Type::Flag, Wire::Number(n)) => json!(*n != 0),
        (Type::Text | Type::Texts, Wire::Bytes(bytes)) => json!(std::str::from_utf8(bytes).ok()?),
        (Type::Message(fields) | Type::Messages(fields), Wire::Bytes(bytes)) => Value::Object(message(bytes, fields)?),
        (Type::TextMap | Type::BytesMap, Wire::Bytes(bytes)) => {
            let (key, value) = entry(bytes)?;
            let value = match kind {
                Type::BytesMap => data_encoding::BASE64.encode(value),
                _ => std::str::from_utf8(value).ok()?.to_owned(),
            };
            json!({std::str::from_utf8(key).ok()?: value})
        }
        _ => return None,
    };
    match (kind, object.get_mut(name), value) {
        (Type::Texts | Type::Messages(_), Some(Value::Array(list)), value) => list.push(value),
        (Type::Texts | Type::Messages(_), _, value) => drop(object.insert(name.to_owned(), json!([value]))),
        (Type::TextMap | Type::BytesMap, Some(Value::Object(map)), Value::Object(one)) => map.extend(one),
        // Go writes empty texts too; they mean absent.
        (Type::Text, _, value) if value == "" => {}
        (_, _, value) => drop(object.insert(name.to_owned(), value)),
    }
    Some(())
}

fn entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader(bytes);
    let (mut key, mut value) = (&[][..], &[][..]);
    while let Some(part) = reader.next()? {
        match part {
            (1, Wire::Bytes(bytes)) => key = bytes,
            (2, Wire::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    Some((key, value))
}

enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Skipped,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next field; `Some(None)` at the end, `None` if the bytes are damaged.
    #[allow(clippy::option_option, reason = "damage and end are different answers")]
    fn next(&mut self) -> Option<Option<(u64, Wire<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let tag = self.varint()?;
        let wire = match tag & 7 {
            0 => Wire::Number(self.varint()?),
            1 => self.take(8).map(|_| Wire::Skipped)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Wire::Skipped)?,
            _ => return None,
        };
        Some(Some((tag >> 3, wire)))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend_from_slice(bytes);
        out
    }

    fn config_map() -> Vec<u8> {
        let meta = [field(1, b"c"), field(14, b"a/b"), field(14, b"c/d"), field(2, b"")].concat();
        let pair = |k: &[u8], v: &[u8]| [field(1, k), field(2, v)].concat();
        let raw = [
            field(1, &meta),
            field(2, &pair(b"k", b"v")),
            field(2, &pair(b"l", b"w")),
            field(3, &pair(b"b", &[0, 255])),
            vec![4 << 3, 1],
        ]
        .concat();
        let type_meta = [field(1, b"v1"), field(2, b"ConfigMap")].concat();
        [MAGIC.to_vec(), field(1, &type_meta), field(2, &raw), field(3, b"")].concat()
    }

    #[test]
    fn a_config_map_is_read() {
        let expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "finalizers": ["a/b", "c/d"]},
            "data": {"k": "v", "l": "w"}, "binaryData": {"b": "AP8="}, "immutable": true});
        assert_eq!(object(Kind::ConfigMap, &config_map()), Some(expected));
        assert_eq!(object(Kind::Pod, &config_map()), None);
    }

    proptest! {
        #[test]
        fn damage_is_no_panic(cut in 0_usize..80, at in 0_usize..80, byte: u8) {
            let mut body = config_map();
            body.truncate(cut.min(body.len()));
            if let Some(place) = body.get_mut(at) {
                *place = byte;
            }
            let _ = object(Kind::ConfigMap, &body);
            let _ = delete_options(&body);
        }
    }
}
