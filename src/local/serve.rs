//! The API server on a port, for kubectl and for tests.
//!
//! ```text
//! listener → connection permit → TLS (own CA, made at start; ALPN h2, http/1.1) → bearer token → router
//!                                  └ ended at once, or one answer kept back, if the router's fault kit says so
//! stop: no new connections → open ones finish what they answer, at most 2 s → closed
//! ```
//!
//! Who has the token may do everything, that is run programs as this user: it is random, made at start, and written with the CA to
//! a kubeconfig only its owner can read.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::header;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use super::api::ApiError;
use super::faults::{Connection, Severed};

/// Open connections; a further one waits in the listener's queue.
const MAX_CONNECTIONS: usize = 4096;
/// Streams on one HTTP/2 connection, as kube-apiserver allows.
const MAX_STREAMS: u32 = 100;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long open answers may go on after the stop.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Rest after the listener failed, e.g. for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The kubeconfig's name in the given folder.
const KUBECONFIG: &str = "kubeconfig";

/// Why the port could not be opened. None is worth a retry.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("no certificate could be made")]
    Certificate(#[from] rcgen::Error),
    #[error("the certificate was not accepted by the TLS library")]
    Tls(#[from] rustls::Error),
    #[error("the listener has no address")]
    Address(#[source] std::io::Error),
    #[error("the kubeconfig {} could not be written: choose another folder", path.display())]
    Kubeconfig {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// A running server; dropping it closes every connection.
pub struct Server {
    address: SocketAddr,
    kubeconfig: PathBuf,
    task: AbortOnDropHandle<()>,
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file that makes kubectl find it.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Waits until it has stopped, after the token given to [`serve_tls`] was cancelled.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await {
            warn!(%error, "the local API server's task ended early");
        }
    }
}

/// Serves the router with TLS and a bearer token until `stop`, and writes a kubeconfig into `folder`. Needs a tokio runtime.
pub fn serve_tls(
    router: Router,
    listener: TcpListener,
    folder: &Path,
    stop: CancellationToken,
) -> Result<Server, ServeError> {
    let address = listener.local_addr().map_err(ServeError::Address)?;
    let identity = Identity::new(address.ip())?;
    let token = new_token();
    let kubeconfig = folder.join(KUBECONFIG);
    write_private(&kubeconfig, &kubeconfig_text(address, &identity.ca_pem, &token))
        .map_err(|source| ServeError::Kubeconfig { path: kubeconfig.clone(), source })?;
    let guarded = router.layer(middleware::from_fn_with_state(Arc::<str>::from(token), require_token));
    let acceptor = TlsAcceptor::from(Arc::new(identity.into_config()?));
    let task = AbortOnDropHandle::new(tokio::spawn(accept(listener, acceptor, guarded, stop)));
    Ok(Server { address, kubeconfig, task })
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, router: Router, stop: CancellationToken) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await.ok()?;
            Some((listener.accept().await, permit))
        };
        let (accepted, permit) = tokio::select! {
            () = stop.cancelled() => break,
            Some(next) = next => next,
            else => break,
        };
        match accepted {
            Ok((tcp, _)) => {
                let (acceptor, router, stop) = (acceptor.clone(), router.clone(), stop.clone());
                connections.spawn(async move {
                    let _held_while_open = permit;
                    connection(tcp, acceptor, router, stop).await;
                });
            }
            Err(error) => {
                debug!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(STOP_GRACE, finished).await;
    connections.shutdown().await;
}

async fn connection(tcp: TcpStream, acceptor: TlsAcceptor, router: Router, stop: CancellationToken) {
    // Without it each small chunk of a watch could wait for the acknowledgement of the one before.
    let _ = tcp.set_nodelay(true);
    let tls = match tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(tcp)).await {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => return debug!(%error, "a TLS handshake failed"),
        Err(_) => return debug!("a TLS handshake took too long"),
    };
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    let open = Connection::default();
    let severed = open.clone();
    let service = hyper::service::service_fn(move |request| answer(router.clone(), request, open.clone()));
    let served = builder.serve_connection(TokioIo::new(tls), service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = severed.severed() => return debug!("a connection was severed by the fault plan"),
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended");
    }
}

/// The router's answer, unless it is marked as one that must not be sent: then the stream is reset.
async fn answer(
    router: Router,
    mut request: http::Request<hyper::body::Incoming>,
    open: Connection,
) -> std::io::Result<Response> {
    request.extensions_mut().insert(open);
    let Ok(answer) = router.oneshot(request.map(Body::new)).await;
    match answer.extensions().get::<Severed>() {
        Some(Severed) => Err(std::io::Error::other("severed by the fault plan")),
        None => Ok(answer),
    }
}

async fn require_token(State(token): State<Arc<str>>, request: Request, next: Next) -> Response {
    let open = matches!(request.uri().path(), "/healthz" | "/livez" | "/readyz" | "/version");
    let given = request.headers().get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes).unwrap_or_default();
    let bearer = given.strip_prefix(b"Bearer ").unwrap_or_default();
    if open || same(bearer, token.as_bytes()) {
        return next.run(request).await;
    }
    ApiError::unauthorized().into_response()
}

/// Compares in a time that does not depend on where the two differ.
fn same(given: &[u8], expected: &[u8]) -> bool {
    let differing = given.iter().zip(expected).fold(0_u8, |seen, (a, b)| seen | (a ^ b));
    given.len() == expected.len() && std::hint::black_box(differing) == 0
}

/// 244 random bits.
fn new_token() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

/// A certificate authority of this process alone, and the server's certificate under it.
struct Identity {
    ca_pem: String,
    chain: Vec<rustls::pki_types::CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    fn new(address: IpAddr) -> Result<Identity, rcgen::Error> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.distinguished_name.push(DnType::CommonName, "podlaunch local CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let ca_certificate = ca.self_signed(&ca_key)?;
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        if !address.is_loopback() && !address.is_unspecified() {
            names.push(address.to_string());
        }
        let mut leaf = CertificateParams::new(names)?;
        leaf.distinguished_name.push(DnType::CommonName, "podlaunch local");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = leaf.signed_by(&key, &Issuer::new(ca, ca_key))?;
        Ok(Identity {
            ca_pem: ca_certificate.pem(),
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }

    fn into_config(self) -> Result<rustls::ServerConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(self.chain, self.key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn kubeconfig_text(address: SocketAddr, ca_pem: &str, token: &str) -> String {
    let host = match address.ip() {
        ip if ip.is_unspecified() => SocketAddr::new(IpAddr::from([127, 0, 0, 1]), address.port()),
        _ => address,
    };
    let ca = data_encoding::BASE64.encode(ca_pem.as_bytes());
    format!(
        "apiVersion: v1
kind: Config
current-context: podlaunch-local
clusters:
- name: podlaunch-local
  cluster:
    server: https://{host}
    certificate-authority-data: {ca}
users:
- name: podlaunch-local
  user:
    token: {token}
contexts:
- name: podlaunch-local
  context:
    cluster: podlaunch-local
    user: podlaunch-local
    namespace: default
"
    )
}

/// Writes a file only its owner can read; never through an old file or link of that name.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::api::testing;
    use k8s_openapi::api::core::v1::Namespace;
    use kube::Api;
    use kube::config::{KubeConfigOptions, Kubeconfig};

    struct Running {
        server: Server,
        stop: CancellationToken,
        _folder: tempfile::TempDir,
        _api: testing::Server,
    }

    async fn start() -> Running {
        let api = testing::Server::new();
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stop = CancellationToken::new();
        let server = serve_tls(api.api.router(), listener, folder.path(), stop.clone()).unwrap();
        Running { server, stop, _folder: folder, _api: api }
    }

    async fn client(running: &Running, change: impl FnOnce(&mut Kubeconfig)) -> kube::Client {
        let mut file = Kubeconfig::read_from(running.server.kubeconfig()).unwrap();
        change(&mut file);
        let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
        kube::Client::try_from(config).unwrap()
    }

    #[tokio::test]
    async fn the_kubeconfig_opens_the_door() {
        let running = start().await;
        let namespaces: Api<Namespace> = Api::all(client(&running, |_| {}).await);
        assert!(namespaces.get("default").await.is_ok());
        #[cfg(unix)]
        {
            let meta = std::fs::metadata(running.server.kubeconfig()).unwrap();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn another_token_is_refused() {
        let running = start().await;
        let forged = client(&running, |file| {
            let user = file.auth_infos[0].auth_info.as_mut().unwrap();
            user.token = Some("0".repeat(64).into());
        });
        let forged = forged.await;
        let namespaces: Api<Namespace> = Api::all(forged.clone());
        let refused = namespaces.get("default").await.unwrap_err();
        assert!(matches!(refused, kube::Error::Api(s) if s.code == 401 && s.reason == "Unauthorized"));
        assert!(forged.apiserver_version().await.is_ok(), "the version is public");
    }

    #[tokio::test]
    async fn a_stop_ends_open_watches_and_the_listener() {
        let running = start().await;
        let client = client(&running, |_| {}).await;
        let request = http::Request::get("/api/v1/pods?watch=1&resourceVersion=1").body(Vec::new()).unwrap();
        let mut watch = std::pin::pin!(client.request_stream(request).await.unwrap());
        let address = running.server.address();
        running.stop.cancel();
        running.server.stopped().await;
        let mut buffer = Vec::new();
        // Cut or ended: either way it does not hang.
        let _ = futures::AsyncReadExt::read_to_end(&mut watch, &mut buffer).await;
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[test]
    fn an_old_kubeconfig_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(KUBECONFIG);
        std::fs::write(&path, "old").unwrap();
        write_private(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert!(write_private(&folder.path().join("none/kubeconfig"), "x").is_err());
    }

    #[test]
    fn tokens_are_compared_whole() {
        assert!(same(b"ab", b"ab") && !same(b"ab", b"ac") && !same(b"a", b"ab") && !same(b"", b"ab"));
    }
}
