//! Bodies that do not end as they should.
//!
//! ```text
//! chunks → at most `after` bytes (or events) are let through → broken off │ ended │ error event, end │ silence
//! ```

use std::io;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::header;
use memchr::memchr_iter;

use super::Connection;
use super::plan::{Action, Break, Fired};

type Chunks = BoxStream<'static, Result<Bytes, axum::Error>>;

/// What happens at the limit.
enum Then {
    BreakStream,
    BreakConnection(Connection),
    End(String),
    Silence,
}

/// What the limit counts.
enum Left {
    Bytes(u64),
    /// Lines, which are the events of a watch.
    Lines(u64),
    /// There is none: the end of the body is the place.
    Unlimited,
}

struct Spoilt {
    chunks: Chunks,
    left: Left,
    then: Option<Then>,
    fired: Fired,
}

/// The in-stream form of a 410.
const EXPIRED: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
    r#""message":"too old resource version: 1 (2)","reason":"Expired","code":410}}"#,
    "\n"
);

/// The answer with its body spoilt.
pub fn spoil(answer: Response, action: Action, fired: Fired, connection: Connection) -> Response {
    let (left, then) = match action {
        Action::Cut { after, by: Break::Stream, .. } => (Left::Bytes(after), Then::BreakStream),
        Action::Cut { after, by: Break::Connection, .. } => (Left::Bytes(after), Then::BreakConnection(connection)),
        Action::End { after: Some(after), text, .. } => (Left::Bytes(after), Then::End(text)),
        Action::End { after: None, text, .. } => (Left::Unlimited, Then::End(text)),
        Action::Silence { after } => (Left::Bytes(after), Then::Silence),
        Action::Close { after } => (Left::Lines(after), Then::End(String::new())),
        Action::Expire { after } => (Left::Lines(after), Then::End(EXPIRED.to_owned())),
        Action::Pass | Action::Answer { .. } | Action::Sever { .. } | Action::Hold { .. } => return answer,
    };
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let spoilt = Spoilt { chunks: body.into_data_stream().boxed(), left, then: Some(then), fired };
    let chunks = stream::unfold(spoilt, |mut spoilt| async move {
        let chunk = spoilt.next().await?;
        Some((chunk, spoilt))
    });
    Response::from_parts(parts, Body::from_stream(chunks))
}

impl Spoilt {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        self.then.as_ref()?;
        if self.is_due() {
            return self.at_the_limit().await;
        }
        match self.chunks.next().await {
            Some(Ok(chunk)) => Some(Ok(self.within(chunk))),
            Some(Err(error)) => Some(Err(io::Error::other(error))),
            None if matches!(self.left, Left::Unlimited) => self.at_the_limit().await,
            None => None,
        }
    }

    fn is_due(&self) -> bool {
        matches!(self.left, Left::Bytes(0) | Left::Lines(0))
    }

    /// The part of a chunk that is let through.
    fn within(&mut self, mut chunk: Bytes) -> Bytes {
        match &mut self.left {
            Left::Unlimited => {}
            Left::Bytes(left) => {
                chunk.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= u64::try_from(chunk.len()).unwrap_or(*left);
            }
            Left::Lines(left) => {
                let mut ends = memchr_iter(b'\n', &chunk);
                let wanted = usize::try_from(*left).unwrap_or(usize::MAX);
                let last = ends.clone().nth(wanted - 1);
                *left -= u64::try_from(ends.by_ref().take(wanted).count()).unwrap_or(*left);
                chunk.truncate(last.map_or(chunk.len(), |end| end + 1));
            }
        }
        chunk
    }

    async fn at_the_limit(&mut self) -> Option<io::Result<Bytes>> {
        self.fired.count();
        match self.then.take()? {
            Then::BreakStream => Some(Err(io::Error::other("the fault plan breaks this body off"))),
            Then::BreakConnection(connection) => {
                connection.sever();
                std::future::pending().await
            }
            Then::Silence => std::future::pending().await,
            Then::End(text) if text.is_empty() => None,
            Then::End(text) => Some(Ok(Bytes::from(text))),
        }
    }
}
