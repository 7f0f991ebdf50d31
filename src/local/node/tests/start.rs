//! What a container is started with, and what keeps it from starting.

use super::*;

const RUNTIME: &str = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
                       failed: unable to start container process: error during container init: ";

async fn start_error(bed: &Bed, main: Value) -> String {
    let mut pod = bed.launch(json!({"containers": [main]}));
    let done = pod.until_phase("Failed").await;
    assert!(!pod.history().iter().any(|line| line.contains("running")));
    let ended = &main_state(&done)["terminated"];
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(128), &json!("StartError")));
    assert_eq!(ended["startedAt"], "1970-01-01T00:00:00Z");
    assert_eq!(bed.log("main").await, "");
    let message = ended["message"].as_str().unwrap();
    assert_eq!(bed.events().last().unwrap(), &format!("Failed Error: {message}"));
    message.strip_prefix(RUNTIME).unwrap().to_owned()
}

#[tokio::test]
async fn what_cannot_start_is_a_start_error() {
    for (main, expected) in [
        (json!({"command": ["/no/such"]}), "exec: \"/no/such\": stat /no/such: no such file or directory"),
        (json!({"command": ["Python"]}), "exec: \"Python\": executable file not found in $PATH"),
        (json!({}), "no command specified"),
        (json!({"args": ["sh"], "workingDir": "/proc/1/nope/x"}), "mkdir /proc/1/nope: no such file or directory"),
    ] {
        let bed = Bed::new();
        let mut container = main;
        container["name"] = json!("main");
        container["image"] = json!("busybox:1");
        assert_eq!(start_error(&bed, container).await, expected);
    }
}

#[tokio::test]
async fn a_mapped_images_bin_is_its_only_path() {
    let tools = tempfile::tempdir().unwrap();
    std::fs::create_dir(tools.path().join("bin")).unwrap();
    std::os::unix::fs::symlink("/bin/sh", tools.path().join("bin/mysh")).unwrap();
    let bed = Bed::with(|config| {
        config.images.insert("tools".into(), tools.path().to_owned());
    });
    let mut pod = bed.launch(json!({"containers": [
        {"name": "main", "image": "tools:1", "command": ["mysh", "-c", "echo $PATH; ls"]},
        {"name": "other", "image": "tools:1", "command": ["ls"]},
    ]}));
    let done = pod.until_phase("Failed").await;
    assert_eq!(line(&done), "Failed main=Error/127 other=StartError/128");
    assert!(bed.log("main").await.starts_with(&format!("{}/bin\n", tools.path().display())));
}

#[tokio::test]
async fn the_environment_is_the_declared_one() {
    let bed = Bed::new();
    let mut pod = bed.launch(json!({"containers": [{"name": "main", "image": "busybox:1", "command": ["env"], "env": [
        {"name": "A", "value": "1"}, {"name": "B", "value": "$(A)-$$(A)-$(NO)"}, {"name": "PATH", "value": "/usr/bin:/bin"},
    ]}]}));
    let done = pod.until_phase("Succeeded").await;
    let root = bed.dir.path().join("node/pods").join(done["metadata"]["uid"].as_str().unwrap());
    let root = root.join("containers/main/root");
    let log = bed.log("main").await;
    let mut lines: Vec<&str> = log.lines().filter(|line| !line.starts_with("PWD=")).collect();
    lines.sort_unstable();
    let home = format!("HOME={}", root.display());
    let own = format!("PODLAUNCH_CONTAINER_ROOT={}", root.display());
    assert_eq!(lines, ["A=1", "B=1-$(A)-$(NO)", &home, "HOSTNAME=p", "PATH=/usr/bin:/bin", &own]);
}

#[tokio::test]
async fn a_missing_secret_is_waited_for() {
    let bed = Bed::new();
    let mut main = sh("main", "echo $X");
    main["env"] = json!([{"name": "X", "valueFrom": {"secretKeyRef": {"name": "late", "key": "k"}}}]);
    let mut pod = bed.launch(json!({"containers": [main]}));
    let waiting = pod.until(|pod| state(main_state(pod)) == "CreateContainerConfigError").await;
    assert_eq!(main_state(&waiting)["waiting"]["message"], "secret \"late\" not found");
    assert!(bed.events().contains(&"Failed Error: secret \"late\" not found".to_owned()));
    let refusal = bed.read(bed.query("main")).await.unwrap_err();
    let expected = "container \"main\" in pod \"p\" is waiting to start: CreateContainerConfigError";
    assert_eq!(refusal, LogRefusal::BadRequest(expected.into()));
    let secret = |data: Value| json!({"metadata": {"name": "late", "namespace": "default"}, "data": data});
    bed.store.create(Kind::Secret, secret(json!({}))).unwrap();
    let message = |pod: &Value| main_state(pod)["waiting"]["message"] == "couldn't find key k in Secret default/late";
    pod.until(message).await;
    let update = bed.store.update(Kind::Secret, "default", "late", |secret| {
        secret["data"] = json!({"k": "dmFsdWU="});
        Ok(())
    });
    update.unwrap();
    pod.until_phase("Succeeded").await;
    assert_eq!(bed.log("main").await, "value\n");
}

#[tokio::test]
async fn a_missing_volume_source_is_waited_for() {
    let bed = Bed::new();
    let mut main =
        sh("main", "cat $PODLAUNCH_CONTAINER_ROOT/etc/conf/k; cat etc/conf/k; cd $PODLAUNCH_CONTAINER_ROOT/etc && ls");
    main["volumeMounts"] = json!([{"name": "v", "mountPath": "/etc/conf"}]);
    let volumes = json!([{"name": "v", "configMap": {"name": "late"}}]);
    let mut events = bed.store.subscribe(Kind::Event, None).unwrap();
    let mut pod = bed.launch(json!({"containers": [main], "volumes": volumes}));
    let event = timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(event.object["reason"], "FailedMount");
    assert_eq!(event.object["message"], "MountVolume.SetUp failed for volume \"v\" : configmap \"late\" not found");
    let late = json!({"metadata": {"name": "late", "namespace": "default"}, "data": {"k": "v\n"}});
    bed.store.create(Kind::ConfigMap, late).unwrap();
    pod.until_phase("Succeeded").await;
    assert_eq!(bed.log("main").await, "v\nv\nconf\n");
}

#[tokio::test]
async fn an_image_of_a_reserved_host_is_pulled_in_vain() {
    let bed = Bed::new();
    let mut pod =
        bed.launch(json!({"containers": [{"name": "main", "image": "registry.invalid/nope:1", "command": ["true"]}]}));
    for reason in ["ErrImagePull", "ImagePullBackOff", "ErrImagePull", "ImagePullBackOff"] {
        pod.until(|pod| state(main_state(pod)) == reason).await;
    }
    let refusal = bed.read(bed.query("main")).await.unwrap_err();
    let expected = "container \"main\" in pod \"p\" is waiting to start: image can't be pulled";
    assert_eq!(refusal, LogRefusal::BadRequest(expected.into()));
    let events = bed.events();
    assert_eq!(events[0], "Pulling Pulling image \"registry.invalid/nope:1\"");
    assert!(events[1].ends_with("dial tcp: lookup registry.invalid: no such host"), "{}", events[1]);
    assert_eq!(
        events[2..],
        [
            "Failed Error: ErrImagePull",
            "BackOff Back-off pulling image \"registry.invalid/nope:1\"",
            "Failed Error: ImagePullBackOff"
        ]
    );
}

#[tokio::test]
async fn a_malformed_image_waits_for_ever() {
    let bed = Bed::new();
    let mut pod = bed.launch(json!({"containers": [{"name": "main", "image": "UPPER/Bad:1:2", "command": ["true"]}]}));
    pod.until(|pod| state(main_state(pod)) == "InvalidImageName").await;
    assert_eq!(bed.events().last().unwrap(), "Failed Error: InvalidImageName");
}

#[tokio::test]
async fn the_termination_message_comes_from_its_file_or_the_log() {
    let bed = Bed::new();
    let mut main = sh("main", "echo result > $PODLAUNCH_CONTAINER_ROOT/dev/termination-log");
    main["terminationMessagePath"] = json!("/dev/termination-log");
    let mut fallback = sh("fallback", "echo boom; exit 4");
    fallback["terminationMessagePolicy"] = json!("FallbackToLogsOnError");
    let quiet = sh("quiet", "echo boom; exit 4");
    let mut pod = bed.launch(json!({"containers": [main, fallback, quiet]}));
    let done = pod.until_phase("Failed").await;
    let message = |index: usize| done["status"]["containerStatuses"][index]["state"]["terminated"]["message"].clone();
    assert_eq!([message(0), message(1), message(2)], [json!("result\n"), json!("boom\n"), Value::Null]);
}

#[tokio::test]
async fn a_failing_post_start_hook_stops_the_container() {
    let bed = Bed::new();
    let mut main = sh("main", "sleep 1000");
    main["lifecycle"] = json!({"postStart": {"exec": {"command": ["sh", "-c", "exit 1"]}}});
    let mut pod = bed.launch(json!({"containers": [main]}));
    pod.until_phase("Failed").await;
    assert_eq!(
        pod.history(),
        ["Pending", "Pending main=ContainerCreating", "Pending main=Error/143", "Failed main=Error/143"]
    );
    assert_eq!(bed.events()[3..], ["FailedPostStartHook PostStartHook failed", "Killing FailedPostStartHook"]);
}

#[tokio::test]
async fn a_post_start_hook_comes_before_running() {
    let bed = Bed::new();
    let mut main = sh("main", "until [ -e hooked ]; do sleep 0.01; done; cat hooked");
    main["lifecycle"] = json!({"postStart": {"exec": {"command": ["sh", "-c", "echo by the hook > hooked"]}}});
    let mut pod = bed.launch(json!({"containers": [main]}));
    pod.until_phase("Succeeded").await;
    assert_eq!(bed.log("main").await, "by the hook\n");
}
