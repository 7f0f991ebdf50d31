//! The rules: which top-level module may name which, and what a pure module may not mention.

use crate::scan::{Mention, Scan};

/// From → to. What is not here is forbidden; a module may always name itself. `app` may name everything.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("proto", &[]),
    ("logs", &[]),
    ("task", &["logs"]),
    ("pod", &["task", "logs"]),
    ("cluster", &["task", "pod", "logs"]),
    ("executor", &["cluster", "task", "pod", "logs"]),
    ("api", &["proto", "executor", "task", "pod", "logs"]),
    ("local", &["pod"]),
    ("cli", &["proto"]),
];

/// The composition root, the only one that may name all others.
const ROOT: &str = "app";

const PURE: [&str; 3] = ["task", "pod", "logs"];

/// The one pure file that may use `kube`: the resource's type, no client.
const KUBE_ALLOWED: &str = "pod/resource.rs";

/// Beginnings of paths that a pure module may not mention: asynchrony, I/O, clocks, randomness, locks.
const IMPURE_PREFIXES: [&[&str]; 29] = [
    &["tokio"],
    &["tokio_stream"],
    &["tokio_util"],
    &["futures"],
    &["tonic"],
    &["hyper"],
    &["hyper_util"],
    &["axum"],
    &["tower"],
    &["nix"],
    &["tracing"],
    &["rand"],
    &["fastrand"],
    &["getrandom"],
    &["parking_lot"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "thread"],
    &["std", "process"],
    &["std", "env"],
    &["std", "future"],
    &["std", "os"],
    &["std", "time", "SystemTime"],
    &["std", "time", "Instant"],
    &["std", "sync", "Mutex"],
    &["std", "sync", "RwLock"],
    &["std", "sync", "Condvar"],
    &["std", "sync", "mpsc"],
    &["std", "sync", "atomic"],
];

/// Two neighbouring segments anywhere in a path that a pure module may not mention.
const IMPURE_PAIRS: [[&str; 2]; 6] = [
    ["Timestamp", "now"],
    ["Zoned", "now"],
    ["SystemTime", "now"],
    ["Instant", "now"],
    ["Uuid", "new_v4"],
    ["Uuid", "now_v7"],
];

/// What is wrong with `file` (relative to `src`), a line for each fault.
pub fn faults(file: &str, scan: &Scan) -> Vec<String> {
    let from = layer_of(file);
    let mut faults = Vec::new();
    for mention in &scan.mentions {
        let to = target(from, &mention.path);
        if let Some(to) = to
            && !allowed(from, to)
        {
            let path = mention.path.join("::");
            faults.push(format!("{file}:{}: {from} must not name {to} ({path})", mention.line));
        }
    }
    if PURE.contains(&from) {
        let impure = scan.mentions.iter().filter(|mention| !mention.in_test);
        faults.extend(impure.filter_map(|mention| impurity(file, mention)));
        for line in &scan.asyncs {
            faults.push(format!("{file}:{line}: {from} is pure: no async"));
        }
    }
    faults
}

/// The top-level module a file belongs to; `lib` and `main` for the roots themselves.
pub fn layer_of(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Every layer there is.
pub fn layers() -> impl Iterator<Item = &'static str> {
    ALLOWED.iter().map(|(from, _)| *from).chain([ROOT])
}

/// The layer that a path names, if any. At the crate's root children are named without `crate`. `crate` alone or
/// with `*` would be a way around every rule and counts as all of it.
fn target<'a>(from: &str, path: &'a [String]) -> Option<&'a str> {
    match path.first().map(String::as_str) {
        Some("crate") => match path.get(1).map(String::as_str) {
            None if from == "lib" || from == "main" => None,
            None | Some("*") => Some("*"),
            Some(name) => layers().any(|layer| layer == name).then_some(name),
        },
        Some(name) if from == "lib" || from == "main" => {
            (path.len() > 1 && layers().any(|layer| layer == name)).then_some(name)
        }
        _ => None,
    }
}

fn allowed(from: &str, to: &str) -> bool {
    if from == to || from == ROOT {
        return true;
    }
    if from == "main" {
        return to == ROOT;
    }
    ALLOWED.iter().any(|(layer, targets)| *layer == from && targets.contains(&to))
}

fn impurity(file: &str, mention: &Mention) -> Option<String> {
    let path = &mention.path;
    let starts =
        |prefix: &[&str]| path.len() >= prefix.len() && prefix.iter().zip(path).all(|(want, have)| want == have);
    let pairs = |pair: &[&str; 2]| path.windows(2).any(|have| have == pair);
    let impure = IMPURE_PREFIXES.iter().any(|prefix| starts(prefix))
        || IMPURE_PAIRS.iter().any(pairs)
        || (starts(&["kube"]) && file != KUBE_ALLOWED);
    impure.then(|| {
        let (line, path) = (mention.line, path.join("::"));
        format!("{file}:{line}: {} is pure: no {path}", layer_of(file))
    })
}
