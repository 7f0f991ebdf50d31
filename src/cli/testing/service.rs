//! The calls of the [`Fake`](super::Fake).

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use sha2::Digest as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{Call, Damage, Fake, Fault, cursor, key, position};
use crate::proto::v1;
use v1::podlaunch_service_server::PodlaunchService;
use v1::{attach_task_response as attach, launch_task_response as launch};

pub(super) struct Service(pub(super) Arc<Fake>);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A message that both streams have.
#[expect(clippy::large_enum_variant, reason = "one at a time, in tests")]
enum Message {
    Accepted(Box<v1::Accepted>),
    Event(v1::Event),
    Draining,
    EndOfAvailable(v1::EndOfAvailable),
}

impl From<Message> for v1::LaunchTaskResponse {
    fn from(message: Message) -> Self {
        let message = match message {
            Message::Accepted(accepted) => launch::Message::Accepted(accepted),
            Message::Event(event) => launch::Message::Event(event),
            Message::Draining => launch::Message::Draining(v1::Draining::default()),
            Message::EndOfAvailable(_) => unreachable!("only an attach has an end of available"),
        };
        Self { message: Some(message) }
    }
}

impl From<Message> for v1::AttachTaskResponse {
    fn from(message: Message) -> Self {
        let message = match message {
            Message::Accepted(accepted) => attach::Message::Accepted(accepted),
            Message::Event(event) => attach::Message::Event(event),
            Message::Draining => attach::Message::Draining(v1::Draining::default()),
            Message::EndOfAvailable(end) => attach::Message::EndOfAvailable(end),
        };
        Self { message: Some(message) }
    }
}

type Sender = mpsc::Sender<Result<Message, Status>>;

impl Service {
    fn stream<T: From<Message> + Send + 'static>(
        &self,
        from: usize,
        until: v1::StreamUntil,
    ) -> Result<Response<Answers<T>>, Status> {
        let fault = self.0.faults.lock().pop_front();
        if let Some(Fault::Refuse(status)) = fault {
            return Err(status);
        }
        let (sender, receiver) = mpsc::channel(1);
        let fake = self.0.clone();
        // Ends with its receiver, which the call owns.
        tokio::spawn(async move {
            let _ = send(&fake, from, fault, until, &sender).await;
        });
        self.0.opened.notify_one();
        let answers = futures::StreamExt::map(ReceiverStream::new(receiver), |message| message.map(T::from));
        Ok(Response::new(Box::pin(answers)))
    }
}

/// Sends what a stream from there has to send; an error is a receiver that is gone.
async fn send(
    fake: &Fake,
    from: usize,
    fault: Option<Fault>,
    until: v1::StreamUntil,
    sender: &Sender,
) -> Result<(), mpsc::error::SendError<Result<Message, Status>>> {
    let accepted = v1::Accepted {
        key: Some(key()),
        requested_attempt: 1,
        pod: Some(v1::PodRef { name: "hello-pod".to_owned(), ..Default::default() }),
        how: v1::AcceptedHow::Created.into(),
        cursor: cursor(from),
        ..Default::default()
    };
    sender.send(Ok(Message::Accepted(Box::new(accepted)))).await?;
    let mut events = fake.events.iter().skip(from).cloned();
    let before = match &fault {
        None | Some(Fault::Refuse(_)) => usize::MAX,
        Some(
            Fault::End(count, _)
            | Fault::EndOk(count)
            | Fault::Cut(count)
            | Fault::Drain(count, _)
            | Fault::UntilCancelled(count),
        ) => *count,
    };
    for event in events.by_ref().take(before) {
        sender.send(Ok(Message::Event(event))).await?;
    }
    match fault {
        Some(Fault::End(_, status)) => return sender.send(Err(status)).await,
        Some(Fault::EndOk(_)) => return Ok(()),
        Some(Fault::Cut(_)) => {
            fake.cut.notify_waiters();
            // The stream itself never ends: only the connection does.
            sender.closed().await;
            return Ok(());
        }
        Some(Fault::Drain(_, more)) => {
            sender.send(Ok(Message::Draining)).await?;
            for event in events.take(more) {
                sender.send(Ok(Message::Event(event))).await?;
            }
            return sender.send(Err(Status::unavailable("shutting down"))).await;
        }
        Some(Fault::UntilCancelled(_)) => fake.cancelled.notified().await,
        None | Some(Fault::Refuse(_)) => {}
    }
    for event in events {
        sender.send(Ok(Message::Event(event))).await?;
    }
    let terminated = |event: &v1::Event| matches!(event.body, Some(v1::event::Body::Termination(_)));
    if until == v1::StreamUntil::Available && !fake.events.last().is_some_and(terminated) {
        let end = v1::EndOfAvailable { cursor: cursor(fake.events.len()), state: v1::TaskState::Running.into() };
        sender.send(Ok(Message::EndOfAvailable(end))).await?;
    }
    Ok(())
}

impl Fake {
    fn result(&self, offset: u64) -> Vec<Result<v1::GetTaskResultResponse, Status>> {
        use v1::get_task_result_response::Message;
        self.offsets.lock().push(offset);
        let header = v1::TaskResult {
            state: v1::ResultState::Stored.into(),
            size_bytes: Some(self.result.len() as u64),
            sha256: sha2::Sha256::digest(&self.result).to_vec().into(),
            ..Default::default()
        };
        let mut data = self.result.clone();
        match self.result_damage {
            Some(Damage::Changed) => data[7] ^= 1,
            Some(Damage::Short) => _ = data.pop(),
            None => {}
        }
        let fault = self.result_faults.lock().pop_front();
        let rest = &data[usize::try_from(offset).expect("an offset of ours")..];
        let most = fault.as_ref().map_or(usize::MAX, |(most, _)| *most).min(rest.len());
        let reply = |message| Ok(v1::GetTaskResultResponse { message: Some(message) });
        let mut replies = vec![reply(Message::Header(header))];
        replies.extend(rest[..most].chunks(50_000).map(|piece| reply(Message::Data(piece.to_vec().into()))));
        replies.extend(fault.map(|(_, status)| Err(status)));
        replies
    }
}

#[tonic::async_trait]
impl PodlaunchService for Service {
    type LaunchTaskStream = Answers<v1::LaunchTaskResponse>;
    type AttachTaskStream = Answers<v1::AttachTaskResponse>;
    type WatchTasksStream = Answers<v1::WatchTasksResponse>;
    type GetTaskResultStream = Answers<v1::GetTaskResultResponse>;

    async fn launch_task(
        &self,
        request: Request<v1::LaunchTaskRequest>,
    ) -> Result<Response<Self::LaunchTaskStream>, Status> {
        let request = request.into_inner();
        let validate_only = request.validate_only;
        self.0.calls.lock().push(Call::Launch(Box::new(request)));
        if validate_only {
            let validated = v1::Validated {
                key: Some(key()),
                pod_name: "hello-pod".to_owned(),
                fingerprint: "v1:00".to_owned(),
                pod_json: r#"{"kind":"Pod"}"#.to_owned(),
                warnings: vec!["old field".to_owned()],
            };
            let message = v1::LaunchTaskResponse { message: Some(launch::Message::Validated(validated)) };
            let answers = futures::stream::iter([Ok(message)]);
            return Ok(Response::new(Box::pin(answers)));
        }
        self.stream(0, v1::StreamUntil::Termination)
    }

    async fn attach_task(
        &self,
        request: Request<v1::AttachTaskRequest>,
    ) -> Result<Response<Self::AttachTaskStream>, Status> {
        let request = request.into_inner();
        self.0.calls.lock().push(Call::Attach(request.clone()));
        let from = match &request.start_at {
            Some(v1::attach_task_request::StartAt::Cursor(cursor)) => position(cursor),
            _ => 0,
        };
        self.stream(from, request.until())
    }

    async fn cancel_task(
        &self,
        request: Request<v1::CancelTaskRequest>,
    ) -> Result<Response<v1::CancelTaskResponse>, Status> {
        self.0.calls.lock().push(Call::Cancel(request.into_inner()));
        if let Some(status) = self.0.cancel_errors.lock().pop_front() {
            return Err(status);
        }
        self.0.cancelled.notify_one();
        Ok(Response::new(v1::CancelTaskResponse {
            result: v1::CancelResult::Stopping.into(),
            task: Some(v1::Task { key: Some(key()), ..Default::default() }),
        }))
    }

    async fn get_task(&self, request: Request<v1::GetTaskRequest>) -> Result<Response<v1::GetTaskResponse>, Status> {
        let asked = request.into_inner().key.unwrap_or_default();
        if asked.task_id != key().task_id {
            return Err(Status::not_found("there is no such task"));
        }
        Ok(Response::new(v1::GetTaskResponse {
            task: Some(v1::Task { key: Some(key()), state: v1::TaskState::Running.into(), ..Default::default() }),
        }))
    }

    async fn get_server_info(
        &self,
        _: Request<v1::GetServerInfoRequest>,
    ) -> Result<Response<v1::GetServerInfoResponse>, Status> {
        Ok(Response::new(v1::GetServerInfoResponse {
            version: "0.1.0".to_owned(),
            instance: "default".to_owned(),
            ..Default::default()
        }))
    }

    async fn list_templates(
        &self,
        request: Request<v1::ListTemplatesRequest>,
    ) -> Result<Response<v1::ListTemplatesResponse>, Status> {
        let manifest = match request.into_inner().name.as_str() {
            "" => String::new(),
            _ => r#"{"spec":{"priority":1}}"#.to_owned(),
        };
        let template = v1::Template {
            name: "gpu".to_owned(),
            description: "for training".to_owned(),
            content_hash: format!("sha256:{}", "ab".repeat(32)),
            origin: "gpu.yaml".to_owned(),
            manifest,
        };
        Ok(Response::new(v1::ListTemplatesResponse { templates: vec![template] }))
    }

    async fn watch_tasks(&self, _: Request<v1::WatchTasksRequest>) -> Result<Response<Self::WatchTasksStream>, Status> {
        Err(Status::unimplemented("watch_tasks"))
    }

    async fn batch_launch_tasks(
        &self,
        _: Request<v1::BatchLaunchTasksRequest>,
    ) -> Result<Response<v1::BatchLaunchTasksResponse>, Status> {
        Err(Status::unimplemented("batch_launch"))
    }

    async fn list_tasks(&self, _: Request<v1::ListTasksRequest>) -> Result<Response<v1::ListTasksResponse>, Status> {
        Err(Status::unimplemented("list_tasks"))
    }

    async fn batch_cancel_tasks(
        &self,
        _: Request<v1::BatchCancelTasksRequest>,
    ) -> Result<Response<v1::BatchCancelTasksResponse>, Status> {
        Err(Status::unimplemented("batch_cancel"))
    }

    async fn delete_task(&self, _: Request<v1::DeleteTaskRequest>) -> Result<Response<v1::DeleteTaskResponse>, Status> {
        Err(Status::unimplemented("delete_task"))
    }

    async fn get_task_result(
        &self,
        request: Request<v1::GetTaskResultRequest>,
    ) -> Result<Response<Self::GetTaskResultStream>, Status> {
        Ok(Response::new(Box::pin(futures::stream::iter(self.0.result(request.into_inner().offset)))))
    }

    async fn acknowledge_events(
        &self,
        _: Request<v1::AcknowledgeEventsRequest>,
    ) -> Result<Response<v1::AcknowledgeEventsResponse>, Status> {
        Err(Status::unimplemented("acknowledge_events"))
    }
}
