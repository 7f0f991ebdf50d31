//! How many connections a listener may have open.
//!
//! ```text
//! accept ─▶ a place is free? ─┬ yes ─▶ Counted connection, which holds the place until it is dropped
//!                             └ no ──▶ closed at once: the client sees UNAVAILABLE and tries again
//! ```
//!
//! Each listener has places of its own, so that a crowd on the network leaves the Unix socket, and the probes behind
//! it, alone. Closing rather than letting wait: a client that is refused goes to another replica.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::Stream;
use tonic::transport::server::Connected;
use tracing::warn;

/// How often it is said that connections are refused, at most.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// The places of one listener.
#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    refusals: Arc<Mutex<Refusals>>,
}

/// What is said of refused connections.
struct Refusals {
    listener: String,
    limit: usize,
    since_said: u64,
    said: Option<Instant>,
}

/// One place; free again when this is dropped.
pub(super) struct Place(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Places {
    /// `limit` places for the listener that the log calls `listener`.
    pub fn new(listener: String, limit: usize) -> Places {
        let refusals = Refusals { listener, limit, since_said: 0, said: None };
        Places { free: Arc::new(Semaphore::new(limit)), refusals: Arc::new(Mutex::new(refusals)) }
    }

    /// A place for a connection, if one is free.
    pub fn take(&self) -> Option<Place> {
        let place = self.free.clone().try_acquire_owned().ok();
        if place.is_none() {
            self.refusals.lock().another();
        }
        place.map(Place)
    }
}

impl Refusals {
    fn another(&mut self) {
        self.since_said += 1;
        if self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            let Refusals { listener, limit, since_said: refused, .. } = self;
            warn!(listener, limit, refused, "connections are refused: as many as --max-connections are open");
            self.since_said = 0;
            self.said = Some(Instant::now());
        }
    }
}

/// The connections of `incoming` that find a place; the others are closed.
pub(super) struct Limited<S> {
    incoming: S,
    places: Places,
}

impl<S> Limited<S> {
    pub fn new(incoming: S, places: Places) -> Limited<S> {
        Limited { incoming, places }
    }
}

impl<S, C> Stream for Limited<S>
where
    S: Stream<Item = io::Result<C>> + Unpin,
{
    type Item = io::Result<Counted<C>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(accepted) = ready!(Pin::new(&mut self.incoming).poll_next(cx)) else { return Poll::Ready(None) };
            let connection = match accepted {
                Ok(connection) => connection,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            if let Some(place) = self.places.take() {
                return Poll::Ready(Some(Ok(Counted::new(connection, place))));
            }
        }
    }
}

/// A connection with its place.
pub(super) struct Counted<C> {
    connection: C,
    _place: Place,
}

impl<C> Counted<C> {
    pub fn new(connection: C, place: Place) -> Counted<C> {
        Counted { connection, _place: place }
    }
}

impl<C: Connected> Connected for Counted<C> {
    type ConnectInfo = C::ConnectInfo;

    fn connect_info(&self) -> C::ConnectInfo {
        self.connection.connect_info()
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Counted<C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(cx, buf)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Counted<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio_stream::StreamExt;

    use super::*;

    #[tokio::test]
    async fn a_connection_beyond_the_limit_is_closed_and_one_after_an_end_is_not() {
        let (mut clients, servers): (Vec<_>, Vec<_>) = (0..4).map(|_| duplex(64)).unzip();
        let (send, receive) = tokio::sync::mpsc::channel::<io::Result<DuplexStream>>(4);
        let mut limited =
            Limited::new(tokio_stream::wrappers::ReceiverStream::new(receive), Places::new("test".to_owned(), 2));
        let mut servers = servers.into_iter();
        for server in servers.by_ref().take(3) {
            send.send(Ok(server)).await.unwrap();
        }
        let first = limited.next().await.unwrap().unwrap();
        let second = limited.next().await.unwrap().unwrap();
        // The third finds no place: it is closed while the next one is waited for.
        let mut byte = [0];
        let end = tokio::select! {
            biased;
            _ = limited.next() => None,
            end = clients[2].read(&mut byte) => Some(end.unwrap()),
        };
        assert_eq!(end, Some(0), "a third connection was let in");
        drop(first);
        send.send(Ok(servers.next().unwrap())).await.unwrap();
        let mut fourth = limited.next().await.unwrap().unwrap();
        clients[3].write_all(b"x").await.unwrap();
        assert_eq!(fourth.read_u8().await.unwrap(), b'x');
        drop(second);
    }

    #[tokio::test]
    async fn errors_of_the_listener_go_through() {
        let failing = tokio_stream::iter([Err::<DuplexStream, _>(io::Error::other("no file descriptors"))]);
        let mut limited = Limited::new(failing, Places::new("test".to_owned(), 1));
        assert!(limited.next().await.unwrap().is_err());
        assert!(limited.next().await.is_none());
    }
}
