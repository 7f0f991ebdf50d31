use serde_json::json;

use super::*;
use crate::pod::build::tests::{build_with, built, container, errors, manifest, short};

fn source(kind: ResultKind) -> Option<ResultSource> {
    Some(ResultSource { kind, path: None, max_bytes: None })
}

fn by_file(mut spec: TaskSpec) -> TaskSpec {
    spec.result = source(ResultKind::File);
    spec
}

fn at(mut spec: TaskSpec, path: &str) -> TaskSpec {
    spec.result = source(ResultKind::File);
    spec.result.as_mut().unwrap().path = Some(path.into());
    spec
}

fn init(pod: &Value, name: &str) -> Value {
    let containers = pod["spec"]["initContainers"].as_array().unwrap();
    containers.iter().find(|c| c["name"] == name).unwrap().clone()
}

#[test]
fn a_file_adds_a_sidecar_and_a_volume() {
    let pod = built(&by_file(short("python")));
    assert_eq!(
        pod["metadata"]["annotations"]["podlaunch.dev/policy"],
        r#"{"timeouts":{},"logs":"PRIMARY","result":{"kind":"FILE"}}"#
    );
    assert_eq!(
        pod["spec"],
        json!({
            "restartPolicy": "Never",
            "volumes": [{"name": "podlaunch-result", "emptyDir": {}}],
            "containers": [{
                "name": "main",
                "image": "python",
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": [{"name": "podlaunch-result", "mountPath": "/airflow/xcom"}],
            }],
            "initContainers": [{
                "name": "podlaunch-result",
                "image": "busybox:1",
                "restartPolicy": "Always",
                "command": ["sh", "-c", SCRIPT, "sh", "/result/return.json", "1048576", "3968"],
                "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", AWAIT_READY]}}},
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
                "terminationMessagePolicy": "File",
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true,
                    "seccompProfile": {"type": "RuntimeDefault"},
                    "runAsUser": 65532,
                    "runAsNonRoot": true,
                },
                "volumeMounts": [{"name": "podlaunch-result", "mountPath": "/result", "readOnly": true}],
            }],
        })
    );
}

#[test]
fn a_termination_message_adds_nothing() {
    let plain = built(&short("busybox"));
    let mut spec = short("busybox");
    spec.result = source(ResultKind::TerminationMessage);
    assert_eq!(built(&spec)["spec"], plain["spec"]);
    spec.result.as_mut().unwrap().path = Some("/x/y".into());
    assert_eq!(errors(&spec)[0].field, "spec.result.path");
}

#[test]
fn the_server_says_what_the_sidecar_is() {
    let settings: &ResultSettings = Box::leak(Box::new(ResultSettings {
        image: "registry/tools:2".into(),
        requests: BTreeMap::new(),
        limits: BTreeMap::from([("cpu".into(), "1".into())]),
        max_bytes: 1000,
    }));
    let mut spec = by_file(short("busybox"));
    let pod = build_with(&spec, |launch| launch.result = settings).unwrap();
    let sidecar = init(&pod, SIDECAR);
    assert_eq!(sidecar["image"], "registry/tools:2");
    assert_eq!(sidecar["resources"], json!({"limits": {"cpu": "1"}}));
    assert_eq!(sidecar["command"][5], "1000");
    spec.result.as_mut().unwrap().max_bytes = Some(1001);
    let errors = build_with(&spec, |launch| launch.result = settings).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "spec.result.max_bytes: must be at most 1000, the server's Limits.max_result_bytes"
    );
}

#[test]
fn it_is_the_last_of_the_init_containers_and_its_room_is_its_share() {
    let spec = by_file(manifest(json!({"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}],
        "initContainers": [{"name": "first", "image": "i"}, {"name": "mesh", "image": "i", "restartPolicy": "Always"}]})));
    let pod = built(&TaskSpec { primary: Some("b".into()), ..spec });
    let names: Vec<&Value> = pod["spec"]["initContainers"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
    assert_eq!(names, ["first", "mesh", SIDECAR]);
    assert_eq!(init(&pod, SIDECAR)["command"][6], "2329");
    assert!(container(&pod, "a")["volumeMounts"].is_null());
    assert_eq!(container(&pod, "b")["volumeMounts"][0]["name"], SIDECAR);
}

#[test]
fn a_mount_of_the_callers_is_used() {
    let with = |mounts: Value, path: &str| {
        at(
            manifest(json!({"containers": [{"name": "m", "image": "i", "volumeMounts": mounts}],
                "volumes": [{"name": "data", "emptyDir": {}}, {"name": "deep", "emptyDir": {"medium": "Memory"}}]})),
            path,
        )
    };
    for (mounts, path, volume, file, sub_path) in [
        (json!([{"name": "data", "mountPath": "/out"}]), "/out/r.json", "data", "/result/r.json", Value::Null),
        (json!([{"name": "data", "mountPath": "/out/"}]), "/out/a/r.json", "data", "/result/a/r.json", Value::Null),
        (json!([{"name": "data", "mountPath": "/o", "subPath": "s"}]), "/o/r", "data", "/result/r", json!("s")),
        (
            json!([{"name": "deep", "mountPath": "/o/a"}, {"name": "data", "mountPath": "/o"}]),
            "/o/a/r",
            "deep",
            "/result/r",
            Value::Null,
        ),
    ] {
        let pod = built(&with(mounts.clone(), path));
        let sidecar = init(&pod, SIDECAR);
        let mount = &sidecar["volumeMounts"][0];
        assert_eq!((&mount["name"], &sidecar["command"][4]), (&json!(volume), &json!(file)), "{path}");
        assert_eq!(
            (&mount["readOnly"], &mount["subPath"], &mount["mountPath"]),
            (&json!(true), &sub_path, &json!("/result"))
        );
        assert_eq!(container(&pod, "m")["volumeMounts"], mounts);
        assert_eq!(pod["spec"]["volumes"].as_array().unwrap().len(), 2);
    }
    // A mount beside it is none of the file's.
    let beside = built(&with(json!([{"name": "data", "mountPath": "/out"}]), "/output/r"));
    assert_eq!(container(&beside, "m")["volumeMounts"][1], json!({"name": SIDECAR, "mountPath": "/output"}));
    for (mount, problem) in [
        (
            json!({"name": "data", "mountPath": "/out", "readOnly": true}),
            "is read-only: the result cannot be written there",
        ),
        (
            json!({"name": "data", "mountPath": "/out/r", "subPath": "r"}),
            "as a file of its own: mount its directory instead",
        ),
        (
            json!({"name": "data", "mountPath": "/out", "subPathExpr": "$(POD)"}),
            "has a subPathExpr, which only that container can expand: use subPath, or another path",
        ),
    ] {
        let refused = errors(&with(json!([mount]), "/out/r"));
        assert_eq!(
            refused[0].to_string(),
            format!(
                "spec.manifest: spec.containers[0].volumeMounts[0].mountPath: holds spec.result.path, /out/r, but {problem}"
            )
        );
    }
}

#[test]
fn names_that_are_ours() {
    let spec = by_file(manifest(json!({"containers": [{"name": "m", "image": "i"}],
        "initContainers": [{"name": SIDECAR, "image": "i"}], "volumes": [{"name": SIDECAR, "emptyDir": {}}]})));
    let fields: Vec<String> = errors(&spec).into_iter().map(|e| e.field).collect();
    assert_eq!(fields, ["spec.manifest: spec.initContainers[0].name", "spec.manifest: spec.volumes[0].name"]);
    assert!(build_with(&TaskSpec { result: None, ..spec }, |_| {}).is_ok());
}

#[test]
fn paths() {
    for good in ["/airflow/xcom/return.json", "/tmp/x", "/dev/shm/x", "/a/b/c/d", "/ä/ö", "/device/x"] {
        assert_eq!(errors_of(good), "", "{good}");
    }
    for (bad, problem) in [
        ("result.json", "must be an absolute path"),
        ("/result.json", "must lie in a directory of its own: that directory becomes a volume"),
        ("/", "must be a plain path: no empty part, no `.` and no `..`"),
        ("/a//b", "must be a plain path: no empty part, no `.` and no `..`"),
        ("/a/../b", "must be a plain path: no empty part, no `.` and no `..`"),
        ("/a/b/", "must be a plain path: no empty part, no `.` and no `..`"),
        ("/a:b/c", "must have no control character and no colon"),
        ("/a/b\n", "must have no control character and no colon"),
        ("/dev/x", "must not lie in a directory of the system: that directory becomes a volume"),
        ("/proc/1/x", "must not lie in a directory of the system: that directory becomes a volume"),
        ("/sys/x", "must not lie in a directory of the system: that directory becomes a volume"),
    ] {
        assert_eq!(errors_of(bad), problem, "{bad}");
    }
    assert!(errors_of(&format!("/{}/x", "a".repeat(5000))).contains("at most 4096"));
}

fn errors_of(path: &str) -> String {
    check_path(path).map(|error| error.problem).unwrap_or_default()
}

#[test]
fn dollars_are_not_expanded() {
    let pod = built(&at(short("busybox"), "/out/$(HOME)$$"));
    assert_eq!(init(&pod, SIDECAR)["command"][4], "/result/$$(HOME)$$$$");
    assert!(!SCRIPT.contains("$$"), "Kubernetes would make one of them");
}

#[test]
fn the_user_is_the_primarys() {
    let security = |own: Value, whole: Value| {
        let pod = built(&by_file(manifest(json!({"securityContext": whole,
            "containers": [{"name": "m", "image": "i", "securityContext": own}]}))));
        let found = init(&pod, SIDECAR)["securityContext"].clone();
        (found["runAsUser"].clone(), found["runAsGroup"].clone(), found["runAsNonRoot"].clone())
    };
    let none = Value::Null;
    assert_eq!(security(none.clone(), none.clone()), (json!(65532), none.clone(), json!(true)));
    assert_eq!(
        security(json!({"runAsUser": 5}), json!({"runAsUser": 6, "runAsGroup": 7})),
        (json!(5), json!(7), json!(true))
    );
    assert_eq!(security(json!({}), json!({"runAsUser": 6})), (json!(6), none.clone(), json!(true)));
    assert_eq!(security(json!({"runAsUser": 0}), none.clone()), (json!(0), none, json!(false)));
}
