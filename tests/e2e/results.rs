//! What a task gives back beside its log: from its termination message, or from a file.

use sha2::Digest as _;
use tonic::Code;

use crate::harness::collected::{Collected, assert_same};
use crate::harness::ctx::needs_real;
use crate::harness::failure::Failure;
use crate::harness::server::{Server, unique_instance};
use crate::harness::spec::{Build as _, sh, until_stopped};
use crate::harness::v1::{self, Reason, ResultKind, ResultState, TaskState};
use crate::harness::{Ctx, run, wait};

/// Where the file is: the embedded cluster's containers share this machine's file system and have a root of their own.
const FILE: &str = r#""${PODLAUNCH_CONTAINER_ROOT-}/airflow/xcom/return.json""#;

trait WithResult {
    fn result(self, kind: ResultKind) -> Self;
}

impl WithResult for v1::TaskSpec {
    fn result(mut self, kind: ResultKind) -> Self {
        self.result = Some(v1::ResultSource { kind: kind.into(), ..Default::default() });
        self
    }
}

/// A task that writes its result file by this script (`$F` is the file). The sidecar has the pod's grace to take it, on
/// a busy machine too.
fn by_file(script: &str) -> v1::TaskSpec {
    sh(&format!("F={FILE}; {script}")).result(ResultKind::File).grace(30)
}

#[track_caller]
fn result(task: &Collected) -> &v1::TaskResult {
    task.outcome().result.as_ref().unwrap_or_else(|| panic!("no result:\n{task}"))
}

#[track_caller]
fn assert_state(task: &Collected, state: ResultState) {
    assert_eq!(result(task).state(), state, "\n{task}");
}

fn sha256(data: &[u8]) -> Vec<u8> {
    sha2::Sha256::digest(data).to_vec()
}

/// Reads the result whole and compares it with what the outcome says of it.
async fn fetch(t: &Ctx, task: &Collected) -> Vec<u8> {
    let (header, data) = t.result(task.key(), 0).await.unwrap_or_else(|status| panic!("{status:?}\n{task}"));
    let said = result(task);
    assert_eq!((header.state, header.size_bytes, &header.sha256), (said.state, said.size_bytes, &said.sha256));
    assert!(header.data.is_empty(), "the header has no data");
    assert_eq!((header.size_bytes, header.sha256.to_vec()), (Some(data.len() as u64), sha256(&data)));
    data
}

#[track_caller]
fn assert_unavailable<T: std::fmt::Debug>(found: Result<T, tonic::Status>, state: Option<&str>) {
    let failure = Failure::of(&found.expect_err("there is none"));
    failure.expect(Code::NotFound, "RESULT_UNAVAILABLE");
    assert_eq!(failure.metadata.get("result_state").map(String::as_str), state, "{failure}");
}

#[test]
fn a_small_file_is_in_the_outcome_and_its_sidecar_is_nobodys() {
    run(async |t| {
        let spec = by_file(r#"echo working; printf '{"rows": 3}' > "$F""#).all_logs();
        let task = t.run(spec).await;
        task.assert_ended(TaskState::Succeeded, Reason::Completed);
        assert_eq!(task.output(), b"working\n");
        assert_state(&task, ResultState::Inline);
        assert_eq!(result(&task).data.as_ref(), br#"{"rows": 3}"#);
        assert_eq!(fetch(t, &task).await, br#"{"rows": 3}"#);

        let others = |name: &str| name != "main";
        assert!(!task.container_changes().any(|change| others(&change.container)), "\n{task}");
        assert!(!task.logs.keys().any(|(container, _)| others(container)), "\n{task}");
        assert!(!task.outcome().containers.iter().any(|status| others(&status.name)));
        let delivery = task.termination().and_then(|end| end.delivery.as_ref()).expect("a delivery");
        assert_eq!(delivery.containers.len(), 1);
        let got = t.get(task.key()).await.expect("it is known");
        assert!(!got.containers.iter().any(|status| others(&status.name)));
        assert_eq!(got.outcome.as_ref(), Some(task.outcome()));
        let again = t.attach_anew(task.key()).await.expect("it can be attached to").collect().await;
        assert_eq!(again.outcome_bytes(), task.outcome_bytes());
    });
}

/// Bytes of every kind come back as they are, whatever their number.
#[test]
fn files_of_every_size() {
    let sizes = [0usize, 1, 3900, 4096, 4097, 70_000, 1 << 20];
    run(async |t| {
        let tasks = sizes.map(async |size| {
            let random = by_file(&format!(r#"head -c {size} /dev/urandom > "$F"; sha256sum < "$F""#));
            let text = by_file(&format!(r#"seq 1 200000 | head -c {size} > "$F"; sha256sum < "$F""#));
            for spec in [random, text] {
                let task = t.run(spec).await;
                task.assert_ended(TaskState::Succeeded, Reason::Completed);
                let data = fetch(t, &task).await;
                assert_eq!(data.len(), size);
                let hash = String::from_utf8_lossy(task.output()).split(' ').next().unwrap_or_default().to_owned();
                assert_eq!(data_encoding::HEXLOWER.encode(&sha256(&data)), hash, "{size}");
                let inline = result(&task).state() == ResultState::Inline;
                assert_eq!(inline, !result(&task).data.is_empty() || size == 0, "{size}");
                assert!(if size <= 1 { inline } else { !inline || size <= 4096 }, "{size}");
            }
        });
        futures::future::join_all(tasks).await;
    });
}

/// The task is over as soon as it began: the sidecar is ready all the same.
#[test]
fn a_task_that_is_over_at_once() {
    run(async |t| {
        let tasks = (0..8).map(|_| t.run(by_file(r#"echo x > "$F""#)));
        for task in futures::future::join_all(tasks).await {
            assert_state(&task, ResultState::Inline);
            assert_eq!(result(&task).data.as_ref(), b"x\n");
        }
    });
}

#[test]
fn a_large_result_goes_on_from_any_byte() {
    run(async |t| {
        let task = t.run(by_file(r#"head -c 300000 /dev/urandom > "$F""#)).await;
        assert_state(&task, ResultState::Stored);
        let whole = fetch(t, &task).await;
        for offset in [1, 76, 65_536, 299_999, 300_000] {
            let (header, rest) = t.result(task.key(), offset as u64).await.expect("it is there");
            assert_eq!(header.size_bytes, Some(300_000));
            assert_same(&rest, &whole[offset..]);
        }
        let beyond = t.result(task.key(), 300_001).await.expect_err("beyond its end");
        let failure = Failure::of(&beyond);
        failure.expect(Code::InvalidArgument, "INVALID_REQUEST");
        assert!(failure.names("offset"), "{failure}");
    });
}

/// A reader that stands still is let go, and told so; what is missing comes by the next call.
#[test]
fn a_reader_that_stood_still_goes_on_later() {
    use v1::get_task_result_response::Message;
    run(async |t| {
        let server = Server::start_with(&unique_instance(), &["--stall-limit", "1s"]);
        let podlaunch = server.connect().await;
        // More than what HTTP/2 takes in for a reader that does not read.
        let mut spec = by_file(r#"head -c 4194304 /dev/urandom > "$F""#);
        spec.result.as_mut().expect("a result").max_bytes = 4 << 20;
        let task = podlaunch.launch(t.request("still", spec)).await.expect("launched").collect().await;
        let request = v1::GetTaskResultRequest { key: Some(task.key()), offset: 0 };
        let mut answer = podlaunch.grpc.clone().get_task_result(request).await.expect("it is there").into_inner();
        wait::until("the server to give up", async || match server.process.tail() {
            tail if tail.contains("the result was not sent whole") => Ok(()),
            tail => Err(tail),
        })
        .await;
        let mut some = Vec::new();
        let end = loop {
            match answer.message().await {
                Ok(Some(response)) => match response.message {
                    Some(Message::Data(data)) => some.extend_from_slice(&data),
                    _ => assert!(some.is_empty(), "the header comes first"),
                },
                Ok(None) => panic!("OK after {} bytes", some.len()),
                Err(status) => break status,
            }
        };
        Failure::of(&end).expect(Code::Aborted, "READER_TOO_SLOW");
        assert!(some.len() < 4 << 20, "all had come");
        let (header, rest) = podlaunch.result(task.key(), some.len() as u64).await.expect("the rest");
        some.extend_from_slice(&rest);
        assert_eq!((some.len(), sha256(&some)), (4 << 20, header.sha256.to_vec()));
    });
}

#[test]
fn none_too_large_and_unreadable_are_told_apart() {
    run(async |t| {
        let mut small = by_file(r#"head -c 1001 /dev/zero > "$F""#);
        small.result.as_mut().expect("a result").max_bytes = 1000;
        let (missing, large, folder, unasked) =
            futures::join!(t.run(by_file("true")), t.run(small), t.run(by_file(r#"mkdir "$F""#)), t.run(sh("true")),);
        for (task, state, size) in [
            (&missing, ResultState::Missing, None),
            (&large, ResultState::TooLarge, Some(1001)),
            (&folder, ResultState::Unreadable, None),
        ] {
            task.assert_ended(TaskState::Succeeded, Reason::Completed);
            assert_state(task, state);
            assert_eq!(result(task).size_bytes, size);
            assert_unavailable(t.result(task.key(), 0).await, Some(state.as_str_name()));
        }
        assert_eq!(unasked.outcome().result, None);
        assert_unavailable(t.result(unasked.key(), 0).await, None);
    });
}

/// However a task ends, what it wrote before is its result.
#[test]
fn failed_stopped_and_late_tasks_have_results() {
    run(async |t| {
        let failed = t.run(by_file(r#"echo partial > "$F"; exit 3"#)).await;
        failed.assert_ended(TaskState::Failed, Reason::ExitCode);
        failed.assert_exit_code(3);
        assert_eq!(result(&failed).data.as_ref(), b"partial\n");

        let spec = until_stopped(&format!("echo stopped > {FILE}; exit 0")).result(ResultKind::File).grace(30);
        let mut stream = t.start("stopped", spec).await;
        stream.until_line("ready\n").await;
        let early = t.result(stream.seen.key(), 0).await.expect_err("it runs");
        Failure::of(&early).expect(Code::FailedPrecondition, "TASK_ACTIVE");
        t.cancel(stream.seen.key(), "").await.expect("it can be cancelled");
        let task = stream.collect().await;
        task.assert_ended(TaskState::Cancelled, Reason::CancelledByCaller);
        assert_eq!(result(&task).data.as_ref(), b"stopped\n", "\n{task}");
        assert_eq!(fetch(t, &task).await, b"stopped\n");

        let spec = by_file(r#"echo late > "$F"; sleep 600"#).grace(2).timeouts(|timeouts| {
            timeouts.execution = Some(crate::harness::spec::seconds(1));
        });
        let late = t.run(spec).await;
        late.assert_ended(TaskState::Failed, Reason::ExecutionTimeout);
        assert_eq!(result(&late).data.as_ref(), b"late\n", "\n{late}");
    });
}

#[test]
fn a_task_that_never_ran_has_none() {
    run(async |t| {
        let mut spec = by_file("true");
        spec.container.as_mut().expect("a container").command = vec!["/no/such/program".to_owned()];
        let task = t.run(spec).await;
        task.assert_ended(TaskState::Failed, Reason::StartError);
        task.assert_never_started();
        assert_state(&task, ResultState::Missing);
    });
}

#[test]
fn with_the_pod_goes_what_is_not_in_the_outcome() {
    run(async |t| {
        let (small, large) = futures::join!(
            t.run(by_file(r#"echo small > "$F""#)),
            t.run(by_file(r#"head -c 100000 /dev/urandom > "$F""#)),
        );
        for task in [&small, &large] {
            t.cluster.delete_pod(&task.pod().name).await;
        }
        let name = large.pod().name.as_str();
        wait::until("the pod to go", async || match t.cluster.pods().get_opt(name).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
        assert_unavailable(t.result(large.key(), 0).await, Some(ResultState::Gone.as_str_name()));
        assert_eq!(fetch(t, &small).await, b"small\n");
    });
}

/// Deleted by somebody while it ran: no word of the sidecar may be had, and nobody waits for it for ever.
#[test]
fn a_pod_deleted_while_it_runs_does_not_hang() {
    run(async |t| {
        let spec = sh(&format!("echo here > {FILE}; echo ready; exec sleep 600")).result(ResultKind::File).grace(1);
        let mut stream = t.start("deleted", spec).await;
        stream.until_line("ready\n").await;
        t.cluster.delete_pod(&stream.seen.pod().name).await;
        let task = stream.collect().await;
        assert_eq!(task.outcome().state(), TaskState::Disrupted, "\n{task}");
        let state = result(&task).state();
        assert!(matches!(state, ResultState::Inline | ResultState::Gone), "{state:?}\n{task}");
    });
}

#[test]
fn termination_messages() {
    let write = r#""${PODLAUNCH_CONTAINER_ROOT-}/dev/termination-log""#;
    let by_message = |script: &str| sh(script).result(ResultKind::TerminationMessage);
    run(async |t| {
        let (said, silent, failed, long) = futures::join!(
            t.run(by_message(&format!("printf '{{\"a\": 1}}' > {write}; echo a log line"))),
            t.run(by_message("echo a log line")),
            t.run(by_message("echo a last line; exit 3")),
            t.run(by_message(&format!("head -c 5000 /dev/zero | tr '\\000' x > {write}"))),
        );
        assert_state(&said, ResultState::Inline);
        assert_eq!(result(&said).data.as_ref(), br#"{"a": 1}"#);
        assert_eq!(fetch(t, &said).await, br#"{"a": 1}"#);
        assert_eq!(t.cluster.pod(&said.pod().name).await.spec.and_then(|spec| spec.init_containers), None);
        assert_state(&silent, ResultState::Missing);
        // Its message is the end of its log, and no result.
        assert_state(&failed, ResultState::Missing);
        assert_eq!(failed.outcome().termination_message.as_ref(), b"a last line\n");
        assert_state(&long, ResultState::TooLarge);
    });
}

#[test]
fn what_cannot_be_a_result_file_is_refused() {
    run(async |t| {
        for (path, most, field) in [
            ("relative", 0, "spec.result.path"),
            ("/return.json", 0, "spec.result.path"),
            ("/a/../b", 0, "spec.result.path"),
            ("", 1 << 40, "spec.result.max_bytes"),
        ] {
            let mut spec = by_file("true");
            let source = spec.result.as_mut().expect("a result");
            (source.path, source.max_bytes) = (path.to_owned(), most);
            let refused = t.launch(t.request("refused", spec)).await.err().expect("refused");
            let failure = Failure::of(&refused);
            failure.expect(Code::InvalidArgument, "INVALID_REQUEST");
            assert!(failure.names(field), "{failure}");
        }
    });
}

/// Where PodSecurity is at its strictest, and the task runs as a user of its own.
#[test]
fn a_restricted_namespace_admits_the_sidecar() {
    run(async |t| {
        if !needs_real(t, "the embedded cluster has no PodSecurity") {
            return;
        }
        let label = serde_json::json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(t.cluster.client.clone());
        let patch = kube::api::Patch::Merge(label);
        namespaces.patch(&t.namespace, &kube::api::PatchParams::default(), &patch).await.expect("it can be labelled");
        for user in ["", r#""runAsUser": 1234, "#] {
            let mut spec = by_file(r#"umask 077; echo mine > "$F""#);
            if user.is_empty() {
                // The sidecar is another user then, who must be let read it.
                spec = by_file(r#"echo mine > "$F""#);
            }
            let image_user = if user.is_empty() { r#""runAsUser": 1, "# } else { "" };
            spec.manifest = format!(
                r#"{{"spec": {{"securityContext": {{{image_user}"runAsNonRoot": true, "seccompProfile": {{"type": "RuntimeDefault"}}}},
                    "containers": [{{"name": "main", "securityContext": {{{user}"allowPrivilegeEscalation": false,
                    "capabilities": {{"drop": ["ALL"]}}}}}}]}}}}"#
            );
            let task = t.run(spec).await;
            task.assert_ended(TaskState::Succeeded, Reason::Completed);
            assert_eq!(result(&task).data.as_ref(), b"mine\n", "\n{task}");
        }
    });
}
