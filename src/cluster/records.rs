//! Outcome records: ConfigMaps in one namespace, created once, replaced and deleted under a resourceVersion, watched.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use http::Request;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::{Value, json};

use super::answer::{ApiFailure, failure};
use super::client::Cluster;
use super::watch::{config, restarting};
use crate::task::{Instance, Record, meta};

/// A record with the version of the ConfigMap that holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRecord {
    /// Name of the ConfigMap: the pod's.
    pub name: String,
    /// uid of the ConfigMap.
    pub uid: String,
    /// resourceVersion of the ConfigMap.
    pub version: String,
    /// What it says.
    pub record: Record,
}

/// The answer to creating or replacing a record.
#[derive(Debug)]
pub enum RecordAnswer {
    /// Written; as it is stored now.
    Stored(Box<StoredRecord>),
    /// Another one is there, or came in between.
    Exists,
}

/// What the watch of records says.
#[derive(Debug)]
pub enum RecordItem {
    /// A new list begins.
    Restarted,
    /// A record of the list, or a new or changed one.
    There(Box<StoredRecord>),
    /// The list is complete.
    ListDone,
    /// A record is gone.
    Deleted(Box<StoredRecord>),
    /// A ConfigMap with our label that is no record of ours.
    Foreign {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// The watch failed; it is repeated with back-off.
    Failed(watcher::Error),
}

impl Cluster {
    /// One POST.
    pub async fn create_record(
        &self,
        namespace: &str,
        instance: &Instance,
        record: &Record,
    ) -> Result<RecordAnswer, ApiFailure> {
        let body = body(namespace, instance, record, None)?;
        let request = Request::post(collection(namespace)).header(http::header::CONTENT_TYPE, "application/json");
        self.write_record(request, body, instance).await
    }

    /// Puts a record in the place of an older one, if that has not changed meanwhile.
    pub async fn replace_record(
        &self,
        namespace: &str,
        instance: &Instance,
        record: &Record,
        older: &StoredRecord,
    ) -> Result<RecordAnswer, ApiFailure> {
        let body = body(namespace, instance, record, Some(&older.version))?;
        let path = format!("{}/{}", collection(namespace), older.name);
        let request = Request::put(path).header(http::header::CONTENT_TYPE, "application/json");
        self.write_record(request, body, instance).await
    }

    async fn write_record(
        &self,
        request: http::request::Builder,
        body: Bytes,
        instance: &Instance,
    ) -> Result<RecordAnswer, ApiFailure> {
        let request = request.body(body).map_err(ApiFailure::transport_of)?;
        let answer = self.call(request).await?;
        if !answer.status.is_success() {
            return match failure(&answer) {
                ApiFailure::Refused { code: 409, .. } => Ok(RecordAnswer::Exists),
                other => Err(other),
            };
        }
        let map = serde_json::from_slice(&answer.body).map_err(ApiFailure::Unreadable)?;
        match read(map, instance) {
            Ok(stored) => Ok(RecordAnswer::Stored(Box::new(stored))),
            Err(_) => Ok(RecordAnswer::Exists),
        }
    }

    /// A quorum read of a record. A ConfigMap of that name that is no record of ours counts as none.
    pub async fn get_record(
        &self,
        namespace: &str,
        instance: &Instance,
        name: &str,
    ) -> Result<Option<StoredRecord>, ApiFailure> {
        let request = Request::get(format!("{}/{name}", collection(namespace))).body(Bytes::new());
        let answer = self.call(request.map_err(ApiFailure::transport_of)?).await?;
        if answer.status.is_success() {
            let map = serde_json::from_slice(&answer.body).map_err(ApiFailure::Unreadable)?;
            return Ok(read(map, instance).ok());
        }
        match failure(&answer) {
            ApiFailure::NotFound { .. } => Ok(None),
            other => Err(other),
        }
    }

    /// Deletes this very version of a record; one that is gone or was replaced is fine.
    pub async fn delete_record(&self, namespace: &str, stored: &StoredRecord) -> Result<(), ApiFailure> {
        let preconditions = json!({"uid": stored.uid, "resourceVersion": stored.version});
        let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions});
        let request = Request::delete(format!("{}/{}", collection(namespace), stored.name))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(to_bytes(&body)?)
            .map_err(ApiFailure::transport_of)?;
        let answer = self.call(request).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        match failure(&answer) {
            ApiFailure::NotFound { .. } | ApiFailure::Refused { code: 409, .. } => Ok(()),
            other => Err(other),
        }
    }
}

/// Watches the records of an instance. Never ends. The connection is one of its own whose pings tell within seconds
/// that nobody is there: a launch may rely on what this watch has not shown.
pub fn watch_records(
    cluster: &Cluster,
    namespace: &str,
    instance: &Instance,
) -> impl Stream<Item = RecordItem> + Send + use<> {
    let api: Api<ConfigMap> = Api::namespaced(cluster.alert_client(), namespace);
    let labels = format!("{}={},{}", meta::LABEL_INSTANCE, instance.as_str(), meta::LABEL_RECORD);
    let config = config().labels(&labels);
    let instance = instance.clone();
    restarting(move || watcher(api.clone(), config.clone()).default_backoff().boxed()).map(move |item| match item {
        Ok(Event::Init) => RecordItem::Restarted,
        Ok(Event::InitApply(map) | Event::Apply(map)) => there(map, &instance, RecordItem::There),
        Ok(Event::InitDone) => RecordItem::ListDone,
        Ok(Event::Delete(map)) => there(map, &instance, RecordItem::Deleted),
        Err(error) => RecordItem::Failed(error),
    })
}

fn there(map: ConfigMap, instance: &Instance, item: fn(Box<StoredRecord>) -> RecordItem) -> RecordItem {
    let name = map.metadata.name.clone().unwrap_or_default();
    match read(map, instance) {
        Ok(stored) => item(Box::new(stored)),
        Err(why) => RecordItem::Foreign { name, why },
    }
}

fn read(map: ConfigMap, instance: &Instance) -> Result<StoredRecord, String> {
    let name = map.metadata.name.unwrap_or_default();
    let label = |key: &str| map.metadata.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    if label(meta::LABEL_RECORD) != Some(meta::RECORD_SCHEMA) {
        return Err(format!("its label {} is not {:?}", meta::LABEL_RECORD, meta::RECORD_SCHEMA));
    }
    let data = map.data.unwrap_or_default();
    let record = Record::decode(&name, &data, instance).map_err(|error| error.to_string())?;
    let (uid, version) = (map.metadata.uid.unwrap_or_default(), map.metadata.resource_version.unwrap_or_default());
    Ok(StoredRecord { name, uid, version, record })
}

fn body(namespace: &str, instance: &Instance, record: &Record, version: Option<&str>) -> Result<Bytes, ApiFailure> {
    let key = record.key();
    let labels: BTreeMap<&str, String> = [
        (meta::LABEL_INSTANCE, instance.as_str().to_owned()),
        (meta::LABEL_TASK, key.task_label()),
        (meta::LABEL_ATTEMPT, key.attempt.to_string()),
        (meta::LABEL_MANAGED_BY, meta::MANAGED_BY.to_owned()),
        (meta::LABEL_RECORD, meta::RECORD_SCHEMA.to_owned()),
    ]
    .into();
    let mut metadata = json!({"name": key.pod_name(instance), "namespace": namespace, "labels": labels});
    if let Some(version) = version {
        metadata["resourceVersion"] = json!(version);
    }
    to_bytes(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": record.encode()}))
}

fn to_bytes(value: &Value) -> Result<Bytes, ApiFailure> {
    serde_json::to_vec(value).map(Bytes::from).map_err(ApiFailure::Unreadable)
}

fn collection(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}
