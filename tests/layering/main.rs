//! The layers hold: `src/**/*.rs` → `scan` (syn) → what each file names → `rules` → faults, none expected.
//!
//! A test of its own shows that forbidden sources are caught, whatever form the path takes.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a test fails by panicking, and tells what it skipped

mod rules;
mod scan;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a file's module is when its path does not say it.
type Overrides = BTreeMap<String, (Vec<String>, bool)>;

#[test]
fn no_file_names_what_its_layer_must_not() {
    let sources = sources();
    assert!(!sources.is_empty(), "no sources found");
    let overrides = overrides(&sources);
    let mut faults = Vec::new();
    for (file, text) in &sources {
        let (module, is_test) = module_of(file, &overrides);
        match scan::scan(text, &module, is_test) {
            Ok(scan) => faults.extend(rules::faults(file, &scan)),
            Err(error) => faults.push(format!("{file}: does not parse: {error}")),
        }
        let layer = rules::layer_of(file);
        if !matches!(layer, "lib" | "main") && !rules::layers().any(|known| known == layer) {
            faults.push(format!("{file}: `{layer}` is no layer that the rules know"));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn forbidden_sources_are_caught() {
    let cases: [(&str, &str, &str); 22] = [
        ("executor/x.rs", "use crate::local::Node;", "must not name local"),
        ("executor/x.rs", "use crate::{task::Key, local as l};", "must not name local"),
        ("executor/x.rs", "fn f() { crate::local::start(); }", "must not name local"),
        ("executor/x.rs", "fn f(_: &crate::api::Server) {}", "must not name api"),
        ("executor/x.rs", "fn f() { println!(\"{}\", crate::proto::V); }", "must not name proto"),
        ("executor/x.rs", "fn f() { m! { use crate::{task::a, local::b}; } }", "must not name local"),
        ("executor/a/b.rs", "use super::super::super::local::Node;", "must not name local"),
        ("executor/mod.rs", "mod tests { use super::super::cli::Args; }", "must not name cli"),
        ("executor/x.rs", "use crate as everything;", "must not name *"),
        ("executor/x.rs", "use crate::*;", "must not name *"),
        ("executor/x.rs", "#[serde(with = \"crate::api::hex\")] struct S;", "must not name api"),
        ("cluster/x.rs", "use podlaunch::executor::Row;", "must not name executor"),
        ("local/x.rs", "use crate::task::Key;", "must not name task"),
        ("lib.rs", "pub use local::Node;", "must not name local"),
        ("main.rs", "fn main() { podlaunch::cli::run() }", "must not name cli"),
        ("task/x.rs", "async fn f() {}", "no async"),
        ("task/x.rs", "fn f() { let _ = async { g().await }; }", "no async"),
        ("task/x.rs", "use std::{fmt, fs::File};", "no std::fs::File"),
        ("logs/x.rs", "fn f() -> jiff::Timestamp { jiff::Timestamp::now() }", "no jiff::Timestamp::now"),
        ("logs/x.rs", "fn f() { vec![uuid::Uuid::new_v4()]; }", "no uuid::Uuid::new_v4"),
        ("pod/x.rs", "use kube::Client;", "no kube::Client"),
        ("pod/x.rs", "use std::time::Instant;", "no std::time::Instant"),
    ];
    for (file, source, expected) in cases {
        let found = faults_of(file, source);
        assert!(
            found.iter().any(|fault| fault.contains(expected)),
            "{file}: {source}\n  expected: {expected}\n  found: {found:?}"
        );
    }
}

#[test]
fn allowed_sources_pass() {
    let cases: [(&str, &str); 9] = [
        ("executor/x.rs", "use crate::{cluster::Pods, logs, pod, task::Key}; use super::y;"),
        ("api/x.rs", "use crate::{executor::Executor, proto::v1};"),
        ("app/x.rs", "use crate::{api, cli, local::Node};"),
        ("lib.rs", "pub mod local; pub mod app;"),
        ("main.rs", "fn main() { podlaunch::app::main() }"),
        ("pod/resource.rs", "use kube::api::ObjectMeta;"),
        ("task/x.rs", "use std::time::Duration; pub(crate) fn f() {} pub(super) fn g() {}"),
        ("task/x.rs", "#[cfg(test)] mod tests { use std::fs; fn f() { std::thread::yield_now() } }"),
        ("executor/x.rs", "/// See [`crate::local`].\nfn f() {}"),
    ];
    for (file, source) in cases {
        let found = faults_of(file, source);
        assert!(found.is_empty(), "{file}: {source}\n  found: {found:?}");
    }
}

fn faults_of(file: &str, source: &str) -> Vec<String> {
    let (module, is_test) = module_of(file, &Overrides::new());
    let scan = scan::scan(source, &module, is_test).expect("the case parses");
    rules::faults(file, &scan)
}

/// All files below `src`, by path relative to it.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below src");
                let text = std::fs::read_to_string(&path).expect("a readable source");
                found.insert(name.to_string_lossy().into_owned(), text);
            }
        }
    }
    found
}

/// Files whose module their path does not tell: `#[path]`, and out-of-line test modules.
fn overrides(sources: &BTreeMap<String, String>) -> Overrides {
    let mut overrides = Overrides::new();
    for (file, text) in sources {
        let (module, _) = module_of(file, &Overrides::new());
        let Ok(scan) = scan::scan(text, &module, false) else {
            continue;
        };
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (name, module, is_test) in scan.redirected {
            overrides.insert(format!("{folder}/{name}"), (module, is_test));
        }
        for module in scan.test_modules {
            let stem = module.join("/");
            for file in [format!("{stem}.rs"), format!("{stem}/mod.rs")] {
                overrides.insert(file, (module.clone(), true));
            }
        }
    }
    overrides
}

/// The module a file is, and whether all of it is test code.
fn module_of(file: &str, overrides: &Overrides) -> (Vec<String>, bool) {
    if let Some(known) = overrides.get(file) {
        return known.clone();
    }
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let mut module: Vec<String> = stem.split('/').map(str::to_owned).collect();
    let last = module.last().map(String::as_str);
    if matches!(last, Some("mod")) || matches!(file, "lib.rs" | "main.rs") {
        module.pop();
    }
    (module, false)
}
