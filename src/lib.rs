//! podlaunch: a gRPC executor for Kubernetes.
//!
//! `LaunchTask` creates a pod and answers with a stream of its status transitions and log lines
//! until it ends. `ARCHITECTURE.md` draws the way of one task through the code.
//!
//! ```text
//! proto ─▶ api ─▶ executor ─▶ cluster ─▶ the Kubernetes API
//!                    │            │
//!                    └── task, pod, logs (pure rules) ──┘
//! local: the embedded cluster, reached over HTTP only      cli: a client of proto
//! main ─▶ app: joins them
//! ```

mod api;
pub mod app;
mod cli;
pub mod cluster;
pub mod executor;
mod local;
pub mod logs;
pub mod pod;
pub mod proto;
pub mod task;
