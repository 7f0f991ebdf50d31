//! What is run, said twice: as a pod for the raw client, as a launch for podlaunch.

use serde_json::{Map, Value, json};

use podlaunch::proto::v1;

/// The one container.
pub const CONTAINER: &str = "main";
const IMAGE: &str = "busybox:1";

/// Label selector of the raw client's pods.
pub const RAW_SELECTOR: &str = "bench=raw";

/// Lines of [`Workload::burst`] and [`Workload::lingering`].
pub const SHORT_LINES: u64 = 200;
/// Lines of [`Workload::ticking`].
pub const TICKS: u64 = 100;

/// Where a pod may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placement {
    Anywhere,
    /// No node has the label, and no scheduler takes it, so that none works on it while others are measured.
    Nowhere,
}

/// The fields of a pod's spec that keep it from any node.
fn nowhere() -> Map<String, Value> {
    let selector = json!({"bench.podlaunch.dev/no-such-node": "true"});
    let scheduler = json!("bench.podlaunch.dev-none");
    Map::from_iter([("nodeSelector".to_owned(), selector), ("schedulerName".to_owned(), scheduler)])
}

/// What a task does.
#[derive(Debug, Clone)]
pub struct Workload {
    script: String,
    placement: Placement,
    logs: v1::LogContainers,
}

impl Workload {
    /// 200 lines at once, exit 0.
    pub fn burst() -> Workload {
        Workload {
            script: format!("for i in $(seq 1 {SHORT_LINES}); do echo line $i; done; exit 0"),
            placement: Placement::Anywhere,
            logs: v1::LogContainers::Primary,
        }
    }

    /// 100 lines, a second in which it is seen running, 100 lines, exit 0.
    pub fn lingering() -> Workload {
        let half = SHORT_LINES / 2;
        let first = format!("for i in $(seq 1 {half}); do echo line $i; done");
        let last = format!("for i in $(seq {} {SHORT_LINES}); do echo line $i; done", half + 1);
        Workload {
            script: format!("{first}; sleep 1; {last}; exit 0"),
            placement: Placement::Anywhere,
            logs: v1::LogContainers::Primary,
        }
    }

    /// 20 lines a second for 5 s.
    pub fn ticking() -> Workload {
        Workload {
            script: format!("for i in $(seq 1 {TICKS}); do echo line $i; sleep 0.05; done"),
            placement: Placement::Anywhere,
            logs: v1::LogContainers::Primary,
        }
    }

    /// Never gets a node, so that only the API is measured.
    pub fn unschedulable() -> Workload {
        Workload { script: "exit 0".to_owned(), placement: Placement::Nowhere, logs: v1::LogContainers::None }
    }

    fn command(&self) -> Vec<String> {
        ["sh", "-c", &self.script].map(str::to_owned).to_vec()
    }

    /// For the raw client. It has an annotation, so that a JSON patch can add another.
    pub fn pod(&self, name: &str) -> Value {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"bench": "raw"}, "annotations": {"bench": "raw"}},
            "spec": {
                "restartPolicy": "Never",
                "containers": [{"name": CONTAINER, "image": IMAGE, "command": self.command()}],
            },
        });
        if self.placement == Placement::Nowhere {
            for (field, value) in nowhere() {
                pod["spec"][field] = value;
            }
        }
        pod
    }

    /// For podlaunch.
    pub fn request(&self, namespace: &str, task_id: &str) -> v1::LaunchTaskRequest {
        let key = v1::TaskKey {
            namespace: namespace.to_owned(),
            task_id: task_id.to_owned(),
            attempt: 1,
            ..Default::default()
        };
        let container = v1::ContainerSpec {
            name: CONTAINER.to_owned(),
            image: IMAGE.to_owned(),
            command: self.command(),
            ..Default::default()
        };
        let manifest = match self.placement {
            Placement::Anywhere => String::new(),
            Placement::Nowhere => json!({"apiVersion": "v1", "kind": "Pod", "spec": nowhere()}).to_string(),
        };
        let spec = v1::TaskSpec {
            container: Some(container),
            manifest,
            logs: Some(v1::LogSelection { mode: self.logs.into(), ..Default::default() }),
            ..Default::default()
        };
        v1::LaunchTaskRequest { key: Some(key), spec: Some(spec), ..Default::default() }
    }
}
