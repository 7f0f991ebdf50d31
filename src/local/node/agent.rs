//! Gives every pod of the node its task.
//!
//! ```text
//! store: pods (list, then changes) ─→ Feed per pod uid ─→ Worker
//! store: secrets, config maps ─────→ one counter ──────→ workers that lack one
//! ```
//!
//! Workers are known by uid: a pod made anew under an old name is another pod. A subscription that fell behind is made anew
//! after a list, and what is missing from the list is gone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Shared;
use super::pod::{Feed, Worker};
use crate::local::store::{Change, Changed, Kind, Meta, NODE_NAME, StoreError, Subscription};

/// The node's pods.
pub struct Agent {
    node: Arc<Shared>,
    feeds: HashMap<String, watch::Sender<Feed>>,
    /// Each ends with its pod's uid.
    workers: JoinSet<String>,
}

impl Agent {
    pub fn new(node: Arc<Shared>) -> Agent {
        Agent { node, feeds: HashMap::new(), workers: JoinSet::new() }
    }

    /// Runs until dropped.
    pub async fn run(mut self) {
        loop {
            let (pods, version) = self.node.store.list(Kind::Pod, None);
            self.reconcile(&pods);
            if let Err(error) = self.follow(version).await {
                tracing::debug!(%error, "the pod subscription is made anew");
            }
            // A store that refuses at once must not starve the runtime.
            tokio::task::yield_now().await;
        }
    }

    async fn follow(&mut self, version: u64) -> Result<(), StoreError> {
        let store = &self.node.store;
        let mut pods = store.subscribe(Kind::Pod, Some(version))?;
        let mut secrets = store.subscribe(Kind::Secret, None)?;
        let mut maps = store.subscribe(Kind::ConfigMap, None)?;
        self.node.config_changed();
        loop {
            tokio::select! {
                change = next(&mut pods) => self.on_change(&change?),
                change = next(&mut secrets) => { change?; self.node.config_changed(); }
                change = next(&mut maps) => { change?; self.node.config_changed(); }
                Some(ended) = self.workers.join_next() => self.on_worker_end(ended),
            }
        }
    }

    fn reconcile(&mut self, pods: &[Arc<Value>]) {
        let present: HashSet<&str> = pods.iter().map(|pod| pod.uid()).collect();
        for (uid, feed) in &self.feeds {
            if !present.contains(uid.as_str()) {
                feed.send_modify(|feed| feed.gone = true);
            }
        }
        pods.iter().for_each(|pod| self.offer(pod));
    }

    fn on_change(&mut self, changed: &Changed) {
        match changed.change {
            Change::Added | Change::Modified => self.offer(&changed.object),
            Change::Deleted => {
                if let Some(feed) = self.feeds.get(changed.object.uid()) {
                    feed.send_modify(|feed| {
                        feed.pod = Arc::clone(&changed.object);
                        feed.gone = true;
                    });
                }
            }
        }
    }

    /// Tells the pod's task of the newest object; starts one for a pod that was just bound here.
    fn offer(&mut self, pod: &Arc<Value>) {
        let uid = pod.uid();
        if let Some(feed) = self.feeds.get(uid) {
            feed.send_modify(|feed| feed.pod = Arc::clone(pod));
            return;
        }
        if pod["spec"]["nodeName"] != NODE_NAME {
            return;
        }
        let (feed, told) = watch::channel(Feed { pod: Arc::clone(pod), gone: false });
        let uid = uid.to_owned();
        self.feeds.insert(uid.clone(), feed);
        let worker = Worker::new(Arc::clone(&self.node), told);
        self.workers.spawn(async move {
            worker.run().await;
            uid
        });
    }

    fn on_worker_end(&mut self, ended: Result<String, tokio::task::JoinError>) {
        match ended {
            Ok(uid) => _ = self.feeds.remove(&uid),
            Err(error) => tracing::error!(%error, "the task of a pod failed; its containers are stopped"),
        }
    }
}

async fn next(subscription: &mut Subscription) -> Result<Changed, StoreError> {
    subscription.next().await.unwrap_or(Err(StoreError::Aborted))
}
