//! TLS listeners: certificates that are read again when they change, and the client's name.
//!
//! ```text
//! accept ─▶ a place ─▶ handshake, at most HANDSHAKES at once, each within HANDSHAKE_LIMIT ─▶ bounded queue ─▶ tonic
//!             │ the configuration of the files as they are now
//!             └ client certificate, where one is asked for ─▶ its name ─▶ TlsPeer in each request
//! ```

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;
use tracing::{debug, warn};

use super::connections::{Counted, Places};
use super::reload::Reloading;

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
const HANDSHAKES: usize = 256;
/// Connections that are through the handshake and wait for the server.
pub(super) const QUEUE: usize = 64;
/// Rest after the listener failed, for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The files of a TLS listener.
#[derive(Debug, Clone)]
pub(super) struct TlsFiles {
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// Who may vouch for clients; then a client must show a certificate unless tokens are known too.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate gets through the handshake.
    pub client_certificate: ClientCertificate,
}

/// Whether a client must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientCertificate {
    /// It must.
    Required,
    /// It may.
    Optional,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("{path} cannot be read as PEM")]
    Pem {
        path: PathBuf,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("the TLS certificate and key do not work together")]
    Identity(#[source] rustls::Error),
    #[error("the client certificates' authorities cannot be used")]
    ClientCa(#[source] rustls::server::VerifierBuilderError),
}

/// The configuration of the files, made again when one of them changes.
pub(super) type ReloadingTls = Reloading<ServerConfig>;

/// The configuration of `files`. Fails if they do not work together now.
pub(super) fn reloading(files: TlsFiles) -> Result<ReloadingTls, TlsError> {
    let all = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()];
    let paths = all.into_iter().flatten().cloned().collect();
    Reloading::new("TLS files", paths, move || load(&files))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |source| TlsError::Pem { path: path.to_path_buf(), source };
    CertificateDer::pem_file_iter(path).map_err(pem)?.collect::<Result<_, _>>().map_err(pem)
}

fn load(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let chain = certificates(&files.cert)?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|source| TlsError::Pem { path: files.key.clone(), source })?;
    let builder = ServerConfig::builder();
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add_parsable_certificates(certificates(path)?);
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots));
            let verifier = match files.client_certificate {
                ClientCertificate::Required => verifier,
                ClientCertificate::Optional => verifier.allow_unauthenticated(),
            };
            builder.with_client_cert_verifier(verifier.build().map_err(TlsError::ClientCa)?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Identity)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Who is at the other end of a TLS connection; in the extensions of each request.
#[derive(Debug, Clone)]
pub(super) struct TlsPeer {
    /// The name in the client's certificate, if it showed one.
    pub name: Option<String>,
}

/// A connection that is through its handshake.
pub(super) struct TlsConnection {
    stream: TlsStream<TcpStream>,
    peer: TlsPeer,
}

impl Connected for TlsConnection {
    type ConnectInfo = TlsPeer;

    fn connect_info(&self) -> TlsPeer {
        self.peer.clone()
    }
}

impl AsyncRead for TlsConnection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What [`accept`] gives out.
pub(super) type Accepted = io::Result<Counted<TlsConnection>>;

/// Accepts until the receiver is gone. Owns the handshakes in progress.
pub(super) async fn accept(listener: TcpListener, tls: Arc<ReloadingTls>, places: Places, out: mpsc::Sender<Accepted>) {
    let turns = Arc::new(Semaphore::new(HANDSHAKES));
    let mut handshakes = JoinSet::new();
    loop {
        while handshakes.try_join_next().is_some() {}
        let Ok(turn) = turns.clone().acquire_owned().await else { return };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = out.closed() => return,
        };
        // Before the handshake: a crowd shall cost no cryptography.
        let Some(place) = places.take() else { continue };
        let (tls, out) = (tls.clone(), out.clone());
        handshakes.spawn(async move {
            let _turn = turn;
            match tokio::time::timeout(HANDSHAKE_LIMIT, handshake(stream, &tls)).await {
                // A closed receiver: the server has stopped, and the connection ends with it.
                Ok(Ok(connection)) => drop(out.send(Ok(Counted::new(connection, place))).await),
                Ok(Err(error)) => debug!(%peer, %error, "a TLS handshake failed"),
                Err(_) => debug!(%peer, "a TLS handshake took too long"),
            }
        });
    }
}

async fn handshake(stream: TcpStream, tls: &ReloadingTls) -> io::Result<TlsConnection> {
    stream.set_nodelay(true)?;
    let stream = TlsAcceptor::from(tls.get()).accept(stream).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let name = shown.and_then(|certificate| certificate_name(certificate));
    Ok(TlsConnection { stream, peer: TlsPeer { name } })
}

/// The name in a certificate: its first URI, else its first DNS name, else its common name.
fn certificate_name(certificate: &[u8]) -> Option<String> {
    use x509_parser::extensions::GeneralName;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok().flatten().map(|san| san.value.general_names.as_slice());
    let names = names.unwrap_or_default();
    let uri = names.iter().find_map(|n| match n {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    });
    let dns = names.iter().find_map(|n| match n {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    let common = parsed.subject().iter_common_name().next().and_then(|cn| cn.as_str().ok()).map(str::to_owned);
    uri.or(dns).or(common).filter(|name| !name.is_empty())
}

/// The address of a listener, for the log.
pub(super) fn address(listener: &TcpListener) -> io::Result<SocketAddr> {
    listener.local_addr()
}
