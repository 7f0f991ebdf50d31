//! GetTaskResult: a header with size and hash, then the bytes.
//!
//! ```text
//! request ─▶ key, offset ─▶ executor.open_result ─▶ header ─▶ data … ─▶ OK: the bytes are what the header says
//!                              │ none, not yet: an error before any message     └ else: an error, never OK
//! ```

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, future};
use tonic::Status;

use super::exec_errors::{Call, fault};
use super::service::{Api, refused};
use super::{decode, encode_outcome};
use crate::executor::{ExecError, OpenResult};
use crate::proto::v1;
use crate::proto::v1::get_task_result_response::Message;

/// The response stream of GetTaskResult.
pub(super) type ResultReplies = BoxStream<'static, Result<v1::GetTaskResultResponse, Status>>;

impl Api {
    pub(super) async fn result(&self, request: v1::GetTaskResultRequest) -> Result<ResultReplies, Status> {
        let context = Self::asked(request.key.as_ref());
        let call = decode::result(request, self.defaults()).map_err(|refusal| refused(refusal, &context))?;
        let (entry, context) = self.find(&call.key, context).await?;
        let opened = self.executor().open_result(&entry, call.offset).await;
        let failed = move |error: ExecError| fault(&error, Call::Other).into_status(&context);
        let OpenResult { state, digest, data } = opened.map_err(&failed)?;
        let header = v1::TaskResult {
            state: encode_outcome::result_state(state).into(),
            size_bytes: Some(digest.size),
            sha256: digest.sha256.to_vec().into(),
            ..v1::TaskResult::default()
        };
        let reply = |message| v1::GetTaskResultResponse { message: Some(message) };
        let first = stream::once(future::ready(Ok(reply(Message::Header(header)))));
        let rest = data.map(move |data| data.map(|data| reply(Message::Data(data))).map_err(&failed));
        Ok(first.chain(rest).boxed())
    }
}
