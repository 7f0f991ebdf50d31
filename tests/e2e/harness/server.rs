//! `podlaunch serve` as a process: one shared by the run, and such as a test starts, kills and restarts itself.

use std::collections::BTreeMap;
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
        LazyLock::force(&FIRST_START);
        *STARTED.lock().unwrap_or_else(PoisonError::into_inner).entry(instance.to_owned()).or_default() += 1;
        let mut command = Command::new(BINARY);
        command
            .arg("serve")
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--listen", listen, "--instance", instance])
            .args(flags);
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", "podlaunch=debug,info,kube_client=off,kube_runtime=off");
        }
        Server { process: Process::start("server", command), endpoint, instance: instance.to_owned() }
    }

    /// A connection of its own to this server, once its health service says SERVING.
    pub async fn channel(&self) -> Channel {
        wait::until("the server to be SERVING", async || {
            if let Some(status) = self.process.ended() {
                panic!("the server ended ({status}); {}", self.process.tail());
            }
            let channel = Endpoint::from_shared(self.endpoint.clone())
                .map_err(|error| format!("endpoint: {error}"))?
                .connect()
                .await
                .map_err(|error| format!("connect: {error:?}"))?;
            let request = HealthCheckRequest::default();
            let answer = HealthClient::new(channel.clone()).check(request).await;
            match answer.map(|answer| answer.into_inner().status()) {
                Ok(ServingStatus::Serving) => Ok(channel),
                Ok(other) => Err(format!("health: {other:?}")),
                Err(status) => Err(format!("health: {status}")),
            }
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
