//! `podlaunch serve` as a process: one shared by the run, and such as a test starts, kills and restarts itself.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

use nix::sys::signal::Signal;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::backend::{BINARY, backend};
use super::podlaunch::Podlaunch;
use super::process::{Process, SCRATCH, unique};
use super::wait;

/// How many servers of each instance this run has started: each may list once.
pub static STARTED: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// When the first of them was started.
pub static FIRST_START: LazyLock<jiff::Timestamp> = LazyLock::new(jiff::Timestamp::now);

/// A server process.
#[derive(Debug)]
pub struct Server {
    pub process: Process,
    /// `unix:PATH` or `http://ADDRESS`, as a client is told.
    pub endpoint: String,
    pub instance: String,
    /// What it was started with.
    arguments: Vec<OsString>,
}

impl Server {
    /// The one that tests share unless they do something to it.
    pub fn shared() -> &'static Server {
        static SHARED: LazyLock<Server> = LazyLock::new(|| Server::start(&unique_instance()));
        &SHARED
    }

    /// A server on a socket of its own. Not ready yet.
    pub fn start(instance: &str) -> Server {
        Server::start_with(instance, &[])
    }

    /// The same, with more flags.
    pub fn start_with(instance: &str, flags: &[&str]) -> Server {
        Server::start_via(instance, &backend().kubeconfig, flags)
    }

    /// The same, on the cluster as this kubeconfig sees it.
    pub fn start_via(instance: &str, kubeconfig: &Path, flags: &[&str]) -> Server {
        let socket: PathBuf = SCRATCH.join(format!("s{}.sock", unique()));
        let listen = format!("unix:{}", socket.display());
        Server::start_on(instance, &listen, listen.clone(), kubeconfig, flags)
    }

    /// A server on TCP. Not ready yet.
    pub fn start_tcp(instance: &str) -> Server {
        let address = free_address();
        Server::start_on(instance, &address, format!("http://{address}"), &backend().kubeconfig, &[])
    }

    fn start_on(instance: &str, listen: &str, endpoint: String, kubeconfig: &Path, flags: &[&str]) -> Server {
        let mut arguments: Vec<OsString> = vec!["serve".into(), "--kubeconfig".into(), kubeconfig.into()];
        arguments.extend(["--listen", listen, "--instance", instance].map(OsString::from));
        arguments.extend(flags.iter().map(OsString::from));
        let process = launch(instance, &arguments);
        Server { process, endpoint, instance: instance.to_owned(), arguments }
    }

    /// Starts it again, at the same place with the same flags, after it was killed.
    pub fn start_again(&mut self) {
        self.process = launch(&self.instance, &self.arguments);
    }

    /// A connection to whatever serves at `endpoint`, once its health service says SERVING.
    pub async fn channel_to(endpoint: &str) -> Channel {
        wait::until("a server to be SERVING", async || serving(endpoint).await).await
    }

    /// A connection of its own to this server, once its health service says SERVING.
    pub async fn channel(&self) -> Channel {
        wait::until("the server to be SERVING", async || {
            if let Some(status) = self.process.ended() {
                panic!("the server ended ({status}); {}", self.process.tail());
            }
            serving(&self.endpoint).await
        })
        .await
    }

    /// A client on a connection of its own.
    pub async fn connect(&self) -> Podlaunch {
        Podlaunch::new(self.channel().await)
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.process.signal(Signal::SIGTERM);
    }
}

fn launch(instance: &str, arguments: &[OsString]) -> Process {
    LazyLock::force(&FIRST_START);
    *STARTED.lock().unwrap_or_else(PoisonError::into_inner).entry(instance.to_owned()).or_default() += 1;
    let mut command = Command::new(BINARY);
    command.args(arguments);
    if std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "podlaunch=debug,info,kube_client=off,kube_runtime=off");
    }
    Process::start("server", command)
}

/// A connection, if the server there says SERVING.
async fn serving(endpoint: &str) -> Result<Channel, String> {
    let channel = Endpoint::from_shared(endpoint.to_owned())
        .map_err(|error| format!("endpoint: {error}"))?
        .connect()
        .await
        .map_err(|error| format!("connect: {error:?}"))?;
    let answer = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await;
    match answer.map(|answer| answer.into_inner().status()) {
        Ok(ServingStatus::Serving) => Ok(channel),
        Ok(other) => Err(format!("health: {other:?}")),
        Err(status) => Err(format!("health: {status}")),
    }
}

/// A name for an installation that no other test has.
pub fn unique_instance() -> String {
    format!("e2e-{}-{}", std::process::id(), unique())
}

/// The same for one whose connections a test breaks: it may ask the API server for more than others.
pub fn faulty_instance() -> String {
    format!("{}{}-{}", super::audit::FAULTY, std::process::id(), unique())
}

/// A port that was free a moment ago.
pub fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("the address of a bound listener").to_string()
}
