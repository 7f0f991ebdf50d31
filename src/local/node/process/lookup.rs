//! Finding a program and a working directory, with a container runtime's words when there is none.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// Why a container could not be started. Shown as the message of its `StartError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to \
     start container process: error during container init: {0}"
)]
pub struct StartError(pub String);

/// The file that `program` names: itself when it has a slash, else the first executable in `path`.
pub fn find_program(program: &str, path: &str, directory: &Path) -> Result<PathBuf, StartError> {
    if program.is_empty() {
        return Err(StartError("no command specified".to_owned()));
    }
    if program.contains('/') {
        let file = directory.join(program);
        return match check(&file) {
            Ok(()) => Ok(file),
            Err(Refusal::Missing) => {
                Err(StartError(format!("exec: \"{program}\": stat {program}: no such file or directory")))
            }
            Err(Refusal::Directory) => Err(StartError(format!("exec: \"{program}\": is a directory"))),
            Err(Refusal::Forbidden) => Err(StartError(format!("exec: \"{program}\": permission denied"))),
        };
    }
    let mut files = path.split(':').filter(|dir| !dir.is_empty()).map(|dir| Path::new(dir).join(program));
    let missing = || StartError(format!("exec: \"{program}\": executable file not found in $PATH"));
    files.find(|file| check(file).is_ok()).ok_or_else(missing)
}

/// What the system said when a program that was found could not be run (a missing interpreter, a foreign format).
pub fn exec_failed(program: &str, error: &std::io::Error) -> StartError {
    let words = match error.raw_os_error().map(nix::errno::Errno::from_raw) {
        Some(nix::errno::Errno::ENOENT) => "no such file or directory".to_owned(),
        Some(errno) => errno.desc().to_lowercase(),
        None => error.to_string(),
    };
    StartError(format!("exec {program}: {words}"))
}

/// Whether `directory` can be worked in; names its first missing part if not.
pub fn check_directory(directory: &Path) -> Result<(), StartError> {
    if directory.is_dir() {
        return Ok(());
    }
    let missing = directory.ancestors().filter(|part| !part.exists()).last();
    Err(StartError(match missing {
        Some(part) => format!("mkdir {}: no such file or directory", part.display()),
        None => format!("mkdir {}: not a directory", directory.display()),
    }))
}

/// `path` of the container's view below `root`; `None` when it leaves the root.
pub fn below(root: &Path, path: &str) -> Option<PathBuf> {
    let mut joined = root.to_owned();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => joined.push(part),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(joined)
}

enum Refusal {
    Missing,
    Directory,
    Forbidden,
}

fn check(file: &Path) -> Result<(), Refusal> {
    let metadata = fs::metadata(file).map_err(|_| Refusal::Missing)?;
    match metadata {
        found if found.is_dir() => Err(Refusal::Directory),
        found if found.permissions().mode() & 0o111 == 0 => Err(Refusal::Forbidden),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_or_named_as_the_runtime_names_them() {
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("plain");
        fs::write(&plain, "x").unwrap();
        let path = format!("/no/such/dir:{}:/bin", dir.path().display());
        assert!(find_program("sh", &path, Path::new("/")).unwrap().ends_with("sh"));
        assert_eq!(find_program("bin/sh", "", Path::new("/")).unwrap(), Path::new("/bin/sh"));
        for (program, expected) in [
            ("Python", "exec: \"Python\": executable file not found in $PATH".to_owned()),
            ("plain", "exec: \"plain\": executable file not found in $PATH".to_owned()),
            ("/no/such", "exec: \"/no/such\": stat /no/such: no such file or directory".to_owned()),
            ("/bin", "exec: \"/bin\": is a directory".to_owned()),
            (plain.to_str().unwrap(), format!("exec: \"{}\": permission denied", plain.display())),
            ("", "no command specified".to_owned()),
        ] {
            let error = find_program(program, &path, Path::new("/")).unwrap_err();
            assert_eq!(error.0, expected);
            assert!(error.to_string().starts_with("failed to create containerd task: "));
        }
    }

    #[test]
    fn a_missing_directory_is_named_by_its_first_missing_part() {
        assert_eq!(check_directory(Path::new("/")), Ok(()));
        assert_eq!(
            check_directory(Path::new("/proc/1/nope/x")).unwrap_err().0,
            "mkdir /proc/1/nope: no such file or directory"
        );
    }

    #[test]
    fn paths_stay_below_their_root() {
        assert_eq!(below(Path::new("/r"), "/a/./b").unwrap(), Path::new("/r/a/b"));
        assert_eq!(below(Path::new("/r"), "/a/../b"), None);
    }
}
