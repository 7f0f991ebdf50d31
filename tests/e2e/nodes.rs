//! A real node that goes away, is tainted, or loses its object, with tasks on it: each outcome is typed and right, late
//! where it can only be late, and never made up. With and without the finalizer.
//!
//! ```text
//! a node that runs nothing else, the tools of its cluster, 20 nodes that run nothing real beside it
//!    └─ taint, or stop the kubelet ─▶ Kubernetes evicts ─▶ UNREACHABLE, TERMINATING ─▶ LOST, or the kubelet is back
//! ```
//!
//! They need a cluster that gives a node up soon (`profile` says how it is started) and run beside nothing else on that
//! node: among themselves they take turns. What needs no node for itself is in `endings`.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use futures::future::{LocalBoxFuture, join_all};
use k8s_openapi::api::core::v1::{Node, Pod, Toleration};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::sync::{Barrier, OnceCell};

use crate::endings::{
    Expected, MODES, Mode, assert_says, deaf, done_all_the_same, exits, force_delete, real_node, released, taken_away,
    unknowable,
};
use crate::harness::collected::Collected;
use crate::harness::faults::Gate;
use crate::harness::process::SCRATCH;
use crate::harness::spec::{Build as _, seconds, sh, until_stopped};
use crate::harness::stream::TaskStream;
use crate::harness::tools::{self, Tools};
use crate::harness::v1::{self, AcceptedHow, Certainty, DeliveryVerdict, Reason, TaskState};
use crate::harness::{Ctx, run_long, wait};

/// Seconds for which the cluster under test lets pods stay on a node that is unreachable.
const TOLERATED: i64 = 5;
/// Nodes beside the real one: while every node is gone Kubernetes evicts nobody.
const BESIDE: &str = "20";
/// Finished pods that the cluster under test keeps.
const FINISHED: usize = 8;
const TAINT: &str = "podlaunch-e2e";

/// Runs a test that has the node to itself, on a cluster that is made for it.
fn on_the_node(body: impl AsyncFnOnce(&Ctx, &Tools, &str)) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    run_long(async |t| {
        let Some(tools) = profile(t).await else { return };
        let node = real_node(t).await;
        // What a test that failed has left behind.
        untaint(t, &node).await;
        until_ready(t, &node).await;
        body(t, &tools, &node).await;
    });
}

/// The tools, if the cluster gives a node up soon; else a word on why the test does not run.
async fn profile(t: &Ctx) -> Option<Tools> {
    static BESIDE_IT: OnceCell<()> = OnceCell::const_new();
    let tools = tools::of(t)?;
    if tolerated(t).await != Some(TOLERATED) {
        println!(
            "skipped: the cluster is not one for lost nodes (kube-apiserver --default-unreachable-toleration-seconds\
             ={TOLERATED}; kube-controller-manager --node-monitor-grace-period=16s \
             --terminated-pod-gc-threshold={FINISHED})"
        );
        return None;
    }
    BESIDE_IT.get_or_init(async || tools.call("fake-nodes", &[BESIDE]).await).await;
    Some(tools)
}

/// What admission writes into a pod's tolerations.
async fn tolerated(t: &Ctx) -> Option<i64> {
    let pod =
        json!({"metadata": {"name": "tolerates"}, "spec": {"containers": [{"name": "main", "image": "busybox:1"}]}});
    let pod: Pod = serde_json::from_value(pod).expect("a pod");
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let pod = wait::until("the namespace to take pods", async || t.cluster.pods().create(&dry, &pod).await).await;
    let tolerations: Vec<Toleration> = pod.spec?.tolerations?;
    tolerations.into_iter().find(|one| one.key.as_deref() == Some("node.kubernetes.io/unreachable"))?.toleration_seconds
}

fn nodes(t: &Ctx) -> Api<Node> {
    Api::all(t.cluster.client.clone())
}

async fn until_ready(t: &Ctx, node: &str) {
    wait::until("the node to be ready", async || {
        let node = nodes(t).get(node).await.map_err(|error| error.to_string())?;
        let tainted = node.spec.as_ref().and_then(|spec| spec.taints.as_ref()).is_some_and(|taints| !taints.is_empty());
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        let ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
        if ready && !tainted { Ok(()) } else { Err(format!("ready: {ready}, tainted: {tainted}")) }
    })
    .await;
}

async fn patch_taints(t: &Ctx, node: &str, taints: serde_json::Value) {
    let patch = Patch::Merge(json!({"spec": {"taints": taints}}));
    nodes(t).patch(node, &PatchParams::default(), &patch).await.expect("the node can be patched");
}

async fn untaint(t: &Ctx, node: &str) {
    let found = nodes(t).get(node).await.expect("the node");
    let taints = found.spec.and_then(|spec| spec.taints).unwrap_or_default();
    if taints.iter().any(|taint| taint.key == TAINT) {
        patch_taints(t, node, json!(null)).await;
    }
}

/// A kubelet that is down until this is dropped, also by a test that fails.
struct Down<'a>(&'a Tools);

impl<'a> Down<'a> {
    async fn take(tools: &'a Tools) -> Down<'a> {
        tools.call("restart", &["--stop", "kubelet"]).await;
        Down(tools)
    }
}

impl Drop for Down<'_> {
    fn drop(&mut self) {
        println!("restart --start kubelet");
        let status = Command::new(self.0.path("restart")).args(["--start", "kubelet"]).status();
        if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
            println!("the kubelet was not started again: {status:?}");
        }
    }
}

/// Launches, and waits until the script runs.
async fn launch(t: &Ctx, mode: Mode, name: &str, spec: v1::TaskSpec) -> TaskStream {
    let client = mode.server().connect().await;
    let launched = client.launch(t.request(&mode.task(name), spec)).await;
    let mut stream = launched.unwrap_or_else(|status| panic!("{name}, {mode:?}: {status:?}"));
    stream.until_line("ready\n").await;
    stream
}

/// A task that waits for the gate, says so in a file, and exits with `code`. The tools restart processes of this
/// machine: the node is here, and sees its files.
fn gated(gate: &Gate, code: i32, tolerations: &str) -> v1::TaskSpec {
    let passed = gate.passed().display().to_string();
    let script = format!("trap 'exit 99' TERM; echo ready; {}; echo after; : > {passed}; exit {code}", gate.wait());
    let here = SCRATCH.display();
    let mut spec = sh(&script).grace(10);
    spec.manifest = format!(
        "{{containers: [{{name: main, volumeMounts: [{{name: here, mountPath: {here}}}]}}], \
         volumes: [{{name: here, hostPath: {{path: {here}}}}}], tolerations: [{tolerations}]}}"
    );
    spec
}

/// Never evicted by a taint.
const FOR_EVER: &str = "{operator: Exists, effect: NoExecute}";

async fn until_passed(gate: &Gate) {
    gate.open();
    wait::until("the task to pass its gate", async || match gate.passed().exists() {
        true => Ok(()),
        false => Err("it has not"),
    })
    .await;
}

/// COMPLETE only with all of it: a log that goes with its pod may lose its end.
#[track_caller]
fn assert_begins(task: &Collected, whole: &[u8]) {
    assert!(whole.starts_with(task.output()), "\n{task}");
    let complete = task.delivery("main").verdict() == DeliveryVerdict::Complete;
    assert!(!complete || task.output() == whole, "\n{task}");
}

/// A taint that nobody tolerates, put on the node as anybody might.
#[test]
#[ignore = "evicts all that runs on the node: run it alone, on a cluster for lost nodes"]
fn a_node_is_tainted() {
    on_the_node(async |t, _, node| {
        let patient = || {
            let mut spec = exits(3);
            spec.manifest = format!(
                "{{containers: [{{name: main}}], \
                 tolerations: [{{key: {TAINT}, operator: Exists, effect: NoExecute, tolerationSeconds: 3}}]}}"
            );
            spec
        };
        let cases = |mode| {
            let cases = [
                ("exit0", exits(0), done_all_the_same()),
                ("exit3", exits(3), taken_away(Reason::TaintEvicted, 3)),
                ("killed", deaf(), taken_away(Reason::TaintEvicted, 137)),
                ("patient", patient(), taken_away(Reason::TaintEvicted, 3)),
            ];
            cases.map(|(name, spec, expected)| async move { (launch(t, mode, name, spec).await, expected) })
        };
        let all = join_all(MODES.into_iter().flat_map(cases)).await;
        patch_taints(t, node, json!([{"key": TAINT, "value": "on", "effect": "NoExecute"}])).await;
        let checked = all.into_iter().map(async |(stream, expected)| {
            let task = stream.collect().await;
            assert_says(&task, &expected);
            assert_eq!(task.outcome().kubernetes_reason, "DeletionByTaintManager");
            released(t, &task.pod().name).await;
        });
        join_all(checked).await;
        untaint(t, node).await;
    });
}

/// It ends while nobody on its node tells: the outcome comes late, and is the one it had.
#[test]
#[ignore = "stops the kubelet: run it alone, on a cluster for lost nodes"]
fn the_kubelet_is_down_during_the_exit() {
    on_the_node(async |t, tools, _| {
        let all = MODES.into_iter().flat_map(|mode| [(mode, 0), (mode, 5)]).map(async |(mode, code)| {
            let gate = Gate::new();
            let stream = launch(t, mode, &format!("exit{code}"), gated(&gate, code, "")).await;
            (gate, code, stream)
        });
        let all = join_all(all).await;
        let kubelet = Down::take(tools).await;
        join_all(all.iter().map(|(gate, ..)| until_passed(gate))).await;
        drop(kubelet);
        join_all(all.into_iter().map(async |(_, code, stream)| {
            let task = stream.collect().await;
            if code == 0 {
                task.assert_succeeded(b"ready\nafter\n");
            } else {
                ended_by_itself(&task, code);
            }
        }))
        .await;
    });
}

#[track_caller]
fn ended_by_itself(task: &Collected, code: i32) {
    let outcome = task.assert_ended(TaskState::Failed, Reason::ExitCode);
    assert_eq!((outcome.exit_code, outcome.certainty()), (Some(code), Certainty::Observed), "\n{task}");
    task.assert_output(b"ready\nafter\n");
}

/// The absence of a node, as the tasks of a test go through it: all run before, and it is back when each has seen what
/// it is to see.
struct Outage {
    began: Barrier,
    over: Barrier,
}

impl Outage {
    fn of(tasks: usize) -> Outage {
        Outage { began: Barrier::new(tasks + 1), over: Barrier::new(tasks + 1) }
    }

    async fn pass(&self, tools: &Tools) {
        self.began.wait().await;
        let kubelet = Down::take(tools).await;
        self.over.wait().await;
        drop(kubelet);
    }

    /// Launches, and waits for the node to be given up.
    async fn unreachable(&self, t: &Ctx, mode: Mode, name: &str, spec: v1::TaskSpec) -> TaskStream {
        let mut stream = launch(t, mode, name, spec).await;
        self.began.wait().await;
        stream.until("the node is given up", |seen| seen.state() == TaskState::Unreachable).await;
        let task = mode.server().connect().await.get(stream.seen.key()).await.expect("it is known");
        assert_eq!(task.state(), TaskState::Unreachable, "{task:?}");
        stream
    }

    /// The same, until it is also evicted.
    async fn evicted(&self, t: &Ctx, mode: Mode, name: &str, spec: v1::TaskSpec) -> TaskStream {
        let mut stream = self.unreachable(t, mode, name, spec).await;
        stream.until("it is evicted", |seen| seen.showed(Reason::TaintEvicted)).await;
        stream
    }

    /// Tolerates the outage, goes on and succeeds.
    async fn sees_it_through(&self, t: &Ctx, mode: Mode) {
        let gate = Gate::new();
        let mut stream = self.unreachable(t, mode, "stays", gated(&gate, 0, FOR_EVER)).await;
        self.over.wait().await;
        stream.until("it runs as before", |seen| seen.state() == TaskState::Running).await;
        gate.open();
        stream.collect().await.assert_succeeded(b"ready\nafter\n");
    }

    /// Tolerates it, and ends meanwhile.
    async fn ends_meanwhile(&self, t: &Ctx, mode: Mode) {
        let gate = Gate::new();
        let stream = self.unreachable(t, mode, "ends", gated(&gate, 4, FOR_EVER)).await;
        until_passed(&gate).await;
        self.over.wait().await;
        ended_by_itself(&stream.collect().await, 4);
    }

    /// Evicted meanwhile; is told when the node is back.
    async fn is_evicted(&self, t: &Ctx, mode: Mode) {
        let stream = self.evicted(t, mode, "evicted", until_stopped("echo bye; exit 3")).await;
        self.over.wait().await;
        let task = stream.collect().await;
        assert_says(&task, &taken_away(Reason::TaintEvicted, 3));
        assert_begins(&task, b"ready\nbye\n");
        released(t, &task.pod().name).await;
    }

    /// Evicted meanwhile, and done before it could be told.
    async fn is_done_all_the_same(&self, t: &Ctx, mode: Mode) {
        let gate = Gate::new();
        let stream = self.evicted(t, mode, "done", gated(&gate, 0, "")).await;
        until_passed(&gate).await;
        self.over.wait().await;
        let task = stream.collect().await;
        assert_says(&task, &done_all_the_same());
        assert_begins(&task, b"ready\nafter\n");
        released(t, &task.pod().name).await;
    }

    /// Evicted, and then deleted by force, by somebody who does not wait for the node.
    async fn is_given_up(&self, t: &Ctx, mode: Mode) {
        let stream = self.evicted(t, mode, "forced", exits(0)).await;
        force_delete(t, &stream.seen.pod().name).await;
        let task = stream.collect().await;
        assert_says(&task, &unknowable());
        assert_begins(&task, b"ready\n");
        released(t, &task.pod().name).await;
        self.over.wait().await;
    }

    /// Not worth waiting longer: LOST, and what the node says when it is back changes nothing.
    async fn is_lost(&self, t: &Ctx, mode: Mode) {
        let spec = exits(0).timeouts(|timeouts| timeouts.lost = Some(seconds(60)));
        let stream = self.evicted(t, mode, "lost", spec).await;
        let client = mode.server().connect().await;
        let key = stream.seen.key();
        wait::until("its outcome", async || match client.get(key.clone()).await {
            Ok(task) => task.outcome.ok_or_else(|| "there is none".to_owned()),
            Err(status) => Err(status.to_string()),
        })
        .await;
        self.over.wait().await;
        let task = stream.collect().await;
        assert_says(&task, &Expected { reason: Reason::LostTimeout, ..unknowable() });
        assert_begins(&task, b"ready\n");
        released(t, &task.pod().name).await;
        is_kept(mode, &task).await;
    }
}

/// The outcome is the same to a server which was not there: it is kept in the cluster, whatever became of the pod.
async fn is_kept(mode: Mode, task: &Collected) {
    let newcomer = mode.newcomer();
    let anew = v1::AttachTaskRequest { key: Some(task.key()), ..Default::default() };
    let again = newcomer.connect().await.attach(anew).await.expect("it is known").collect().await;
    assert_eq!(again.outcome_bytes(), task.outcome_bytes());
}

/// The kubelet stops for so long that Kubernetes gives its node up, and comes back.
#[test]
#[ignore = "stops the kubelet: run it alone, on a cluster for lost nodes"]
fn a_node_is_lost() {
    on_the_node(async |t, tools, node| {
        let outage = Outage::of(6 * MODES.len());
        // Boxed: so many of them are too much for a test's stack.
        let tasks = MODES.into_iter().flat_map(|mode| -> [LocalBoxFuture<'_, ()>; 6] {
            [
                Box::pin(outage.sees_it_through(t, mode)),
                Box::pin(outage.ends_meanwhile(t, mode)),
                Box::pin(outage.is_evicted(t, mode)),
                Box::pin(outage.is_done_all_the_same(t, mode)),
                Box::pin(outage.is_given_up(t, mode)),
                Box::pin(outage.is_lost(t, mode)),
            ]
        });
        tokio::join!(join_all(tasks), outage.pass(tools));
        until_ready(t, node).await;
    });
}

/// The node's object is deleted while its pods run, as far as anybody knows: garbage collection ends them. On nodes that
/// run nothing real.
#[test]
#[ignore = "needs a cluster for lost nodes"]
fn a_nodes_object_is_deleted() {
    run_long(async |t| {
        if profile(t).await.is_none() {
            return;
        }
        let lost = MODES.map(async |mode| {
            let node = if mode == Mode::Held { "fake-20" } else { "fake-19" };
            let mut spec = sh("true");
            spec.manifest = format!(
                "{{metadata: {{annotations: {{kwok.test/hold: \"true\"}}}}, \
                 spec: {{containers: [{{name: main}}], nodeName: {node}, tolerations: [{FOR_EVER}]}}}}"
            );
            spec.logs = Some(v1::LogSelection { mode: v1::LogContainers::None.into(), ..Default::default() });
            let client = mode.server().connect().await;
            let mut stream = client.launch(t.request(&mode.task("bereft"), spec)).await.expect("accepted");
            stream.until("it runs", |seen| seen.state() == TaskState::Running).await;
            nodes(t).delete(node, &DeleteParams::default()).await.expect("the node can be deleted");
            let task = stream.collect().await;
            assert_says(&task, &Expected { reason: Reason::NodeLost, ..unknowable() });
            assert_eq!(task.outcome().kubernetes_reason, "DeletionByPodGC");
            released(t, &task.pod().name).await;
            is_kept(mode, &task).await;
        });
        join_all(lost).await;
    });
}

/// More finished pods than the cluster keeps: it deletes the oldest, and their keys and outcomes stay.
#[test]
#[ignore = "has finished pods collected: run it alone, on a cluster for lost nodes"]
fn finished_pods_are_collected() {
    on_the_node(async |t, _, _| {
        let finish = async |mode: Mode, number: usize| {
            let code = if number.is_multiple_of(2) { 0 } else { 3 };
            let request = t.request(&mode.task(&format!("finished-{number}")), sh(&format!("exit {code}")));
            let launched = mode.server().connect().await.launch(request.clone()).await;
            let task = launched.expect("accepted").collect().await;
            task.assert_exit_code(code);
            (mode, request, task)
        };
        // The oldest are of both modes.
        let oldest = MODES.into_iter().flat_map(|mode| [finish(mode, 0), finish(mode, 1)]);
        let oldest = join_all(oldest).await;
        let later = (2..2 + FINISHED / 2).flat_map(|number| MODES.map(|mode| finish(mode, number)));
        join_all(later).await;
        for (mode, request, task) in oldest {
            released(t, &task.pod().name).await;
            is_kept(mode, &task).await;
            let newcomer = mode.newcomer();
            let again = newcomer.connect().await.launch(request).await.expect("it is known").collect().await;
            assert_eq!(again.accepted.how(), AcceptedHow::Replayed, "\n{again}");
            assert_eq!(again.outcome_bytes(), task.outcome_bytes());
        }
        assert!(t.cluster.list_pods().await.len() <= FINISHED, "no second pod");
    });
}
