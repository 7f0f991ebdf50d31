//! The proxy does what it says: a test that trusts it has to be able to.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::proxy::{Cut, Door, Mode, Proxy};
use crate::harness::wait;

/// A server that sends back what it gets.
async fn echo() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = tcp.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    address
}

async fn say(tcp: &mut TcpStream, text: &[u8]) -> Vec<u8> {
    tcp.write_all(text).await.expect("it is open");
    let mut back = vec![0; text.len()];
    wait::guarded("an echo", tcp.read_exact(&mut back)).await.expect("it is open");
    back
}

/// What a read gives at the end of the connection.
async fn end_of(tcp: &mut TcpStream) -> Result<usize, std::io::ErrorKind> {
    let mut rest = Vec::new();
    let end = wait::guarded("the end of a connection", tcp.read_to_end(&mut rest)).await;
    end.map_err(|error| error.kind())
}

#[tokio::test]
async fn connections_are_cut_and_reset() {
    let proxy = Proxy::start(echo().await, 1);
    for (how, end) in [(Cut::Fin, Ok(0)), (Cut::Reset, Err(std::io::ErrorKind::ConnectionReset))] {
        let mut tcp = TcpStream::connect(proxy.address).await.expect("it listens");
        assert_eq!(say(&mut tcp, b"hello").await, b"hello");
        assert_eq!(proxy.cut(how).await, 1);
        assert_eq!(end_of(&mut tcp).await, end, "{how:?}");
    }
    wait::until("no open connection", async || if proxy.open() == 0 { Ok(()) } else { Err("some") }).await;
}

#[tokio::test]
async fn a_half_open_connection_goes_on_later() {
    let proxy = Proxy::start(echo().await, 1);
    let mut tcp = TcpStream::connect(proxy.address).await.expect("it listens");
    assert_eq!(say(&mut tcp, b"hello").await, b"hello");
    proxy.set(Mode::HALF_OPEN);
    tcp.write_all(b"held").await.expect("it is open");
    let mut back = [0; 4];
    tokio::select! {
        _ = tcp.read_exact(&mut back) => panic!("something came through"),
        () = tokio::time::sleep(std::time::Duration::from_millis(200)) => {}
    }
    proxy.set(Mode::PASS);
    wait::guarded("the echo", tcp.read_exact(&mut back)).await.expect("it is open");
    assert_eq!(&back, b"held");
}

#[tokio::test]
async fn replies_are_swallowed_budgets_spent_and_doors_closed() {
    let proxy = Proxy::start(echo().await, 1);
    let mut tcp = TcpStream::connect(proxy.address).await.expect("it listens");
    assert_eq!(say(&mut tcp, b"hello").await, b"hello");
    proxy.set(Mode::LOSE_REPLIES);
    tcp.write_all(b"lost").await.expect("it is open");
    let swallowed = async || match proxy.counts().swallowed.load(Ordering::SeqCst) {
        4 => Ok(()),
        other => Err(format!("{other} bytes")),
    };
    wait::until("the reply to be lost", swallowed).await;
    assert_eq!(proxy.counts().up.load(Ordering::SeqCst), 9, "the request went through");
    proxy.cut(Cut::Reset).await;

    proxy.set(Mode { budget: Some((3, 3, Cut::Fin)), ..Mode::PASS });
    let mut tcp = TcpStream::connect(proxy.address).await.expect("it listens");
    tcp.write_all(b"hello").await.expect("it is open");
    assert_eq!(end_of(&mut tcp).await, Ok(3));
    assert_eq!(proxy.counts().spent.load(Ordering::SeqCst), 1);

    proxy.set(Mode { door: Door::Refuse, ..Mode::PASS });
    // The kernel takes it first, so the reset may come a moment later.
    if let Ok(mut tcp) = TcpStream::connect(proxy.address).await {
        let ended = end_of(&mut tcp).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
    assert_eq!(proxy.counts().refused.load(Ordering::SeqCst), 1);
}
