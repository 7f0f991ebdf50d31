//! podlaunch as its client sees it: a stream of messages, each stamped when it arrives.

use std::time::{Instant, SystemTime};

use anyhow::{Context, bail};
use tonic::Streaming;
use tonic::transport::Channel;

use podlaunch::proto::v1;
use podlaunch::proto::v1::event::Body;
use podlaunch::proto::v1::launch_task_response::Message;
use podlaunch::proto::v1::podlaunch_service_client::PodlaunchServiceClient;

/// One connection to the server.
#[derive(Clone)]
pub struct Podlaunch {
    client: PodlaunchServiceClient<Channel>,
}

/// A task's stream after its [`Accepted`](v1::Accepted).
pub struct Task {
    /// Name of its pod.
    pub pod: String,
    stream: Streaming<v1::LaunchTaskResponse>,
}

/// An event and when it arrived.
pub struct Arrived {
    /// By the monotonic clock.
    pub at: Instant,
    /// By the wall clock.
    pub time: SystemTime,
    /// What.
    pub body: Body,
}

impl Podlaunch {
    /// Over a channel to the server.
    pub fn new(channel: Channel) -> Podlaunch {
        Podlaunch { client: PodlaunchServiceClient::new(channel) }
    }

    /// Launches, and waits until the pod was created.
    pub async fn launch(&self, request: v1::LaunchTaskRequest) -> anyhow::Result<Task> {
        let mut stream = self.client.clone().launch_task(request).await?.into_inner();
        let first = stream.message().await?.and_then(|response| response.message);
        let Some(Message::Accepted(accepted)) = first else {
            bail!("the first message is not Accepted: {first:?}");
        };
        anyhow::ensure!(accepted.how() == v1::AcceptedHow::Created, "the task was there before: {accepted:?}");
        let pod = accepted.pod.context("Accepted without a pod")?.name;
        Ok(Task { pod, stream })
    }
}

impl Task {
    /// The next event; fails where the stream ends.
    pub async fn next(&mut self) -> anyhow::Result<Arrived> {
        loop {
            let response = self.stream.message().await?;
            let (at, time) = (Instant::now(), SystemTime::now());
            match response.context("the stream ended without a Termination")?.message {
                Some(Message::Event(v1::Event { body: Some(body), .. })) => return Ok(Arrived { at, time, body }),
                Some(Message::Draining(_)) => bail!("the server is going away"),
                _ => {}
            }
        }
    }
}

/// Fails unless the task succeeded and all its lines were delivered; answers when the log was first read.
pub fn check_success(termination: &v1::Termination, lines: u64) -> anyhow::Result<v1::FirstRead> {
    let outcome = termination.outcome.as_ref().context("a Termination without outcome")?;
    anyhow::ensure!(outcome.state() == v1::TaskState::Succeeded, "the task did not succeed: {outcome:?}");
    let delivery = termination.delivery.as_ref().context("a Termination without delivery")?;
    let complete =
        delivery.containers.iter().find(|one| one.verdict() == v1::DeliveryVerdict::Complete && one.lines == lines);
    let one = complete.with_context(|| format!("the log is not complete with {lines} lines: {delivery:?}"))?;
    Ok(one.first_read())
}
