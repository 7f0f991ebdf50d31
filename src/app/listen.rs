//! Listeners of `serve`: loopback TCP, Unix sockets, TLS.

use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tonic::transport::server::TcpIncoming;

use super::tls::ReloadingTls;
use crate::cli::args::Listen;

/// Only the owner and the group of a socket may connect.
const SOCKET_MODE: u32 = 0o660;

/// A bound listener.
pub(super) enum Bound {
    /// TCP on loopback.
    Tcp(TcpIncoming, SocketAddr),
    /// TLS beyond loopback.
    Tls(TcpListener, Arc<ReloadingTls>),
    /// A Unix socket; its file is removed when this is dropped.
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket of ours.
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Gone already, or the folder is: nothing is left to remove.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Why a listener cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListenError {
    #[error(
        "{0} is reachable from other machines: it needs --tls-cert and --tls-key; without them listen on 127.0.0.1, [::1] or unix:/path"
    )]
    NotLocal(Listen),
    #[error(
        "{0} is reachable from other machines: say who may call with --tls-client-ca or --token-file, or --allow-unauthenticated for anybody"
    )]
    NoKnownCallers(Listen),
    #[error("there is no group {0}")]
    NoGroup(String),
    #[error("cannot listen on {listen}")]
    Bind {
        listen: Listen,
        #[source]
        source: std::io::Error,
    },
    #[error("{0} exists and is not a socket; remove it or choose another path")]
    NotASocket(PathBuf),
    #[error("another process listens on {0}")]
    InUse(PathBuf),
}

/// What the listeners share.
#[derive(Default)]
pub(super) struct Security {
    /// For listeners beyond loopback.
    pub tls: Option<Arc<ReloadingTls>>,
    /// Whether it was said who may call over the network.
    pub knows_callers: bool,
    /// Group of the Unix sockets.
    pub socket_group: Option<u32>,
}

/// A group by name or number.
pub(super) fn group(name: &str) -> Result<u32, ListenError> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let found = nix::unistd::Group::from_name(name).ok().flatten();
    found.map(|group| group.gid.as_raw()).ok_or_else(|| ListenError::NoGroup(name.to_owned()))
}

/// Binds one listener.
pub(super) async fn bind(listen: &Listen, security: &Security) -> Result<Bound, ListenError> {
    let failed = |source| ListenError::Bind { listen: listen.clone(), source };
    match listen {
        Listen::Tcp(address) if !listen.is_local_only() => {
            let Some(tls) = &security.tls else { return Err(ListenError::NotLocal(listen.clone())) };
            if !security.knows_callers {
                return Err(ListenError::NoKnownCallers(listen.clone()));
            }
            Ok(Bound::Tls(TcpListener::bind(address).await.map_err(failed)?, tls.clone()))
        }
        Listen::Tcp(address) => {
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            let incoming =
                TcpIncoming::from(listener).with_nodelay(Some(true)).with_keepalive(Some(Duration::from_secs(30)));
            Ok(Bound::Tcp(incoming, address))
        }
        Listen::Unix(path) => {
            remove_stale(path).await?;
            let listener = UnixListener::bind(path).map_err(failed)?;
            let file = SocketFile(path.clone());
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
            if let Some(group) = security.socket_group {
                std::os::unix::fs::chown(path, None, Some(group)).map_err(failed)?;
            }
            Ok(Bound::Unix(listener, file))
        }
    }
}

/// A socket nobody listens on is left over from a killed server.
async fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(ListenError::NotASocket(path.to_path_buf()));
    }
    if tokio::net::UnixStream::connect(path).await.is_ok() {
        return Err(ListenError::InUse(path.to_path_buf()));
    }
    std::fs::remove_file(path).map_err(|source| ListenError::Bind { listen: Listen::Unix(path.to_path_buf()), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let listen = Listen::Unix(dir.path().join("s"));
        let stale = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
        drop(stale);
        let live = bind(&listen, &Security::default()).await.unwrap();
        assert!(matches!(bind(&listen, &Security::default()).await, Err(ListenError::InUse(_))));
        let mode = std::fs::metadata(dir.path().join("s")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        drop(live);
        assert!(!dir.path().join("s").exists());
        std::fs::write(dir.path().join("s"), "").unwrap();
        assert!(matches!(bind(&listen, &Security::default()).await, Err(ListenError::NotASocket(_))));
    }

    #[tokio::test]
    async fn other_machines_are_refused() {
        let listen = Listen::Tcp("0.0.0.0:0".parse().unwrap());
        assert!(matches!(bind(&listen, &Security::default()).await, Err(ListenError::NotLocal(_))));
        assert!(matches!(group("no-such-group"), Err(ListenError::NoGroup(_))));
        assert_eq!(group("12").unwrap(), 12);
    }
}
