//! Requests changed by chance: a server that refuses one makes no pod of it, and of each that it accepts one.

use std::collections::BTreeSet;

use ::podlaunch::proto::FILE_DESCRIPTOR_SET;
use fastrand::Rng;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use tonic::{Code, Status};

use crate::harness::failure::Failure;
use crate::harness::spec::{Build as _, sh};
use crate::harness::v1::{LaunchTaskRequest, launch_task_response::Message};
use crate::harness::{Ctx, run, wait};

#[path = "../fuzz/message.rs"]
mod message;

/// How many are sent. Each has its number as seed.
const REQUESTS: u64 = 200;

#[test]
fn no_pod_of_a_request_that_is_refused() {
    run(async |t| {
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("a descriptor set");
        let of = pool.get_message_by_name("podlaunch.v1.LaunchTaskRequest").expect("the request");
        let (mut accepted, mut refused, mut wrong) = (BTreeSet::new(), 0, Vec::new());
        for seed in 0..REQUESTS {
            let request = changed(t, &of, seed);
            match wait::guarded("an answer", launched(t, request)).await {
                Ok(pod) => accepted.extend(pod),
                Err(status) => {
                    refused += 1;
                    wrong.extend(not_a_refusal(&status).map(|problem| format!("seed {seed}: {problem}")));
                }
            }
        }
        assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
        let made = t.cluster.list_pods().await.into_iter().filter_map(|pod| pod.metadata.name);
        assert_eq!(made.collect::<BTreeSet<String>>(), accepted, "pods made, pods accepted");
        println!("{refused} of {REQUESTS} refused, {} pods", accepted.len());
        assert!(refused > 50 && accepted.len() > 10, "{refused} refused, {} pods", accepted.len());
    });
}

/// A good request with a few fields changed. It stays in the test's namespace and keeps a name of its own, and its pod
/// finds no node.
fn changed(t: &Ctx, of: &MessageDescriptor, seed: u64) -> LaunchTaskRequest {
    let name = format!("random-{seed}");
    let good = t.request(&name, sh("true").nowhere().init("first", "true").env("A", "b"));
    let mut dynamic = DynamicMessage::decode(of.clone(), &*good.encode_to_vec()).expect("the same message");
    let mut rng = Rng::with_seed(seed);
    (0..rng.usize(1..5)).for_each(|_| message::change(&mut dynamic, &mut rng));
    let mut request = LaunchTaskRequest::decode(&*dynamic.encode_to_vec()).expect("the same message");
    if let Some(key) = &mut request.key {
        key.namespace.clone_from(&t.namespace);
        if !key.task_id.is_empty() {
            key.task_id = name;
        }
    }
    if let Some(spec) = &mut request.spec {
        *spec = std::mem::take(spec).nowhere();
        // What was accepted stays: nothing of this runs out while the test goes on.
        if let Some(timeouts) = &mut spec.timeouts {
            timeouts.schedule = None;
            timeouts.pending_graces.clear();
        }
    }
    // Nobody waits for quota here, and nobody leaves.
    request.wait_for_quota = None;
    request.disconnect_policy = None;
    request
}

/// The name of the pod it was accepted as; none where it was only validated.
async fn launched(t: &Ctx, request: LaunchTaskRequest) -> Result<Option<String>, Status> {
    let mut answer = t.grpc.clone().launch_task(request).await?.into_inner();
    let first = answer.message().await?.and_then(|response| response.message);
    match first {
        Some(Message::Accepted(accepted)) => Ok(Some(accepted.pod.expect("its pod").name)),
        Some(Message::Validated(_)) => Ok(None),
        other => panic!("neither Accepted nor Validated: {other:?}"),
    }
}

/// What is wrong with a refusal: it must be final and typed, and where a field is wrong name it.
fn not_a_refusal(status: &Status) -> Option<String> {
    let failure = Failure::of(status);
    let is_final = matches!(failure.code, Code::InvalidArgument | Code::Unimplemented | Code::FailedPrecondition);
    let is_typed = !failure.reason.is_empty() && (failure.names("") || failure.code != Code::InvalidArgument);
    if is_final && is_typed { None } else { Some(failure.to_string()) }
}
