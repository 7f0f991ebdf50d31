//! Where templates and policy come from, and that they follow their sources.
//!
//! ```text
//! --templates DIR, --enforced FILE ─ every LOOK_EVERY: other stamps? ─ read ─┬ good ──▶ Templates
//!                                                                            └ not: the last good one stays
//! --template-configmaps ─ watch ─ each change ───────────────────────────────▶ Templates
//! ```
//!
//! What is wrong at the start keeps the server from starting; what goes wrong later is told and changes nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::reload::{Stamp, stamps};
use crate::cli::args::TemplateArgs;
use crate::cluster::{ConfigMapText, watch_config_maps};
use crate::executor::{Executor, TemplateSource, Templates};
use crate::pod::enforce::Enforced;
use crate::pod::template::{Catalog, Template, TemplateError, name_of_file};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long the start waits for the first list of ConfigMaps: a template that is not known is a final answer.
const FIRST_LIST: Duration = Duration::from_secs(10);

/// Reads the files once, for the start.
pub(super) fn read(args: &TemplateArgs) -> anyhow::Result<(Templates, Option<Files>)> {
    let templates = Templates::default();
    let mut files = Files { dir: args.templates.clone(), enforced: args.enforced.clone(), seen: Vec::new() };
    files.seen = files.look()?;
    if let Some(dir) = &files.dir {
        let (catalog, wrong) = read_dir(dir, &Catalog::default())?;
        if let Some(error) = wrong.into_iter().next() {
            return Err(error.into());
        }
        info!(templates = catalog.names().count(), dir = %dir.display(), "templates read");
        templates.set(TemplateSource::Files, catalog);
    }
    if let Some(file) = &files.enforced {
        templates.set_enforced(read_enforced(file)?);
    }
    let watched = files.dir.is_some() || files.enforced.is_some();
    Ok((templates, watched.then_some(files)))
}

/// Follows the sources for as long as the executor runs.
pub(super) async fn follow(executor: &Executor, files: Option<Files>, args: &TemplateArgs) {
    let templates = executor.settings().templates.clone();
    if let Some(files) = files {
        executor.run(files.follow(templates.clone()));
    }
    if let Some(selector) = args.template_configmaps.clone() {
        let (listed, first) = oneshot::channel();
        let cluster = executor.cluster().clone();
        executor.run(async move {
            let namespace = cluster.default_namespace().to_owned();
            let sets = pin!(watch_config_maps(&cluster, &namespace, &selector));
            follow_config_maps(sets, &templates, listed).await;
        });
        if tokio::time::timeout(FIRST_LIST, first).await.is_err() {
            warn!("the ConfigMaps with templates are not listed yet; launches that name one of theirs are refused");
        }
    }
}

/// The files, and what they were when they were read last.
pub(super) struct Files {
    dir: Option<PathBuf>,
    enforced: Option<PathBuf>,
    seen: Vec<(PathBuf, Option<Stamp>)>,
}

impl Files {
    /// All files there are now.
    fn look(&self) -> anyhow::Result<Vec<(PathBuf, Option<Stamp>)>> {
        let mut paths: Vec<PathBuf> = self.enforced.iter().cloned().collect();
        if let Some(dir) = &self.dir {
            paths.extend(template_files(dir)?.into_iter().map(|(_, path)| path));
        }
        let stamps = stamps(&paths);
        Ok(paths.into_iter().zip(stamps).collect())
    }

    async fn follow(mut self, templates: Templates) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let templates = templates.clone();
            // Files may be on a network: not on a thread that serves.
            let looked = tokio::task::spawn_blocking(move || {
                self.read_again(&templates);
                self
            });
            match looked.await {
                Ok(back) => self = back,
                Err(error) => return warn!(%error, "templates are not read again any more"),
            }
        }
    }

    fn read_again(&mut self, templates: &Templates) {
        let seen = match self.look() {
            Ok(seen) => seen,
            Err(error) => return warn!(error = %format!("{error:#}"), "the templates cannot be looked at"),
        };
        if seen == self.seen {
            return;
        }
        self.seen = seen;
        if let Some(dir) = &self.dir {
            match read_dir(dir, &templates.catalog()) {
                Ok((catalog, wrong)) => {
                    told(&wrong);
                    info!(templates = catalog.names().count(), "templates read again");
                    templates.set(TemplateSource::Files, catalog);
                }
                Err(error) => warn!(error = %format!("{error:#}"), "the templates cannot be read"),
            }
        }
        if let Some(file) = &self.enforced {
            match read_enforced(file) {
                Ok(enforced) => templates.set_enforced(enforced),
                Err(error) => warn!(error = %format!("{error:#}"), "what is enforced stays as it was"),
            }
        }
    }
}

fn told(wrong: &[TemplateError]) {
    for error in wrong {
        warn!(%error, "a template cannot be used; its last good version stays");
    }
}

/// Names and files of the templates in a folder, by name.
fn template_files(dir: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let of = || format!("the folder of templates {}", dir.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(of)? {
        let entry = entry.with_context(of)?;
        let file = entry.file_name();
        if let Some(name) = file.to_str().and_then(name_of_file).filter(|name| !name.starts_with('.')) {
            files.push((name.to_owned(), entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// All templates of a folder. In place of one that cannot be read stands what `before` has under its name.
fn read_dir(dir: &Path, before: &Catalog) -> anyhow::Result<(Catalog, Vec<TemplateError>)> {
    let texts = template_files(dir)?.into_iter().map(|(name, path)| {
        let origin = path.display().to_string();
        (name, std::fs::read(&path), origin)
    });
    Ok(catalog_of(texts, before))
}

fn catalog_of(
    texts: impl Iterator<Item = (String, io::Result<Vec<u8>>, String)>,
    before: &Catalog,
) -> (Catalog, Vec<TemplateError>) {
    let (mut catalog, mut wrong) = (Catalog::default(), Vec::new());
    for (name, text, origin) in texts {
        let refuse = |problem: String| TemplateError { name: name.clone(), origin: origin.clone(), problem };
        let read = text
            .map_err(|error| refuse(format!("cannot be read: {error}")))
            .and_then(|text| Template::parse(&name, &text, &origin));
        let read = match read {
            Ok(_) if catalog.get(&name).is_some() => Err(refuse("is there twice".to_owned())),
            Ok(template) => Ok(Arc::new(template)),
            Err(error) => {
                let last = before.get(&name).filter(|last| last.origin == origin).cloned();
                wrong.push(error);
                match last {
                    Some(last) => Ok(last),
                    None => continue,
                }
            }
        };
        if let Err(error) = read.and_then(|template| catalog.insert(template)) {
            wrong.push(error);
        }
    }
    (catalog, wrong)
}

fn read_enforced(file: &Path) -> anyhow::Result<Enforced> {
    let of = || format!("the file {}", file.display());
    Enforced::parse(&std::fs::read_to_string(file).with_context(of)?).with_context(of)
}

async fn follow_config_maps<E: std::fmt::Display>(
    mut sets: impl futures::Stream<Item = Result<Vec<ConfigMapText>, E>> + Unpin,
    templates: &Templates,
    listed: oneshot::Sender<()>,
) {
    let mut listed = Some(listed);
    while let Some(set) = sets.next().await {
        let set = match set {
            Ok(set) => set,
            Err(error) => {
                warn!(%error, "the ConfigMaps with templates cannot be watched now");
                continue;
            }
        };
        let texts = set.into_iter().flat_map(|map| {
            let files = map.data.into_iter();
            files.filter_map(move |(key, text)| {
                let name = name_of_file(&key)?.to_owned();
                Some((name, Ok(text.into_bytes()), format!("ConfigMap {}/{key}", map.name)))
            })
        });
        let (catalog, wrong) = catalog_of(texts, &templates.catalog());
        told(&wrong);
        info!(templates = catalog.names().count(), "templates of ConfigMaps read");
        templates.set(TemplateSource::ConfigMaps, catalog);
        if let Some(listed) = listed.take() {
            // Nobody waits any more where it took too long.
            let _ = listed.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn args(dir: &Path) -> TemplateArgs {
        TemplateArgs {
            templates: Some(dir.join("t")),
            enforced: Some(dir.join("enforced.yaml")),
            template_configmaps: None,
        }
    }

    fn put(dir: &Path, file: &str, text: &str) {
        // Another file in its place: the stamp differs even within the clock's grain.
        std::fs::write(dir.join("new"), text).unwrap();
        std::fs::rename(dir.join("new"), dir.join(file)).unwrap();
    }

    fn names(templates: &Templates) -> String {
        templates.catalog().names().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn files_are_followed_and_a_bad_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("t")).unwrap();
        put(dir.path(), "t/gpu.yaml", "spec: {priority: 1}");
        put(dir.path(), "t/README.txt", "no template");
        put(dir.path(), "enforced.yaml", "team: {spec: {priority: 2}}");
        let (templates, files) = read(&args(dir.path())).unwrap();
        let mut files = files.unwrap();
        assert_eq!((names(&templates).as_str(), templates.enforced().of("team").count()), ("gpu", 1));
        let hash = || templates.get("gpu").unwrap().hash.clone();
        let first = hash();

        put(dir.path(), "t/gpu.yaml", "spec: {priority: 3}");
        put(dir.path(), "t/cpu.json", "{\"spec\": {}}");
        put(dir.path(), "enforced.yaml", "");
        files.read_again(&templates);
        assert_eq!((names(&templates).as_str(), templates.enforced().of("team").count()), ("cpu gpu", 0));
        let second = hash();
        assert_ne!(first, second);

        put(dir.path(), "t/gpu.yaml", "spec: [");
        put(dir.path(), "enforced.yaml", "- no");
        std::fs::remove_file(dir.path().join("t/cpu.json")).unwrap();
        files.read_again(&templates);
        assert_eq!((names(&templates), hash()), ("gpu".to_owned(), second), "the last good version");

        put(dir.path(), "t/gpu.json", "{\"spec\": {}}");
        put(dir.path(), "t/gpu.yaml", "spec: {priority: 4}");
        files.read_again(&templates);
        assert_eq!(templates.get("gpu").unwrap().origin, dir.path().join("t/gpu.json").display().to_string());
    }

    #[test]
    fn what_is_wrong_at_the_start_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(&args(dir.path())).err().unwrap().to_string().contains("folder of templates"));
        std::fs::create_dir(dir.path().join("t")).unwrap();
        put(dir.path(), "enforced.yaml", "");
        put(dir.path(), "t/gpu.yaml", "kind: Job");
        let error = format!("{:#}", read(&args(dir.path())).err().unwrap());
        assert!(error.contains("template gpu of") && error.contains("kind"), "{error}");
        put(dir.path(), "t/gpu.yaml", "spec: {}");
        put(dir.path(), "enforced.yaml", "- no");
        let error = format!("{:#}", read(&args(dir.path())).err().unwrap());
        assert!(error.contains("enforced.yaml") && error.contains("must be a mapping"), "{error}");
        assert!(read(&TemplateArgs::default()).unwrap().1.is_none());
    }

    #[tokio::test]
    async fn config_maps_are_followed() {
        let templates = Templates::default();
        let map = |name: &str, files: &[(&str, &str)]| ConfigMapText {
            name: name.to_owned(),
            data: files.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect::<BTreeMap<_, _>>(),
        };
        let sets = [
            Err("not yet"),
            Ok(vec![
                map("a", &[("gpu.yaml", "spec: {}"), ("notes", "x"), ("bad.yaml", "spec: [")]),
                map("b", &[("cpu.json", "{\"spec\":{}}")]),
            ]),
            Ok(vec![map("b", &[("cpu.json", "{\"spec\":{\"priority\":1}}")])]),
        ];
        let (listed, first) = oneshot::channel();
        let mut after = Vec::new();
        for set in sets {
            let one = futures::stream::iter([set]);
            let (sender, _) = oneshot::channel();
            follow_config_maps(one, &templates, sender).await;
            after.push(names(&templates));
        }
        assert_eq!(after, ["", "cpu gpu", "cpu"]);
        follow_config_maps(futures::stream::iter([Ok::<_, &str>(vec![])]), &templates, listed).await;
        assert!(first.await.is_ok());
        assert_eq!(names(&templates), "");
    }
}
