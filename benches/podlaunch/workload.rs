//! What is run, said twice: as a pod for the raw client, as a launch for podlaunch.

use serde_json::{Value, json};

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

/// What a task does.
#[derive(Debug, Clone)]
pub struct Workload {
    script: String,
    node_selector: Option<(&'static str, &'static str)>,
    logs: v1::LogContainers,
}

impl Workload {
    /// 200 lines at once, exit 0.
    pub fn burst() -> Workload {
        Workload {
            script: format!("for i in $(seq 1 {SHORT_LINES}); do echo line $i; done; exit 0"),
            node_selector: None,
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
            node_selector: None,
            logs: v1::LogContainers::Primary,
        }
    }

    /// 20 lines a second for 5 s.
    pub fn ticking() -> Workload {
        Workload {
            script: format!("for i in $(seq 1 {TICKS}); do echo line $i; sleep 0.05; done"),
            node_selector: None,
            logs: v1::LogContainers::Primary,
        }
    }

    /// Never gets a node, so that only the API is measured.
    pub fn unschedulable() -> Workload {
        Workload {
            script: "exit 0".to_owned(),
            node_selector: Some(("bench.podlaunch.dev/no-such-node", "true")),
            logs: v1::LogContainers::None,
        }
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
        if let Some((key, value)) = self.node_selector {
            pod["spec"]["nodeSelector"] = json!({ key: value });
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
        let selector = self.node_selector.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let pod = v1::PodOptions { node_selector: selector.collect(), ..Default::default() };
        let spec = v1::TaskSpec {
            container: Some(container),
            pod: Some(pod),
            logs: Some(v1::LogSelection { mode: self.logs.into(), ..Default::default() }),
            ..Default::default()
        };
        v1::LaunchTaskRequest { key: Some(key), spec: Some(spec), ..Default::default() }
    }
}
