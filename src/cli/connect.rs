//! The connection to a server: lazy, kept alive, with windows that let many log streams pass each other.

use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use super::args::Server;

/// How often the connection is pinged, idle or not.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long a ping may take before the connection counts as dead.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP/2 window of a stream, bytes.
const STREAM_WINDOW: u32 = 1 << 20;
/// HTTP/2 window of the connection, bytes: larger than its streams', so that one that is not read holds up no other.
const CONNECTION_WINDOW: u32 = 16 << 20;

/// An address that cannot be a server's.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It is neither of the two forms.
    #[error("--endpoint `{address}`: write http://HOST:PORT, https://HOST:PORT or unix:/path")]
    Form {
        /// What was given.
        address: String,
    },
    /// It is no URI.
    #[error("--endpoint `{address}` is not a valid address: write http://HOST:PORT, https://HOST:PORT or unix:/path")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// Credentials would go over a plain connection.
    #[error("--endpoint `{address}` is not encrypted: certificates and tokens need https://HOST:PORT")]
    NeedsTls {
        /// What was given.
        address: String,
    },
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    File {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A token with bytes that no header can carry.
    #[error("the token in {path} has characters that cannot be sent; it must be one line of visible ASCII")]
    Token {
        /// Its path.
        path: String,
    },
}

/// A channel with what the caller shows at each call.
#[derive(Clone)]
pub struct Connection {
    channel: Channel,
    credentials: Credentials,
}

/// Adds the caller's token.
#[derive(Clone, Default)]
pub struct Credentials(Option<MetadataValue<Ascii>>);

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// What calls go through.
pub type Transport = InterceptedService<Channel, Credentials>;

impl Connection {
    pub(super) fn transport(self) -> Transport {
        InterceptedService::new(self.channel, self.credentials)
    }
}

impl From<Channel> for Connection {
    fn from(channel: Channel) -> Connection {
        Connection { channel, credentials: Credentials::default() }
    }
}

/// A connection to a server: `http://HOST:PORT`, `https://HOST:PORT`, `HOST:PORT`, or `unix:/path`.
///
/// Connects when it is first used, and anew after each loss. Must be called within a tokio runtime.
pub fn connect(server: &Server) -> Result<Connection, ConnectError> {
    let address = &server.address;
    let form = || ConnectError::Form { address: address.clone() };
    let invalid = |source| ConnectError::Address { address: address.clone(), source };
    let uri = uri(address).ok_or_else(form)?;
    let is_tls = uri.starts_with("https://");
    if !is_tls && (server.token_file.is_some() || server.tls_identity.is_some()) {
        return Err(ConnectError::NeedsTls { address: address.clone() });
    }
    let mut endpoint = Endpoint::from_shared(uri).map_err(invalid)?;
    if !address.starts_with("unix:") && endpoint.uri().port().is_none() {
        return Err(form());
    }
    if is_tls {
        endpoint = endpoint.tls_config(tls(server)?).map_err(invalid)?;
    }
    let endpoint = endpoint.user_agent(concat!("podlaunch-cli/", env!("CARGO_PKG_VERSION"))).map_err(invalid)?;
    Ok(Connection { channel: tuned(endpoint).connect_lazy(), credentials: credentials(server)? })
}

fn uri(address: &str) -> Option<String> {
    if let Some(path) = address.strip_prefix("unix:") {
        return (!path.trim_start_matches('/').is_empty()).then(|| address.to_owned());
    }
    match address.split_once("://") {
        Some(("http" | "https", rest)) if !rest.is_empty() => Some(address.to_owned()),
        Some(_) => None,
        None => Some(format!("http://{address}")),
    }
}

fn tls(server: &Server) -> Result<ClientTlsConfig, ConnectError> {
    let mut config = ClientTlsConfig::new();
    if let Some(ca) = &server.tls_ca {
        config = config.ca_certificate(Certificate::from_pem(read(ca)?));
    }
    if let Some((cert, key)) = &server.tls_identity {
        config = config.identity(Identity::from_pem(read(cert)?, read(key)?));
    }
    Ok(config)
}

fn credentials(server: &Server) -> Result<Credentials, ConnectError> {
    let Some(path) = &server.token_file else { return Ok(Credentials::default()) };
    let text = String::from_utf8_lossy(&read(path)?).trim().to_owned();
    let value = MetadataValue::try_from(format!("Bearer {text}"));
    let mut value = value.map_err(|_| ConnectError::Token { path: path.display().to_string() })?;
    value.set_sensitive(true);
    Ok(Credentials(Some(value)))
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, ConnectError> {
    std::fs::read(path).map_err(|source| ConnectError::File { path: path.display().to_string(), source })
}

fn tuned(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses() {
        for address in [
            "http://127.0.0.1:50051",
            "http://[::1]:50051",
            "localhost:50051",
            "http://podlaunch.team.svc:80/",
            "unix:/run/podlaunch.sock",
            "unix:///run/podlaunch.sock",
            "unix:podlaunch.sock",
        ] {
            assert!(connect(&Server::at(address)).is_ok(), "{address}");
        }
        for address in ["", "http://", "http://host", "https://", "ftp://host:1", "unix:", "unix:///", "http://a b:1"] {
            let Err(error) = connect(&Server::at(address)) else {
                panic!("{address}");
            };
            assert!(error.to_string().contains("--endpoint"), "{error}");
        }
    }

    /// Serves in the background, and asks for the server's info over `address`.
    async fn info<I, C>(incoming: I, address: &str) -> (u8, String)
    where
        I: futures::Stream<Item = std::io::Result<C>> + Send + 'static,
        C: tokio::io::AsyncRead + tokio::io::AsyncWrite + tonic::transport::server::Connected + Send + Unpin + 'static,
    {
        use crate::cli::testing::{Fake, Terminal, service};
        use crate::cli::{Cli, Command, execute};
        use clap::Parser as _;

        let server = tonic::transport::Server::builder().add_service(service(&Fake::new(Vec::new(), [])));
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { server.serve_with_incoming(incoming).await.expect("the server runs") });
        let cli = Cli::try_parse_from(["podlaunch", "info", "--endpoint", address]).expect("a command line");
        let Command::Client(command) = cli.command else {
            panic!("{:?}", cli.command);
        };
        let (io, out, err, _ctrl_c) = Terminal::new().split();
        let channel = connect(&Server::at(address)).expect(address);
        let status = execute(command, channel, io).await;
        (status.code(), out.text() + &err.text())
    }

    #[tokio::test]
    async fn over_a_unix_socket_and_over_tcp() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("p.sock");
        let listener = tokio::net::UnixListener::bind(&path).expect("a socket");
        let incoming = tokio_stream::wrappers::UnixListenerStream::new(listener);
        let expected = (0, "Version   0.1.0\nInstance  default\n".to_owned());
        assert_eq!(info(incoming, &format!("unix:{}", path.display())).await, expected);

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        assert_eq!(info(incoming, &format!("http://{address}")).await, expected);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_told_at_once_with_its_cause() {
        use crate::cli::testing::Terminal;
        let dir = tempfile::tempdir().expect("a folder");
        let address = format!("unix:{}", dir.path().join("none.sock").display());
        let (io, _out, err, _ctrl_c) = Terminal::new().split();
        let args = crate::cli::args::InfoArgs {
            ready: false,
            output: crate::cli::args::Format::Text,
            target: Default::default(),
        };
        let command = crate::cli::ClientCommand::Info(args);
        let status = crate::cli::execute(command, connect(&Server::at(&*address)).expect("an address"), io).await;
        assert_eq!(status.code(), 125);
        assert!(err.text().contains("No such file") && err.text().contains("--endpoint"), "{}", err.text());
    }
}
