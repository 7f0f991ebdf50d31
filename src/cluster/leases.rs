//! One Lease: get, create, replace under a resourceVersion, watch.
//!
//! Who watches a Lease sees each renewal and needs no poll: when none was seen for its duration, by the watcher's own
//! clock, it may be taken.

use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use http::Request;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};

use super::answer::{ApiFailure, failure};
use super::client::Cluster;
use super::watch::{config, restarting};
use crate::task::meta;

/// A lease as one writer wants it.
#[derive(Debug, Clone)]
pub struct LeaseClaim<'a> {
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
    /// Who holds it; empty gives it back.
    pub holder: &'a str,
    /// For how long it is good without a renewal, seconds.
    pub duration_seconds: i32,
    /// Now (podlaunch's clock).
    pub now: jiff::Timestamp,
}

/// The answer to a claim.
#[derive(Debug)]
pub enum LeaseAnswer {
    /// It is as claimed.
    Held(Box<Lease>),
    /// Somebody else wrote it meanwhile.
    Lost,
}

/// What the watch of a lease says.
#[derive(Debug)]
pub enum LeaseItem {
    /// The lease as it is now.
    There(Box<Lease>),
    /// There is none.
    Absent,
    /// The watch failed; it is repeated with back-off.
    Failed(watcher::Error),
}

impl Cluster {
    /// A quorum read.
    pub async fn get_lease(&self, namespace: &str, name: &str) -> Result<Option<Box<Lease>>, ApiFailure> {
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}");
        let request = Request::get(path).body(Bytes::new()).map_err(ApiFailure::transport_of)?;
        let answer = self.call(request).await?;
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body).map(Some).map_err(ApiFailure::Unreadable);
        }
        match failure(&answer) {
            ApiFailure::NotFound { .. } => Ok(None),
            other => Err(other),
        }
    }

    /// Writes the claim: in the place of `current`, or as a new lease where there is none.
    pub async fn claim_lease(
        &self,
        claim: &LeaseClaim<'_>,
        current: Option<&Lease>,
    ) -> Result<LeaseAnswer, ApiFailure> {
        let collection = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", claim.namespace);
        let builder = match current {
            Some(_) => Request::put(format!("{collection}/{}", claim.name)),
            None => Request::post(collection),
        };
        let body = serde_json::to_vec(&lease(claim, current)).map_err(ApiFailure::Unreadable)?;
        let request = builder
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body))
            .map_err(ApiFailure::transport_of)?;
        let answer = self.call(request).await?;
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body).map(LeaseAnswer::Held).map_err(ApiFailure::Unreadable);
        }
        match failure(&answer) {
            ApiFailure::Refused { code: 409, .. } => Ok(LeaseAnswer::Lost),
            ApiFailure::NotFound { .. } if current.is_some() => Ok(LeaseAnswer::Lost),
            other => Err(other),
        }
    }
}

fn lease(claim: &LeaseClaim<'_>, current: Option<&Lease>) -> Lease {
    let old = current.and_then(|lease| lease.spec.clone()).unwrap_or_default();
    let changes_hands = old.holder_identity.as_deref() != Some(claim.holder);
    let now = Some(MicroTime(claim.now));
    Lease {
        metadata: ObjectMeta {
            name: Some(claim.name.to_owned()),
            namespace: Some(claim.namespace.to_owned()),
            resource_version: current.and_then(|lease| lease.metadata.resource_version.clone()),
            labels: Some([(meta::LABEL_MANAGED_BY.to_owned(), meta::MANAGED_BY.to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(claim.holder.to_owned()),
            lease_duration_seconds: Some(claim.duration_seconds),
            acquire_time: if changes_hands { now.clone() } else { old.acquire_time.or(now.clone()) },
            renew_time: now,
            lease_transitions: Some(old.lease_transitions.unwrap_or_default() + i32::from(changes_hands)),
            ..LeaseSpec::default()
        }),
    }
}

/// Watches one lease. Never ends.
pub fn watch_lease(cluster: &Cluster, namespace: &str, name: &str) -> impl Stream<Item = LeaseItem> + Send + use<> {
    let api: Api<Lease> = Api::namespaced(cluster.alert_client(), namespace);
    let config = config().fields(&format!("metadata.name={name}"));
    let mut listed = false;
    restarting(move || watcher(api.clone(), config.clone()).default_backoff().boxed()).filter_map(move |item| {
        let item = match item {
            Ok(Event::Init) => {
                listed = false;
                None
            }
            Ok(Event::InitApply(lease) | Event::Apply(lease)) => {
                listed = true;
                Some(LeaseItem::There(Box::new(lease)))
            }
            Ok(Event::InitDone) if listed => None,
            Ok(Event::InitDone | Event::Delete(_)) => Some(LeaseItem::Absent),
            Err(error) => Some(LeaseItem::Failed(error)),
        };
        async move { item }
    })
}
