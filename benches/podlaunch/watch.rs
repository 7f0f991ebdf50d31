//! The raw watch: what each pod shows, and when the event that shows it arrived.
//!
//! ```text
//! GET pods?watch ─▶ chunk (stamped before it is parsed) ─▶ lines ─▶ table ─▶ whoever waits
//! ```
//!
//! The stamp before the parsing makes the raw client's own work part of neither side's time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::{Buf, BytesMut};
use futures::StreamExt;
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::raw::{Chunks, Raw};

/// Longest wait for anything a pod is to show.
const LIMIT: Duration = Duration::from_secs(90);

/// The event that first showed the container as terminated.
#[derive(Debug, Clone)]
pub struct Ended {
    /// When it arrived.
    pub at: Instant,
    /// The pod's resourceVersion in it.
    pub version: String,
}

#[derive(Debug, Default)]
struct Seen {
    started: Option<Instant>,
    ended: Option<Ended>,
}

type Table = HashMap<String, Seen>;

/// A running watch. Ends when dropped.
pub struct PodWatch {
    table: watch::Receiver<Table>,
    _task: AbortOnDropHandle<()>,
}

impl PodWatch {
    /// Watches the pods that a label selector names (all: an empty one) from now on.
    pub async fn start(raw: &Raw, labels: &str) -> anyhow::Result<PodWatch> {
        let (sender, table) = watch::channel(Table::new());
        let mut reader = Reader { version: raw.list_version().await?, sender };
        let (raw, labels) = (raw.clone(), labels.to_owned());
        let mut body = raw.watch(&labels, &reader.version).await?;
        let task = tokio::spawn(async move {
            let ended = loop {
                if let Err(error) = reader.read(body).await {
                    break error;
                }
                // The API server may end a watch at any time, and does under load.
                eprintln!("bench: the raw watch was ended by the API server and is resumed");
                body = match raw.watch(&labels, &reader.version).await {
                    Ok(body) => body,
                    Err(error) => break error,
                };
            };
            // The sender goes with this task: whoever waits learns that the watch is over.
            eprintln!("bench: the raw watch: {ended:#}");
        });
        Ok(PodWatch { table, _task: AbortOnDropHandle::new(task) })
    }

    /// Waits until a container of the pod runs or has run.
    pub async fn started(&self, pod: &str) -> anyhow::Result<Instant> {
        let what = |table: &Table| {
            let seen = table.get(pod)?;
            seen.started.or(seen.ended.as_ref().map(|ended| ended.at))
        };
        self.when(pod, "start", what).await
    }

    /// Waits until the pod's container has ended.
    pub async fn ended(&self, pod: &str) -> anyhow::Result<Ended> {
        self.when(pod, "end", |table| table.get(pod)?.ended.clone()).await
    }

    /// Waits until all of these pods were seen.
    pub async fn seen(&self, pods: &[String]) -> anyhow::Result<()> {
        let all = |table: &Table| pods.iter().all(|pod| table.contains_key(pod)).then_some(());
        self.when("the pods", "appear", all).await
    }

    async fn when<T>(&self, who: &str, verb: &str, what: impl Fn(&Table) -> Option<T>) -> anyhow::Result<T> {
        let mut table = self.table.clone();
        let wait = async {
            let table = table.wait_for(|table| what(table).is_some()).await.context("the raw watch ended")?;
            what(&table).context("unchanged while it is borrowed")
        };
        tokio::time::timeout(LIMIT, wait).await.with_context(|| format!("{who} did not {verb} within {LIMIT:?}"))?
    }
}

/// Reads bodies into the table.
struct Reader {
    /// resourceVersion of the last event.
    version: String,
    sender: watch::Sender<Table>,
}

impl Reader {
    /// Until the body's clean end.
    async fn read(&mut self, mut body: Chunks) -> anyhow::Result<()> {
        let mut buffer = BytesMut::new();
        while let Some(chunk) = body.next().await {
            let at = Instant::now();
            buffer.extend_from_slice(&chunk?);
            while let Some(end) = memchr::memchr(b'\n', &buffer) {
                let line = buffer.split_to(end);
                buffer.advance(1);
                self.take(&line, at)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8], at: Instant) -> anyhow::Result<()> {
        let text = || String::from_utf8_lossy(line);
        let event: Event = serde_json::from_slice(line).with_context(|| format!("an unexpected event: {}", text()))?;
        anyhow::ensure!(event.kind != "ERROR", "{}", text());
        self.version.clone_from(&event.object.metadata.resource_version);
        self.sender.send_modify(|table| event.apply(at, table));
        Ok(())
    }
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    object: PodPart,
}

/// The part of a pod that is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodPart {
    #[serde(default)]
    metadata: MetadataPart,
    #[serde(default)]
    status: StatusPart,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct MetadataPart {
    name: String,
    resource_version: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct StatusPart {
    container_statuses: Vec<ContainerPart>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ContainerPart {
    state: StatePart,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct StatePart {
    running: Option<serde::de::IgnoredAny>,
    terminated: Option<serde::de::IgnoredAny>,
}

impl Event {
    fn apply(self, at: Instant, table: &mut Table) {
        let PodPart { metadata, status } = self.object;
        match self.kind.as_str() {
            "ADDED" | "MODIFIED" => {}
            "DELETED" => {
                table.remove(&metadata.name);
                return;
            }
            _ => return,
        }
        let seen = table.entry(metadata.name).or_default();
        if seen.started.is_none() && status.container_statuses.iter().any(|c| c.state.running.is_some()) {
            seen.started = Some(at);
        }
        if seen.ended.is_none() && status.container_statuses.iter().any(|c| c.state.terminated.is_some()) {
            seen.ended = Some(Ended { at, version: metadata.resource_version });
        }
    }
}
