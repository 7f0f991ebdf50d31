//! What a server is, as JSON.

use serde::Serialize;

use super::{Word, span, text, time, word};
use crate::proto::v1;

/// A server.
#[derive(Debug, Serialize)]
pub(crate) struct InfoJson<'a> {
    version: &'a str,
    instance: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    clusters: Vec<ClusterJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<LimitsJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_after_success_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_after_failure_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_window_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_startup_timeout_seconds: Option<f64>,
    features: Vec<FeatureJson<'a>>,
    reason_version: u32,
}

impl<'a> InfoJson<'a> {
    pub(crate) fn of(info: &'a v1::GetServerInfoResponse) -> Self {
        let retention = info.retention.as_ref();
        Self {
            version: &info.version,
            instance: &info.instance,
            replica: text(&info.replica),
            time: time(info.time.as_ref()),
            clusters: info.clusters.iter().map(ClusterJson::of).collect(),
            limits: info.limits.as_ref().map(LimitsJson::of),
            retention_after_success_seconds: span(retention.and_then(|retention| retention.after_success.as_ref())),
            retention_after_failure_seconds: span(retention.and_then(|retention| retention.after_failure.as_ref())),
            idempotency_window_seconds: span(info.idempotency_window.as_ref()),
            default_startup_timeout_seconds: span(info.default_startup_timeout.as_ref()),
            features: info.features.iter().map(FeatureJson::of).collect(),
            reason_version: info.reason_version,
        }
    }
}

#[derive(Debug, Serialize)]
struct FeatureJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

impl<'a> FeatureJson<'a> {
    fn of(feature: &'a v1::Feature) -> Self {
        Self { name: &feature.name, state: word::<v1::FeatureState>(feature.state), note: text(&feature.note) }
    }
}

#[derive(Debug, Serialize)]
struct ClusterJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes_version: Option<&'a str>,
    default_namespace: &'a str,
    scopes: Vec<ScopeJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_coverage: Word,
    container_log_max_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    record_namespace: Option<&'a str>,
}

impl<'a> ClusterJson<'a> {
    fn of(cluster: &'a v1::ClusterInfo) -> Self {
        Self {
            name: &cluster.name,
            kubernetes_version: text(&cluster.kubernetes_version),
            default_namespace: &cluster.default_namespace,
            scopes: cluster.scopes.iter().map(ScopeJson::of).collect(),
            deletion_coverage: word::<v1::DeletionCoverage>(cluster.deletion_coverage),
            container_log_max_bytes: cluster.container_log_max_bytes,
            record_namespace: text(&cluster.record_namespace),
        }
    }
}

#[derive(Debug, Serialize)]
struct ScopeJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    fresh: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_time: Option<String>,
}

impl<'a> ScopeJson<'a> {
    fn of(scope: &'a v1::ScopeStatus) -> Self {
        Self {
            namespace: text(&scope.namespace),
            fresh: scope.fresh,
            last_seen_time: time(scope.last_seen_time.as_ref()),
        }
    }
}

#[derive(Debug, Serialize)]
struct LimitsJson {
    max_request_bytes: u64,
    max_manifest_bytes: u64,
    max_chunk_bytes: u64,
    max_batch_items: u32,
    max_page_size: u32,
    max_active_tasks: u64,
    max_streams: u64,
    max_streams_per_connection: u32,
    max_consumers_per_task: u32,
    max_result_bytes: u64,
    max_inline_result_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    launch_wait_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_wait_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sidecar_grace_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stall_limit_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watch_resume_window_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_wait_for_quota_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_cancel_after_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_unacknowledged_seconds: Option<f64>,
}

impl LimitsJson {
    fn of(limits: &v1::Limits) -> Self {
        Self {
            max_request_bytes: limits.max_request_bytes,
            max_manifest_bytes: limits.max_manifest_bytes,
            max_chunk_bytes: limits.max_chunk_bytes,
            max_batch_items: limits.max_batch_items,
            max_page_size: limits.max_page_size,
            max_active_tasks: limits.max_active_tasks,
            max_streams: limits.max_streams,
            max_streams_per_connection: limits.max_streams_per_connection,
            max_consumers_per_task: limits.max_consumers_per_task,
            max_result_bytes: limits.max_result_bytes,
            max_inline_result_bytes: limits.max_inline_result_bytes,
            launch_wait_seconds: span(limits.launch_wait.as_ref()),
            log_wait_seconds: span(limits.log_wait.as_ref()),
            sidecar_grace_seconds: span(limits.sidecar_grace.as_ref()),
            stall_limit_seconds: span(limits.stall_limit.as_ref()),
            watch_resume_window_seconds: span(limits.watch_resume_window.as_ref()),
            max_wait_for_quota_seconds: span(limits.max_wait_for_quota.as_ref()),
            min_cancel_after_seconds: span(limits.min_cancel_after.as_ref()),
            max_unacknowledged_seconds: span(limits.max_unacknowledged.as_ref()),
        }
    }
}
