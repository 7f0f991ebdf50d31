//! The rest of the command line.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::harness::backend::BINARY;
use crate::harness::cli::podlaunch;
use crate::harness::images::{BUSYBOX, UNPULLABLE};
use crate::harness::server::Server;
use crate::harness::spec::sh;
use crate::harness::{run, wait};

#[test]
fn run_exits_as_the_task_does() {
    run(async |t| {
        let endpoint = &Server::shared().endpoint;
        for (script, code) in [("exit 0", 0), ("exit 3", 3), ("exit 137", 137)] {
            let called = podlaunch(&[
                "run",
                "--endpoint",
                endpoint,
                "--namespace",
                &t.namespace,
                "--image",
                BUSYBOX,
                "--",
                "sh",
                "-c",
                script,
            ])
            .await;
            assert_eq!(called.code, Some(code), "{script}: {called:?}");
            assert_eq!(called.stdout, b"", "{script}: {called:?}");
        }
    });
}

/// Standard output is the task's, byte for byte; all else is on standard error.
#[test]
fn run_prints_the_bytes_of_the_task() {
    run(async |t| {
        let script = r#"printf '%s\n\000\377\nlast' "$GREETING""#;
        let called = podlaunch(&[
            "run",
            "--endpoint",
            &Server::shared().endpoint,
            "--namespace",
            &t.namespace,
            "--image",
            BUSYBOX,
            "--env",
            "GREETING=hi",
            "--",
            "sh",
            "-c",
            script,
        ])
        .await;
        assert_eq!(called.stdout, b"hi\n\0\xff\nlast", "{called:?}");
        assert_eq!(called.code, Some(0), "{called:?}");
        assert!(!called.stderr.contains('\x1b'), "no colours without a terminal: {called:?}");
    });
}

#[test]
fn run_says_why_it_is_pending() {
    run(async |t| {
        let called = podlaunch(&[
            "run",
            "--endpoint",
            &Server::shared().endpoint,
            "--namespace",
            &t.namespace,
            "--image",
            UNPULLABLE,
            "--startup-timeout",
            "5s",
            "--",
            "true",
        ])
        .await;
        assert_eq!(called.stdout, b"", "{called:?}");
        assert!(called.stderr.contains("IMAGE_PULL_FAILED"), "{called:?}");
        assert!(called.stderr.contains("registry.invalid"), "{called:?}");
        assert_eq!(called.code, Some(126), "{called:?}");
    });
}

#[test]
fn run_as_json() {
    run(async |t| {
        let called = podlaunch(&[
            "run",
            "--endpoint",
            &Server::shared().endpoint,
            "--namespace",
            &t.namespace,
            "--task-id",
            "told",
            "--image",
            BUSYBOX,
            "-o",
            "json",
            "--",
            "echo",
            "hi",
        ])
        .await;
        assert_eq!(called.code, Some(0), "{called:?}");
        let lines = called.json();
        let types: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
        assert_eq!(types.len(), lines.len(), "every line has a type: {called:?}");
        assert_eq!(types.first(), Some(&"accepted"), "{types:?}");
        assert_eq!(types.last(), Some(&"termination"), "{types:?}");
        let chunk = lines.iter().find(|line| line["type"] == "log_chunk").expect("a chunk");
        assert_eq!(chunk["text"], "hi\n");
        let outcome = &lines.last().expect("a line")["outcome"];
        assert_eq!((&outcome["state"], &outcome["exit_code"]), (&"SUCCEEDED".into(), &0.into()), "{outcome}");
    });
}

/// Ctrl-C cancels the task and waits for its end.
#[test]
fn ctrl_c_cancels() {
    run(async |t| {
        let script = "trap 'echo bye; exit 9' TERM; echo ready; sleep 600 & wait $!";
        let mut command = tokio::process::Command::new(BINARY);
        command
            .args(["run", "--endpoint", &Server::shared().endpoint, "--namespace", &t.namespace])
            .args(["--task-id", "interrupted", "--image", BUSYBOX, "--grace", "10s", "--", "sh", "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        wait::guarded("the first line", stdout.read_line(&mut line)).await.expect("a line");
        assert_eq!(line, "ready\n");
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).expect("it runs");
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("it can be interrupted");
        let mut rest = Vec::new();
        wait::guarded("the rest", stdout.read_to_end(&mut rest)).await.expect("the rest");
        let output = wait::guarded("its end", child.wait_with_output()).await.expect("its end");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(rest, b"bye\n", "{stderr}");
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        let known = t.get(t.key("interrupted")).await.expect("it is known");
        let outcome = known.outcome.expect("it has ended");
        assert_eq!(outcome.exit_code, Some(9));
    });
}

#[test]
fn get_logs_cancel_and_info() {
    run(async |t| {
        let task = t.run_as("etl/load:1", sh(r"printf 'a\n\000b'; exit 3")).await;
        let endpoint = Server::shared().endpoint.as_str();
        let about = ["--endpoint", endpoint, "--namespace", &t.namespace, "etl/load:1"];

        let got = podlaunch(&[&["get", "-o", "json"], &about[..]].concat()).await;
        assert_eq!(got.code, Some(0), "{got:?}");
        let shown = got.json().pop().expect("one line");
        assert_eq!(shown["outcome"]["exit_code"], 3, "{shown}");
        assert_eq!(shown["state"], "FAILED", "{shown}");

        let logs = podlaunch(&[&["logs"], &about[..]].concat()).await;
        assert_eq!((logs.code, logs.stdout.as_slice()), (Some(0), task.output()), "{logs:?}");
        let logs = podlaunch(&[&["logs", "--follow"], &about[..]].concat()).await;
        assert_eq!(logs.stdout, task.output(), "{logs:?}");

        let cancelled = podlaunch(&[&["cancel"], &about[..]].concat()).await;
        assert_eq!(cancelled.code, Some(0), "{cancelled:?}");

        let info = podlaunch(&["info", "--endpoint", endpoint, "-o", "json"]).await;
        assert_eq!(info.code, Some(0), "{info:?}");
        let shown = info.json().pop().expect("one line");
        assert_eq!(shown["instance"], Server::shared().instance.as_str(), "{shown}");
    });
}

#[test]
fn what_fails_says_so() {
    run(async |t| {
        let endpoint = Server::shared().endpoint.as_str();
        let unknown = podlaunch(&["get", "--endpoint", endpoint, "--namespace", &t.namespace, "nobody"]).await;
        assert_eq!(unknown.code, Some(125), "{unknown:?}");
        assert!(unknown.stderr.contains("TASK_UNKNOWN"), "{unknown:?}");

        let usage = podlaunch(&["run", "--no-such-flag"]).await;
        assert_eq!(usage.code, Some(2), "{usage:?}");

        let nowhere = format!("unix:{}/nobody.sock", crate::harness::process::SCRATCH.display());
        let away = podlaunch(&["info", "--endpoint", &nowhere]).await;
        assert_eq!(away.code, Some(125), "{away:?}");
        assert_eq!(away.stdout, b"", "{away:?}");

        let bad = podlaunch(&[
            "run",
            "--endpoint",
            endpoint,
            "--namespace",
            &t.namespace,
            "--task-id",
            "a b",
            "--image",
            BUSYBOX,
        ])
        .await;
        assert_eq!(bad.code, Some(125), "{bad:?}");
        assert!(bad.stderr.contains("key.task_id"), "{bad:?}");
        assert!(t.cluster.list_pods().await.is_empty());
    });
}

#[test]
fn completions_are_printed() {
    run(async |_| {
        for shell in ["bash", "zsh", "fish"] {
            let called = podlaunch(&["completions", shell]).await;
            assert_eq!(called.code, Some(0), "{called:?}");
            assert!(memchr::memmem::find(&called.stdout, b"podlaunch").is_some(), "{shell}");
        }
    });
}
