//! The connection to a server: lazy, kept alive, with windows that let many log streams pass each other.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

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
    #[error("--endpoint `{address}`: write http://HOST:PORT or unix:/path")]
    Form {
        /// What was given.
        address: String,
    },
    /// It is no URI.
    #[error("--endpoint `{address}` is not a valid address: write http://HOST:PORT or unix:/path")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
}

/// A channel to the server at `address`: `http://HOST:PORT`, `HOST:PORT`, or `unix:/path`.
///
/// Connects when it is first used, and anew after each loss. Must be called within a tokio runtime.
pub fn connect(address: &str) -> Result<Channel, ConnectError> {
    let form = || ConnectError::Form { address: address.to_owned() };
    let invalid = |source| ConnectError::Address { address: address.to_owned(), source };
    let uri = if let Some(path) = address.strip_prefix("unix:") {
        if path.trim_start_matches('/').is_empty() {
            return Err(form());
        }
        address.to_owned()
    } else if let Some((scheme, rest)) = address.split_once("://") {
        if scheme != "http" || rest.is_empty() {
            return Err(form());
        }
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    let endpoint = Endpoint::from_shared(uri).map_err(invalid)?;
    if !address.starts_with("unix:") && endpoint.uri().port().is_none() {
        return Err(form());
    }
    let endpoint = endpoint.user_agent(concat!("podlaunch-cli/", env!("CARGO_PKG_VERSION"))).map_err(invalid)?;
    Ok(tuned(endpoint).connect_lazy())
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
            assert!(connect(address).is_ok(), "{address}");
        }
        for address in
            ["", "http://", "http://host", "https://host:1", "ftp://host:1", "unix:", "unix:///", "http://a b:1"]
        {
            let Err(error) = connect(address) else {
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
        let channel = connect(address).expect(address);
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
        let args = crate::cli::args::InfoArgs { output: crate::cli::args::Format::Text, target: Default::default() };
        let command = crate::cli::ClientCommand::Info(args);
        let status = crate::cli::execute(command, connect(&address).expect("an address"), io).await;
        assert_eq!(status.code(), 125);
        assert!(err.text().contains("No such file") && err.text().contains("--endpoint"), "{}", err.text());
    }
}
