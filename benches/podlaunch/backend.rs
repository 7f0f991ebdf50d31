//! The cluster, and the podlaunch server in front of it, each as a process of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::process::Process;
use crate::settings::Settings;

/// How long the server may take until it serves.
const READY_LIMIT: Duration = Duration::from_secs(30);
const RETRY_EVERY: Duration = Duration::from_millis(20);
/// Windows as podlaunch's own client sets them.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// The cluster that is measured on.
pub struct Cluster {
    /// How to reach it.
    pub kubeconfig: PathBuf,
    /// The embedded one.
    process: Option<Process>,
}

impl Cluster {
    /// The given one, or an embedded one that is started.
    pub async fn start(settings: &Settings) -> anyhow::Result<Cluster> {
        if let Some(kubeconfig) = &settings.kubeconfig {
            return Ok(Cluster { kubeconfig: kubeconfig.clone(), process: None });
        }
        let mut process = Process::start("local", &["local", "--listen", "127.0.0.1:0"])?;
        let kubeconfig = process.printed_file().await.context("podlaunch local")?;
        Ok(Cluster { kubeconfig, process: Some(process) })
    }

    /// For the report.
    pub fn kind(&self) -> &'static str {
        match self.process {
            Some(_) => "embedded",
            None => "real",
        }
    }

    /// Log files, for whoever looks for a failure's cause.
    pub fn log(&self) -> Option<&Path> {
        self.process.as_ref().map(Process::log)
    }

    /// Stops the embedded one.
    pub async fn stop(self) {
        if let Some(process) = self.process {
            process.stop().await;
        }
    }
}

/// `podlaunch serve`.
pub struct Server {
    process: Process,
    /// Folder of the socket; removed when dropped.
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts it on a Unix socket. Not ready yet.
    pub fn start(cluster: &Cluster, instance: &str, settings: &Settings) -> anyhow::Result<Server> {
        let folder = tempfile::Builder::new().prefix("podlaunch-bench-").tempdir()?;
        let listen = format!("unix:{}", socket(&folder).display());
        let kubeconfig = cluster.kubeconfig.to_str().context("the kubeconfig's path is not UTF-8")?;
        let arguments = [
            "serve",
            "--kubeconfig",
            kubeconfig,
            "--listen",
            &listen,
            "--instance",
            instance,
            "--container-log-max-size",
            &settings.log_max_size,
        ];
        Ok(Server { process: Process::start("serve", &arguments)?, folder })
    }

    /// A connection of its own, once the server serves.
    pub async fn connect(&mut self) -> anyhow::Result<Channel> {
        let endpoint = Endpoint::from_shared(format!("unix:{}", socket(&self.folder).display()))?
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let ready = async {
            loop {
                self.process.check()?;
                if let Ok(channel) = endpoint.connect().await
                    && serves(&channel).await
                {
                    return anyhow::Ok(channel);
                }
                tokio::time::sleep(RETRY_EVERY).await;
            }
        };
        tokio::time::timeout(READY_LIMIT, ready).await.context("podlaunch serve did not become ready")?
    }

    /// Its log file.
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// Stops it.
    pub async fn stop(self) {
        self.process.stop().await;
    }
}

fn socket(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("s")
}

async fn serves(channel: &Channel) -> bool {
    let answer = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await;
    answer.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving)
}
