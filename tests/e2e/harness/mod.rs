//! What every test stands on: one cluster for the run, a server beside it, a namespace for each test.
//!
//! ```text
//! backend (embedded cluster as a process, or PODLAUNCH_E2E_KUBECONFIG)
//!    └─ server (podlaunch serve, a process; one shared by the run, or one of a test's own)
//!          └─ ctx::run(test) ─ namespace ─ podlaunch (gRPC) ─ stream ─ check (invariants of every stream)
//!                                        ├ cluster   (kube: the oracle)
//!                                        └ faults (the embedded cluster's plan), proxy (breaks connections, on both)
//! ```
#![allow(dead_code, unused_imports, reason = "several test programs share this folder, none uses all of it")]

pub mod audit;
pub mod backend;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod collected;
pub mod ctx;
pub mod failure;
pub mod faults;
pub mod images;
pub mod podlaunch;
pub mod process;
pub mod proxy;
pub mod samples;
pub mod server;
pub mod spec;
pub mod stream;
pub mod tools;
pub mod wait;

pub use ::podlaunch::proto::v1;
pub use ctx::{Ctx, run, run_long};
