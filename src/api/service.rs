//! The calls.
//!
//! ```text
//! request ──decode──▶ checked call ──executor──▶ entry, stream ──encode──▶ response
//!    │ trace context, caller        │ ExecError
//!    └─▶ span of the call           └─▶ Fault ─▶ Status with details
//! ```
//!
//! LaunchTask and AttachTask answer only when the pod exists or the task is found: before that no
//! headers are sent. A call that the client gives up is dropped; what it did in Kubernetes stays.

use std::sync::Arc;

use futures::stream::Empty;
use jiff::Timestamp;
use tonic::{Request, Response, Status};
use tracing::{Instrument as _, Span, info};

use super::checks::Refusal;
use super::decode::{self, AttachCall, Defaults, KeyQuery, LaunchCall, LaunchMode, Missing, StartAt};
use super::encode::{self, Encoder, Met};
use super::errors::{Context, Fault};
use super::exec_errors::{Call, fault, no_such_container};
use super::info::{self, ServerInfo};
use super::result::ResultReplies;
use super::scrub::Scrubber;
use super::stream::{About, Replies, Reply};
use super::templates;
use super::time::timestamp;
use super::trace::{self, Traceparent};
use crate::executor::{
    Cancelled, Entry, ExecError, Executor, Filter, How, Start, StopRequest, Stopped, StreamPlace, TaskStream, Until,
    View,
};
use crate::proto::v1;
use crate::proto::v1::podlaunch_service_server::PodlaunchService;
use crate::task::key::Attempt;
use crate::task::observation::StopCause;
use crate::task::{LogSelection, TaskKey};

/// The service: the contract in front of one executor.
pub struct Api {
    executor: Executor,
    info: ServerInfo,
    cluster: Arc<str>,
}

/// How a stream is opened.
struct Opening {
    met: Met,
    start: Start,
    until: Until,
    filter: Filter,
}

impl Api {
    /// Serves `executor` as `info`.
    pub fn new(executor: Executor, info: ServerInfo) -> Api {
        let cluster = info.cluster.as_str().into();
        Api { executor, info, cluster }
    }

    pub(super) fn executor(&self) -> &Executor {
        &self.executor
    }

    pub(super) fn defaults(&self) -> Defaults<'_> {
        Defaults { cluster: &self.cluster, namespace: self.executor.cluster().default_namespace() }
    }

    fn encoder(&self) -> Encoder<'_> {
        Encoder { cluster: &self.cluster, executor: &self.executor }
    }

    /// What is known of a task before it is looked for: the key as it was sent.
    pub(super) fn asked(key: Option<&v1::TaskKey>) -> Context {
        Context { key: key.cloned(), ..Context::default() }
    }

    async fn launch(
        &self,
        request: v1::LaunchTaskRequest,
        trace: Option<Traceparent>,
    ) -> Result<Replies<v1::LaunchTaskResponse>, Status> {
        let mut context = Self::asked(request.key.as_ref());
        let call = decode::launch(request, self.defaults(), trace.as_ref());
        let LaunchCall { launch, mode } = call.map_err(|refusal| refused(refusal, &context))?;
        context.key = Some(encode::key(&launch.key, &self.cluster));
        context.pod_name = Some(launch.key.pod_name(&self.executor.settings().instance));
        let templates = &self.executor.settings().templates;
        let template = launch.spec.template.as_ref().and_then(|name| templates.get(name));
        context.scrubber = Scrubber::of(&launch.spec, template.as_deref().map(|template| template.manifest.template()));
        Span::current().record("key", launch.key.to_string());
        let failed = |error: ExecError| fault(&error, Call::Launch).into_status(&context);
        if mode == LaunchMode::Validate {
            let validated = self.executor.validate(&launch).await.map_err(failed)?;
            let message = v1::Validated {
                key: Some(encode::key(&launch.key, &self.cluster)),
                pod_name: validated.name,
                fingerprint: validated.fingerprint,
                pod_json: validated.pod.to_string(),
                warnings: validated.warnings.iter().map(|text| warning(&context, text)).collect(),
            };
            return Ok(Replies::only(v1::launch_task_response::Message::Validated(message).into()));
        }
        // Before the pod is made: a launch that finds no place for its stream must not leave one behind.
        let place = self.executor.take_place().map_err(failed)?;
        let launched = self.executor.launch(&launch).await.map_err(failed)?;
        let opening = Opening {
            met: Met { how: launched.how, requested_attempt: launch.key.attempt },
            start: Start::Beginning,
            until: Until::Termination,
            filter: Filter { logs: Some(launch.spec.logs), ..Filter::default() },
        };
        Ok(self.open(place, &launched.entry, opening, context))
    }

    async fn attach(&self, request: v1::AttachTaskRequest) -> Result<Replies<v1::AttachTaskResponse>, Status> {
        let context = Self::asked(request.key.as_ref());
        let call = decode::attach(request, self.defaults()).map_err(|refusal| refused(refusal, &context))?;
        let AttachCall { key, start, until, filter } = call;
        let (entry, context) = match &start {
            StartAt::Cursor(cursor) => self.find_again(&key, cursor, context).await?,
            _ => self.find(&key, context).await?,
        };
        let view = entry.view();
        check_log_names(&filter, &view).map_err(|fault| fault.into_status(&context))?;
        let start = match start {
            StartAt::Beginning => Start::Beginning,
            StartAt::Now => Start::Now,
            StartAt::Tail(lines) => Start::Tail(lines),
            StartAt::Since(time) => Start::Since(time),
            StartAt::Cursor(bytes) => {
                let cursor = self.executor.read_cursor(&entry, &bytes);
                Start::After(Box::new(cursor.map_err(|error| fault(&error, Call::Other).into_status(&context))?))
            }
        };
        let how = if view.outcome.is_some() { How::Replayed } else { How::Attached };
        let requested_attempt = match key.attempt {
            Attempt::Latest => view.observation.highest_attempt(),
            Attempt::Exactly(attempt) => attempt,
        };
        let met = Met { how, requested_attempt };
        let place = self.executor.take_place().map_err(|error| fault(&error, Call::Other).into_status(&context))?;
        Ok(self.open(place, &entry, Opening { met, start, until, filter }, context))
    }

    /// A task, and what is then known for errors.
    pub(super) async fn find(&self, key: &KeyQuery, context: Context) -> Result<(Arc<Entry>, Context), Status> {
        let found = match key.attempt {
            Attempt::Latest => self.executor.find_latest(&key.namespace, &key.task_id).await,
            Attempt::Exactly(attempt) => {
                match TaskKey::new("", key.namespace.as_str(), key.task_id.as_str(), attempt) {
                    Ok(key) => self.executor.find(&key).await,
                    Err(error) => Err(error.into()),
                }
            }
        };
        let entry = found.map_err(|error| fault(&error, Call::Other).into_status(&context))?;
        Span::current().record("key", entry.key.to_string());
        Span::current().record("pod_uid", entry.uid.as_str());
        let context = self.known(&entry, context);
        Ok((entry, context))
    }

    /// The task of a cursor: if it is not there any more, it was once.
    async fn find_again(
        &self,
        key: &KeyQuery,
        cursor: &[u8],
        context: Context,
    ) -> Result<(Arc<Entry>, Context), Status> {
        let of_key = match key.attempt {
            Attempt::Exactly(attempt) => {
                let key = TaskKey::new("", key.namespace.as_str(), key.task_id.as_str(), attempt).ok();
                key.filter(|key| self.executor.is_of(cursor, key))
            }
            Attempt::Latest => None,
        };
        let found = self.find(key, context.clone()).await;
        match (found, of_key) {
            (Err(status), Some(key)) if status.code() == tonic::Code::NotFound => {
                let released = ExecError::TaskReleased { key: key.to_string() };
                Err(fault(&released, Call::Other).into_status(&context))
            }
            (found, _) => found,
        }
    }

    fn known(&self, entry: &Entry, context: Context) -> Context {
        Context {
            key: Some(encode::key(&entry.key, &self.cluster)),
            pod_name: Some(entry.pod.clone()),
            pod_uid: Some(entry.uid.clone()),
            ..context
        }
    }

    fn open<M: Reply>(&self, place: StreamPlace, entry: &Arc<Entry>, opening: Opening, context: Context) -> Replies<M> {
        let context = self.known(entry, context);
        Span::current().record("pod_uid", entry.uid.as_str());
        let Opening { met, start, until, filter } = opening;
        let stream = self.executor.stream(place, entry, start, until, filter);
        let accepted = self.encoder().accepted(entry, met, stream.cursor());
        let about = About {
            key: entry.key.clone(),
            cluster: self.cluster.clone(),
            pod_uid: entry.uid.clone(),
            state: Box::new({
                let entry = entry.clone();
                move || entry.view().state
            }),
            context,
            span: Span::current(),
        };
        Replies::of(M::accepted(accepted), stream, about)
    }

    async fn get(&self, request: v1::GetTaskRequest) -> Result<v1::GetTaskResponse, Status> {
        let context = Self::asked(request.key.as_ref());
        let key = decode::get(request, self.defaults()).map_err(|refusal| refused(refusal, &context))?;
        let (entry, _) = self.find(&key, context).await?;
        Ok(v1::GetTaskResponse { task: Some(self.encoder().task(&entry)) })
    }

    async fn cancel(&self, request: v1::CancelTaskRequest, caller: String) -> Result<v1::CancelTaskResponse, Status> {
        let context = Self::asked(request.key.as_ref());
        let call = decode::cancel(request, self.defaults()).map_err(|refusal| refused(refusal, &context))?;
        let request =
            StopRequest { cause: StopCause::Cancel, caller, message: call.reason, grace_seconds: call.grace_seconds };
        let cancelled = match (call.missing, call.key.attempt) {
            (Missing::Recorded, Attempt::Exactly(attempt)) => {
                let key = TaskKey::new("", call.key.namespace.as_str(), call.key.task_id.as_str(), attempt);
                let key = key.map_err(|error| fault(&error.into(), Call::Other).into_status(&context))?;
                self.executor.cancel_or_record(&key, &request).await
            }
            _ => {
                let (entry, _) = self.find(&call.key, context.clone()).await?;
                self.executor.stop(&entry, &request).await.map(|stopped| Cancelled::Stopped(entry, stopped))
            }
        };
        let cancelled = cancelled.map_err(|error| fault(&error, Call::Other).into_status(&context))?;
        let (entry, result) = match cancelled {
            Cancelled::Stopped(entry, Stopped::Recorded) => (entry, v1::CancelResult::Stopping),
            Cancelled::Stopped(entry, Stopped::Already) => (entry, v1::CancelResult::AlreadyStopping),
            Cancelled::Stopped(entry, Stopped::Ended | Stopped::NotDue) => (entry, v1::CancelResult::AlreadyFinished),
            Cancelled::Recorded(entry) => (entry, v1::CancelResult::Recorded),
        };
        Ok(v1::CancelTaskResponse { result: result.into(), task: Some(self.encoder().task(&entry)) })
    }

    async fn delete(&self, request: v1::DeleteTaskRequest) -> Result<v1::DeleteTaskResponse, Status> {
        let context = Self::asked(request.key.as_ref());
        let call = decode::delete(request, self.defaults()).map_err(|refusal| refused(refusal, &context))?;
        let (entry, context) = self.find(&call.key, context).await?;
        let released = self.executor.release(&entry, &call.pod_uid).await;
        released.map_err(|error| fault(&error, Call::Other).into_status(&context))?;
        Ok(v1::DeleteTaskResponse {
            key: Some(encode::key(&entry.key, &self.cluster)),
            idempotent_until: self.executor.idempotent_until(&entry).map(timestamp),
        })
    }
}

/// Longest warning that is passed on, bytes.
const MAX_WARNING: usize = 1024;

fn warning(context: &Context, text: &str) -> String {
    encode::clip(&context.scrubber.scrub(text), MAX_WARNING).to_owned()
}

pub(super) fn refused(refusal: Refusal, context: &Context) -> Status {
    Fault::from(refusal).into_status(context)
}

/// Containers whose log is asked for by name must be the pod's.
fn check_log_names(filter: &Filter, view: &View) -> Result<(), Fault> {
    let Some(LogSelection::Named(names)) = &filter.logs else { return Ok(()) };
    let has: Vec<&str> = view.observation.containers.iter().map(|container| container.name.as_str()).collect();
    match names.iter().position(|name| !has.contains(&name.as_str())) {
        Some(index) => Err(no_such_container(index, &has)),
        None => Ok(()),
    }
}

/// Runs a call in its span and tells if it was refused.
async fn in_span<T>(span: Span, call: impl Future<Output = Result<T, Status>>) -> Result<Response<T>, Status> {
    let told = async {
        let result = call.await;
        if let Err(status) = &result {
            info!(code = ?status.code(), message = status.message(), "call refused");
        }
        result.map(Response::new)
    };
    told.instrument(span).await
}

fn not_there<T>(feature: &str) -> Result<T, Status> {
    Err(Fault::call_unavailable(feature).into_status(&Context::default()))
}

#[tonic::async_trait]
impl PodlaunchService for Api {
    type LaunchTaskStream = Replies<v1::LaunchTaskResponse, TaskStream>;
    type AttachTaskStream = Replies<v1::AttachTaskResponse, TaskStream>;
    type WatchTasksStream = Empty<Result<v1::WatchTasksResponse, Status>>;
    type GetTaskResultStream = ResultReplies;

    async fn launch_task(
        &self,
        request: Request<v1::LaunchTaskRequest>,
    ) -> Result<Response<Self::LaunchTaskStream>, Status> {
        let trace = Traceparent::of(request.metadata());
        let span = trace::span("LaunchTask", trace.as_ref());
        in_span(span, self.launch(request.into_inner(), trace)).await
    }

    async fn attach_task(
        &self,
        request: Request<v1::AttachTaskRequest>,
    ) -> Result<Response<Self::AttachTaskStream>, Status> {
        let span = trace::span("AttachTask", Traceparent::of(request.metadata()).as_ref());
        in_span(span, self.attach(request.into_inner())).await
    }

    async fn get_task(&self, request: Request<v1::GetTaskRequest>) -> Result<Response<v1::GetTaskResponse>, Status> {
        let span = trace::span("GetTask", Traceparent::of(request.metadata()).as_ref());
        in_span(span, self.get(request.into_inner())).await
    }

    async fn cancel_task(
        &self,
        request: Request<v1::CancelTaskRequest>,
    ) -> Result<Response<v1::CancelTaskResponse>, Status> {
        let span = trace::span("CancelTask", Traceparent::of(request.metadata()).as_ref());
        let caller = trace::caller(&request);
        in_span(span, self.cancel(request.into_inner(), caller)).await
    }

    async fn get_server_info(
        &self,
        _: Request<v1::GetServerInfoRequest>,
    ) -> Result<Response<v1::GetServerInfoResponse>, Status> {
        Ok(Response::new(info::server_info(&self.info, &self.executor, Timestamp::now())))
    }

    async fn list_templates(
        &self,
        request: Request<v1::ListTemplatesRequest>,
    ) -> Result<Response<v1::ListTemplatesResponse>, Status> {
        let span = trace::span("ListTemplates", Traceparent::of(request.metadata()).as_ref());
        let listed = templates::list(&self.executor.settings().templates, &request.into_inner().name);
        let listed = listed.map_err(|error| fault(&error, Call::Other).into_status(&Context::default()));
        in_span(span, std::future::ready(listed)).await
    }

    async fn watch_tasks(&self, _: Request<v1::WatchTasksRequest>) -> Result<Response<Self::WatchTasksStream>, Status> {
        not_there("watch_tasks")
    }

    async fn batch_launch_tasks(
        &self,
        _: Request<v1::BatchLaunchTasksRequest>,
    ) -> Result<Response<v1::BatchLaunchTasksResponse>, Status> {
        not_there("batch_launch")
    }

    async fn list_tasks(&self, _: Request<v1::ListTasksRequest>) -> Result<Response<v1::ListTasksResponse>, Status> {
        not_there("list_tasks")
    }

    async fn batch_cancel_tasks(
        &self,
        _: Request<v1::BatchCancelTasksRequest>,
    ) -> Result<Response<v1::BatchCancelTasksResponse>, Status> {
        not_there("batch_cancel")
    }

    async fn delete_task(
        &self,
        request: Request<v1::DeleteTaskRequest>,
    ) -> Result<Response<v1::DeleteTaskResponse>, Status> {
        let span = trace::span("DeleteTask", Traceparent::of(request.metadata()).as_ref());
        in_span(span, self.delete(request.into_inner())).await
    }

    async fn get_task_result(
        &self,
        request: Request<v1::GetTaskResultRequest>,
    ) -> Result<Response<Self::GetTaskResultStream>, Status> {
        let span = trace::span("GetTaskResult", Traceparent::of(request.metadata()).as_ref());
        in_span(span, self.result(request.into_inner())).await
    }

    async fn acknowledge_events(
        &self,
        _: Request<v1::AcknowledgeEventsRequest>,
    ) -> Result<Response<v1::AcknowledgeEventsResponse>, Status> {
        not_there("acknowledge_events")
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
