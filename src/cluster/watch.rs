//! The two watches: pods of this instance, and Events about pods.
//!
//! ```text
//! list ─▶ Restarted, Listed…, ListDone ─▶ watch ─▶ Changed, Deleted … ─▶ 410 or a lost connection ─▶ again
//! ```
//!
//! kube's watcher does the protocol (pages, bookmarks, back-off, 410 inside a stream). One thing
//! it leaves open: after an HTTP 410 at the start of a watch it would ask for the same version
//! for ever, so the watcher is made anew then.

use futures::stream::{BoxStream, Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event as KubeEvent;
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};

use super::client::Cluster;
use crate::pod::slim::SlimPod;
use crate::task::event::{Notice, Severity};
use crate::task::{Instance, meta};

/// Seconds after which the API server ends a watch; below the idle limit of common load balancers.
const WATCH_SECONDS: u32 = 200;

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// Every namespace.
    #[default]
    Cluster,
    /// These namespaces, a watch each.
    Namespaces(Vec<String>),
}

impl Scope {
    /// Whether pods of `namespace` are seen.
    pub fn serves(&self, namespace: &str) -> bool {
        match self {
            Scope::Cluster => true,
            Scope::Namespaces(names) => names.iter().any(|n| n == namespace),
        }
    }

    /// One entry a watch: `None` for all namespaces.
    pub fn parts(&self) -> Vec<Option<String>> {
        match self {
            Scope::Cluster => vec![None],
            Scope::Namespaces(names) => names.iter().cloned().map(Some).collect(),
        }
    }
}

/// What the pod watch says.
#[derive(Debug)]
pub enum PodItem {
    /// A new list begins.
    Restarted,
    /// A pod of the list.
    Listed(Box<SlimPod>),
    /// The list is complete: what it did not name is not there any more, or is not ours.
    ListDone,
    /// A pod was added or changed.
    Changed(Box<SlimPod>),
    /// A pod is gone; its last version.
    Deleted(Box<SlimPod>),
    /// The watch failed and is being repeated with back-off.
    Failed(watcher::Error),
}

/// An Event about a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct NoticeItem {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// uid of the pod.
    pub uid: String,
    /// When it last happened (its reporter's clock).
    pub occurred: Option<Timestamp>,
    /// The event.
    pub notice: Notice,
}

pub(super) fn config() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS)
}

/// Watches the pods of an instance in one part of the scope. Never ends.
pub fn watch_pods(
    cluster: &Cluster,
    part: Option<&str>,
    instance: &Instance,
) -> impl Stream<Item = PodItem> + Send + use<> {
    let api: Api<SlimPod> = match part {
        Some(namespace) => Api::namespaced(cluster.client(), namespace),
        None => Api::all(cluster.client()),
    };
    let config = config().labels(&format!("{}={}", meta::LABEL_INSTANCE, instance.as_str()));
    restarting(move || watcher(api.clone(), config.clone()).default_backoff().boxed()).map(|item| match item {
        Ok(Event::Init) => PodItem::Restarted,
        Ok(Event::InitApply(pod)) => PodItem::Listed(Box::new(pod)),
        Ok(Event::InitDone) => PodItem::ListDone,
        Ok(Event::Apply(pod)) => PodItem::Changed(Box::new(pod)),
        Ok(Event::Delete(pod)) => PodItem::Deleted(Box::new(pod)),
        Err(error) => PodItem::Failed(error),
    })
}

/// Watches the Events about pods in one part of the scope. Never ends.
pub fn watch_notices(cluster: &Cluster, part: Option<&str>) -> impl Stream<Item = NoticeItem> + Send + use<> {
    let api: Api<KubeEvent> = match part {
        Some(namespace) => Api::namespaced(cluster.client(), namespace),
        None => Api::all(cluster.client()),
    };
    let config = config().fields("involvedObject.kind=Pod");
    restarting(move || watcher(api.clone(), config.clone()).default_backoff().boxed()).filter_map(|item| {
        let item = match item {
            Ok(Event::InitApply(event) | Event::Apply(event)) => notice(event),
            // Hints only: a broken watch of Events is repeated and nothing else.
            Ok(_) | Err(_) => None,
        };
        async move { item }
    })
}

pub(super) type Watcher<K> = BoxStream<'static, watcher::Result<Event<K>>>;

/// A watcher made anew where it would ask for a version that is gone for ever.
pub(super) fn restarting<K, F>(make: F) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Send + 'static,
    F: Fn() -> Watcher<K> + Send + 'static,
{
    let first = make();
    futures::stream::unfold((first, make), |(mut stream, make)| async move {
        let item = stream.next().await?;
        if let Err(watcher::Error::WatchStartFailed(kube::Error::Api(status))) = &item
            && status.code == 410
        {
            stream = make();
        }
        Some((item, (stream, make)))
    })
}

fn notice(event: KubeEvent) -> Option<NoticeItem> {
    let object = event.involved_object;
    let occurred = event
        .series
        .as_ref()
        .and_then(|s| s.last_observed_time.as_ref())
        .map(|t| t.0)
        .or(event.last_timestamp.map(|t| t.0))
        .or(event.event_time.map(|t| t.0))
        .or(event.metadata.creation_timestamp.map(|t| t.0));
    let count = event.series.and_then(|s| s.count).or(event.count).unwrap_or(1);
    let source = event.source.and_then(|s| s.component).filter(|s| !s.is_empty());
    Some(NoticeItem {
        namespace: object.namespace?,
        pod: object.name?,
        uid: object.uid?,
        occurred,
        notice: Notice {
            reason: event.reason.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
            severity: match event.type_.as_deref() {
                Some("Warning") => Severity::Warning,
                _ => Severity::Normal,
            },
            first: event.first_timestamp.map(|t| t.0),
            count: u32::try_from(count).unwrap_or(1),
            container: object.field_path.as_deref().and_then(container_of),
            source: source.or(event.reporting_component).unwrap_or_default(),
            version: event.metadata.resource_version?.parse().ok()?,
        },
    })
}

/// `spec.containers{main}` → `main`.
fn container_of(path: &str) -> Option<String> {
    let (_, rest) = path.split_once('{')?;
    Some(rest.strip_suffix('}')?.to_string())
}
