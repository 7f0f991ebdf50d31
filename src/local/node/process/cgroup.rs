//! Memory and CPU limits of containers, by the kernel's control groups, where this process may make some.
//!
//! ```text
//! /proc/self/mountinfo, /proc/self/cgroup ─▶ Places: the nearest group, from this process's own upwards, below which a
//!                                            group with that limit can be made; nothing of the machine is set up for it
//! limits of a container ─▶ Cgroup ─▶ each of its processes joins before exec ─▶ killed and removed when it has ended
//! ```
//!
//! Version 2 has one tree, version 1 one for each controller. A group that is left over (this process was killed) is
//! removed by the next one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What the names of our groups begin with; then come this process's id and a number.
const PREFIX: &str = "podlaunch-local-";
/// `cpu.max` and its like: the quota is for so many microseconds.
const PERIOD: u64 = 100_000;
/// The kernel refuses a smaller quota.
const LEAST_QUOTA: u64 = 1000;

/// How often a group is looked at until it is empty.
const ENDS: u32 = 100;
const END_PAUSE: Duration = Duration::from_millis(20);

/// What a container may use. None: as much as there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes.
    pub memory: Option<u64>,
    /// Thousandths of a core.
    pub cpu: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Controller {
    Memory,
    Cpu,
}

impl Controller {
    fn name(self) -> &'static str {
        match self {
            Controller::Memory => "memory",
            Controller::Cpu => "cpu",
        }
    }

    /// The file of a group that holds its limit.
    fn file(self, version: Version) -> &'static str {
        match (self, version) {
            (Controller::Memory, Version::One) => "memory.limit_in_bytes",
            (Controller::Memory, Version::Two) => "memory.max",
            (Controller::Cpu, Version::One) => "cpu.cfs_quota_us",
            (Controller::Cpu, Version::Two) => "cpu.max",
        }
    }
}

/// A group below which groups can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    directory: PathBuf,
    version: Version,
}

/// Where groups can be made, for each limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    memory: Option<Place>,
    cpu: Option<Place>,
}

impl Places {
    /// Those of this process.
    pub fn find() -> Places {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let places = Places::find_in(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"), can_be_made_below);
        places.sweep();
        places
    }

    fn find_in(mounts: &str, own: &str, usable: impl Fn(&Path, &'static str) -> bool) -> Places {
        let place = |controller: Controller| {
            let mut candidates = candidates(mounts, own, controller);
            candidates.find(|place| usable(&place.directory, controller.file(place.version)))
        };
        let (memory, cpu) = (place(Controller::Memory), place(Controller::Cpu));
        // A process is in one group of a tree.
        let apart = |memory: &Place, cpu: &Place| cpu.version == Version::Two && memory != cpu;
        let cpu = cpu.filter(|cpu| memory.as_ref().is_none_or(|memory| !apart(memory, cpu)));
        Places { memory, cpu }
    }

    /// The limits that cannot be kept here, in words; `None` where all can.
    pub fn lack(&self, limits: &Limits) -> Option<&'static str> {
        let memory = limits.memory.is_some() && self.memory.is_none();
        let cpu = limits.cpu.is_some() && self.cpu.is_none();
        match (memory, cpu) {
            (true, true) => Some("limits of memory and CPU"),
            (true, false) => Some("limits of memory"),
            (false, true) => Some("limits of CPU"),
            (false, false) => None,
        }
    }

    /// A group with those of the limits that can be kept; `None` where that is none.
    pub fn make(&self, limits: &Limits) -> io::Result<Option<Cgroup>> {
        let name = unique_name();
        let mut group = Cgroup { directories: Vec::new(), memory: None };
        if let Some((place, bytes)) = self.memory.as_ref().zip(limits.memory) {
            let directory = group.make(place, &name)?;
            limit_memory(&directory, place.version, bytes)?;
            group.memory = Some((directory, place.version));
        }
        if let Some((place, millis)) = self.cpu.as_ref().zip(limits.cpu) {
            let directory = group.make(place, &name)?;
            limit_cpu(&directory, place.version, millis)?;
        }
        Ok((!group.directories.is_empty()).then_some(group))
    }

    /// Removes what processes that are gone have left.
    fn sweep(&self) {
        for place in [&self.memory, &self.cpu].into_iter().flatten() {
            for entry in fs::read_dir(&place.directory).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
                if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                    // One that is in use stays.
                    let _ = fs::remove_dir(entry.path());
                }
            }
        }
    }
}

/// The control group of a container. Dropping it kills what is in it.
#[derive(Debug)]
pub struct Cgroup {
    directories: Vec<PathBuf>,
    memory: Option<(PathBuf, Version)>,
}

impl Cgroup {
    fn make(&mut self, place: &Place, name: &str) -> io::Result<PathBuf> {
        let directory = place.directory.join(name);
        if !self.directories.contains(&directory) {
            fs::create_dir(&directory)?;
            self.directories.push(directory.clone());
        }
        Ok(directory)
    }

    /// What a process writes `0` to, to join.
    pub fn doors(&self) -> io::Result<Vec<File>> {
        self.directories.iter().map(|dir| OpenOptions::new().write(true).open(dir.join("cgroup.procs"))).collect()
    }

    /// Whether the kernel killed a process of it for its limit.
    pub fn ran_out_of_memory(&self) -> bool {
        let Some((directory, version)) = &self.memory else { return false };
        let file = match version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        fs::read_to_string(directory.join(file)).is_ok_and(|text| oom_kills(&text) > 0)
    }

    /// Kills what is left, also what has left the process group.
    fn kill(&self) {
        for directory in &self.directories {
            let members = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
            for pid in members.lines().filter_map(|pid| pid.parse().ok()).filter(|pid: &i32| *pid > 1) {
                // One that has just ended is no error.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }

    /// Kills what is left and removes it. Bounded: what cannot be killed stays, and its group with it.
    pub async fn end(&self) {
        for _ in 0..ENDS {
            if self.remove() {
                return;
            }
            self.kill();
            tokio::time::sleep(END_PAUSE).await;
        }
        tracing::warn!(groups = ?self.directories, "a control group could not be removed");
    }

    /// False while something is in it.
    fn remove(&self) -> bool {
        let removed = |directory: &PathBuf| match fs::remove_dir(directory) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        self.directories.iter().filter(|directory| !removed(directory)).count() == 0
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if !self.remove() {
            self.kill();
            self.remove();
        }
    }
}

/// Joins a group: the calling process, between fork and exec.
pub fn enter(door: &File) -> io::Result<()> {
    nix::unistd::write(door, b"0").map(|_| ()).map_err(io::Error::from)
}

fn limit_memory(directory: &Path, version: Version, bytes: u64) -> io::Result<()> {
    fs::write(directory.join(Controller::Memory.file(version)), bytes.to_string())?;
    // Not every kernel counts swap, or ends all of a group at once as Kubernetes has it.
    let _ = match version {
        Version::One => fs::write(directory.join("memory.memsw.limit_in_bytes"), bytes.to_string()),
        Version::Two => fs::write(directory.join("memory.swap.max"), "0")
            .and_then(|()| fs::write(directory.join("memory.oom.group"), "1")),
    };
    Ok(())
}

fn limit_cpu(directory: &Path, version: Version, millis: u64) -> io::Result<()> {
    let quota = millis.saturating_mul(PERIOD / 1000).max(LEAST_QUOTA);
    let text = match version {
        Version::One => {
            fs::write(directory.join("cpu.cfs_period_us"), PERIOD.to_string())?;
            quota.to_string()
        }
        Version::Two => format!("{quota} {PERIOD}"),
    };
    fs::write(directory.join(Controller::Cpu.file(version)), text)
}

fn oom_kills(text: &str) -> u64 {
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
}

/// The groups above this process, its own first, in the tree that has the controller.
fn candidates(mounts: &str, own: &str, controller: Controller) -> impl Iterator<Item = Place> {
    let trees = mounts.lines().filter_map(move |line| Tree::read(line, controller));
    let own = own.to_owned();
    trees.flat_map(move |tree| {
        let start = tree.own_group(&own, controller);
        let above: Vec<PathBuf> =
            start.ancestors().take_while(|dir| dir.starts_with(&tree.mount)).map(Into::into).collect();
        above.into_iter().map(move |directory| Place { directory, version: tree.version })
    })
}

/// A mounted tree of control groups.
struct Tree {
    mount: PathBuf,
    /// Which group is mounted.
    root: String,
    version: Version,
}

impl Tree {
    /// Of a line of mountinfo: `36 25 0:31 ROOT MOUNT options - cgroup cgroup rw,memory`.
    fn read(line: &str, controller: Controller) -> Option<Tree> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, mount) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let (kind, options) = (after.next()?, after.nth(1)?);
        let version = match kind {
            "cgroup" if options.split(',').any(|option| option == controller.name()) => Version::One,
            "cgroup2" => Version::Two,
            _ => return None,
        };
        Some(Tree { mount: mount.into(), root: root.to_owned(), version })
    }

    /// The group of this process. One that the mount does not show is taken for the mount's own.
    fn own_group(&self, own: &str, controller: Controller) -> PathBuf {
        let path = own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let is_it = match self.version {
                Version::One => controllers.split(',').any(|name| name == controller.name()),
                Version::Two => number == "0",
            };
            is_it.then_some(path)
        });
        let below = path.and_then(|path| Path::new(path).strip_prefix(&self.root).ok());
        let group = self.mount.join(below.unwrap_or(Path::new("")));
        if group.is_dir() { group } else { self.mount.clone() }
    }
}

/// A name that no other group of this process has.
fn unique_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("{PREFIX}{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Whether a group with this limit can be made here and this process's children can be moved into it.
fn can_be_made_below(directory: &Path, file: &'static str) -> bool {
    let writable = |path: PathBuf| OpenOptions::new().write(true).open(path).is_ok();
    let probe = directory.join(unique_name());
    if !writable(directory.join("cgroup.procs")) || fs::create_dir(&probe).is_err() {
        return false;
    }
    let usable = writable(probe.join(file)) && writable(probe.join("cgroup.procs"));
    fs::remove_dir(&probe).is_ok() && usable
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION_1: &str = "\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /nowhere/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /nowhere/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /nowhere/unified rw,relatime - cgroup2 cgroup2 rw
";
    const OWN_1: &str = "4:memory:/a/b\n2:cpu,cpuacct:/\n0::/\n";
    const VERSION_2: &str = "30 23 0:26 / /nowhere rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    const OWN_2: &str = "0::/user.slice/app.slice/shell.scope\n";

    fn found(mounts: &str, own: &str, usable: impl Fn(&Path, &'static str) -> bool) -> [Option<(String, Version)>; 2] {
        let places = Places::find_in(mounts, own, usable);
        [places.memory, places.cpu].map(|place| place.map(|p| (p.directory.display().to_string(), p.version)))
    }

    #[test]
    fn places_are_found() {
        let one = |path: &str| Some((path.to_owned(), Version::One));
        let two = |path: &str| Some((path.to_owned(), Version::Two));
        assert_eq!(found(VERSION_1, OWN_1, |_, _| true), [one("/nowhere/memory"), one("/nowhere/cpu,cpuacct")]);
        assert_eq!(found(VERSION_1, OWN_1, |_, _| false), [None, None]);
        assert_eq!(found(VERSION_1, OWN_1, |_, file| file == "cpu.cfs_quota_us"), [None, one("/nowhere/cpu,cpuacct")]);
        assert_eq!(found(VERSION_2, OWN_2, |_, _| true), [two("/nowhere"), two("/nowhere")]);
        assert_eq!(found(VERSION_2, OWN_2, |_, file| file == "memory.max"), [two("/nowhere"), None]);
        assert_eq!(found("", "", |_, _| true), [None, None]);
    }

    /// Version 2 has one tree, and a process is in one group of it.
    #[test]
    fn limits_of_one_tree_are_in_one_group() {
        let dir = tempfile::tempdir().unwrap();
        let [top, inner] = [dir.path().to_owned(), dir.path().join("inner")];
        fs::create_dir(&inner).unwrap();
        let mounts = format!("30 23 0:26 / {} rw - cgroup2 cgroup2 rw\n", top.display());
        let at = |memory: &Path, cpu: &Path| {
            let (memory, cpu) = (memory.to_owned(), cpu.to_owned());
            Places::find_in(&mounts, "0::/inner\n", move |dir, file| {
                dir == if file == "memory.max" { &memory } else { &cpu }
            })
        };
        let place = |directory: &Path| Some(Place { directory: directory.to_owned(), version: Version::Two });
        assert_eq!(at(&inner, &inner), Places { memory: place(&inner), cpu: place(&inner) }, "its own first");
        assert_eq!(at(&inner, &top), Places { memory: place(&inner), cpu: None });
        assert_eq!(at(Path::new("/"), &top), Places { memory: None, cpu: place(&top) });
    }

    #[test]
    fn what_cannot_be_kept_is_said() {
        let place = Some(Place { directory: "/".into(), version: Version::Two });
        let (memory, cpu) = (Limits { memory: Some(1), cpu: None }, Limits { memory: None, cpu: Some(1) });
        let both = Limits { memory: Some(1), cpu: Some(1) };
        let none = Places::default();
        assert_eq!(none.lack(&Limits::default()), None);
        assert_eq!([&memory, &cpu].map(|limits| none.lack(limits).is_some()), [true, true]);
        assert_eq!(none.lack(&both), Some("limits of memory and CPU"));
        let some = Places { memory: place.clone(), cpu: None };
        assert_eq!((some.lack(&memory), some.lack(&both)), (None, Some("limits of CPU")));
        assert_eq!(Places { memory: place.clone(), cpu: place }.lack(&both), None);
    }

    #[test]
    fn kills_are_counted() {
        assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), 2);
        assert_eq!(oom_kills("low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n"), 1);
        assert_eq!(oom_kills("oom_kill_disable 1\n"), 0);
    }
}
