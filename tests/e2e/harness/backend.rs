//! The cluster under the tests: the embedded one as a process of its own, started once for the run, or the real one
//! that `PODLAUNCH_E2E_KUBECONFIG` names.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use super::images;
use super::process::Process;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_podlaunch");

const KUBECONFIG: &str = "PODLAUNCH_E2E_KUBECONFIG";
const AUDIT: &str = "PODLAUNCH_E2E_AUDIT";

/// Which cluster it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    Real,
}

/// The cluster of this run.
#[derive(Debug)]
pub struct Backend {
    pub kind: Kind,
    pub kubeconfig: PathBuf,
    /// The API server's audit log (JSON lines), where there is one.
    pub audit: Option<PathBuf>,
    /// The embedded cluster. Lives as long as the run.
    pub process: Option<Process>,
}

/// The cluster of this run, started at the first call.
pub fn backend() -> &'static Backend {
    static BACKEND: LazyLock<Backend> = LazyLock::new(|| match std::env::var_os(KUBECONFIG) {
        Some(path) if !path.is_empty() => real(path.into()),
        _ => embedded(),
    });
    &BACKEND
}

fn real(kubeconfig: PathBuf) -> Backend {
    assert!(kubeconfig.is_file(), "{KUBECONFIG}: {} is no file", kubeconfig.display());
    let audit = std::env::var_os(AUDIT).map(PathBuf::from);
    if let Some(audit) = &audit {
        assert!(audit.is_file(), "{AUDIT}: {} is no file", audit.display());
    }
    Backend { kind: Kind::Real, kubeconfig, audit, process: None }
}

fn embedded() -> Backend {
    let mut command = Command::new(BINARY);
    command.args(["local", "--listen", "127.0.0.1:0", "--faults"]);
    for image in images::LOCAL_IMAGES.iter() {
        command.args(["--local-image", image]);
    }
    let process = Process::start_piped("cluster", command);
    let mut lines = BufReader::new(process.stdout()).lines();
    // Its output is the kubeconfig's path.
    let kubeconfig = lines
        .by_ref()
        .map_while(Result::ok)
        .map(|line| PathBuf::from(line.trim()))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("`podlaunch local` printed no kubeconfig; {}", process.tail()));
    // Read on, so that the process never writes into a closed pipe.
    std::thread::spawn(move || lines.for_each(drop));
    Backend { kind: Kind::Embedded, kubeconfig, audit: None, process: Some(process) }
}

impl Backend {
    pub fn is_real(&self) -> bool {
        self.kind == Kind::Real
    }

    /// How Python is called in the blog post's image.
    pub fn python(&self) -> &'static str {
        match self.kind {
            Kind::Embedded => "python3",
            Kind::Real => "python",
        }
    }
}
