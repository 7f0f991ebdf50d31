//! The end-to-end suite: one suite, two backends.
//!
//! By default it runs against the embedded cluster, started as a process of its own; with
//! `PODLAUNCH_E2E_KUBECONFIG=PATH` against the real cluster of that kubeconfig, and with `PODLAUNCH_E2E_AUDIT=PATH` it
//! also reads that cluster's audit log. With `PODLAUNCH_E2E_CLUSTER_TOOLS=FOLDER` (`restart NAME`, `fake-nodes N`) the
//! ignored tests restart its parts and lose its node: they run alone. Servers are processes of the built binary. Every
//! test has its own namespace, and all run in parallel; most wait rather than compute, so `--test-threads=16` is worth
//! giving on small machines.
//!
//! Where to look: `harness` is what all stand on; every stream that any test reads goes through `harness::check`.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a test fails by panicking, and tells what it skipped

mod harness;

mod attach;
mod blog_post;
mod chaos;
mod checks;
mod commands;
mod cursors;
mod endings;
mod exits;
mod faults_kit;
mod faults_launch;
mod faults_logs;
mod faults_node;
mod faults_watch;
mod features;
mod identity;
mod keeper;
mod log_pressure;
mod log_starts;
mod many_containers;
mod nodes;
mod output;
mod pending;
mod pods;
mod records;
mod replicas;
mod requests;
mod requests_random;
mod restarts;
mod results;
mod rotation;
mod secrets;
mod service;
mod sidecars;
mod stops;
mod templates;
mod whole_run;
