//! Messages of the contract with parts changed by chance. From a seed, so that a case can be had again.
//!
//! Used by the properties of `src/api/fuzz_tests.rs` and by `tests/e2e/requests_random.rs`.

use std::collections::HashMap;

use fastrand::Rng;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value};

/// Deepest message within a message that is made up.
const MAX_DEPTH: u8 = 4;

/// Words that fields take, and such as have meant trouble to a parser somewhere.
const TEXTS: [&str; 40] = [
    "",
    "main",
    "a",
    "first",
    "Not_A_Label",
    "a b",
    "x.y/z",
    "podlaunch.dev/instance",
    "kubectl.kubernetes.io/default-container",
    "../../etc/passwd",
    "/data",
    "data",
    "busybox:1",
    "busybox:1\n",
    "-1",
    "1Gi",
    "1e400",
    "0x10",
    "1.5.2",
    "limits.cpu",
    "metadata.name",
    "metadata.labels['a']",
    "$(A)",
    "Never",
    "Always",
    "null",
    "{}",
    "[]",
    "{a: &a [*a]}",
    "{runAsUser: 1000}",
    "{$patch: delete}",
    "[{topologyKey: zone, maxSkew: 1, whenUnsatisfiable: DoNotSchedule}]",
    "spec: {containers: [{name: main, image: busybox:1}]}",
    "spec: {containers: [{name: main, image: busybox:1}, {name: other, image: busybox:1}]}",
    "spec: {containers: null, initContainers: {a: b}}",
    "containers: [{$patch: replace}, {name: main, $retainKeys: [name]}]",
    "spec: {restartPolicy: Always}",
    "---\n---\n",
    "\u{0}\u{7f}\u{feff}\u{202e}",
    "ÄÖ✨𝄞",
];

/// Changes one field of `message`, at any depth.
pub fn change(message: &mut DynamicMessage, rng: &mut Rng) {
    let fields: Vec<FieldDescriptor> = message.descriptor().fields().collect();
    let Some(field) = rng.choice(&fields) else { return };
    let is_single = !field.is_list() && !field.is_map();
    if matches!(field.kind(), Kind::Message(_)) && is_single && rng.u8(..4) > 0 {
        if let Value::Message(mut inner) = message.get_field(field).into_owned() {
            change(&mut inner, rng);
            message.set_field(field, Value::Message(inner));
        }
        return;
    }
    match rng.u8(..6) {
        0 => message.clear_field(field),
        _ => message.set_field(field, any_value(field, rng, 0)),
    }
}

/// A message of which each field is there or not.
fn any_message(of: MessageDescriptor, rng: &mut Rng, depth: u8) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    for field in of.fields() {
        if depth < MAX_DEPTH && rng.u8(..3) == 0 {
            message.set_field(&field, any_value(&field, rng, depth + 1));
        }
    }
    message
}

fn any_value(field: &FieldDescriptor, rng: &mut Rng, depth: u8) -> Value {
    let count = rng.usize(..4);
    if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
        let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        let entries = (0..count).map(|_| (map_key(&key.kind(), rng), one(&value.kind(), rng, depth)));
        return Value::Map(entries.collect::<HashMap<_, _>>());
    }
    if field.is_list() {
        return Value::List((0..count).map(|_| one(&field.kind(), rng, depth)).collect());
    }
    one(&field.kind(), rng, depth)
}

/// The contract's maps have texts as keys.
fn map_key(kind: &Kind, rng: &mut Rng) -> MapKey {
    assert!(matches!(kind, Kind::String), "a map by {kind:?}");
    MapKey::String(text(rng))
}

fn text(rng: &mut Rng) -> String {
    match rng.u8(..12) {
        0 => TEXTS[rng.usize(..TEXTS.len())].repeat(1 + rng.usize(..64)),
        1 => (0..rng.usize(..20)).map(|_| rng.char(..)).collect(),
        _ => TEXTS[rng.usize(..TEXTS.len())].to_owned(),
    }
}

fn one(kind: &Kind, rng: &mut Rng, depth: u8) -> Value {
    match kind {
        Kind::Bool => Value::Bool(rng.bool()),
        Kind::String => Value::String(text(rng)),
        Kind::Bytes => Value::Bytes((0..rng.usize(..40)).map(|_| rng.u8(..)).collect::<Vec<u8>>().into()),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32([0, 1, -1, 60, i32::MAX, i32::MIN][rng.usize(..6)]),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64([0, 1, -1, 60, i64::MAX, i64::MIN][rng.usize(..6)]),
        Kind::Uint32 | Kind::Fixed32 => Value::U32([0, 1, 420, 65_536, u32::MAX][rng.usize(..5)]),
        Kind::Uint64 | Kind::Fixed64 => Value::U64([0, 1, 4096, u64::MAX][rng.usize(..4)]),
        Kind::Float => Value::F32([0.0, -1.5, f32::NAN, f32::INFINITY][rng.usize(..4)]),
        Kind::Double => Value::F64([0.0, -1.5, f64::NAN, f64::INFINITY][rng.usize(..4)]),
        Kind::Enum(values) => {
            let known: Vec<i32> = values.values().map(|value| value.number()).collect();
            Value::EnumNumber(if rng.u8(..8) == 0 { 99 } else { known[rng.usize(..known.len())] })
        }
        Kind::Message(of) => Value::Message(any_message(of.clone(), rng, depth)),
    }
}
