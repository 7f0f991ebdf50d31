//! The watch of pods is lost in every way there is, and nobody notices but the server.
//!
//! Every test has a server of its own behind a proxy. What the API server was asked is counted by rules that do nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use crate::harness::faults::{self, Faults, Gate, Rule};
use crate::harness::proxy::{Cut, Door, Mode, Proxy};
use crate::harness::server::{Server, faulty_instance};
use crate::harness::spec::{sh, until_stopped};
use crate::harness::stream::TaskStream;
use crate::harness::v1::{self, Certainty, TaskState};
use crate::harness::{Ctx, podlaunch::Podlaunch, run, wait};

/// A server behind a proxy, and a client of it.
struct Behind {
    proxy: Proxy,
    instance: String,
    client: Podlaunch,
    _server: Server,
}

impl Behind {
    /// Watches the test's namespace only, so that nothing else is on its connections.
    async fn start(t: &Ctx, instance: String) -> Behind {
        let proxy = Proxy::of_api_server(fastrand::u64(..));
        let server = Server::start_via(&instance, &proxy.kubeconfig(), &["--namespace", &t.namespace]);
        Behind { client: server.connect().await, proxy, instance, _server: server }
    }

    /// Cuts the server off from the API server until [`Behind::reconnect`].
    async fn disconnect(&self) {
        self.proxy.set(Mode { door: Door::Refuse, ..Mode::PASS });
        assert!(self.proxy.cut(Cut::Reset).await >= 1, "the watch was on a connection");
    }

    /// Launches as clients do: what is unknown is repeated.
    async fn launch(&self, request: v1::LaunchTaskRequest) -> TaskStream {
        loop {
            match self.client.launch(request.clone()).await {
                Ok(stream) => return stream,
                Err(status) if status.code() == tonic::Code::Unavailable => {}
                Err(status) => panic!("{status:?}"),
            }
        }
    }

    fn reconnect(&self) {
        self.proxy.set(Mode::PASS);
    }
}

/// Counts the lists of pods from now on.
async fn count_lists(faults: &Faults, instance: &str) {
    faults.plan("lists", Rule::on("list", "pods", json!({"do": "pass"})).by_instance(instance)).await;
}

/// What happens while no watch is open is told afterwards: an end, a deletion, a pod of another server.
#[test]
fn a_list_after_410_finds_what_happened_meanwhile() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let behind = Behind::start(t, faulty_instance()).await;
        let (ends, goes) = (Gate::new(), Gate::new());
        let ending = sh(&format!("echo one; {}; echo two; exit 3", ends.wait()));
        let mut ended = behind.client.launch(t.request("ends", ending)).await.expect("accepted");
        let mut vanished =
            behind.client.launch(t.request("vanishes", until_stopped("exit 0"))).await.expect("accepted");
        let staying = sh(&format!("echo ready; {}; echo done", goes.wait()));
        let mut stayed = behind.client.launch(t.request("stays", staying)).await.expect("accepted");
        ended.until_line("one\n").await;
        vanished.until_line("ready\n").await;
        stayed.until_line("ready\n").await;

        count_lists(&faults, &behind.instance).await;
        behind.disconnect().await;
        let other = Server::start(&behind.instance);
        let other = other.connect().await;
        let added = other.launch(t.request("added", until_stopped("exit 0"))).await.expect("accepted");
        ends.open();
        let pod = ended.seen.pod().name.clone();
        t.cluster
            .watch_until(&pod, |pod| pod.status.as_ref().is_some_and(|s| s.phase.as_deref() == Some("Failed")))
            .await;
        t.cluster.delete_pod(&vanished.seen.pod().name).await;
        let pod = vanished.seen.pod().name.clone();
        wait::until("the pod to be gone", async || {
            let left = t.cluster.list_pods().await;
            if left.iter().any(|one| one.metadata.name.as_ref() == Some(&pod)) { Err("it is there") } else { Ok(()) }
        })
        .await;
        // From before now no watch can go on.
        faults.act(json!({"act": "compact"})).await;
        let lists = faults.fired("lists").await;
        behind.reconnect();

        let ended = ended.collect().await;
        assert_eq!(ended.outcome().exit_code, Some(3));
        ended.assert_output(b"one\ntwo\n");
        let vanished = vanished.collect().await;
        let state = vanished.outcome().state();
        assert!(matches!(state, TaskState::Lost | TaskState::Disrupted), "{state:?}");
        assert_eq!(vanished.outcome().exit_code, None);
        assert_ne!(vanished.outcome().certainty(), Certainty::Unspecified);
        goes.open();
        stayed.collect().await.assert_succeeded(b"ready\ndone\n");
        assert!(faults.fired("lists").await > lists, "it listed again");
        // The pod of the other server is known here: attached to without a POST.
        let found = behind.client.get(added.seen.key()).await.expect("it is known");
        assert_eq!(found.state(), TaskState::Running);
        other.cancel(added.seen.key(), "").await.expect("it can be cancelled");
    });
}

/// A 410 by HTTP, as some API servers answer, is no reason to ask for the same version for ever.
#[test]
fn an_http_410_at_the_start_of_a_watch() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let behind = Behind::start(t, faulty_instance()).await;
        let gate = Gate::new();
        let spec = sh(&format!("echo one; {}; echo two", gate.wait()));
        let mut stream = behind.client.launch(t.request("task", spec)).await.expect("accepted");
        stream.until_line("one\n").await;
        count_lists(&faults, &behind.instance).await;
        let gone = Rule::on("watch", "pods", json!({"do": "answer", "answer": "expired"}));
        faults.plan("gone", gone.by_instance(&behind.instance).times(1)).await;
        assert!(behind.proxy.cut(Cut::Reset).await >= 1);
        faults.until_fired("gone", 1).await;
        faults.until_fired("lists", 1).await;
        gate.open();
        stream.collect().await.assert_succeeded(b"one\ntwo\n");
    });
}

/// ERROR 410 inside of a watch, after each event there is.
#[test]
fn watches_that_expire_after_an_event() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let instance = faulty_instance();
        let expire = Rule::on("watch", "pods", json!({"do": "expire", "after": 1}));
        faults.plan("expire", expire.by_instance(&instance)).await;
        count_lists(&faults, &instance).await;
        let server = Server::start(&instance);
        let client = server.connect().await;
        let mut number = 0;
        while faults.fired("expire").await < 3 {
            number += 1;
            let request =
                t.request(&format!("task-{number}"), sh(&format!("echo one; sleep 1; echo two; exit {number}")));
            let task = client.launch(request).await.expect("accepted").collect().await;
            task.assert_output(b"one\ntwo\n");
            task.assert_exit_code(number);
        }
        let (expired, lists) = (faults.fired("expire").await, faults.fired("lists").await);
        assert!(lists >= expired, "{lists} lists, one to begin with, and {expired} answers 410");
    });
}

/// A bookmark tells where a watch that shows nothing may go on: no list is needed, although its own version is long gone.
#[test]
fn a_bookmark_spares_a_list() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        // The first bookmark comes within a second: it must not come before the history is forgotten.
        for _ in 0..20 {
            let instance = faulty_instance();
            count_lists(&faults, &instance).await;
            let close = Rule::on("watch", "pods", json!({"do": "close", "after": 1})).by_instance(&instance).times(1);
            faults.plan("close", close).await;
            faults.plan("watches", Rule::on("watch", "pods", json!({"do": "pass"})).by_instance(&instance)).await;
            // Nobody else's pods and events: the first thing the watch says is its bookmark.
            let server = Server::start_via(&instance, &t.backend.kubeconfig, &["--namespace", &t.namespace]);
            faults.until_matched("close", 1).await;
            faults.act(json!({"act": "compact"})).await;
            if faults.fired("close").await > 0 {
                continue;
            }
            faults.until_fired("watches", 1).await;
            let client = server.connect().await;
            let task = client.launch(t.request("task", sh("echo one"))).await.expect("accepted");
            task.collect().await.assert_succeeded(b"one\n");
            assert_eq!(faults.fired("lists").await, 1, "it went on from the bookmark");
            return;
        }
        panic!("the bookmark was always first");
    });
}

/// A connection that is open and dead: pings find it out, for the watch, the follow and the calls.
#[test]
fn connections_that_go_silent() {
    run(async |t| {
        let behind = Behind::start(t, faulty_instance()).await;
        let spec = sh("echo one; sleep 5; echo two; exit 4");
        let mut stream = behind.client.launch(t.request("task", spec)).await.expect("accepted");
        stream.until_line("one\n").await;
        let frozen = behind.proxy.freeze();
        assert!(frozen >= 2, "{frozen} connections are half-open: the watch's and the follow's");
        let before = behind.proxy.counts().accepted.load(Ordering::SeqCst);
        // Pings take half a minute; the watch's own time-out would take more than three.
        let pings = Duration::from_secs(150);
        let task = tokio::time::timeout(pings, stream.collect()).await.expect("pings find it out");
        task.assert_exit_code(4);
        task.assert_output(b"one\ntwo\n");
        assert!(behind.proxy.counts().accepted.load(Ordering::SeqCst) > before, "by new connections");
    });
}

/// A launch whose connection is dead: asked again on another, one pod.
#[test]
fn a_launch_on_a_dead_connection() {
    run(async |t| {
        let behind = Behind::start(t, faulty_instance()).await;
        assert!(behind.proxy.freeze() >= 1);
        let task = behind.launch(t.request("task", sh("echo one"))).await;
        task.collect().await.assert_succeeded(b"one\n");
        assert_eq!(t.cluster.list_pods().await.len(), 1);
    });
}

/// The API server is away for a while, as when it is restarted: launches wait, streams go on.
#[test]
fn an_api_server_that_comes_back() {
    run(async |t| {
        let behind = Behind::start(t, faulty_instance()).await;
        let lines = (1..=40).map(|n| format!("line {n}\n")).collect::<String>();
        let script = "i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; sleep 0.2; done";
        let mut running = behind.client.launch(t.request("running", sh(script))).await.expect("accepted");
        running.until_line("line 5\n").await;
        for _ in 0..2 {
            behind.disconnect().await;
            let refused = behind.proxy.counts().refused.load(Ordering::SeqCst);
            let away = async {
                wait::until("connections to be refused", async || {
                    let now = behind.proxy.counts().refused.load(Ordering::SeqCst);
                    if now >= refused + 3 { Ok(()) } else { Err(format!("{now}")) }
                })
                .await;
                behind.reconnect();
            };
            let (task, ()) = tokio::join!(behind.launch(t.request("meanwhile", sh("echo one"))), away);
            task.collect().await.assert_succeeded(b"one\n");
        }
        running.collect().await.assert_succeeded(lines.as_bytes());
        assert_eq!(t.cluster.list_pods().await.len(), 2);
    });
}

/// Replies are lost on the way for a while: what was asked is done, what is not known is asked again, once is enough.
#[test]
fn replies_that_are_lost_on_the_way() {
    run(async |t| {
        let behind = Behind::start(t, faulty_instance()).await;
        behind.proxy.set(Mode::LOSE_REPLIES);
        let found = async {
            // Which request it was the proxy cannot know: that of the pod, or of its record before it.
            let lost = async || match behind.proxy.counts().swallowed.load(Ordering::SeqCst) {
                0 => Err("none"),
                _ => Ok(()),
            };
            wait::until("a lost reply", lost).await;
            // What comes after a lost reply makes no sense: nobody is to begin anew before it passes again.
            behind.proxy.set(Mode { door: Door::Refuse, ..Mode::LOSE_REPLIES });
            assert!(behind.proxy.cut(Cut::Reset).await >= 1);
            behind.reconnect();
        };
        let (task, ()) = tokio::join!(behind.launch(t.request("task", sh("echo one"))), found);
        task.collect().await.assert_succeeded(b"one\n");
        assert_eq!(t.cluster.list_pods().await.len(), 1);
    });
}
