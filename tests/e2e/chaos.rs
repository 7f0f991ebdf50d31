//! Many tasks at once while what serves them is killed or cut off: one pod and one outcome each, every line once.
//!
//! ```text
//! tasks ─▶ chains of streams, joined by cursors ─▶ podlaunch ─▶ (proxy) ─▶ API server
//!                                                    ▲ kill -9       ▲ cut, reset, delayed, held
//! ```
//!
//! What the tasks write is known beforehand; the number of pods is the API server's own. Each test says how often its
//! fault came, and fails if it did not come often enough. `PODLAUNCH_E2E_FULL=1` gives the full counts.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Semaphore;

use crate::harness::collected::{Collected, End};
use crate::harness::podlaunch::Podlaunch;
use crate::harness::proxy::{Cut, Mode, Proxy};
use crate::harness::server::{Server, faulty_instance, unique_instance};
use crate::harness::spec::sh;
use crate::harness::v1::{self, event::Body};
use crate::harness::{Ctx, run, run_long, tools, wait};

/// Lines of a task, written in ten parts a second apart.
const LINES: usize = 1000;
/// Tasks whose pods exist at one time: a node takes some hundred.
const AT_ONCE: usize = 60;

/// How much is done.
struct Scale {
    tasks: usize,
    faults: usize,
}

fn scale() -> Scale {
    if std::env::var_os("PODLAUNCH_E2E_FULL").is_some() {
        Scale { tasks: 200, faults: 20 }
    } else {
        Scale { tasks: 24, faults: 6 }
    }
}

fn script(number: usize) -> String {
    let code = if number.is_multiple_of(3) { 3 } else { 0 };
    format!(
        "for part in 0 1 2 3 4 5 6 7 8 9; do seq $((part * 100 + 1)) $((part * 100 + 100)); sleep 1; done; exit {code}"
    )
}

fn lines() -> String {
    let mut lines = String::new();
    for line in 1..=LINES {
        writeln!(lines, "{line}").expect("writing into memory");
    }
    lines
}

/// What the chains of a test share.
struct Crowd<'a> {
    t: &'a Ctx,
    /// Open streams.
    live: AtomicUsize,
    /// Those of them that have brought lines.
    reading: AtomicUsize,
    /// Streams that broke.
    broken: AtomicUsize,
    done: AtomicUsize,
    places: Semaphore,
}

impl<'a> Crowd<'a> {
    fn new(t: &'a Ctx) -> Crowd<'a> {
        let (live, reading, broken, done) = Default::default();
        Crowd { t, live, reading, broken, done, places: Semaphore::new(AT_ONCE) }
    }

    /// One task to its Termination, whatever breaks meanwhile.
    async fn chain(&self, number: usize, connect: impl AsyncFn() -> Podlaunch) -> Collected {
        let _place = self.places.acquire().await.expect("never closed");
        let request = self.t.request(&format!("crowd-{number}"), sh(&script(number)));
        let mut so_far: Option<Collected> = None;
        loop {
            let client = connect().await;
            let opened = match &so_far {
                None => client.launch(request.clone()).await,
                Some(before) => client.resume(before).await,
            };
            let mut stream = match opened {
                Ok(stream) => stream,
                Err(status) => {
                    assert!(may_pass(&status), "{status:?}");
                    wait::a_moment().await;
                    continue;
                }
            };
            self.live.fetch_add(1, Ordering::SeqCst);
            let mut reads = 0;
            while let Some(event) = stream.next().await {
                if reads == 0 && matches!(event.body, Some(Body::LogChunk(_))) {
                    reads = 1;
                    self.reading.fetch_add(1, Ordering::SeqCst);
                }
            }
            let seen = stream.seen;
            self.reading.fetch_sub(reads, Ordering::SeqCst);
            self.live.fetch_sub(1, Ordering::SeqCst);
            if seen.termination().is_some() {
                assert!(matches!(seen.end, Some(End::Ok)), "{seen}");
                self.done.fetch_add(1, Ordering::SeqCst);
                return seen;
            }
            assert!(matches!(seen.end, Some(End::Error(_))), "a stream ended well without its Termination:\n{seen}");
            self.broken.fetch_add(1, Ordering::SeqCst);
            so_far = Some(seen);
        }
    }

    /// One pod and one outcome each, the same to another reader; every line once and in order, and no gap.
    async fn check(&self, tasks: &[Collected], reader: &Podlaunch) {
        let expected = lines();
        for (number, task) in tasks.iter().enumerate() {
            task.assert_output(expected.as_bytes());
            task.assert_exit_code(if number.is_multiple_of(3) { 3 } else { 0 });
            assert!(!task.bodies().any(|body| matches!(body, Body::LogGap(_))), "{task}");
            assert_eq!(task.delivery("main").verdict(), v1::DeliveryVerdict::Complete, "{task}");
            let again = v1::AttachTaskRequest { key: Some(task.key()), ..Default::default() };
            let again = reader.attach(again).await.expect("it is known").collect().await;
            assert_eq!(again.outcome_bytes(), task.outcome_bytes());
        }
        assert_eq!(self.t.cluster.list_pods().await.len(), tasks.len(), "one pod for each task");
    }
}

/// Whether repeating the call can help, by the contract's words.
fn may_pass(status: &tonic::Status) -> bool {
    use tonic::Code::{Aborted, Cancelled, DeadlineExceeded, Internal, ResourceExhausted, Unavailable, Unknown};
    matches!(
        status.code(),
        Unavailable | Unknown | Internal | DeadlineExceeded | Cancelled | Aborted | ResourceExhausted
    )
}

#[test]
fn the_server_is_killed_again_and_again() {
    run_long(async |t| {
        let Scale { tasks, faults } = scale();
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut server = Server::start(&unique_instance());
        let endpoint = server.endpoint.clone();
        let crowd = Crowd::new(t);
        let over = AtomicBool::new(false);
        let chains = async {
            let connect = async || Podlaunch::new(Server::channel_to(&endpoint).await);
            let tasks = join_all((0..tasks).map(|number| crowd.chain(number, &connect))).await;
            over.store(true, Ordering::SeqCst);
            tasks
        };
        let killer = async {
            let mut hits = 0;
            while hits < faults && !over.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(chance.u64(200..1500))).await;
                if crowd.live.load(Ordering::SeqCst) == 0 {
                    continue;
                }
                hits += 1;
                server.kill();
                server.start_again();
            }
            hits
        };
        let (tasks, hits) = tokio::join!(chains, killer);
        println!("{hits} kills hit live streams, {} streams broke", crowd.broken.load(Ordering::SeqCst));
        assert!(hits >= faults, "{hits} kills of {faults}");
        let second = Server::start(&server.instance);
        crowd.check(&tasks, &second.connect().await).await;
    });
}

#[test]
fn the_way_to_the_api_server_is_cut_again_and_again() {
    run_long(async |t| {
        let Scale { tasks, faults } = scale();
        let seed = fastrand::u64(..);
        let proxy = Proxy::of_api_server(seed);
        let mut chance = fastrand::Rng::with_seed(seed);
        let instance = faulty_instance();
        let kubeconfig = proxy.kubeconfig();
        let server = Server::start_via(&instance, &kubeconfig, &[]);
        let crowd = Crowd::new(t);
        let over = AtomicBool::new(false);
        let chains = async {
            let connect = async || server.connect().await;
            let tasks = join_all((0..tasks).map(|number| crowd.chain(number, &connect))).await;
            over.store(true, Ordering::SeqCst);
            tasks
        };
        let mischief = async {
            let (mut rounds, mut cut) = (0, 0);
            while rounds < faults && !over.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(chance.u64(300..1500))).await;
                if crowd.live.load(Ordering::SeqCst) == 0 {
                    continue;
                }
                let hit = match rounds % 4 {
                    0 => proxy.cut(Cut::Reset).await,
                    1 => {
                        proxy.set(Mode { delay: Duration::from_millis(chance.u64(20..200)), ..Mode::PASS });
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        proxy.set(Mode::PASS);
                        rounds += 1;
                        continue;
                    }
                    2 => {
                        proxy.set(Mode::HALF_OPEN);
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        let hit = proxy.cut(Cut::Reset).await;
                        proxy.set(Mode::PASS);
                        hit
                    }
                    _ => proxy.cut(Cut::Fin).await,
                };
                // A cut between two connections hits nothing, and is made again.
                rounds += usize::from(hit > 0);
                cut += hit;
            }
            (rounds, cut)
        };
        let (tasks, (rounds, cut)) = tokio::join!(chains, mischief);
        println!("{rounds} faults, {cut} connections cut");
        assert!(rounds >= faults, "{rounds} faults, {cut} connections cut");
        let second = Server::start(&instance);
        crowd.check(&tasks, &second.connect().await).await;
    });
}

/// What a server has said of broken connections.
struct Told {
    watches: usize,
    follows: usize,
}

fn told(server: &Server) -> Told {
    let log = std::fs::read_to_string(&server.process.log).expect("the server's log");
    let count = |words: &[&str]| log.lines().filter(|line| words.iter().any(|word| line.contains(word))).count();
    Told {
        watches: count(&["the watch of pods failed"]),
        follows: count(&["the follow broke", "the log is not readable now"]),
    }
}

/// Parts of the cluster are restarted under running tasks: not beside other tests.
#[test]
#[ignore = "restarts parts of the cluster: run it alone"]
fn parts_of_the_cluster_are_restarted() {
    run_long(async |t| {
        let Some(tools) = tools::of(t) else { return };
        let server = Server::start(&faulty_instance());
        let tasks = scale().tasks;
        // In three waves, so that there are streams at each restart.
        let crowd = Crowd { places: Semaphore::new(tasks.div_ceil(3).min(AT_ONCE)), ..Crowd::new(t) };
        let chains = async {
            let connect = async || server.connect().await;
            join_all((0..tasks).map(|number| crowd.chain(number, &connect))).await
        };
        let restarts = async {
            for part in ["kube-apiserver", "kubelet", "kube-apiserver"] {
                wait::until("most streams to bring lines", async || {
                    let (live, reading) = (crowd.live.load(Ordering::SeqCst), crowd.reading.load(Ordering::SeqCst));
                    let most = reading > 0 && 2 * reading >= live;
                    if most { Ok(()) } else { Err(format!("{reading} of {live} do")) }
                })
                .await;
                let before = told(&server);
                tools.restart(part).await;
                wait::until("the API server to answer", async || t.cluster.client.apiserver_version().await).await;
                wait::until("the restart to be felt", async || {
                    let Told { watches, follows } = told(&server);
                    let felt = if part == "kubelet" { follows > before.follows } else { watches > before.watches };
                    if felt { Ok(()) } else { Err(format!("nothing of {part} in the log: {watches}, {follows}")) }
                })
                .await;
            }
        };
        let (tasks, ()) = tokio::join!(chains, restarts);
        let Told { watches, follows } = told(&server);
        println!("{watches} times a watch failed, {follows} follows broke or could not be opened");
        println!("{} streams broke", crowd.broken.load(Ordering::SeqCst));
        let second = Server::start(&server.instance);
        crowd.check(&tasks, &second.connect().await).await;
    });
}

/// Launches of the same keys spread over servers that are killed in turn.
#[test]
fn servers_that_are_killed_in_turn_make_one_pod_each() {
    run(async |t| {
        const KEYS: usize = 4;
        const STREAMS: usize = 3 * KEYS;
        let instance = unique_instance();
        let mut servers = [Server::start(&instance), Server::start(&instance), Server::start(&instance)];
        let endpoints: Vec<String> = servers.iter().map(|server| server.endpoint.clone()).collect();
        let crowd = Crowd::new(t);
        let launch = async |number: usize, endpoint: &str| {
            let connect = async || Podlaunch::new(Server::channel_to(endpoint).await);
            crowd.chain(number, &connect).await
        };
        // Each key by every server at once.
        let launches = (0..KEYS).flat_map(|number| endpoints.iter().map(move |endpoint| (number, endpoint)));
        let launches = launches.map(|(number, endpoint)| launch(number, endpoint));
        let killer = async {
            for server in &mut servers {
                // Each of them has its part of the streams then.
                wait::until("every stream to be open, or over", async || {
                    let (live, done) = (crowd.live.load(Ordering::SeqCst), crowd.done.load(Ordering::SeqCst));
                    if live + done == STREAMS { Ok(()) } else { Err(format!("{live} are open, {done} over")) }
                })
                .await;
                let before = crowd.broken.load(Ordering::SeqCst);
                server.kill();
                server.start_again();
                wait::until("the kill to be felt", async || {
                    let (broken, done) = (crowd.broken.load(Ordering::SeqCst), crowd.done.load(Ordering::SeqCst));
                    if broken > before || done == STREAMS { Ok(()) } else { Err("no stream broke") }
                })
                .await;
            }
        };
        let (tasks, ()) = tokio::join!(join_all(launches), killer);
        assert!(crowd.broken.load(Ordering::SeqCst) >= 3, "the kills hit no stream");
        for same in tasks.chunks(endpoints.len()) {
            assert!(same.iter().all(|task| task.outcome_bytes() == same[0].outcome_bytes()));
            same.iter().for_each(|task| task.assert_output(lines().as_bytes()));
        }
        assert_eq!(t.cluster.list_pods().await.len(), KEYS);
    });
}
