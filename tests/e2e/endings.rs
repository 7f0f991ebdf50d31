//! What takes a pod away, done for real, with and without the finalizer: each gives a typed outcome whose origin,
//! certainty and advice are right, a success only with an exit 0 that was seen, and never silence.
//!
//! What needs a node to itself is in `nodes`.

use std::sync::LazyLock;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::Api;
use kube::api::{DeleteParams, EvictParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::harness::collected::Collected;
use crate::harness::ctx::needs_real;
use crate::harness::server::{Server, unique_instance};
use crate::harness::spec::{Build as _, sh, until_stopped};
use crate::harness::v1::{self, Certainty, Origin, Reason, RetryAdvice, TaskState};
use crate::harness::{Ctx, run, wait};

/// Whether the pods carry podlaunch's finalizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Held,
    Free,
}

pub const MODES: [Mode; 2] = [Mode::Free, Mode::Held];

impl Mode {
    fn flags(self) -> [&'static str; 2] {
        ["--finalizer", if self == Mode::Held { "on" } else { "off" }]
    }

    pub fn server(self) -> &'static Server {
        static HELD: LazyLock<Server> = LazyLock::new(|| Server::start_with(&unique_instance(), &Mode::Held.flags()));
        static FREE: LazyLock<Server> = LazyLock::new(|| Server::start_with(&unique_instance(), &Mode::Free.flags()));
        match self {
            Mode::Held => &HELD,
            Mode::Free => &FREE,
        }
    }

    /// Another replica of it, which knows nothing but what the cluster does.
    pub fn newcomer(self) -> Server {
        Server::start_with(&self.server().instance, &self.flags())
    }

    pub fn task(self, name: &str) -> String {
        format!("{name}-{}", format!("{self:?}").to_lowercase())
    }
}

/// What an outcome must say.
pub struct Expected {
    pub state: TaskState,
    pub reason: Reason,
    pub origin: Origin,
    pub certainty: Certainty,
    pub advice: RetryAdvice,
    pub code: Option<i32>,
}

pub fn taken_away(reason: Reason, code: i32) -> Expected {
    Expected {
        state: TaskState::Disrupted,
        reason,
        origin: Origin::Cluster,
        certainty: Certainty::Observed,
        advice: RetryAdvice::MayHaveSideEffects,
        code: Some(code),
    }
}

/// Exit 0 while it was taken away.
pub fn done_all_the_same() -> Expected {
    Expected {
        state: TaskState::Succeeded,
        origin: Origin::User,
        certainty: Certainty::Inferred,
        ..taken_away(Reason::CompletedDuringDisruption, 0)
    }
}

/// Nobody can say how it ended, or whether it has.
pub fn unknowable() -> Expected {
    Expected {
        state: TaskState::Lost,
        certainty: Certainty::MayStillBeRunning,
        code: None,
        ..taken_away(Reason::PodVanished, 0)
    }
}

#[track_caller]
pub fn assert_says(task: &Collected, expected: &Expected) {
    let outcome = task.assert_ended(expected.state, expected.reason);
    let found = (outcome.origin(), outcome.certainty(), outcome.retry_advice(), outcome.exit_code);
    assert_eq!(found, (expected.origin, expected.certainty, expected.advice, expected.code), "\n{task}");
}

/// Launches in each mode, lets `act` do its worst once the task has said `ready`, and reads to the end. A pod that is
/// being deleted must then go: whatever holds it lets go.
async fn in_each_mode(
    t: &Ctx,
    name: &str,
    spec: &v1::TaskSpec,
    act: impl AsyncFn(&Ctx, &str),
    check: impl Fn(Mode, &Collected),
) {
    for mode in MODES {
        let client = mode.server().connect().await;
        let launched = client.launch(t.request(&mode.task(name), spec.clone())).await;
        let mut stream = launched.unwrap_or_else(|status| panic!("{mode:?}: {status:?}"));
        stream.until_line("ready\n").await;
        let pod = stream.seen.pod().name.clone();
        act(t, &pod).await;
        let task = stream.collect().await;
        check(mode, &task);
        released(t, &pod).await;
    }
}

/// Waits until the pod object is gone.
pub async fn released(t: &Ctx, pod: &str) {
    wait::until("the pod to be released", async || match t.cluster.pods().get_opt(pod).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err("it is there".to_owned()),
        Err(error) => Err(error.to_string()),
    })
    .await;
}

/// Takes SIGTERM with this exit code.
pub fn exits(code: i32) -> v1::TaskSpec {
    until_stopped(&format!("exit {code}"))
}

/// Has to be killed.
pub fn deaf() -> v1::TaskSpec {
    sh("trap '' TERM; echo ready; while :; do sleep 1; done").grace(1)
}

pub async fn force_delete(t: &Ctx, pod: &str) {
    let params = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    t.cluster.pods().delete(pod, &params).await.expect("it can be deleted");
}

async fn evict(t: &Ctx, pod: &str) {
    t.cluster.pods().evict(pod, &EvictParams::default()).await.expect("it can be evicted");
}

#[test]
fn deleted_with_grace() {
    run(async |t| {
        let delete = async |t: &Ctx, pod: &str| t.cluster.delete_pod(pod).await;
        in_each_mode(t, "exit0", &exits(0), delete, |_, task| assert_says(task, &done_all_the_same())).await;
        in_each_mode(t, "exit3", &exits(3), delete, |_, task| assert_says(task, &taken_away(Reason::PodDeleted, 3)))
            .await;
        in_each_mode(t, "killed", &deaf(), delete, |_, task| assert_says(task, &taken_away(Reason::PodDeleted, 137)))
            .await;
    });
}

#[test]
fn deleted_by_force() {
    run(async |t| {
        in_each_mode(t, "forced", &deaf(), force_delete, |mode, task| match mode {
            // The object was gone before the process was: it may still be there.
            Mode::Free => assert_says(task, &unknowable()),
            Mode::Held => assert_says(task, &taken_away(Reason::PodDeleted, 137)),
        })
        .await;
    });
}

#[test]
fn evicted_through_the_api() {
    run(async |t| {
        in_each_mode(t, "exit0", &exits(0), evict, |_, task| {
            assert_says(task, &done_all_the_same());
            assert_eq!(task.outcome().kubernetes_reason, "EvictionByEvictionAPI");
        })
        .await;
        in_each_mode(t, "exit3", &exits(3), evict, |_, task| assert_says(task, &taken_away(Reason::ApiEvicted, 3)))
            .await;
        in_each_mode(t, "killed", &deaf(), evict, |_, task| assert_says(task, &taken_away(Reason::ApiEvicted, 137)))
            .await;
    });
}

#[test]
fn with_its_namespace() {
    for mode in MODES {
        run(async |t| {
            let client = mode.server().connect().await;
            let mut stream = client.launch(t.request(&mode.task("home"), exits(3))).await.expect("accepted");
            stream.until_line("ready\n").await;
            let pod = stream.seen.pod().name.clone();
            t.cluster.delete_namespace().await;
            let task = stream.collect().await;
            assert_says(&task, &taken_away(Reason::PodDeleted, 3));
            released(t, &pod).await;
        });
    }
}

/// Deleted before it had started: nothing of it ever ran.
#[test]
fn deleted_before_it_started() {
    run(async |t| {
        let unpullable = crate::harness::spec::command(crate::harness::images::UNPULLABLE, &["true"]);
        for (name, spec, why) in [
            ("nowhere", sh("true").nowhere(), Reason::Unschedulable),
            ("unpullable", unpullable, Reason::ImagePullFailed),
        ] {
            for mode in MODES {
                let client = mode.server().connect().await;
                let launched = client.launch(t.request(&mode.task(name), spec.clone())).await;
                let mut stream = launched.expect("accepted");
                // Waiting must be in the object, not only in an Event, to prove that it never started.
                let pod = stream.seen.pod().name.clone();
                stream.until("why it waits is shown", |seen| seen.showed(why)).await;
                if why == Reason::ImagePullFailed {
                    t.cluster.watch_until(&pod, |pod| crate::harness::cluster::waiting_reason(pod).is_some()).await;
                }
                t.cluster.delete_pod(&pod).await;
                let task = stream.collect().await;
                let outcome = task.assert_ended(TaskState::Disrupted, Reason::PodDeleted);
                assert_eq!((outcome.origin(), outcome.certainty()), (Origin::Cluster, Certainty::Observed), "\n{task}");
                task.assert_never_started();
                released(t, &pod).await;
            }
        }
    });
}

/// The pod's own limit for a volume: the node evicts it. Where it exits 0, only an Event tells.
#[test]
fn evicted_by_its_node() {
    run(async |t| {
        if !needs_real(t, "local storage is limited by a real node only") {
            return;
        }
        let full = "dd if=/dev/zero of=/data/file bs=1M count=40 2>/dev/null; echo ready; sleep 600 & wait $!";
        let manifest = "{containers: [{name: main, volumeMounts: [{name: data, mountPath: /data}]}], \
                        volumes: [{name: data, emptyDir: {sizeLimit: 8Mi}}]}";
        let full = |trap: &str| {
            let mut spec = sh(&format!("{trap}; {full}"));
            spec.manifest = manifest.to_owned();
            spec
        };
        // The kubelet measures volumes once a minute.
        let evicted = async |mode: Mode, name: &str, trap: &str, expected: Expected| {
            let client = mode.server().connect().await;
            let launched = client.launch(t.request(&mode.task(name), full(trap))).await;
            let task = launched.expect("accepted").collect().await;
            // The kubelet may remove the container before it has asked how it ended: then nobody knows.
            let unknown = Expected { certainty: Certainty::Inferred, code: None, ..taken_away(Reason::Evicted, 0) };
            let known = task.outcome().exit_code.is_some();
            assert_says(&task, if known { &expected } else { &unknown });
            t.cluster.delete_pod(&task.pod().name).await;
            released(t, &task.pod().name).await;
        };
        tokio::join!(
            evicted(Mode::Free, "exit9", "trap 'exit 9' TERM", taken_away(Reason::Evicted, 9)),
            evicted(Mode::Held, "exit9", "trap 'exit 9' TERM", taken_away(Reason::Evicted, 9)),
            evicted(Mode::Free, "exit0", "trap 'exit 0' TERM", done_all_the_same()),
            evicted(Mode::Held, "exit0", "trap 'exit 0' TERM", done_all_the_same()),
        );
    });
}

/// Bound to a node that is not there: garbage collection takes it. It may have run there for all anybody knows.
#[test]
fn collected_with_its_node() {
    run(async |t| {
        if !needs_real(t, "the embedded cluster has one node, which stays") {
            return;
        }
        let collected = async |mode: Mode| {
            let mut spec = sh("true");
            spec.manifest = "{containers: [{name: main}], nodeName: no-such-node}".to_owned();
            let client = mode.server().connect().await;
            let task = client.launch(t.request(&mode.task("collected"), spec)).await.expect("accepted").collect().await;
            let inferred = Expected { certainty: Certainty::Inferred, code: None, ..taken_away(Reason::PodGc, 0) };
            assert_says(&task, &inferred);
            released(t, &task.pod().name).await;
        };
        tokio::join!(collected(Mode::Free), collected(Mode::Held));
    });
}

/// A pod of higher priority needs its place. The place is a resource that only these two ask for.
#[test]
fn preempted() {
    run(async |t| {
        if !needs_real(t, "the embedded cluster does not schedule by priority") {
            return;
        }
        let slot = format!("{}.example.com/slot", t.namespace);
        let node = add_resource(t, &slot).await;
        let class = priority_class(t).await;
        let victim = exits(143).container(|c| {
            let limits = [(slot.clone(), "1".to_owned())].into();
            c.resources = Some(v1::ResourceRequirements { limits, ..Default::default() });
        });
        in_each_mode(
            t,
            "victim",
            &victim,
            async |t, pod| {
                let name = format!("heir-of-{pod}").chars().take(60).collect::<String>();
                let heir = json!({
                    "metadata": {"name": name},
                    "spec": {
                        "priorityClassName": class, "restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
                        "containers": [{"name": "main", "image": "busybox:1", "command": ["true"],
                            "resources": {"limits": {slot.clone(): "1"}}}],
                    },
                });
                let heir: Pod = serde_json::from_value(heir).expect("a pod");
                t.cluster.pods().create(&PostParams::default(), &heir).await.expect("the heir is made");
            },
            |_, task| assert_says(task, &taken_away(Reason::Preempted, 143)),
        )
        .await;
        let classes: Api<PriorityClass> = Api::all(t.cluster.client.clone());
        classes.delete(&class, &DeleteParams::default()).await.expect("the class can be deleted");
        patch_status(t, &node, json!([{"op": "remove", "path": pointer("capacity", &slot)}])).await;
    });
}

fn pointer(field: &str, resource: &str) -> String {
    format!("/status/{field}/{}", resource.replace('/', "~1"))
}

async fn patch_status(t: &Ctx, node: &str, patch: serde_json::Value) {
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(t.cluster.client.clone());
    let patch = Patch::Json::<()>(serde_json::from_value(patch).expect("a JSON patch"));
    nodes.patch_status(node, &PatchParams::default(), &patch).await.expect("the node's status can be patched");
}

/// The node that runs containers.
pub async fn real_node(t: &Ctx) -> String {
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(t.cluster.client.clone());
    let list = nodes.list(&kube::api::ListParams::default()).await.expect("nodes can be listed");
    let node = list.items.into_iter().find(|node| {
        let labels = node.metadata.labels.as_ref();
        labels.is_none_or(|labels| labels.get("type").is_none_or(|kind| kind != "fake"))
    });
    node.and_then(|node| node.metadata.name).expect("a node")
}

/// Gives a node one of a resource, and waits until it can be asked for.
async fn add_resource(t: &Ctx, resource: &str) -> String {
    let node = real_node(t).await;
    let add = |field| json!({"op": "add", "path": pointer(field, resource), "value": "1"});
    patch_status(t, &node, json!([add("capacity"), add("allocatable")])).await;
    node
}

async fn priority_class(t: &Ctx) -> String {
    let class = PriorityClass {
        metadata: ObjectMeta { name: Some(format!("{}-high", t.namespace)), ..Default::default() },
        value: 1000,
        ..Default::default()
    };
    let classes: Api<PriorityClass> = Api::all(t.cluster.client.clone());
    let made = classes.create(&PostParams::default(), &class).await.expect("a priority class");
    made.metadata.name.expect("it has a name")
}
