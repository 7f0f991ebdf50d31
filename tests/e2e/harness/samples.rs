//! The pods of `tests/pods`: after public projects' documentation, each as a manifest, most in the short form too, some
//! as a `podlaunch run` line in the manifest's header.

use std::path::Path;

use ::podlaunch::proto::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;

use super::v1;

/// One of them.
#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub manifest: String,
    pub short: Option<v1::TaskSpec>,
    /// The words after `podlaunch run`.
    pub flags: Option<Vec<String>>,
}

impl Sample {
    /// The manifest as values.
    pub fn pod(&self) -> Value {
        serde_saphyr::from_str(&self.manifest).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

/// All of them, by name.
pub fn samples() -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pods");
    let entries = std::fs::read_dir(&folder).expect("the folder of pods");
    let files = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut names: Vec<String> = files
        .filter(|file| !file.ends_with(".short.yaml"))
        .filter_map(|file| Some(file.strip_suffix(".yaml")?.to_owned()))
        .collect();
    names.sort();
    names.into_iter().map(|name| read(&folder, name)).collect()
}

fn read(folder: &Path, name: String) -> Sample {
    let manifest = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).expect("a manifest");
    let short = std::fs::read_to_string(folder.join(format!("{name}.short.yaml"))).ok();
    let flags = line(&manifest).map(|line| shlex::split(&line).unwrap_or_else(|| panic!("shell words: {line}")));
    Sample { short: short.map(|text| task_spec(&text)), flags, manifest, name }
}

/// The line of the header, its continuations joined.
fn line(manifest: &str) -> Option<String> {
    let mut lines = manifest.lines().skip_while(|line| !line.starts_with("# $ podlaunch run "));
    let first = lines.next()?.strip_prefix("# $ podlaunch run ")?;
    let rest = lines.map_while(|line| line.strip_prefix("#     "));
    Some(std::iter::once(first).chain(rest).collect::<Vec<_>>().join(" "))
}

/// A TaskSpec as YAML in the fields' own names.
fn task_spec(text: &str) -> v1::TaskSpec {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("a descriptor set");
    let of = pool.get_message_by_name("podlaunch.v1.TaskSpec").expect("TaskSpec");
    let value: Value = serde_saphyr::from_str(text).expect("YAML");
    let message = DynamicMessage::deserialize(of, value).unwrap_or_else(|error| panic!("{error} in {text}"));
    v1::TaskSpec::decode(&*message.encode_to_vec()).expect("the same message")
}
