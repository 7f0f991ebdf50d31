//! What this version does not have says so: in `GetServerInfo.features`, and in the answer of the call.

use std::collections::BTreeMap;

use tonic::{Code, Status};

use crate::harness::failure::{Failure, failure};
use crate::harness::spec::{Build as _, seconds, sh};
use crate::harness::v1::{self, FeatureState, LaunchTaskRequest};
use crate::harness::{Ctx, run};

async fn features(t: &Ctx) -> BTreeMap<String, FeatureState> {
    let info = t.info().await;
    info.features.iter().map(|feature| (feature.name.clone(), feature.state())).collect()
}

/// Code and reason belong to what the server says about the feature.
fn check(known: &BTreeMap<String, FeatureState>, feature: &str, error: Option<Failure>) {
    let state = known.get(feature).unwrap_or_else(|| panic!("{feature} is not listed"));
    if *state == FeatureState::Available {
        let refused = error.is_some_and(|error| error.code == Code::Unimplemented);
        assert!(!refused, "{feature} is listed as available");
        return;
    }
    let error = error.unwrap_or_else(|| panic!("{feature} is listed as {state:?}, but the call went well"));
    error.expect(Code::Unimplemented, "FEATURE_UNAVAILABLE");
    assert_eq!(error.metadata.get("feature").map(String::as_str), Some(feature), "{error}");
}

fn error_of<T>(result: Result<T, Status>) -> Option<Failure> {
    result.err().map(|status| Failure::of(&status))
}

#[test]
fn calls() {
    run(async |t| {
        let known = features(t).await;
        let mut grpc = t.grpc.clone();
        let key = t.key("nobody");
        let watch = grpc.watch_tasks(v1::WatchTasksRequest::default()).await;
        check(&known, "watch_tasks", error_of(watch));
        let batch = v1::BatchLaunchTasksRequest { requests: vec![LaunchTaskRequest::default()] };
        check(&known, "batch_launch", error_of(grpc.batch_launch_tasks(batch).await));
        let list = grpc.list_tasks(v1::ListTasksRequest::default()).await;
        check(&known, "list_tasks", error_of(list));
        let cancel = v1::BatchCancelTasksRequest { keys: vec![key.clone()], ..Default::default() };
        check(&known, "batch_cancel", error_of(grpc.batch_cancel_tasks(cancel).await));
        let delete = v1::DeleteTaskRequest { key: Some(key.clone()), ..Default::default() };
        check(&known, "delete_task", error_of(grpc.delete_task(delete).await));
        let result = v1::GetTaskResultRequest { key: Some(key), offset: 0 };
        check(&known, "task_results", error_of(grpc.get_task_result(result).await));
        let acknowledge = v1::AcknowledgeEventsRequest::default();
        check(&known, "acknowledge_events", error_of(grpc.acknowledge_events(acknowledge).await));
    });
}

#[test]
fn parts_of_a_launch() {
    type Set = fn(&mut LaunchTaskRequest);
    let parts: [(&str, Set); 8] = [
        ("templates", |r| r.spec.get_or_insert_default().template = "small".to_owned()),
        ("task_results", |r| r.spec.get_or_insert_default().result = Some(v1::ResultSource::default())),
        ("retention", |r| {
            r.spec.get_or_insert_default().retention = Some(v1::RetentionPolicy { keep: true, ..Default::default() });
        }),
        ("pending_grace", |r| {
            let timeouts = r.spec.get_or_insert_default().timeouts.get_or_insert_default();
            timeouts.pending_graces =
                vec![v1::PendingGrace { reason: v1::Reason::ImagePullFailed.into(), grace: Some(seconds(1)) }];
        }),
        ("wait_for_quota", |r| r.wait_for_quota = Some(seconds(5))),
        ("disconnect_policy", |r| {
            r.disconnect_policy = Some(v1::DisconnectPolicy {
                mode: v1::DisconnectMode::CancelAfter.into(),
                cancel_after: Some(seconds(60)),
            });
        }),
        ("previous_attempts", |r| r.set_if_previous_active(v1::PreviousActivePolicy::Attach)),
        ("short_form_extended", |r| {
            let pod = r.spec.get_or_insert_default().pod.get_or_insert_default();
            pod.hostname = "here".to_owned();
        }),
    ];
    run(async |t| {
        let known = features(t).await;
        for (feature, set) in parts {
            let mut request = t.request(&format!("with-{}", feature.replace('_', "-")), sh("true"));
            set(&mut request);
            let launched = t.launch(request.clone()).await;
            check(&known, feature, error_of(launched));
            // Asking for it by name is refused as well.
            let mut named = t.request("named", sh("true"));
            named.required_features = vec![feature.to_owned()];
            if known.get(feature) != Some(&FeatureState::Available) {
                failure(t.launch(named).await).expect(Code::Unimplemented, "FEATURE_UNAVAILABLE");
            }
        }
    });
}

#[test]
fn parts_of_other_calls() {
    run(async |t| {
        let known = features(t).await;
        let task = t.run(sh("true")).await;
        let attach =
            |start_at| v1::AttachTaskRequest { key: task.accepted.key.clone(), start_at, ..Default::default() };
        use v1::attach_task_request::StartAt;
        let tail = t.attach(attach(Some(StartAt::TailLines(1)))).await;
        check(&known, "attach_tail", error_of(tail));
        let since = t.attach(attach(Some(StartAt::SinceTime(Default::default())))).await;
        check(&known, "attach_tail", error_of(since));
        let consumer = v1::AttachTaskRequest { consumer: "reader".to_owned(), ..attach(None) };
        check(&known, "acknowledge_events", error_of(t.attach(consumer).await));
        let cancel =
            v1::CancelTaskRequest { key: Some(t.key("not-launched")), allow_missing: true, ..Default::default() };
        check(&known, "cancel_missing", error_of(t.grpc.clone().cancel_task(cancel).await));
    });
}

/// Everything the contract names is listed.
#[test]
fn every_feature_is_listed() {
    let names = "launch validate_only manifest short_form short_form_extended templates previous_attempts \
                 disconnect_policy wait_for_quota task_results attach_tail cancel_missing pending_grace retention \
                 watch_tasks batch_launch list_tasks batch_cancel delete_task acknowledge_events outcome_records archive";
    run(async |t| {
        let known = features(t).await;
        for name in names.split_whitespace() {
            let state = known.get(name).unwrap_or_else(|| panic!("{name} is not listed"));
            assert_ne!(*state, FeatureState::Unspecified, "{name}");
        }
        for name in ["launch", "manifest", "short_form"] {
            assert_eq!(known.get(name), Some(&FeatureState::Available), "{name}");
        }
        let required = known.iter().filter(|(_, state)| **state == FeatureState::Available);
        let mut request = t.request("demanding", sh("true").env("A", "b"));
        request.required_features = required.map(|(name, _)| name.clone()).collect();
        t.launch(request).await.expect("what is available can be required").collect().await;
    });
}
