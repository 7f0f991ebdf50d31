//! Compiles the contract: `proto/**/*.proto` → descriptor set → Rust.
//!
//! protox does it in pure Rust, so that a build needs no system protoc. The descriptor set is kept in `OUT_DIR` with
//! its comments, for gRPC reflection.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message as _;

const ROOT: &str = "proto";

/// Messages that hold literal values of a caller. Their `Debug` is written by hand in `src/proto.rs` and leaves the
/// values out, so that no log line can show them.
const WITHOUT_DEBUG: [&str; 5] = [
    ".podlaunch.v1.EnvVar",
    ".podlaunch.v1.EnvVar.source",
    ".podlaunch.v1.TaskSpec",
    ".podlaunch.v1.Template",
    ".podlaunch.v1.Validated",
];

/// Rare and large arms: boxed, so that the common ones (a log chunk) stay small in queues.
const BOXED: [&str; 5] = [
    ".podlaunch.v1.Event.body.termination",
    ".podlaunch.v1.LaunchTaskResponse.message.accepted",
    ".podlaunch.v1.AttachTaskResponse.message.accepted",
    ".podlaunch.v1.BatchLaunchTasksResult.result.accepted",
    ".podlaunch.v1.BatchCancelTasksResult.result.cancelled",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={ROOT}");

    let mut files = Vec::new();
    collect(Path::new(ROOT), &mut files)?;
    files.sort();
    let descriptors = protox::compile(&files, [ROOT])?;

    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out.join("podlaunch_descriptor.bin"), descriptors.encode_to_vec())?;

    let mut builder = tonic_prost_build::configure()
        .bytes(".") // a container's text is sliced from the receive buffer, not copied
        .btree_map(".") // maps come in one order, on the wire too
        .skip_debug(WITHOUT_DEBUG);
    for path in BOXED {
        builder = builder.boxed(path);
    }
    builder.compile_fds(descriptors)?;
    Ok(())
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
