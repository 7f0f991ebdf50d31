//! What this server is: version, features, limits.
//!
//! ```text
//! ServerInfo (who it is, from the app) ─┐
//! FEATURES (what this version has)      ├─▶ GetServerInfoResponse
//! the executor's settings (limits)     ─┘
//! ```

use jiff::Timestamp;

use super::decode::MAX_QUOTA_WAIT;
use super::time;
use crate::executor::{Executor, Settings};
use crate::pod::build::Finalizer;
use crate::proto::v1;
use crate::task::outcome::{MAX_MESSAGE, REASON_VERSION};
use crate::task::policy::MIN_CANCEL_AFTER_SECONDS;
use crate::task::spec::MAX_MANIFEST_BYTES;

/// Largest request, bytes.
pub const MAX_REQUEST_BYTES: usize = 1 << 20;
/// Longest time before the headers of a LaunchTask, seconds.
const LAUNCH_WAIT_SECONDS: i64 = 75;

/// Who a server is; the same for its whole life.
#[derive(Debug, Clone)]
pub struct ServerInfo {
    /// Version of podlaunch.
    pub version: String,
    /// Name of this replica, for support only.
    pub replica: String,
    /// Name of the cluster it launches into, as callers see it in keys.
    pub cluster: String,
    /// Version of the cluster's API server; empty where it is not known.
    pub kubernetes_version: String,
}

impl Default for ServerInfo {
    fn default() -> Self {
        ServerInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            replica: String::new(),
            cluster: "default".to_owned(),
            kubernetes_version: String::new(),
        }
    }
}

/// Whether this version has a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureStatus {
    /// It has.
    Available,
    /// It is in the contract only.
    Absent,
}

/// A feature of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// Whether it can be used.
    pub status: FeatureStatus,
    /// More to know; empty for nothing.
    pub note: &'static str,
}

const fn available(name: &'static str) -> Feature {
    Feature { name, status: FeatureStatus::Available, note: "" }
}

const fn absent(name: &'static str) -> Feature {
    Feature { name, status: FeatureStatus::Absent, note: "" }
}

/// Every feature of the contract.
pub const FEATURES: &[Feature] = &[
    available("launch"),
    available("validate_only"),
    available("manifest"),
    available("short_form"),
    available("short_form_extended"),
    available("templates"),
    available("previous_attempts"),
    available("disconnect_policy"),
    available("wait_for_quota"),
    Feature {
        name: "task_results",
        status: FeatureStatus::Available,
        note: "from the termination message, or from a file by a sidecar; to be had while the pod exists",
    },
    available("attach_tail"),
    available("cancel_missing"),
    available("pending_grace"),
    available("retention"),
    absent("watch_tasks"),
    absent("batch_launch"),
    absent("list_tasks"),
    absent("batch_cancel"),
    available("delete_task"),
    absent("acknowledge_events"),
    available("outcome_records"),
    absent("archive"),
    absent("exec"),
    absent("terminal"),
    absent("port_forward"),
    absent("copy_files"),
];

/// A feature by name.
pub fn feature(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name)
}

/// The answer to GetServerInfo at `now`.
pub(super) fn server_info(info: &ServerInfo, executor: &Executor, now: Timestamp) -> v1::GetServerInfoResponse {
    let settings = executor.settings();
    v1::GetServerInfoResponse {
        version: info.version.clone(),
        instance: settings.instance.as_str().to_owned(),
        replica: info.replica.clone(),
        time: Some(time::timestamp(now)),
        clusters: vec![cluster_info(info, executor)],
        limits: Some(limits(settings)),
        retention: Some(v1::RetentionInfo {
            after_success: Some(time::duration(settings.retention.after_success)),
            after_failure: Some(time::duration(settings.retention.after_failure)),
        }),
        idempotency_window: Some(time::duration(settings.idempotency_window)),
        default_startup_timeout: settings.default_startup_seconds.map(time::seconds),
        features: FEATURES.iter().map(encode_feature).collect(),
        reason_version: REASON_VERSION,
    }
}

fn cluster_info(info: &ServerInfo, executor: &Executor) -> v1::ClusterInfo {
    let settings = executor.settings();
    let coverage = match settings.finalizer {
        Finalizer::On => v1::DeletionCoverage::Finalizer,
        Finalizer::Off => v1::DeletionCoverage::WhileWatching,
    };
    v1::ClusterInfo {
        name: info.cluster.clone(),
        kubernetes_version: info.kubernetes_version.clone(),
        default_namespace: executor.cluster().default_namespace().to_owned(),
        scopes: scopes(&info.cluster, executor),
        deletion_coverage: coverage.into(),
        container_log_max_bytes: settings.container_log_max_size,
        record_namespace: executor.record_namespace().to_owned(),
    }
}

fn scopes(cluster: &str, executor: &Executor) -> Vec<v1::ScopeStatus> {
    let status = |part: Option<String>| v1::ScopeStatus {
        cluster: cluster.to_owned(),
        fresh: executor.is_fresh(part.as_deref().unwrap_or_default()),
        namespace: part.unwrap_or_default(),
        last_seen_time: None,
    };
    executor.settings().scope.parts().into_iter().map(status).collect()
}

fn limits(settings: &Settings) -> v1::Limits {
    v1::Limits {
        max_request_bytes: MAX_REQUEST_BYTES as u64,
        max_manifest_bytes: MAX_MANIFEST_BYTES as u64,
        max_chunk_bytes: crate::logs::MAX_DATA as u64,
        max_streams: settings.max_streams as u64,
        max_result_bytes: settings.result.max_bytes,
        max_inline_result_bytes: MAX_MESSAGE as u64,
        launch_wait: Some(time::seconds(LAUNCH_WAIT_SECONDS)),
        log_wait: Some(time::duration(settings.log_wait)),
        sidecar_grace: Some(time::duration(settings.sidecar_grace)),
        stall_limit: Some(time::duration(settings.stall_limit)),
        max_wait_for_quota: Some(time::seconds(MAX_QUOTA_WAIT)),
        min_cancel_after: Some(time::seconds(MIN_CANCEL_AFTER_SECONDS)),
        ..v1::Limits::default()
    }
}

fn encode_feature(feature: &Feature) -> v1::Feature {
    let state = match feature.status {
        FeatureStatus::Available => v1::FeatureState::Available,
        FeatureStatus::Absent => v1::FeatureState::Absent,
    };
    v1::Feature { name: feature.name.to_owned(), state: state.into(), note: feature.note.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_call_is_listed() {
        let names: BTreeSet<&str> = FEATURES.iter().map(|f| f.name).collect();
        assert_eq!(names.len(), FEATURES.len());
        for name in &names {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        }
        assert_eq!(feature("launch").unwrap().status, FeatureStatus::Available);
        assert_eq!(feature("watch_tasks").unwrap().status, FeatureStatus::Absent);
        assert!(feature("teleport").is_none());
    }

    #[test]
    fn limits_in_force_are_told() {
        let told = limits(&Settings::default());
        assert_eq!(
            (told.max_request_bytes, told.max_manifest_bytes, told.max_chunk_bytes),
            (1 << 20, 512 << 10, 64 << 10)
        );
        assert_eq!(told.log_wait, Some(time::seconds(30)));
        assert_eq!(told.max_batch_items, 0);
    }
}
