//! From the bound pod to its terminal phase.

use super::*;

#[tokio::test]
async fn a_pod_runs_and_succeeds() {
    let bed = Bed::new();
    let mut pod = bed.sh("echo out; echo err >&2");
    let done = pod.until_phase("Succeeded").await;
    assert_eq!(
        pod.history(),
        [
            "Pending",
            "Pending main=ContainerCreating",
            "Running main=running",
            "Running main=Completed/0",
            "Succeeded main=Completed/0"
        ]
    );
    assert_eq!(condition(&done, "Ready"), "False PodCompleted");
    assert_eq!(condition(&done, "Initialized"), "True PodCompleted");
    assert_eq!(condition(&done, "PodReadyToStartContainers"), "False");
    let status = &done["status"]["containerStatuses"][0];
    assert_eq!(status["containerID"], status["state"]["terminated"]["containerID"]);
    assert_eq!((&status["ready"], &status["started"]), (&json!(false), &json!(false)));
    let log = bed.log("main").await;
    assert!(log == "out\nerr\n" || log == "err\nout\n", "{log}");
    assert_eq!(
        bed.events(),
        [
            "Pulled Container image \"busybox:1\" already present on machine",
            "Created Created container: main",
            "Started Started container main"
        ]
    );
}

#[tokio::test]
async fn the_end_shows_before_the_terminal_phase() {
    let bed = Bed::new();
    let mut pod = bed.sh("exit 3");
    let ended = pod.until(|pod| !main_state(pod)["terminated"].is_null()).await;
    assert_eq!(line(&ended), "Running main=Error/3");
    assert_eq!(condition(&ended, "Ready"), "False PodFailed");
    assert_eq!(condition(&ended, "PodReadyToStartContainers"), "True");
    let before = tokio::time::Instant::now();
    let done = pod.until_phase("Failed").await;
    assert!(before.elapsed() >= Duration::from_millis(20), "{:?}", before.elapsed());
    assert_eq!(line(&done), "Failed main=Error/3");
}

#[tokio::test]
async fn a_signal_is_counted_from_128() {
    let bed = Bed::new();
    // `$$` is Kubernetes' way to write one `$`.
    let mut pod = bed.sh("kill -s SEGV $$$$");
    assert_eq!(line(&pod.until_phase("Failed").await), "Failed main=Error/139");
}

#[tokio::test]
async fn the_end_of_the_main_process_ends_its_group() {
    let bed = Bed::new();
    let mut pod = bed.sh("sleep 1000 & echo $!; exit 0");
    pod.until_phase("Succeeded").await;
    let child: i32 = bed.log("main").await.trim().parse().unwrap();
    let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
}

#[tokio::test]
async fn the_status_has_what_a_kubelet_writes() {
    let bed = Bed::new();
    let mut pod = bed.sh("sleep 1000");
    let running = pod.until_running().await;
    let status = &running["status"];
    assert_eq!((&status["hostIP"], &status["podIP"]), (&json!("127.0.0.1"), &json!("127.0.0.1")));
    assert_eq!(status["observedGeneration"], json!(1));
    assert_eq!(status["startTime"].as_str().unwrap().len(), 20);
    for kind in ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"] {
        assert_eq!(condition(&running, kind), "True", "{kind}");
    }
    let container = &status["containerStatuses"][0];
    assert_eq!(container["containerID"].as_str().unwrap().len(), "containerd://".len() + 64);
    assert_eq!(
        (&container["ready"], &container["started"], &container["restartCount"]),
        (&json!(true), &json!(true), &json!(0))
    );
}

#[tokio::test]
async fn init_containers_run_in_their_order() {
    let bed = Bed::new();
    let mut pod = bed.launch(json!({
        "initContainers": [sh("i1", "echo one"), sh("i2", "echo two")], "containers": [sh("main", "echo main")],
    }));
    pod.until_phase("Succeeded").await;
    assert_eq!(
        pod.history(),
        [
            "Pending",
            "Pending i1=PodInitializing i2=PodInitializing main=PodInitializing",
            "Pending i1=running i2=PodInitializing main=PodInitializing",
            "Pending i1=Completed/0 i2=running main=PodInitializing",
            "Running i1=Completed/0 i2=Completed/0 main=running",
            "Running i1=Completed/0 i2=Completed/0 main=Completed/0",
            "Succeeded i1=Completed/0 i2=Completed/0 main=Completed/0",
        ]
    );
    assert_eq!(bed.log("i2").await, "two\n");
}

#[tokio::test]
async fn a_failed_init_container_fails_the_pod() {
    let bed = Bed::new();
    let mut pod = bed.launch(json!({"initContainers": [sh("init", "exit 7")], "containers": [sh("main", "true")]}));
    let done = pod.until_phase("Failed").await;
    assert_eq!(line(&done), "Failed init=Error/7 main=PodInitializing");
    assert_eq!(
        condition(&done, "Initialized"),
        "False ContainersNotInitialized containers with incomplete status: [init]"
    );
    assert_eq!(condition(&done, "Ready"), "False PodFailed");
}

#[tokio::test]
async fn the_pod_runs_until_its_last_container_ends() {
    let bed = Bed::new();
    let gate = bed.dir.path().join("gate");
    let wait = format!("until [ -e {} ]; do sleep 0.01; done", gate.display());
    let mut pod = bed.launch(json!({"containers": [sh("main", "exit 3"), sh("other", &wait)]}));
    let half = pod.until(|pod| line(pod).contains("main=Error/3 other=running")).await;
    assert_eq!(half["status"]["phase"], "Running");
    assert_eq!(condition(&half, "Ready"), "False ContainersNotReady containers with unready status: [main]");
    std::fs::write(gate, "").unwrap();
    assert_eq!(line(&pod.until_phase("Failed").await), "Failed main=Error/3 other=Completed/0");
}

#[tokio::test]
async fn sidecars_run_beside_and_are_stopped_after() {
    let bed = Bed::new();
    let mut side = sh("side", "trap 'exit 9' TERM; while :; do sleep 0.02; done");
    side["restartPolicy"] = json!("Always");
    let mut pod = bed.launch(json!({"initContainers": [side], "containers": [sh("main", "sleep 0.3; exit 5")]}));
    let done = pod.until_phase("Failed").await;
    assert_eq!(
        pod.history(),
        [
            "Pending",
            "Pending side=PodInitializing main=PodInitializing",
            "Running side=running main=running",
            "Running side=running main=Error/5",
            "Running side=Error/9 main=Error/5",
            "Failed side=Error/9 main=Error/5",
        ]
    );
    assert_eq!(condition(&done, "Initialized"), "True");
    assert!(bed.events().contains(&"Killing Stopping container side".to_owned()));
}

#[tokio::test]
async fn a_sidecars_exit_code_never_counts() {
    let bed = Bed::new();
    let mut side = sh("side", "exit 9");
    side["restartPolicy"] = json!("Always");
    let mut pod = bed.launch(json!({"initContainers": [side], "containers": [sh("main", "sleep 0.4")]}));
    let done = pod.until_phase("Succeeded").await;
    assert!(line(&done).ends_with("main=Completed/0"));
    assert!(done["status"]["initContainerStatuses"][0]["restartCount"].as_u64().unwrap() >= 1);
}

#[tokio::test]
async fn on_failure_starts_again_until_success() {
    let bed = Bed::new();
    let script = "n=$(cat $COUNT 2>/dev/null || echo 0); echo $((n+1)) > $COUNT; echo try $n; [ $n = 2 ]";
    let mut main = sh("main", script);
    main["env"] = json!([{"name": "COUNT", "value": bed.dir.path().join("count").to_str().unwrap()}]);
    let mut pod = bed.launch(json!({"restartPolicy": "OnFailure", "containers": [main]}));
    let waiting = pod.until(|pod| state(main_state(pod)) == "CrashLoopBackOff").await;
    let message = main_state(&waiting)["waiting"]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with(&format!(
        " restarting failed container=main pod=p_default({})",
        waiting["metadata"]["uid"].as_str().unwrap()
    )));
    let done = pod.until_phase("Succeeded").await;
    let status = &done["status"]["containerStatuses"][0];
    assert_eq!((&status["restartCount"], state(&status["lastState"])), (&json!(2), "Error/1".to_owned()));
    let mut previous = bed.query("main");
    previous.attempt = Attempt::Previous;
    assert_eq!((bed.log("main").await, bed.read(previous).await.unwrap()), ("try 2\n".into(), "try 1\n".into()));
    let (events, _) = bed.store.list(Kind::Event, None);
    let started = events.iter().find(|event| event["reason"] == "Started").unwrap();
    assert_eq!(started["count"], 3);
    assert!(!pod.history().iter().any(|line| line.starts_with("Failed")));
}

#[tokio::test]
async fn a_pod_of_the_same_name_is_another_pod() {
    let bed = Bed::new();
    for round in ["one", "two"] {
        let mut pod = bed.sh(&format!("echo {round}"));
        pod.until_phase("Succeeded").await;
        assert_eq!(bed.log("main").await, format!("{round}\n"));
        bed.store.remove(Kind::Pod, "default", "p", None).unwrap();
    }
}

#[tokio::test]
async fn an_unbound_pod_is_left_alone_until_it_is_bound() {
    let bed = Bed::new();
    let mut pod = bed.launch(json!({"nodeName": "", "containers": [sh("main", "true")]}));
    assert_eq!(bed.read(bed.query("main")).await.unwrap_err(), LogRefusal::NotScheduled);
    let bound = bed.store.update(Kind::Pod, "default", "p", |pod| {
        pod["spec"]["nodeName"] = json!("local");
        Ok(())
    });
    bound.unwrap();
    pod.until_phase("Succeeded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pods_at_once_keep_apart_and_leave_nothing() {
    let bed = Bed::new();
    let mut pods: Vec<Watch> = (0..60)
        .map(|i| {
            let script = format!("seq {i} {}; exit {}", i + 500, i % 3);
            bed.launch_named(&format!("p{i}"), json!({}), json!({"containers": [sh("main", &script)]}))
        })
        .collect();
    for (i, pod) in pods.iter_mut().enumerate() {
        let done = pod.until(|pod| matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))).await;
        assert_eq!(main_state(&done)["terminated"]["exitCode"], i % 3);
        let mut query = bed.query("main");
        query.pod = format!("p{i}");
        let expected: String = (i..=i + 500).map(|n| format!("{n}\n")).collect();
        assert_eq!(bed.read(query).await.unwrap(), expected);
        bed.store.remove(Kind::Pod, "default", &format!("p{i}"), None).unwrap();
    }
    let directory = bed.dir.path().join("node/pods");
    let emptied = async {
        while std::fs::read_dir(&directory).unwrap().next().is_some() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, emptied).await.unwrap();
}
