//! Whole commands against a server that breaks its streams: what is printed, what is sent, which exit status.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use clap::Parser as _;
use serde_json::Value;
use tokio::io::AsyncWrite;
use tonic::{Code, Status};

use crate::cli::io::Screen;
use crate::cli::testing::{Call, Fake, Fault, Terminal, end, events, key, log, start, state};
use crate::cli::{Cli, ClientCommand, Command, execute, execute_nowhere};
use crate::proto::v1;
use v1::TaskState;

fn command(line: &[&str]) -> ClientCommand {
    let line = ["podlaunch"].iter().chain(line);
    match Cli::try_parse_from(line).expect("a command line").command {
        Command::Client(command) => command,
        other => panic!("{other:?}"),
    }
}

fn run_command(more: &[&str]) -> ClientCommand {
    let line = ["run", "--image", "busybox", "--task-id", "hello"];
    command(&[&line, more].concat())
}

/// What a command left behind.
struct Left {
    status: u8,
    out: Vec<u8>,
    err: String,
}

async fn finish(fake: &Arc<Fake>, command: ClientCommand) -> Left {
    let running = start(fake);
    let (io, out, err, _ctrl_c) = Terminal::new().split();
    let status = execute(command, running.channel.clone(), io).await;
    Left { status: status.code(), out: out.bytes(), err: err.text() }
}

fn logging(state_at_end: TaskState, exit_code: Option<i32>) -> Vec<v1::Event> {
    events([
        state(TaskState::Running),
        log("main", &b"hello \xff\0"[..]),
        log("main", &b"world\nno end"[..]),
        end(state_at_end, exit_code),
    ])
}

#[tokio::test(start_paused = true)]
async fn lines_on_stdout_and_nothing_else_the_story_on_stderr() {
    let fake = Fake::new(logging(TaskState::Succeeded, Some(0)), [Fault::Cut(2)]);
    let left = finish(&fake, run_command(&[])).await;
    assert_eq!(left.status, 0);
    assert_eq!(left.out, b"hello \xff\0world\nno end");
    assert_eq!(
        left.err,
        "- default/hello#1 created pod hello-pod\n\
         2026-11-23T06:00:00Z default/hello#1 RUNNING on node-1\n\
         2026-11-23T06:00:00Z default/hello#1 SUCCEEDED\n"
    );
}

#[tokio::test(start_paused = true)]
async fn the_exit_status_is_the_tasks() {
    for (state, code, expected) in [
        (TaskState::Failed, Some(7), 7),
        (TaskState::Failed, None, 126),
        (TaskState::Lost, None, 75),
        (TaskState::Cancelled, Some(0), 130),
    ] {
        let fake = Fake::new(logging(state, code), []);
        let left = finish(&fake, run_command(&[])).await;
        assert_eq!(left.status, expected, "{state:?}");
        assert!(!left.err.contains("error:"), "{}", left.err);
    }
}

#[tokio::test(start_paused = true)]
async fn json_is_one_event_a_line_and_nothing_else() {
    let fake = Fake::new(logging(TaskState::Failed, Some(3)), [Fault::EndOk(2)]);
    let left = finish(&fake, run_command(&["-o", "json"])).await;
    assert_eq!(left.status, 3);
    assert_eq!(left.err, "");
    let lines: Vec<Value> = left
        .out
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| serde_json::from_slice(line).expect("a line of JSON"))
        .collect();
    let types: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap_or("?")).collect();
    assert_eq!(types, ["accepted", "state_change", "log_chunk", "log_chunk", "termination"]);
    assert_eq!(lines[1]["state"], "RUNNING");
    assert_eq!(lines[2]["base64"], "aGVsbG8g/wA=");
    assert_eq!(lines[3]["text"], "world\nno end");
    assert_eq!(lines[4]["outcome"]["exit_code"], 3);
    assert_eq!(lines[4]["key"]["task_id"], "hello");
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_cancels_and_the_rest_still_comes() {
    let fake = Fake::new(logging(TaskState::Cancelled, Some(143)), [Fault::UntilCancelled(2)]);
    let running = start(&fake);
    let (io, out, err, ctrl_c) = Terminal::new().split();
    let command = execute(run_command(&[]), running.channel.clone(), io);
    let (status, ()) = tokio::join!(command, async {
        fake.opened.notified().await;
        ctrl_c.send(()).await.expect("somebody listens");
    });
    assert_eq!(status.code(), 130);
    assert_eq!(out.bytes(), b"hello \xff\0world\nno end");
    assert!(err.text().contains("cancelling; Ctrl-C again"), "{}", err.text());
    assert!(err.text().contains("CANCELLED CANCELLED_BY_CALLER"), "{}", err.text());
    let cancels = fake.cancels();
    assert_eq!(cancels.len(), 1);
    assert_eq!(cancels[0].key.as_ref().map(|key| key.task_id.as_str()), Some("hello"));
}

#[tokio::test(start_paused = true)]
async fn a_second_ctrl_c_leaves() {
    let never = events([state(TaskState::Running)]);
    // The stream and the cancel both stand still: leaving waits for neither.
    let fake = Fake::new(never, [Fault::UntilCancelled(1)]);
    fake.cancel_errors.lock().extend(std::iter::repeat_n(Status::unavailable("no"), 1000));
    let running = start(&fake);
    let (io, _out, _err, ctrl_c) = Terminal::new().split();
    let command = execute(run_command(&[]), running.channel.clone(), io);
    let (status, ()) = tokio::join!(command, async {
        fake.opened.notified().await;
        ctrl_c.send(()).await.expect("somebody listens");
        tokio::time::sleep(std::time::Duration::from_secs(20)).await;
        ctrl_c.send(()).await.expect("somebody listens");
    });
    assert_eq!(status.code(), 130);
    assert!(fake.cancels().len() > 1, "it was tried again");
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_before_the_pod_is_there_waits_for_it() {
    let refused = std::iter::repeat_n(Fault::Refuse(Status::unavailable("starting")), 6);
    let faults = refused.chain([Fault::UntilCancelled(1)]);
    let fake = Fake::new(logging(TaskState::Cancelled, None), faults);
    fake.cancel_errors.lock().push_back(Status::not_found("not yet"));
    let running = start(&fake);
    let (io, _out, _err, ctrl_c) = Terminal::new().split();
    ctrl_c.send(()).await.expect("somebody listens");
    let status = execute(run_command(&[]), running.channel.clone(), io).await;
    assert_eq!(status.code(), 130);
    let clusters: Vec<_> = fake.cancels().into_iter().map(|request| request.key.unwrap_or_default().cluster).collect();
    assert_eq!(clusters, ["", "here"], "as asked for, then as accepted");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_is_refused_is_told_and_the_task_goes_on() {
    let fake = Fake::new(logging(TaskState::Succeeded, Some(0)), [Fault::UntilCancelled(1)]);
    fake.cancel_errors.lock().push_back(Status::permission_denied("not yours"));
    let running = start(&fake);
    let (io, out, err, ctrl_c) = Terminal::new().split();
    let command = execute(run_command(&[]), running.channel.clone(), io);
    let (status, ()) = tokio::join!(command, async {
        fake.opened.notified().await;
        ctrl_c.send(()).await.expect("somebody listens");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        fake.cancelled.notify_one();
    });
    assert_eq!(status.code(), 0);
    assert!(err.text().contains("PERMISSION_DENIED: not yours"), "{}", err.text());
    assert!(out.bytes().ends_with(b"no end"));
}

/// A pipe whose reader has gone.
struct ClosedPipe;

impl AsyncWrite for ClosedPipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_stdout_ends_quietly_and_cancels_nothing() {
    let fake = Fake::new(logging(TaskState::Succeeded, Some(0)), []);
    let running = start(&fake);
    let (mut io, _out, err, _ctrl_c) = Terminal::new().split();
    io.out = Box::new(ClosedPipe);
    let status = execute(run_command(&[]), running.channel.clone(), io).await;
    assert_eq!(status.code(), 141);
    assert!(!err.text().contains("error"), "{}", err.text());
    assert!(fake.cancels().is_empty());
}

#[tokio::test(start_paused = true)]
async fn detach_prints_the_name_and_leaves() {
    let fake = Fake::new(logging(TaskState::Succeeded, Some(0)), [Fault::UntilCancelled(0)]);
    let left = finish(&fake, run_command(&["--detach"])).await;
    assert_eq!((left.status, left.out), (0, b"default/hello#1\n".to_vec()));
    assert!(fake.cancels().is_empty());
}

#[tokio::test(start_paused = true)]
async fn validate_only_prints_the_pod() {
    let fake = Fake::new(Vec::new(), []);
    let left = finish(&fake, run_command(&["--validate-only"])).await;
    assert_eq!(left.status, 0);
    assert_eq!(left.out, b"{\n  \"kind\": \"Pod\"\n}\n");
    assert_eq!(left.err, "warning: old field\npod hello-pod is valid, v1:00\n");
    let left = finish(&fake, run_command(&["--validate-only", "-o", "json"])).await;
    let line: Value = serde_json::from_slice(&left.out).expect("JSON");
    assert_eq!(line["pod"]["kind"], "Pod");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_by_the_server_prints_the_pod() {
    let fake = Fake::new(Vec::new(), []);
    for (format, expected) in
        [("text", "kind: Pod\n"), ("yaml", "kind: Pod\n"), ("json", "{\n  \"kind\": \"Pod\"\n}\n")]
    {
        let left = finish(&fake, run_command(&["--dry-run=server", "-o", format])).await;
        assert_eq!((left.status, String::from_utf8_lossy(&left.out).as_ref()), (0, expected));
        assert_eq!(left.err, "warning: old field\npod hello-pod is accepted by the cluster, v1:00\n");
    }
    assert!(fake.calls.lock().iter().all(|call| matches!(call, Call::Launch(launch) if launch.validate_only)));
    let left = finish(&fake, run_command(&["-o", "yaml"])).await;
    assert_eq!((left.status, left.out.len()), (125, 0));
    assert!(left.err.contains("--output: events are not printed as YAML"), "{}", left.err);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_by_the_client_asks_nobody() {
    let preview = |request: v1::LaunchTaskRequest| {
        let image = request.spec.and_then(|spec| spec.container).unwrap_or_default().image;
        match image.as_str() {
            "busybox" => Ok(v1::Validated { pod_json: r#"{"on": "yes"}"#.to_owned(), ..Default::default() }),
            _ => Err(Status::invalid_argument("bad image")),
        }
    };
    let dry = async |line: &[&str]| {
        let (io, out, err, _ctrl_c) = Terminal::new().split();
        let status = execute_nowhere(command(&[&["run", "--dry-run=client"], line].concat()), preview, io).await;
        (status.code(), String::from_utf8_lossy(&out.bytes()).into_owned(), err.text())
    };
    let (status, out, err) = dry(&["--image", "busybox"]).await;
    assert_eq!(
        (status, out.contains('"') || out.contains('\'')),
        (0, true),
        "text that YAML would misread is quoted: {out}"
    );
    assert!(err.contains("the cluster was not asked"), "{err}");
    let (status, out, err) = dry(&["--image", "other"]).await;
    assert_eq!((status, out.as_str(), err.as_str()), (125, "", "error: INVALID_ARGUMENT: bad image\n"));
    let (status, _, err) = dry(&["--template", "gpu"]).await;
    assert_eq!(status, 125);
    assert!(err.contains("use --dry-run=server"), "{err}");
    let (status, _, err) = dry(&["--image", "busybox", "--affinity", "@/does/not/exist"]).await;
    assert_eq!(status, 125);
    assert!(err.contains("--affinity `/does/not/exist`: cannot be read"), "{err}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_launch_is_an_error_of_podlaunch() {
    let refusal = Status::new(Code::InvalidArgument, "bad image");
    let fake = Fake::new(Vec::new(), [Fault::Refuse(refusal)]);
    let left = finish(&fake, run_command(&[])).await;
    assert_eq!(left.status, 125);
    assert_eq!(left.err, "error: INVALID_ARGUMENT: bad image\n");
    assert!(left.out.is_empty());
}

#[tokio::test(start_paused = true)]
async fn long_trouble_is_told_once_and_its_end_too() {
    let refused = std::iter::repeat_n(Fault::Refuse(Status::unavailable("restarting")), 5);
    let faults = [Fault::EndOk(1)].into_iter().chain(refused);
    let fake = Fake::new(logging(TaskState::Succeeded, Some(0)), faults);
    let left = finish(&fake, run_command(&[])).await;
    assert_eq!(left.status, 0);
    let told = left.err.matches("UNAVAILABLE: restarting; trying again\n").count();
    assert_eq!(told, 1, "{}", left.err);
    assert_eq!(left.err.matches("connection restored\n").count(), 1, "{}", left.err);
}

#[tokio::test(start_paused = true)]
async fn the_launch_is_what_the_flags_say_and_ids_are_random() {
    let fake = Fake::new(logging(TaskState::Succeeded, Some(0)), []);
    for _ in 0..2 {
        finish(&fake, command(&["run", "--image", "busybox", "--", "echo", "-n", "$HOME"])).await;
    }
    let calls = fake.calls.lock();
    let launches: Vec<_> = calls
        .iter()
        .map(|call| match call {
            Call::Launch(request) => request,
            other => panic!("{other:?}"),
        })
        .collect();
    let id = |index: usize| launches[index].key.clone().unwrap_or_default().task_id;
    assert_ne!(id(0), id(1));
    assert!(id(0).strip_prefix("run-").is_some_and(|id| id.len() == 8), "{}", id(0));
    let spec = launches[0].spec.as_ref().and_then(|spec| spec.container.as_ref());
    let command = spec.map(|container| container.command.as_slice());
    assert_eq!(command.unwrap_or_default(), ["echo", "-n", "$HOME"]);
}

#[tokio::test(start_paused = true)]
async fn logs_prints_what_there_is() {
    let some = events([log("main", "1\n"), log("side", "2\n"), log("main", Bytes::from("3"))]);
    let fake = Fake::new(some, [Fault::Cut(1)]);
    let left = finish(&fake, command(&["logs", "hello"])).await;
    assert_eq!((left.status, left.out), (0, b"1\n2\n3".to_vec()));
    assert_eq!(left.err, "");
    let left = finish(&fake, command(&["logs", "hello", "--all-containers"])).await;
    assert_eq!(left.out, b"main | 1\nside | 2\nmain | 3");
}

#[tokio::test(start_paused = true)]
async fn get_cancel_and_info() {
    let fake = Fake::new(Vec::new(), []);
    let left = finish(&fake, command(&["get", "default/hello#1"])).await;
    assert_eq!((left.status, left.out), (0, b"Task   default/hello#1\nState  RUNNING\n".to_vec()));
    let left = finish(&fake, command(&["get", "other"])).await;
    assert_eq!(left.status, 125);
    assert_eq!(left.err, "error: NOT_FOUND: there is no such task\n");
    let left = finish(&fake, command(&["cancel", "hello", "--grace", "0", "--reason", "why"])).await;
    assert_eq!((left.status, left.out), (0, b"default/hello#1 is being stopped\n".to_vec()));
    let sent = &fake.cancels()[0];
    assert_eq!(sent.grace, Some(prost_types::Duration::default()));
    assert_eq!(sent.reason, "why");
    assert_eq!(sent.key, Some(v1::TaskKey { cluster: String::new(), attempt: 0, ..key() }));
    let left = finish(&fake, command(&["info", "-o", "json"])).await;
    let info: Value = serde_json::from_slice(&left.out).expect("JSON");
    assert_eq!(info["version"], "0.1.0");
}

#[tokio::test(start_paused = true)]
async fn on_one_screen_an_unfinished_line_is_ended_on_stderr_only() {
    let fake = Fake::new(logging(TaskState::Succeeded, Some(0)), []);
    let running = start(&fake);
    let (mut io, out, err, _ctrl_c) = Terminal::new().split();
    io.screen = Screen::Shared;
    execute(run_command(&[]), running.channel.clone(), io).await;
    assert_eq!(out.bytes(), b"hello \xff\0world\nno end");
    assert!(
        err.text().contains("RUNNING on node-1\n\n2026-11-23T06:00:00Z default/hello#1 SUCCEEDED"),
        "{}",
        err.text()
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_gives_up_says_how_to_go_on() {
    let broken = std::iter::repeat_n(Fault::Refuse(Status::unavailable("no")), 1000);
    let fake = Fake::new(logging(TaskState::Succeeded, Some(0)), [Fault::EndOk(1)].into_iter().chain(broken));
    let left = finish(&fake, run_command(&["--retry-for", "1m"])).await;
    assert_eq!(left.status, 125);
    assert!(left.err.contains("podlaunch logs -f default/hello#1"), "{}", left.err);
    assert!(left.err.contains("error: gave up after 60 s without progress: UNAVAILABLE: no"), "{}", left.err);
}

/// A stderr that takes nothing.
struct Stuck;

impl AsyncWrite for Stuck {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn outputs_that_nobody_reads_hold_neither_cancel_nor_leaving_back() {
    let fake = Fake::new(logging(TaskState::Cancelled, None), []);
    let running = start(&fake);
    let (mut io, _out, _err, ctrl_c) = Terminal::new().split();
    io.out = Box::new(Stuck);
    io.err = Box::new(Stuck);
    let command = execute(run_command(&[]), running.channel.clone(), io);
    let (status, ()) = tokio::join!(command, async {
        fake.opened.notified().await;
        ctrl_c.send(()).await.expect("somebody listens");
        fake.cancelled.notified().await;
        ctrl_c.send(()).await.expect("somebody listens");
    });
    assert_eq!(status.code(), 130);
    assert_eq!(fake.cancels().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn templates_are_listed_and_shown() {
    let fake = Fake::new(Vec::new(), []);
    let left = finish(&fake, command(&["templates"])).await;
    let expected = "NAME  CONTENT       FROM      DESCRIPTION\ngpu   abababababab  gpu.yaml  for training\n";
    assert_eq!((left.status, String::from_utf8_lossy(&left.out).as_ref()), (0, expected));
    let left = finish(&fake, command(&["templates", "gpu"])).await;
    assert_eq!(String::from_utf8_lossy(&left.out), "spec:\n  priority: 1\n");
    let left = finish(&fake, command(&["templates", "gpu", "-o", "json"])).await;
    let line: Value = serde_json::from_slice(&left.out).expect("JSON");
    assert_eq!((line["name"].as_str(), line["manifest"]["spec"]["priority"].as_i64()), (Some("gpu"), Some(1)));
}
