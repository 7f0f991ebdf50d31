//! G9: what a caller sends as the value of an environment variable is nowhere in what podlaunch writes about a task:
//! its log at TRACE, errors, events, answers, annotations. Not even where Kubernetes quotes it.

use std::process::Command;
use std::sync::PoisonError;

use prost::Message as _;

use crate::harness::backend::{BINARY, backend};
use crate::harness::collected::Collected;
use crate::harness::podlaunch::Podlaunch;
use crate::harness::process::{Process, SCRATCH, unique};
use crate::harness::server::{STARTED, Server, unique_instance};
use crate::harness::spec::{Build as _, command, seconds, sh};
use crate::harness::v1::event::Body;
use crate::harness::v1::{self, Reason, TaskState};
use crate::harness::{Ctx, images, run};

/// A server that writes all it can.
struct Traced {
    process: Process,
    endpoint: String,
}

impl Traced {
    async fn connect(&self) -> Podlaunch {
        Podlaunch::new(Server::channel_to(&self.endpoint).await)
    }
}

fn traced(instance: &str) -> Traced {
    *STARTED.lock().unwrap_or_else(PoisonError::into_inner).entry(instance.to_owned()).or_default() += 1;
    let listen = format!("unix:{}", SCRATCH.join(format!("traced{}.sock", unique())).display());
    let mut command = Command::new(BINARY);
    command.arg("serve").arg("--kubeconfig").arg(&backend().kubeconfig);
    command.args(["--listen", &listen, "--instance", instance]).env("RUST_LOG", "trace");
    Traced { process: Process::start("traced", command), endpoint: listen }
}

/// What must not be seen, as it is and as text formats write it.
fn planted(t: &Ctx) -> String {
    format!("/hunter2-{}", t.namespace)
}

#[track_caller]
fn assert_absent(what: &str, bytes: &[u8], planted: &str) {
    let needle = planted.trim_start_matches('/').as_bytes();
    if let Some(at) = memchr::memmem::find(bytes, needle) {
        let from = at.saturating_sub(600);
        panic!("{what} tells it: …{}…", String::from_utf8_lossy(&bytes[from..(at + 200).min(bytes.len())]));
    }
}

/// All that a stream said, but for what the container printed.
fn said(task: &Collected) -> Vec<u8> {
    let mut all = task.accepted.encode_to_vec();
    for event in task.events.iter().filter(|event| !matches!(event.body, Some(Body::LogChunk(_)))) {
        all.extend(event.encode_to_vec());
    }
    all
}

/// Messages that quote the value, and that reach a caller.
async fn launch_all(t: &Ctx, server: &Traced, planted: &str) -> Vec<Collected> {
    let client = server.connect().await;
    // The runtime quotes the command that the value was expanded into, in the pod's status and in an Event.
    let start = command(images::BUSYBOX, &["$(TOOL)", "-v"]).env("TOOL", planted);
    let task = client.launch(t.request("start-error", start)).await.expect("accepted").collect().await;
    let outcome = task.assert_ended(TaskState::Failed, Reason::StartError);
    assert!(outcome.kubernetes_message.contains("***"), "nothing was quoted: {}", outcome.kubernetes_message);
    let mut tasks = vec![task];
    if t.backend.is_real() {
        tasks.push(bad_sub_path(t, &client, planted).await);
    }
    // What a container prints is delivered as it was printed.
    let prints = sh(r#"echo "$SECRET""#).env("SECRET", planted);
    let task = client.launch(t.request("prints", prints)).await.expect("accepted").collect().await;
    assert_eq!(task.output(), format!("{planted}\n").as_bytes());
    tasks.push(task);
    tasks
}

/// The kubelet quotes the path that the value was expanded into, in a waiting message and in an Event.
async fn bad_sub_path(t: &Ctx, client: &Podlaunch, planted: &str) -> Collected {
    let mut spec = sh("true").env("SECRET", planted).timeouts(|timeouts| timeouts.startup = Some(seconds(25)));
    spec.manifest = "{containers: [{name: main, volumeMounts: [{name: v, mountPath: /v, subPathExpr: $(SECRET)}]}], \
                     volumes: [{name: v, emptyDir: {}}]}"
        .to_owned();
    let task = client.launch(t.request("sub-path", spec)).await.expect("accepted").collect().await;
    let outcome = task.assert_ended(TaskState::Failed, Reason::CreateContainerConfigError);
    assert!(outcome.kubernetes_message.contains("***"), "nothing was quoted: {}", outcome.kubernetes_message);
    task
}

/// A refusal that quotes it: the same value where Kubernetes' own rules do not allow it.
async fn refused(t: &Ctx, server: &Traced, planted: &str) -> Vec<u8> {
    let client = server.connect().await;
    let mut told = Vec::new();
    let spec = sh("true").env("SECRET", planted);
    let label = spec.clone().pod(|pod| drop(pod.labels.insert("team".to_owned(), planted.to_owned())));
    let mut manifest = spec;
    manifest.manifest = format!("{{containers: [{{name: main}}], dnsPolicy: {planted:?}}}");
    for (name, spec) in [("label", label), ("dns", manifest)] {
        match client.launch(t.request(name, spec)).await {
            Err(status) => {
                told.extend(status.message().as_bytes());
                told.extend(status.details());
            }
            Ok(stream) => {
                // The embedded cluster does not know every rule.
                let task = stream.collect().await;
                assert!(!t.backend.is_real(), "it was accepted:\n{task}");
            }
        }
    }
    assert!(!told.is_empty(), "nothing was refused");
    told
}

#[test]
fn nothing_that_podlaunch_writes_tells_an_environment_literal() {
    run(async |t| {
        let planted = planted(t);
        let instance = unique_instance();
        let first = traced(&instance);
        assert_absent("a refusal", &refused(t, &first, &planted).await, &planted);
        let tasks = launch_all(t, &first, &planted).await;
        // One that did not launch them knows the values only from the pods.
        let second = traced(&instance);
        let client = second.connect().await;
        for task in &tasks {
            assert_absent("a stream", &said(task), &planted);
            let attach = v1::AttachTaskRequest { key: Some(task.key()), ..Default::default() };
            let again = client.attach(attach).await.expect("it is known").collect().await;
            assert_absent("a stream of another server", &said(&again), &planted);
            let known = client.get(task.key()).await.expect("it is known");
            assert_absent("GetTask", &known.encode_to_vec(), &planted);
            let pod = t.cluster.pod(&task.pod().name).await;
            let annotations = format!("{:?}", pod.metadata.annotations);
            assert_absent("an annotation", annotations.as_bytes(), &planted);
        }
        for server in [&first, &second] {
            let log = std::fs::read(&server.process.log).expect("the server's log");
            assert!(memchr::memmem::find(&log, b"TRACE").is_some(), "it does not trace");
            assert_absent("a server's log", &log, &planted);
        }
    });
}
