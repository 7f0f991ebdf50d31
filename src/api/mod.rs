//! The gRPC face: the contract in front of the executor. It decodes, encodes and words errors; it
//! decides nothing about tasks.
//!
//! ```text
//!             decode*.rs: message ─▶ Launch, KeyQuery, Filter …, or every field that is wrong (checks.rs)
//! service.rs ─ executor ─▶ stream.rs ─▶ encode*.rs: Entry, StreamItem ─▶ message
//!             errors.rs, exec_errors.rs: Refusal, ExecError ─▶ Status + google.rpc details (scrub.rs)
//! preview.rs: a launch without executor and cluster
//! auth.rs: who calls     trace.rs: trace context, span     info.rs: what this server is
//! ```

mod auth;
mod checks;
mod decode;
mod decode_pod;
mod decode_spec;
mod decode_volume;
mod encode;
mod encode_event;
mod encode_log;
mod encode_outcome;
mod errors;
mod exec_errors;
mod info;
mod preview;
mod result;
mod scrub;
mod service;
mod stream;
mod templates;
mod time;
mod trace;

pub use auth::{Authenticate, Caller, Gate};
pub use info::{MAX_REQUEST_BYTES, ServerInfo};
pub use preview::preview;
pub use service::Api;

use tonic::service::interceptor::InterceptedService;

use crate::executor::Executor;
use crate::proto::v1::podlaunch_service_server::PodlaunchServiceServer;

/// Largest message that is decoded at all, bytes. What lies between [`MAX_REQUEST_BYTES`] and this
/// is refused with a typed error, which the library's own refusal is not.
const MAX_MESSAGE_BYTES: usize = 4 * MAX_REQUEST_BYTES;

/// The service behind a gate, as tonic serves it.
pub type Service = InterceptedService<PodlaunchServiceServer<Api>, Gate>;

/// The service with its limits, to be served by tonic to whom `gate` lets through.
pub fn service(executor: Executor, info: ServerInfo, gate: Gate) -> Service {
    let server = PodlaunchServiceServer::new(Api::new(executor, info)).max_decoding_message_size(MAX_MESSAGE_BYTES);
    InterceptedService::new(server, gate)
}
