//! The whole cluster, through kube's client in process.

use std::time::Duration;

use futures::TryStreamExt;
use futures::io::AsyncReadExt;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::{DeleteParams, LogParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::watcher;
use serde_json::json;

use super::*;

struct Running {
    cluster: LocalCluster,
    _folder: tempfile::TempDir,
}

impl Running {
    fn start() -> Running {
        let folder = tempfile::tempdir().unwrap();
        let cluster = LocalCluster::start(LocalConfig::new(folder.path())).unwrap();
        Running { cluster, _folder: folder }
    }

    fn client(&self) -> kube::Client {
        kube::Client::new(self.cluster.router(), "default")
    }

    fn pods(&self) -> Api<Pod> {
        Api::default_namespaced(self.client())
    }
}

fn pod(name: &str, script: &str) -> Pod {
    let body = json!({"metadata": {"name": name}, "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 2,
        "containers": [{"name": "main", "image": "any:1", "command": ["sh", "-c", script]}]}});
    serde_json::from_value(body).unwrap()
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(value) => value,
        Err(_) => panic!("not in time: {what}"),
    }
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or_default()
}

/// Waits for the terminal phase and returns the pod.
async fn ended(pods: &Api<Pod>, name: &str) -> Pod {
    let is_over = |pod: Option<&Pod>| pod.is_some_and(|p| matches!(phase(p), "Succeeded" | "Failed"));
    in_time("the pod's end", await_condition(pods.clone(), name, is_over)).await.unwrap().unwrap()
}

fn exit_code(pod: &Pod) -> Option<i32> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    Some(containers.first()?.state.as_ref()?.terminated.as_ref()?.exit_code)
}

#[tokio::test]
async fn a_pod_runs_to_its_end_and_its_log_stays() {
    let running = Running::start();
    let pods = running.pods();
    pods.create(&PostParams::default(), &pod("p", "echo one; echo two >&2; exit 3")).await.unwrap();
    let over = ended(&pods, "p").await;
    assert_eq!((phase(&over), exit_code(&over)), ("Failed", Some(3)));
    assert_eq!(over.spec.as_ref().unwrap().node_name.as_deref(), Some("local"));
    let mut lines: Vec<String> =
        pods.logs("p", &LogParams::default()).await.unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["one", "two"]);
    running.cluster.shutdown().await;
}

#[tokio::test]
async fn a_follow_ends_with_its_container() {
    let running = Running::start();
    let pods = running.pods();
    pods.create(&PostParams::default(), &pod("p", "echo a; read line < /dev/null; sleep 0.3; echo b")).await.unwrap();
    let started = |pod: Option<&Pod>| pod.is_some_and(|p| phase(p) != "Pending");
    in_time("the start", await_condition(pods.clone(), "p", started)).await.unwrap();
    let follow = LogParams { follow: true, ..LogParams::default() };
    let mut log = std::pin::pin!(pods.log_stream("p", &follow).await.unwrap());
    let mut text = String::new();
    in_time("the log's end", log.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "a\nb\n");
    running.cluster.shutdown().await;
}

#[tokio::test]
async fn a_deadline_patch_stops_a_running_pod() {
    let running = Running::start();
    let pods = running.pods();
    pods.create(&PostParams::default(), &pod("p", "trap 'exit 4' TERM; sleep 60 & wait")).await.unwrap();
    in_time("the start", await_condition(pods.clone(), "p", conditions::is_pod_running())).await.unwrap();
    let uid = pods.get("p").await.unwrap().metadata.uid.unwrap();
    let stop = json!([
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "add", "path": "/spec/activeDeadlineSeconds", "value": 1},
    ]);
    let stop = Patch::<Pod>::Json(serde_json::from_value(stop).unwrap());
    pods.patch("p", &PatchParams::default(), &stop).await.unwrap();
    let over = ended(&pods, "p").await;
    assert_eq!(over.status.as_ref().unwrap().reason.as_deref(), Some("DeadlineExceeded"));
    running.cluster.shutdown().await;
}

#[tokio::test]
async fn a_deleted_pod_shows_its_end_before_it_goes() {
    let running = Running::start();
    let pods = running.pods();
    pods.create(&PostParams::default(), &pod("p", "trap 'exit 5' TERM; echo up; sleep 60 & wait")).await.unwrap();
    in_time("the start", await_condition(pods.clone(), "p", conditions::is_pod_running())).await.unwrap();
    let mut changes = std::pin::pin!(watcher::watcher(pods.clone(), watcher::Config::default()));
    let mut last = None;
    let watch = async {
        let mut deleted = false;
        while let Some(event) = changes.try_next().await.unwrap() {
            match event {
                watcher::Event::InitDone if !deleted => {
                    deleted = true;
                    pods.delete("p", &DeleteParams::default()).await.unwrap();
                }
                watcher::Event::Apply(pod) => last = Some(pod),
                watcher::Event::Delete(_) => return,
                _ => {}
            }
        }
    };
    in_time("the deletion", watch).await;
    let last = last.unwrap();
    assert!(exit_code(&last).is_some(), "the exit code was on the watch before the pod went");
    assert_eq!(last.metadata.deletion_grace_period_seconds, Some(0));
    running.cluster.shutdown().await;
}

#[tokio::test]
async fn a_namespace_ends_its_running_pods() {
    let running = Running::start();
    let namespaces: Api<Namespace> = Api::all(running.client());
    let home: Namespace = serde_json::from_value(json!({"metadata": {"name": "n"}})).unwrap();
    namespaces.create(&PostParams::default(), &home).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(running.client(), "n");
    pods.create(&PostParams::default(), &pod("p", "sleep 60")).await.unwrap();
    in_time("the start", await_condition(pods.clone(), "p", conditions::is_pod_running())).await.unwrap();
    let uid = namespaces.get("n").await.unwrap().metadata.uid.unwrap();
    namespaces.delete("n", &DeleteParams::default()).await.unwrap();
    let gone = await_condition(namespaces, "n", conditions::is_deleted(&uid));
    in_time("the namespace's end", gone).await.unwrap();
    assert!(pods.get_opt("p").await.unwrap().is_none());
    running.cluster.shutdown().await;
}
