//! One read of a container run's log: opened from the position of what was sent, of the right pod and run.
//!
//! ```text
//! find where to begin ─▶ open, by sinceTime or whole ─▶ is it this run? (which_run.rs) ─▶ is it this pod? ─▶ OpenBody
//! ```

use futures::FutureExt;
use jiff::Timestamp;

use super::follow::{Follower, Whole};
use super::start::Begin;
use super::table::Presence;
use crate::cluster::{ApiFailure, LogBody, LogRefusal, ReadMode, Run};
use crate::logs::{BodyReader, FirstRead, Opened};
use crate::task::ContainerState;

/// Age by the node's clock below which a container counts as just started: its log file cannot
/// have been rotated yet (the kubelet looks every 10 s).
const JUST_STARTED: std::ops::RangeInclusive<i64> = -2..=5;

/// Which kind of read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FollowMode {
    Follow,
    Read,
}

/// The next of a body: a chunk, an error, its end.
pub(super) type Piece = Option<Result<bytes::Bytes, ApiFailure>>;

/// A body with its reader.
pub(super) struct OpenBody {
    body: LogBody,
    /// What was taken of the body and is still to be dealt with.
    taken: Option<Piece>,
    pub reader: BodyReader,
    pub opened: Opened,
    /// By which name the run is read.
    pub run: Run,
}

impl OpenBody {
    /// The next of the body. Cancel-safe.
    pub async fn next(&mut self) -> Piece {
        match self.taken.take() {
            Some(taken) => taken,
            None => self.body.next().await,
        }
    }

    /// A chunk that is there already. An end or an error is left for [`OpenBody::next`].
    pub fn at_once(&mut self) -> Option<bytes::Bytes> {
        match self.body.next().now_or_never()? {
            Some(Ok(chunk)) => Some(chunk),
            other => {
                self.taken = Some(other);
                None
            }
        }
    }

    /// Whether it was opened without `sinceTime`.
    pub fn is_whole(&self) -> bool {
        self.opened == Opened::Whole
    }
}

impl Follower {
    /// Opens a read from the position.
    pub async fn open(&mut self, mode: FollowMode) -> Result<OpenBody, LogRefusal> {
        self.find_begin().await?;
        let position = self.batch.position();
        let begin = match self.begin {
            Begin::At(stamp) if position.is_empty() => Some(stamp),
            _ => None,
        };
        let since = match (self.whole, begin) {
            (Whole::Yes, _) => None,
            (Whole::No, Some(stamp)) => Some(crate::logs::start_second(stamp)),
            (Whole::No, None) => position.since(),
        };
        let mode = match mode {
            FollowMode::Follow => ReadMode::Follow { since },
            FollowMode::Read => ReadMode::Read { since },
        };
        let at = self.first_read();
        let cluster = self.executor.cluster().clone();
        let read = self.of_this_run(mode, |request| {
            let cluster = cluster.clone();
            async move { cluster.open_log(&request).await }
        });
        let (run, body) = read.await?;
        self.check_pod().await?;
        self.sink.opened(at);
        let opened = if since.is_some() { Opened::Since } else { Opened::Whole };
        let reader = match (begin, run) {
            (Some(stamp), _) => BodyReader::starting_at(stamp, opened),
            (None, Run::Previous) => BodyReader::strict(&position, opened),
            (None, Run::Current) => BodyReader::new(&position, opened),
        };
        Ok(OpenBody { body, taken: None, reader, opened, run })
    }

    /// The API knows logs by the pod's name only: before a read is taken up again, whether it is the same pod's. The
    /// watch says so while it is fresh.
    async fn check_pod(&mut self) -> Result<(), LogRefusal> {
        self.opens = self.opens.saturating_add(1);
        let watched = self.executor.is_fresh(&self.entry.key.namespace);
        if self.opens == 1 || self.view().presence == Presence::Gone || watched {
            return Ok(());
        }
        match self.executor.cluster().get_pod(&self.entry.key.namespace, &self.entry.pod).await {
            Ok(Some(found)) if found.metadata.uid.as_deref() == Some(&*self.entry.uid) => Ok(()),
            Ok(_) => Err(LogRefusal::Gone("the pod is gone, or another one has taken its name".into())),
            Err(error) => Err(LogRefusal::Unavailable(error)),
        }
    }

    pub(super) fn first_read(&self) -> FirstRead {
        let view = self.view();
        let container = view.observation.containers.iter().find(|c| *c.name == *self.container);
        match container.map(|c| &c.state) {
            Some(ContainerState::Running { started: Some(at) })
                if JUST_STARTED.contains(&(Timestamp::now().as_second() - at.as_second())) =>
            {
                FirstRead::AtStart
            }
            Some(ContainerState::Running { .. }) => FirstRead::WhileRunning,
            _ => FirstRead::AfterEnd,
        }
    }
}
