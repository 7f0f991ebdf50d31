//! Images. On a real cluster they are images; on the embedded one a folder `DIR/bin` of links to the host's programs
//! stands for each.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::process::SCRATCH;

/// What tasks are written with.
pub const BUSYBOX: &str = "busybox:1";
/// The blog post's image with Python.
pub const PYTHON: &str = "python:3.6";
/// The blog post's image without.
pub const UBUNTU: &str = "ubuntu:16.04";
/// No registry answers to this name anywhere.
pub const UNPULLABLE: &str = "registry.invalid/x:1";

/// What the tests' scripts use.
const PROGRAMS: [&str; 20] = [
    "sed",
    "sh",
    "sleep",
    "seq",
    "cat",
    "printf",
    "head",
    "tail",
    "tr",
    "echo",
    "true",
    "false",
    "wc",
    "env",
    "kill",
    "base64",
    "sha256sum",
    "mkdir",
    "chmod",
    "dd",
];

/// Answers exactly the blog post's arguments, for hosts without Python.
const STAND_IN: &str = r#"#!/bin/sh
if [ "$#" = 2 ] && [ "$1" = -c ] && [ "$2" = "print('hello world')" ]; then
  echo 'hello world'
else
  echo "this stand-in for Python knows one program only" >&2
  exit 1
fi
"#;

/// `--local-image` values for `podlaunch local`, `serve --local` and `run --local`.
pub static LOCAL_IMAGES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let with = folder("with-python");
    let without = folder("without-python");
    for name in ["python", "python3"] {
        put_python(&with.join("bin").join(name));
    }
    vec![
        format!("{BUSYBOX}={}", without.display()),
        format!("{PYTHON}={}", with.display()),
        format!("{UBUNTU}={}", without.display()),
    ]
});

fn folder(name: &str) -> PathBuf {
    let image = SCRATCH.join(name);
    let bin = image.join("bin");
    fs::create_dir_all(&bin).expect("a folder for an image");
    for program in PROGRAMS {
        match find(program) {
            Some(path) => symlink(path, bin.join(program)).expect("a link in an image"),
            None => println!("note: this host has no `{program}`; tests that need it will fail"),
        }
    }
    image
}

fn put_python(place: &Path) {
    if let Some(python) = host_python() {
        symlink(python, place).expect("a link to Python");
    } else {
        println!("note: this host has no python3; an sh script that answers the one program stands for it");
        fs::write(place, STAND_IN).expect("a stand-in for Python");
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).expect("an executable stand-in");
    }
}

/// The interpreter itself: what PATH has may be a wrapper that needs programs the image does not have.
pub fn host_python() -> Option<PathBuf> {
    let script = "import sys; print(sys.executable)";
    let output = std::process::Command::new("python3").args(["-c", script]).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    let path = PathBuf::from(path.trim());
    (output.status.success() && path.is_file()).then_some(path)
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}
