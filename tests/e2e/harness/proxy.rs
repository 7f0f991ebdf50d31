//! A TCP proxy that breaks connections on demand, in front of an API server or of podlaunch itself.
//!
//! ```text
//! client ──▶ 127.0.0.1:PORT ──┬─ up:   passed on │ held │ swallowed ──▶ server      (TLS goes through untouched)
//!                             └─ down: passed on │ held │ swallowed ◀──
//!            open connections: cut (FIN) or reset (RST) by the test, or after their byte budget
//!            new connections:  taken, refused, or taken and left half-open
//! ```
//!
//! It runs in a thread of its own, so that a test that blocks does not stop it. Every fault is counted: a test asserts that what
//! it asked for came. Works the same on both backends.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use kube::config::Kubeconfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, oneshot, watch};

use super::backend::backend;
use super::process::{SCRATCH, unique};
use super::wait;

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Pass,
    /// Not read: the sender's window fills. Nothing is lost when it passes again.
    Hold,
    /// Read and thrown away. What comes afterwards makes no sense, so end the connection then.
    Swallow,
}

/// How a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// FIN: as a peer that closes in good order.
    Fin,
    /// RST: as a peer that died, or a firewall.
    Reset,
}

/// What happens to new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Open,
    /// Closed at once, with a reset.
    Refuse,
}

/// Everything that can be set while it runs. It holds for open and new connections alike.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    /// Client to server.
    pub up: Flow,
    /// Server to client.
    pub down: Flow,
    pub door: Door,
    /// Waited before each piece is passed on.
    pub delay: Duration,
    /// A connection made from now on is ended after so many bytes to the client: at least, at most.
    pub budget: Option<(u64, u64, Cut)>,
    /// Connections of lower numbers are half-open whatever else holds. Set by [`Proxy::freeze`] only.
    pub frozen: u64,
}

impl Mode {
    /// Everything passes.
    pub const PASS: Mode =
        Mode { up: Flow::Pass, down: Flow::Pass, door: Door::Open, delay: Duration::ZERO, budget: None, frozen: 0 };
    /// Connections stay open and nothing goes through: a host that is gone without a word.
    pub const HALF_OPEN: Mode = Mode { up: Flow::Hold, down: Flow::Hold, ..Mode::PASS };
    /// Requests arrive, and their answers are lost.
    pub const LOSE_REPLIES: Mode = Mode { down: Flow::Swallow, ..Mode::PASS };
}

/// What it has done so far.
#[derive(Debug, Default)]
pub struct Counts {
    pub accepted: AtomicU64,
    /// Of those accepted, the ones that are not over.
    pub open: AtomicU64,
    pub refused: AtomicU64,
    /// Ended by the test.
    pub cut: AtomicU64,
    /// Ended because their budget was used up.
    pub spent: AtomicU64,
    pub up: AtomicU64,
    pub down: AtomicU64,
    pub swallowed: AtomicU64,
}

struct Shared {
    upstream: SocketAddr,
    mode: watch::Sender<Mode>,
    cut: broadcast::Sender<Cut>,
    counts: Counts,
    chance: Mutex<fastrand::Rng>,
}

/// A running proxy. Ends, with all its connections, when dropped.
pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// In front of `upstream`. The seed decides the budgets; it is printed.
    pub fn start(upstream: SocketAddr, seed: u64) -> Proxy {
        println!("proxy in front of {upstream}, seed {seed}");
        let shared = Arc::new(Shared {
            upstream,
            mode: watch::Sender::new(Mode::PASS),
            cut: broadcast::Sender::new(16),
            counts: Counts::default(),
            chance: Mutex::new(fastrand::Rng::with_seed(seed)),
        });
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let here = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                tell.send(listener.local_addr().expect("an address")).expect("the starter waits");
                tokio::select! {
                    () = accept(&here, &listener) => {}
                    _ = stopped => {}
                }
            });
        });
        let address = told.recv().expect("the proxy listens");
        Proxy { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// In front of the run's API server.
    pub fn of_api_server(seed: u64) -> Proxy {
        let server = server_of(&kubeconfig());
        let authority = server.split("://").nth(1).expect("a URL").trim_end_matches('/');
        let mut found = authority.to_socket_addrs().unwrap_or_else(|error| panic!("{authority}: {error}"));
        Proxy::start(found.next().expect("an address"), seed)
    }

    /// The run's kubeconfig with this proxy in the API server's place; the certificate is still checked for its name.
    pub fn kubeconfig(&self) -> PathBuf {
        let mut config = kubeconfig();
        let server = server_of(&config);
        let host = server.split("://").nth(1).and_then(|rest| rest.rsplit_once(':')).expect("host and port").0;
        let name = host.trim_matches(['[', ']']).to_owned();
        for cluster in config.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
            cluster.tls_server_name.get_or_insert(name.clone());
            cluster.server = Some(format!("https://{}", self.address));
        }
        let path = SCRATCH.join(format!("proxied-{}.kubeconfig", unique()));
        // JSON is YAML.
        std::fs::write(&path, serde_json::to_vec(&config).expect("JSON")).expect("a kubeconfig");
        path
    }

    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    pub fn open(&self) -> u64 {
        self.shared.counts.open.load(Ordering::SeqCst)
    }

    /// From now on, for open and new connections. What is frozen stays so.
    pub fn set(&self, mode: Mode) {
        self.shared.mode.send_modify(|old| *old = Mode { frozen: old.frozen, ..mode });
    }

    /// The connections there are become half-open for ever; new ones are not concerned. Tells how many.
    pub fn freeze(&self) -> u64 {
        let next = self.shared.counts.accepted.load(Ordering::SeqCst);
        self.shared.mode.send_modify(|mode| mode.frozen = next);
        self.open()
    }

    /// Ends every open connection, and tells how many there were.
    pub async fn cut(&self, how: Cut) -> u64 {
        let counts = &self.shared.counts;
        let before = counts.cut.load(Ordering::SeqCst);
        let hit = self.shared.cut.send(how).unwrap_or(0) as u64;
        wait::until("the connections to be cut", async || match counts.cut.load(Ordering::SeqCst) - before {
            done if done >= hit => Ok(()),
            done => Err(format!("{done} of {hit}")),
        })
        .await;
        hit
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A proxy that panicked has failed its test already.
            let _ = thread.join();
        }
    }
}

fn kubeconfig() -> Kubeconfig {
    Kubeconfig::read_from(&backend().kubeconfig).expect("a readable kubeconfig")
}

fn server_of(config: &Kubeconfig) -> String {
    let mut clusters = config.clusters.iter().filter_map(|named| named.cluster.as_ref());
    clusters.find_map(|cluster| cluster.server.clone()).expect("a kubeconfig with a server")
}

async fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        if shared.mode.borrow().door == Door::Refuse {
            shared.counts.refused.fetch_add(1, Ordering::SeqCst);
            reset(&client);
            continue;
        }
        let number = shared.counts.accepted.fetch_add(1, Ordering::SeqCst);
        shared.counts.open.fetch_add(1, Ordering::SeqCst);
        // Subscribed before the next accept, so that a cut finds every connection that is counted as open.
        let mut cut = shared.cut.subscribe();
        let shared = Arc::clone(shared);
        connections.spawn(async move {
            serve(&shared, client, number, &mut cut).await;
            // One that ended by itself at the same moment was reached as well.
            while cut.try_recv().is_ok() {
                shared.counts.cut.fetch_add(1, Ordering::SeqCst);
            }
            shared.counts.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn serve(shared: &Shared, client: TcpStream, number: u64, cut: &mut broadcast::Receiver<Cut>) {
    let Ok(server) = TcpStream::connect(shared.upstream).await else {
        return reset(&client);
    };
    for side in [&client, &server] {
        let _ = side.set_nodelay(true);
    }
    let budget = shared.mode.borrow().budget;
    let budget = budget.map(|(least, most, how)| {
        let mut chance = shared.chance.lock().unwrap_or_else(PoisonError::into_inner);
        (chance.u64(least..=most), how)
    });
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let direction = |from, to, flow, bytes, budget| {
        let mode = shared.mode.subscribe();
        Direction { shared, number, mode, from, to, flow, bytes, budget }
    };
    let mut up = direction(from_client, to_server, (|mode| mode.up) as fn(&Mode) -> Flow, &shared.counts.up, None);
    let mut down = direction(from_server, to_client, |mode| mode.down, &shared.counts.down, budget);
    let how = tokio::select! {
        // FIN from either side ends both: HTTP has no use for half a connection.
        _ = up.run() => Cut::Fin,
        spent = down.run() => spent,
        how = cut.recv() => {
            shared.counts.cut.fetch_add(1, Ordering::SeqCst);
            how.unwrap_or(Cut::Fin)
        }
    };
    for half in [down.to, up.to] {
        if how == Cut::Reset {
            reset(half.as_ref());
        }
        // Dropped, it would say FIN first.
        half.forget();
    }
}

/// Makes the closing of a socket a reset.
fn reset(socket: &TcpStream) {
    // A socket that is gone cannot be reset, and need not be.
    let _ = socket.set_zero_linger();
}

struct Direction<'a> {
    shared: &'a Shared,
    /// Which connection it is of.
    number: u64,
    mode: watch::Receiver<Mode>,
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    flow: fn(&Mode) -> Flow,
    bytes: &'a AtomicU64,
    budget: Option<(u64, Cut)>,
}

impl Direction<'_> {
    fn flow(&self, mode: &Mode) -> Flow {
        if self.number < mode.frozen { Flow::Hold } else { (self.flow)(mode) }
    }

    /// Moves bytes until an end, and says how the connection is to be ended then.
    async fn run(&mut self) -> Cut {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match self.step(&mut buffer).await {
                Ok(None) => {}
                Ok(Some(how)) => return how,
                Err(_) => return Cut::Reset,
            }
        }
    }

    async fn step(&mut self, buffer: &mut [u8]) -> io::Result<Option<Cut>> {
        let mode = *self.mode.borrow_and_update();
        if self.flow(&mode) == Flow::Hold {
            // The sender lives as long as the proxy.
            let _ = self.mode.changed().await;
            return Ok(None);
        }
        let read = tokio::select! {
            read = self.from.read(buffer) => read?,
            _ = self.mode.changed() => return Ok(None),
        };
        if read == 0 {
            return Ok(Some(Cut::Fin));
        }
        tokio::time::sleep(mode.delay).await;
        self.pass(&buffer[..read]).await
    }

    async fn pass(&mut self, mut data: &[u8]) -> io::Result<Option<Cut>> {
        // Looked at again: it may have been set while this piece was read.
        loop {
            let mode = *self.mode.borrow_and_update();
            match self.flow(&mode) {
                Flow::Pass => break,
                Flow::Swallow => {
                    self.shared.counts.swallowed.fetch_add(data.len() as u64, Ordering::SeqCst);
                    return Ok(None);
                }
                Flow::Hold => _ = self.mode.changed().await,
            }
        }
        let mut end = None;
        if let Some((left, how)) = &mut self.budget {
            let fits = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
            data = &data[..fits];
            *left -= fits as u64;
            if *left == 0 {
                end = Some(*how);
                self.shared.counts.spent.fetch_add(1, Ordering::SeqCst);
            }
        }
        self.to.write_all(data).await?;
        self.bytes.fetch_add(data.len() as u64, Ordering::SeqCst);
        Ok(end)
    }
}
