//! The two tasks that every other tool of this kind is introduced with, as a user runs them.

use crate::harness::backend::Kind;
use crate::harness::cli::podlaunch;
use crate::harness::cluster::Cluster;
use crate::harness::images::{LOCAL_IMAGES, PYTHON, UBUNTU};
use crate::harness::server::Server;
use crate::harness::{Ctx, run, v1};

const PROGRAM: &str = "print('hello world')";

/// A task in namespace `default`, where the blog post has it; its pod is removed afterwards.
struct InDefault {
    key: v1::TaskKey,
    cluster: Cluster,
}

impl InDefault {
    async fn new(t: &Ctx, name: &str) -> InDefault {
        InDefault {
            key: v1::TaskKey {
                namespace: "default".to_owned(),
                task_id: format!("{name}-{}", t.namespace),
                ..Default::default()
            },
            cluster: Cluster::connect(t.backend, "default").await,
        }
    }
}

#[test]
fn hello_world_succeeds() {
    run(async |t| {
        let task = InDefault::new(t, "hello").await;
        let endpoint = &Server::shared().endpoint;
        let called = podlaunch(&[
            "run",
            "--endpoint",
            endpoint,
            "--task-id",
            &task.key.task_id,
            "--image",
            PYTHON,
            "--label",
            "foo=bar",
            "--",
            t.backend.python(),
            "-c",
            PROGRAM,
        ])
        .await;
        assert_eq!(called.stdout, b"hello world\n", "{called:?}");
        assert_eq!(called.code, Some(0), "{called:?}");
        assert!(called.stderr.contains("SUCCEEDED"), "{called:?}");

        let known = t.get(task.key.clone()).await.expect("the task is known");
        assert_eq!(known.state(), v1::TaskState::Succeeded);
        let pod = known.pod.expect("Task.pod is set");
        assert_eq!(pod.namespace, "default");
        let object = task.cluster.pod(&pod.name).await;
        let labels = object.metadata.labels.expect("the pod has labels");
        assert_eq!(labels.get("foo").map(String::as_str), Some("bar"), "{labels:?}");
        task.cluster.delete_pod(&pod.name).await;
    });
}

#[test]
fn a_missing_program_is_a_start_error() {
    run(async |t| {
        let task = InDefault::new(t, "missing").await;
        let endpoint = &Server::shared().endpoint;
        let arguments = |output| {
            vec![
                "run",
                "--endpoint",
                endpoint,
                "--task-id",
                &task.key.task_id,
                "--image",
                UBUNTU,
                "--label",
                "foo=bar",
                "--output",
                output,
                "--",
                "Python",
                "-c",
                PROGRAM,
            ]
        };
        let called = podlaunch(&arguments("text")).await;
        assert_eq!(called.stdout, b"", "no line is invented: {called:?}");
        assert!(called.code.is_some_and(|code| code != 0), "{called:?}");
        for words in ["FAILED", "START_ERROR", "executable file not found in $PATH"] {
            assert!(called.stderr.contains(words), "{words} is not in {called:?}");
        }

        // The same command again: the same task, replayed.
        let called = podlaunch(&arguments("json")).await;
        let lines = called.json();
        let of_type = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
        assert!(of_type("log_chunk").is_empty(), "{called:?}");
        let terminations = of_type("termination");
        assert_eq!(terminations.len(), 1, "{called:?}");
        let outcome = &terminations[0]["outcome"];
        assert_eq!(outcome["reason"], "START_ERROR", "{called:?}");
        assert_eq!(outcome["retry_advice"], "SAFE_NEVER_STARTED", "{called:?}");

        let pod = t.get(task.key.clone()).await.expect("the task is known").pod;
        task.cluster.delete_pod(&pod.expect("Task.pod is set").name).await;
    });
}

/// One command, one process, nothing else on the machine. The same whatever the backend of the run is.
#[test]
fn hello_world_without_server_or_cluster() {
    run(async |t| {
        let python = match t.backend.kind {
            Kind::Embedded => t.backend.python(),
            Kind::Real => "python3",
        };
        let mut arguments = vec!["run", "--local", "--image", PYTHON];
        for image in LOCAL_IMAGES.iter() {
            arguments.extend(["--local-image", image.as_str()]);
        }
        let hello = [arguments.as_slice(), &["--", python, "-c", PROGRAM]].concat();
        let called = podlaunch(&hello).await;
        assert_eq!(called.stdout, b"hello world\n", "{called:?}");
        assert_eq!(called.code, Some(0), "{called:?}");
    });
}

#[test]
fn local_needs_nothing_but_sh() {
    run(async |_| {
        let script = "echo one; echo two; printf three; exit 4";
        let called = podlaunch(&["run", "--local", "--image", "any:1", "--", "sh", "-c", script]).await;
        assert_eq!(called.stdout, b"one\ntwo\nthree", "{called:?}");
        assert_eq!(called.code, Some(4), "{called:?}");
    });
}
