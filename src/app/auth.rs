//! Who the callers of each listener are.
//!
//! | listener | callers |
//! |---|---|
//! | Unix socket | whoever the socket's mode lets connect; named by uid |
//! | loopback TCP | anybody on this machine; named by address |
//! | TLS | a client certificate of the configured authorities, or a token of the token file |
//! | TLS with `--allow-unauthenticated` | anybody; named by certificate or token where there is one |

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tonic::Request;
use tonic::transport::server::{TcpConnectInfo, UdsConnectInfo};

use super::reload::Reloading;
use super::tls::TlsPeer;
use crate::api::{Authenticate, Caller};

/// Callers of a listener only this machine reaches.
pub(super) struct Local;

impl Authenticate for Local {
    fn authenticate(&self, request: &Request<()>) -> Result<Caller, String> {
        let extensions = request.extensions();
        if let Some(peer) = extensions.get::<UdsConnectInfo>() {
            let name = peer.peer_cred.map_or_else(|| "anonymous".to_owned(), |cred| format!("uid:{}", cred.uid()));
            return Ok(Caller(name));
        }
        let address = extensions.get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        Ok(Caller(address.map_or_else(|| "anonymous".to_owned(), |address| address.ip().to_string())))
    }
}

/// Whether a TLS listener serves callers it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strangers {
    /// It does.
    Served,
    /// It does not.
    Refused,
}

/// Callers of a TLS listener.
pub(super) struct Network {
    pub tokens: Option<Tokens>,
    pub strangers: Strangers,
}

impl Authenticate for Network {
    fn authenticate(&self, request: &Request<()>) -> Result<Caller, String> {
        let peer = request.extensions().get::<TlsPeer>();
        if let Some(name) = peer.and_then(|peer| peer.name.as_ref()) {
            return Ok(Caller(format!("cert:{name}")));
        }
        let shown = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let token = shown.and_then(|value| value.strip_prefix("Bearer "));
        if let (Some(tokens), Some(token)) = (&self.tokens, token) {
            return match tokens.name_of(token) {
                Some(name) => Ok(Caller(format!("token:{name}"))),
                None => Err("the bearer token is not known here".to_owned()),
            };
        }
        match self.strangers {
            Strangers::Served => Ok(Caller("anonymous".to_owned())),
            Strangers::Refused => Err("show a client certificate or a bearer token".to_owned()),
        }
    }
}

/// Why a token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    #[error("the token file {path} cannot be read")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("line {line} of the token file {path} is not NAME:TOKEN with a token of at least 16 characters")]
    Line { path: PathBuf, line: usize },
}

/// Names by the hash of their token: tokens are kept and compared as hashes.
type Names = HashMap<[u8; 32], String>;

/// The callers of the token file.
pub(super) struct Tokens(Reloading<Names>);

impl Tokens {
    pub fn read(path: PathBuf) -> Result<Tokens, TokenError> {
        Reloading::new("token file", vec![path.clone()], move || parse(&path)).map(Tokens)
    }

    fn name_of(&self, token: &str) -> Option<String> {
        self.0.get().get(&hash(token)).cloned()
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn parse(path: &Path) -> Result<Names, TokenError> {
    let text = std::fs::read_to_string(path).map_err(|source| TokenError::Read { path: path.to_path_buf(), source })?;
    let mut names = Names::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once(':') {
            Some((name, token)) if !name.is_empty() && token.len() >= 16 => {
                names.insert(hash(token), name.to_owned());
            }
            _ => return Err(TokenError::Line { path: path.to_path_buf(), line: at + 1 }),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(token: Option<&str>, peer: Option<&str>) -> Request<()> {
        let mut request = Request::new(());
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        request.extensions_mut().insert(TlsPeer { name: peer.map(str::to_owned) });
        request
    }

    #[test]
    fn callers_of_the_network() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens");
        std::fs::write(&path, "# who\nairflow:0123456789abcdef\n\n").unwrap();
        let with = |strangers| Network { tokens: Some(Tokens::read(path.clone()).unwrap()), strangers };
        for (strangers, token, peer, caller) in [
            (Strangers::Refused, None, None, None),
            (Strangers::Refused, Some("0123456789abcdef"), None, Some("token:airflow")),
            (Strangers::Refused, Some("0123456789abcdeX"), None, None),
            (Strangers::Served, Some("0123456789abcdeX"), None, None),
            (Strangers::Refused, None, Some("scheduler"), Some("cert:scheduler")),
            (Strangers::Served, None, None, Some("anonymous")),
        ] {
            let got = with(strangers).authenticate(&request(token, peer)).ok().map(|c| c.0);
            assert_eq!(got.as_deref(), caller, "{strangers:?} {token:?} {peer:?}");
        }
    }

    #[test]
    fn a_bad_line_is_named_without_its_token() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens");
        std::fs::write(&path, "a:0123456789abcdef\nb:short-secret\n").unwrap();
        let Err(error) = Tokens::read(path) else { panic!("taken") };
        let text = error.to_string();
        assert!(text.contains("line 2") && !text.contains("short-secret"), "{text}");
    }
}
