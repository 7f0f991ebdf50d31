//! A client of the service: launches and attaches as [`TaskStream`]s that check themselves.

use futures::StreamExt as _;
use tonic::Status;
use tonic::transport::Channel;

use super::check::StartAt;
use super::collected::Collected;
use super::stream::{Message, TaskStream};
use super::v1;
use super::v1::podlaunch_service_client::PodlaunchServiceClient;
use super::wait;

/// A client on one connection.
#[derive(Debug, Clone)]
pub struct Podlaunch {
    pub grpc: PodlaunchServiceClient<Channel>,
}

impl Podlaunch {
    pub fn new(channel: Channel) -> Podlaunch {
        Podlaunch { grpc: PodlaunchServiceClient::new(channel) }
    }

    /// Launches, and reads the first message.
    pub async fn launch(&self, request: v1::LaunchTaskRequest) -> Result<TaskStream, Status> {
        let answer = self.grpc.clone().launch_task(request).await?.into_inner();
        let messages = answer.map(|message| message.map(Message::from)).boxed();
        TaskStream::open(messages, StartAt::Beginning, None).await
    }

    /// Attaches, and reads the first message.
    pub async fn attach(&self, request: v1::AttachTaskRequest) -> Result<TaskStream, Status> {
        let from = StartAt::of(&request);
        self.attach_from(request, from, None).await
    }

    /// Goes on with a chain of streams: `before` is all it got so far. The invariants hold over the whole chain.
    pub async fn resume(&self, before: &Collected) -> Result<TaskStream, Status> {
        let request = v1::AttachTaskRequest {
            key: before.accepted.key.clone(),
            start_at: Some(v1::attach_task_request::StartAt::Cursor(before.last_cursor())),
            ..Default::default()
        };
        self.attach_from(request, StartAt::Cursor, Some(before)).await
    }

    async fn attach_from(
        &self,
        request: v1::AttachTaskRequest,
        from: StartAt,
        before: Option<&Collected>,
    ) -> Result<TaskStream, Status> {
        let answer = self.grpc.clone().attach_task(request).await?.into_inner();
        let messages = answer.map(|message| message.map(Message::from)).boxed();
        TaskStream::open(messages, from, before).await
    }

    pub async fn get(&self, key: v1::TaskKey) -> Result<v1::Task, Status> {
        let request = v1::GetTaskRequest { key: Some(key) };
        let answer = self.grpc.clone().get_task(request).await?.into_inner();
        Ok(answer.task.expect("GetTaskResponse.task is set"))
    }

    pub async fn cancel(&self, key: v1::TaskKey, reason: &str) -> Result<v1::CancelTaskResponse, Status> {
        let request = v1::CancelTaskRequest { key: Some(key), reason: reason.to_owned(), ..Default::default() };
        Ok(self.grpc.clone().cancel_task(request).await?.into_inner())
    }

    /// Reads a task's result from `offset` on: the header and the bytes.
    pub async fn result(&self, key: v1::TaskKey, offset: u64) -> Result<(v1::TaskResult, Vec<u8>), Status> {
        use v1::get_task_result_response::Message as M;
        let request = v1::GetTaskResultRequest { key: Some(key), offset };
        let mut answer = self.grpc.clone().get_task_result(request).await?.into_inner();
        let (mut header, mut data) = (None, Vec::new());
        while let Some(response) = wait::guarded("the result", answer.message()).await? {
            match response.message.expect("a message is set") {
                M::Header(first) => assert!(header.replace(first).is_none(), "one header"),
                M::Data(piece) => {
                    assert!(header.is_some() && piece.len() <= 64 << 10, "the header first, then pieces of 64 KiB");
                    data.extend_from_slice(&piece);
                }
            }
        }
        Ok((header.expect("a header"), data))
    }

    pub async fn info(&self) -> v1::GetServerInfoResponse {
        let request = v1::GetServerInfoRequest {};
        let answer = self.grpc.clone().get_server_info(request).await;
        answer.expect("GetServerInfo answers").into_inner()
    }
}
