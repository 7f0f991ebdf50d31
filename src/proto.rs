//! The contract as Rust: `proto/podlaunch/v1/*.proto` → `build.rs` → here. No logic.
//!
//! What is written by hand is `Debug` of the messages that hold literal values of a caller (environment, manifest):
//! it shows what is there but not its content, so that no log line or error can.

use std::fmt;

/// Package `podlaunch.v1`: messages, and client and server of `PodlaunchService`.
#[allow(clippy::all, clippy::too_many_lines, reason = "generated code")]
#[allow(missing_docs, reason = "generated code: the modules and the server glue have no comments")]
#[allow(rustdoc::all, reason = "comments are written for readers of the proto files")]
pub mod v1 {
    tonic::include_proto!("podlaunch.v1");
}

/// The encoded `FileDescriptorSet` of the contract, comments included: for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/podlaunch_descriptor.bin"));

impl fmt::Debug for v1::EnvVar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvVar").field("name", &self.name).field("source", &self.source).finish()
    }
}

impl fmt::Debug for v1::env_var::Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use v1::env_var::Source;
        match self {
            Source::Value(_) => f.write_str("Value(_)"),
            Source::SecretKey(key) => f.debug_tuple("SecretKey").field(key).finish(),
            Source::ConfigMapKey(key) => f.debug_tuple("ConfigMapKey").field(key).finish(),
            Source::FieldPath(path) => f.debug_tuple("FieldPath").field(path).finish(),
            Source::ResourceField(field) => f.debug_tuple("ResourceField").field(field).finish(),
        }
    }
}

/// Shows which parts there are, not what is in them: command lines carry secrets too.
impl fmt::Debug for v1::TaskSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let image = self.container.as_ref().map_or("", |container| container.image.as_str());
        f.debug_struct("TaskSpec")
            .field("template", &self.template)
            .field("manifest_bytes", &self.manifest.len())
            .field("image", &image)
            .field("primary_container", &self.primary_container)
            .field("timeouts", &self.timeouts)
            .field("logs", &self.logs)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for v1::Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template")
            .field("name", &self.name)
            .field("content_hash", &self.content_hash)
            .field("origin", &self.origin)
            .field("manifest_bytes", &self.manifest.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for v1::Validated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validated")
            .field("key", &self.key)
            .field("pod_name", &self.pod_name)
            .field("fingerprint", &self.fingerprint)
            .field("pod_json_bytes", &self.pod_json.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn debug_hides_literal_values() {
        let value = || "hunter2".to_owned();
        let request = v1::LaunchTaskRequest {
            spec: Some(v1::TaskSpec {
                manifest: value(),
                container: Some(v1::ContainerSpec {
                    image: "busybox".to_owned(),
                    args: vec![value()],
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let env = v1::EnvVar { name: "PASSWORD".to_owned(), source: Some(v1::env_var::Source::Value(value())) };
        let validated = v1::Validated { pod_json: value(), ..Default::default() };
        let template = v1::Template { manifest: value(), ..Default::default() };
        for shown in [format!("{request:?}"), format!("{env:?}"), format!("{validated:?}"), format!("{template:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        assert!(format!("{request:?}").contains("busybox"));
        assert!(format!("{env:?}").contains("PASSWORD"));
    }

    #[test]
    fn descriptor_set_has_the_service_with_comments() {
        let set = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the descriptor set decodes");
        let file = set.file.iter().find(|file| file.name() == "podlaunch/v1/service.proto").expect("service.proto");
        assert_eq!(file.service[0].name(), "PodlaunchService");
        assert_eq!(file.service[0].method.len(), 13);
        let comments = file
            .source_code_info
            .as_ref()
            .map_or(0, |info| info.location.iter().filter(|location| location.leading_comments.is_some()).count());
        assert!(comments > 12, "{comments}");
    }
}
