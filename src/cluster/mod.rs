//! The Kubernetes API as podlaunch uses it: a handful of requests, each with a typed answer.
//!
//! ```text
//!             ┌─ unary + watch: one HTTP/2 connection ── create, get, patch, delete (pods.rs)
//! Cluster ────┤                                       └─ watch of our pods, of Pod events (watch.rs)
//!             └─ log pool: HTTP/2 connections of ≤ 90 streams each ── follow, tail (logs.rs)
//! ```
//!
//! Nothing here decides: an answer of the API server becomes a value (`Created`, `Refused`,
//! `Unknown` …) and the executor chooses. Requests carry a deadline each; only log follows and
//! watches live on.

mod answer;
mod client;
mod config_maps;
mod leases;
mod logs;
mod pods;
mod records;
mod watch;

pub use answer::{ApiFailure, CreateAnswer, Denial, FieldCause, LogRefusal, PatchAnswer};
pub use client::{Cluster, ClusterConfig, ConnectError};
pub use config_maps::{ConfigMapText, watch_config_maps};
pub use leases::{LeaseAnswer, LeaseClaim, LeaseItem, watch_lease};
pub use logs::{LogBody, LogRequest, ReadMode, Run};
pub use pods::{DeleteRequest, DryRun, PatchOp, TriedPod};
pub use records::{RecordAnswer, RecordItem, StoredRecord, watch_records};
pub use watch::{NoticeItem, PodItem, Scope, watch_notices, watch_pods};
