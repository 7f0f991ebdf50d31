//! ConfigMaps of one namespace, chosen by label: all of them whenever one changes.

use std::collections::BTreeMap;

use futures::stream::{Stream, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};

use super::client::Cluster;
use super::watch::{config, restarting};

/// The text of a ConfigMap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigMapText {
    /// Its name.
    pub name: String,
    /// Its text data.
    pub data: BTreeMap<String, String>,
}

/// Watches the ConfigMaps of `namespace` that `selector` (Kubernetes' syntax) chooses: their whole set after the first
/// list and after each change. An error is told and the watch goes on. Never ends.
pub fn watch_config_maps(
    cluster: &Cluster,
    namespace: &str,
    selector: &str,
) -> impl Stream<Item = Result<Vec<ConfigMapText>, watcher::Error>> + Send + use<> {
    let api: Api<ConfigMap> = Api::namespaced(cluster.client(), namespace);
    let config = config().labels(selector);
    let events = restarting(move || watcher(api.clone(), config.clone()).default_backoff().boxed());
    events
        .scan(Seen::default(), |seen, event| {
            let told = event.map(|event| seen.apply(event)).transpose();
            async move { Some(told) }
        })
        .filter_map(|told| async move { told })
}

/// The set as it is known; a list replaces it only when it is complete.
#[derive(Default)]
struct Seen {
    now: BTreeMap<String, ConfigMapText>,
    listed: BTreeMap<String, ConfigMapText>,
}

impl Seen {
    /// The set, where it may have changed.
    fn apply(&mut self, event: Event<ConfigMap>) -> Option<Vec<ConfigMapText>> {
        match event {
            Event::Init => {
                self.listed.clear();
                return None;
            }
            Event::InitApply(map) => {
                let map = text_of(map);
                self.listed.insert(map.name.clone(), map);
                return None;
            }
            Event::InitDone => self.now = std::mem::take(&mut self.listed),
            Event::Apply(map) => {
                let map = text_of(map);
                self.now.insert(map.name.clone(), map);
            }
            Event::Delete(map) => {
                self.now.remove(&text_of(map).name);
            }
        }
        Some(self.now.values().cloned().collect())
    }
}

fn text_of(map: ConfigMap) -> ConfigMapText {
    ConfigMapText { name: map.metadata.name.unwrap_or_default(), data: map.data.unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(name: &str, value: &str) -> ConfigMap {
        let mut map =
            ConfigMap { data: Some(BTreeMap::from([("k".to_owned(), value.to_owned())])), ..Default::default() };
        map.metadata.name = Some(name.to_owned());
        map
    }

    #[test]
    fn a_list_counts_when_it_is_complete() {
        let mut seen = Seen::default();
        let names = |set: Option<Vec<ConfigMapText>>| {
            set.map(|set| {
                set.into_iter().map(|map| format!("{}={}", map.name, map.data["k"])).collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(names(seen.apply(Event::Init)), None);
        assert_eq!(names(seen.apply(Event::InitApply(map("a", "1")))), None);
        assert_eq!(names(seen.apply(Event::InitDone)).as_deref(), Some("a=1"));
        assert_eq!(names(seen.apply(Event::Apply(map("b", "1")))).as_deref(), Some("a=1 b=1"));
        assert_eq!(names(seen.apply(Event::Apply(map("a", "2")))).as_deref(), Some("a=2 b=1"));
        // A list that breaks off changes nothing; one that is complete forgets what is gone.
        seen.apply(Event::Init);
        seen.apply(Event::InitApply(map("c", "1")));
        seen.apply(Event::Init);
        seen.apply(Event::InitApply(map("b", "1")));
        assert_eq!(names(seen.apply(Event::InitDone)).as_deref(), Some("b=1"));
        assert_eq!(names(seen.apply(Event::Delete(map("b", "1")))).as_deref(), Some(""));
    }
}
