//! Child processes that cannot outlive the run: every one is started by one thread that lives as long as the run, with
//! a death signal tied to it, and its output goes to a file that a failed test points to.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A folder of this run for sockets, logs and images. Short: it holds sockets. Those of dead runs are swept.
pub static SCRATCH: LazyLock<PathBuf> = LazyLock::new(|| {
    let parent = std::env::temp_dir();
    sweep(&parent);
    let own = parent.join(format!("{PREFIX}{}", std::process::id()));
    fs::create_dir_all(&own).expect("a folder for the run");
    own
});

const PREFIX: &str = "podlaunch-e2e-";

fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
        if pid.is_some_and(|pid| kill(Pid::from_raw(pid), None).is_err()) {
            // Another run may sweep at the same time; what is gone is gone.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A number for names, different each time in this run.
pub fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A running child. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Mutex<Child>,
    pid: Pid,
    /// Its standard error (and output, where nothing else is said).
    pub log: PathBuf,
}

impl Process {
    /// Starts `command`, whose standard error goes to a log file named after `name`. Standard output goes there too,
    /// unless `prepare` says otherwise.
    pub fn start(name: &str, mut command: Command) -> Process {
        let log = SCRATCH.join(format!("{name}-{}.log", unique()));
        let file = File::create(&log).expect("a log file");
        let other = file.try_clone().expect("a second handle of the log file");
        command.stdin(Stdio::null()).stdout(file).stderr(other);
        Process::spawn(name, command, log)
    }

    /// As [`Process::start`], with standard output piped: take it by [`Process::stdout`].
    pub fn start_piped(name: &str, mut command: Command) -> Process {
        let log = SCRATCH.join(format!("{name}-{}.log", unique()));
        let file = File::create(&log).expect("a log file");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file);
        Process::spawn(name, command, log)
    }

    fn spawn(name: &str, command: Command, log: PathBuf) -> Process {
        let child = spawn_tied(command).unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid is an i32"));
        Process { child: Mutex::new(child), pid, log }
    }

    pub fn stdout(&self) -> std::process::ChildStdout {
        self.lock().stdout.take().expect("standard output is piped and not yet taken")
    }

    /// Its process id.
    pub fn id(&self) -> i32 {
        self.pid.as_raw()
    }

    pub fn signal(&self, signal: Signal) {
        // A process that is gone already needs no signal; its pid is not reused before it is waited for.
        let _ = kill(self.pid, signal);
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&self) {
        let mut child = self.lock();
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Its exit, if it has ended.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.lock().try_wait().ok().flatten()
    }

    /// Awaits its end.
    pub async fn wait(&self) -> ExitStatus {
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The end of its log, for a failed test.
    pub fn tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(60);
        format!("{}:\n{}", self.log.display(), lines[from..].join("\n"))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

type Reply = mpsc::SyncSender<io::Result<Child>>;

/// Starts a child from the one thread that lives until the run ends. A death signal fires when the starting *thread*
/// ends, so a test's own thread would take the shared processes with it.
pub fn spawn_tied(command: Command) -> io::Result<Child> {
    static SPAWNER: LazyLock<Mutex<mpsc::SyncSender<(Command, Reply)>>> = LazyLock::new(|| {
        let (requests, inbox) = mpsc::sync_channel::<(Command, Reply)>(1);
        thread::spawn(move || {
            for (mut command, reply) in inbox {
                tie(&mut command);
                // The asking test may have given up; then nobody wants the answer.
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(requests)
    });
    let (reply, answer) = mpsc::sync_channel(1);
    SPAWNER
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, reply))
        .expect("the spawner lives as long as the run");
    answer.recv().expect("the spawner answers")
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "a death signal can only be set between fork and exec")]
fn tie(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    let set = || nix::sys::prctl::set_pdeathsig(Signal::SIGTERM).map_err(io::Error::from);
    // SAFETY: between fork and exec only prctl(2) is called, which is async-signal-safe; nothing is allocated.
    unsafe { command.pre_exec(set) };
}

#[cfg(not(target_os = "linux"))]
fn tie(_: &mut Command) {}
