//! Pods: creation, changes, deletion, logs.

use serde_json::{Value, json};

use super::*;

fn message(answer: &Value) -> &str {
    answer["message"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_pod_is_completed_stored_and_bound() {
    let server = Server::new();
    let mut changes = server.store.subscribe(Kind::Pod, None).unwrap();
    let created = server.create_pod(pod("p")).await;
    assert_eq!(created["spec"]["dnsPolicy"], "ClusterFirst");
    assert_eq!(created["spec"]["containers"][0]["imagePullPolicy"], "IfNotPresent");
    assert_eq!(created["spec"]["containers"][0]["terminationMessagePath"], "/dev/termination-log");
    assert_eq!(created["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
    assert_eq!(created["metadata"]["generation"], 1);
    let bound = server.bound("p").await;
    assert_eq!(bound["status"]["conditions"][0]["status"], "True");
    let (first, second) = (changes.next().await.unwrap().unwrap(), changes.next().await.unwrap().unwrap());
    assert!(first.object["spec"]["nodeName"].is_null(), "created unbound, bound by a change of its own");
    assert_eq!(second.object["spec"]["nodeName"], "local");
    let path = "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dp,reason%3DScheduled";
    let mut events = Events::open(&server, &format!("{path}&watch=1")).await;
    let event = events.next().await.unwrap();
    assert_eq!(event["object"]["message"], "Successfully assigned default/p to local");
}

#[tokio::test]
async fn a_gated_pod_says_so_from_the_start_and_is_then_left_alone() {
    let server = Server::new();
    let mut changes = server.store.subscribe(Kind::Pod, None).unwrap();
    let created = server.create_pod(gated("p")).await;
    assert_eq!(created["status"]["conditions"][0]["reason"], "SchedulingGated");
    let open = json!({"spec": {"schedulingGates": null}});
    server.patch("merge-patch", &format!("{PODS}/p"), open).await;
    let bound = server.bound("p").await;
    assert_eq!(
        (&bound["metadata"]["generation"], &bound["status"]["conditions"][0]["status"]),
        (&json!(2), &json!("True"))
    );
    for expected in ["created", "opened", "bound"] {
        let changed = changes.next().await.unwrap().unwrap();
        let state = match (&changed.object["spec"]["schedulingGates"], &changed.object["spec"]["nodeName"]) {
            (Value::Array(_), _) => "created",
            (_, Value::Null) => "opened",
            _ => "bound",
        };
        assert_eq!(state, expected);
    }
}

#[tokio::test]
async fn creates_are_refused_in_kubernetes_words() {
    let server = Server::new();
    server.create_pod(gated("d")).await;
    let mut held = gated("held");
    held["metadata"]["finalizers"] = json!(["a.io/b"]);
    server.create_pod(held).await;
    server.call("DELETE", &format!("{PODS}/held"), Value::Null).await;
    let mut two = pod("p");
    two["spec"]["containers"][0]["image"] = json!("");
    two["spec"]["activeDeadlineSeconds"] = json!(0);
    let mut elsewhere = pod("p");
    elsewhere["metadata"]["namespace"] = json!("other");
    let cases = [
        (pod("d"), 409, "pods \"d\" already exists"),
        (pod("held"), 409, "object is being deleted: pods \"held\" already exists"),
        (
            two,
            422,
            "Pod \"p\" is invalid: [spec.containers[0].image: Required value, spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive]",
        ),
        (elsewhere, 400, "the namespace of the provided object does not match the namespace sent on the request"),
        (json!({"metadata": {"name": "p"}}), 422, "Pod \"p\" is invalid: spec.containers: Required value"),
        (
            json!({"spec": {"containers": [{"name": "m", "image": "i"}]}}),
            422,
            "Pod \"\" is invalid: metadata.name: Required value: name or generateName is required",
        ),
    ];
    for (body, code, expected) in cases {
        let (found, answer) = server.call("POST", PODS, body).await;
        assert_eq!((found, message(&answer)), (code, expected));
    }
    let (code, answer) = server.call("POST", "/api/v1/namespaces/nono/pods", pod("p")).await;
    assert_eq!((code, message(&answer)), (404, "namespaces \"nono\" not found"));
    assert_eq!(answer["details"], json!({"name": "nono", "kind": "namespaces"}));
}

#[tokio::test]
async fn causes_name_the_fields() {
    let server = Server::new();
    let body = json!({"metadata": {"name": "p", "labels": {"a b": "c"}}, "spec": {"containers": [
        {"image": "b"}, {"name": "A", "image": "b"}, {"name": "a", "image": "b"}, {"name": "a", "image": "b",
         "env": [{"name": "X", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}], "volumeMounts": [{"name": "no", "mountPath": "/x"}]}]}});
    let (code, answer) = server.call("POST", PODS, body).await;
    assert_eq!((code, &answer["reason"]), (422, &json!("Invalid")));
    let causes = answer["details"]["causes"].as_array().unwrap();
    let seen: Vec<(&str, &str)> =
        causes.iter().map(|c| (c["field"].as_str().unwrap(), c["reason"].as_str().unwrap())).collect();
    assert_eq!(
        seen,
        [
            ("metadata.labels", "FieldValueInvalid"),
            ("spec.containers[0].name", "FieldValueRequired"),
            ("spec.containers[1].name", "FieldValueInvalid"),
            ("spec.containers[3].name", "FieldValueDuplicate"),
            ("spec.containers[3].env[0].valueFrom", "FieldValueInvalid"),
            ("spec.containers[3].volumeMounts[0].name", "FieldValueNotFound"),
        ]
    );
}

#[tokio::test]
async fn sizes_are_bounded() {
    let server = Server::new();
    let with_annotation = |bytes: usize| {
        let mut pod = gated("big");
        pod["metadata"]["annotations"] = json!({"a": "x".repeat(bytes)});
        pod
    };
    let (code, answer) = server.call("POST", PODS, with_annotation(262_145)).await;
    assert_eq!((code, &answer["details"]["causes"][0]["reason"]), (422, &json!("FieldValueTooLong")));
    let (code, answer) = server.call("POST", PODS, with_annotation(3 * 1024 * 1024)).await;
    assert_eq!((code, message(&answer)), (413, "Request entity too large: limit is 3145728"));
    let mut pod = gated("big");
    pod["spec"]["containers"][0]["args"] = json!(["x".repeat(1_600_000)]);
    let (code, answer) = server.call("POST", PODS, pod).await;
    assert_eq!((code, message(&answer)), (500, "etcdserver: request is too large"));
    assert!(answer["reason"].is_null());
}

#[tokio::test]
async fn a_dry_run_stores_nothing() {
    let server = Server::new();
    let (code, answer) = server.call("POST", &format!("{PODS}?dryRun=All"), pod("p")).await;
    assert_eq!((code, &answer["status"]["phase"]), (201, &json!("Pending")));
    assert_eq!(server.call("GET", &format!("{PODS}/p"), Value::Null).await.0, 404);
    server.create_pod(gated("p")).await;
    let before = server.store.get(Kind::Pod, "default", "p").unwrap();
    let path = format!("{PODS}/p?dryRun=All");
    let (code, answer) = server.patch("merge-patch", &path, json!({"metadata": {"labels": {"a": "b"}}})).await;
    assert_eq!((code, &answer["metadata"]["labels"]["a"]), (200, &json!("b")));
    assert_eq!(server.call("DELETE", &path, Value::Null).await.0, 200);
    assert_eq!(server.store.get(Kind::Pod, "default", "p").unwrap(), before);
}

#[tokio::test]
async fn unknown_fields_warn_or_refuse() {
    let server = Server::new();
    let mut body = gated("p");
    body["spec"]["nosuch"] = json!(1);
    let (code, answer) = server.call("POST", &format!("{PODS}?fieldValidation=Strict"), body.clone()).await;
    assert_eq!((code, answer["details"].is_null()), (400, true));
    let response = server.send("POST", PODS, "application/json", body.to_string()).await;
    assert_eq!(response.headers()["warning"], "299 - \"unknown field \\\"spec.nosuch\\\"\"");
    assert_eq!(response.status(), 201);
}

#[tokio::test]
async fn patches_change_what_may_change() {
    let server = Server::new();
    let uid = server.create_pod(gated("p")).await["metadata"]["uid"].clone();
    let path = format!("{PODS}/p");
    let stop = json!([{"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "add", "path": "/metadata/annotations", "value": {"podlaunch.dev/stop": "x"}},
        {"op": "add", "path": "/spec/activeDeadlineSeconds", "value": 1}]);
    let (code, answer) = server.patch("json-patch", &path, stop.clone()).await;
    assert_eq!((code, &answer["spec"]["activeDeadlineSeconds"]), (200, &json!(1)));
    assert_eq!(answer["metadata"]["generation"], 2);
    let (_, again) = server.patch("json-patch", &path, stop).await;
    assert_eq!(
        again["metadata"]["resourceVersion"], answer["metadata"]["resourceVersion"],
        "no change is no new version"
    );
    let (code, answer) =
        server.patch("json-patch", &path, json!([{"op": "test", "path": "/metadata/uid", "value": "x"}])).await;
    assert_eq!((code, message(&answer)), (422, "the server rejected our request due to an error in our request"));
    assert_eq!(answer["details"], json!({}));
    let image = json!({"spec": {"containers": [{"name": "main", "image": "busybox:2"}]}});
    assert_eq!(server.patch("strategic-merge-patch", &path, image).await.0, 200);
    let open = json!({"spec": {"schedulingGates": null}});
    assert_eq!(server.patch("merge-patch", &path, open).await.0, 200);
    server.bound("p").await;
}

#[tokio::test]
async fn patches_that_may_not_be_are_worded() {
    let server = Server::new();
    server.create_pod(gated("p")).await;
    let path = format!("{PODS}/p");
    let cases = [
        (
            json!({"spec": {"activeDeadlineSeconds": 200}}),
            422,
            "Pod \"p\" is invalid: spec.activeDeadlineSeconds: Invalid value: 200: must be less than or equal to previous value",
        ),
        (
            json!({"spec": {"activeDeadlineSeconds": null}}),
            422,
            "Pod \"p\" is invalid: spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value",
        ),
        (
            json!({"spec": {"schedulingGates": [{"name": "z.io/q"}]}}),
            422,
            "Pod \"p\" is invalid: spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'z.io/q'",
        ),
        (
            json!({"spec": {"containers": [{"name": "a", "image": "b"}, {"name": "c", "image": "d"}]}}),
            422,
            "Pod \"p\" is invalid: spec.containers: Forbidden: pod updates may not add or remove containers",
        ),
        (json!({"metadata": {"name": "q"}}), 400, "the name of the object (q) does not match the name on the URL (p)"),
        (
            json!({"metadata": {"resourceVersion": "1"}}),
            409,
            "Operation cannot be fulfilled on pods \"p\": the object has been modified; please apply your changes to the latest version and try again",
        ),
        (
            json!({"metadata": {"uid": "zz"}}),
            422,
            "Pod \"p\" is invalid: metadata.uid: Invalid value: \"zz\": field is immutable",
        ),
        (
            json!({"metadata": {"finalizers": ["x"]}}),
            422,
            "Pod \"p\" is invalid: metadata.finalizers[0]: Invalid value: \"x\": name is neither a standard finalizer name nor is it fully qualified",
        ),
    ];
    for (patch, code, expected) in cases {
        let (found, answer) = server.patch("merge-patch", &path, patch).await;
        assert_eq!((found, message(&answer)), (code, expected));
    }
    let (code, answer) = server.patch("merge-patch", &path, json!({"spec": {"restartPolicy": "Always"}})).await;
    assert_eq!(code, 422);
    assert!(
        message(&answer)
            .starts_with("Pod \"p\" is invalid: spec: Forbidden: pod updates may not change fields other than")
    );
    assert_eq!(server.patch("merge-patch", &format!("{PODS}/nope"), json!({})).await.0, 404);
}

#[tokio::test]
async fn the_status_is_a_part_of_its_own() {
    let server = Server::new();
    server.create_pod(gated("p")).await;
    let path = format!("{PODS}/p");
    let patch = json!({"status": {"phase": "Failed"}, "spec": {"restartPolicy": "Always"}});
    let (code, answer) = server.patch("merge-patch", &format!("{path}/status"), patch).await;
    assert_eq!(
        (code, &answer["status"]["phase"], &answer["spec"]["restartPolicy"]),
        (200, &json!("Failed"), &json!("Never"))
    );
    let (_, answer) = server.patch("merge-patch", &path, json!({"status": {"phase": "Running"}})).await;
    assert_eq!(answer["status"]["phase"], "Failed");
}

#[tokio::test]
async fn a_replaced_pod_keeps_its_identity() {
    let server = Server::new();
    let created = server.create_pod(gated("p")).await;
    let path = format!("{PODS}/p");
    let mut new = created.clone();
    new["metadata"]["labels"] = json!({"n": "1"});
    let (code, answer) = server.call("PUT", &path, new.clone()).await;
    assert_eq!((code, &answer["metadata"]["labels"]), (200, &json!({"n": "1"})));
    assert_eq!(server.call("PUT", &path, new.clone()).await.0, 409, "the version is old by now");
    new["metadata"]["resourceVersion"] = Value::Null;
    new["metadata"]["uid"] = json!("1");
    let (code, answer) = server.call("PUT", &path, new).await;
    assert!(message(&answer).contains("Precondition failed: UID in precondition: 1"), "{code} {answer}");
}

#[tokio::test]
async fn deletion_has_grace_preconditions_and_finalizers() {
    let server = Server::new();
    let mut body = pod("p");
    body["metadata"]["finalizers"] = json!(["a.io/b"]);
    let uid = server.create_pod(body).await["metadata"]["uid"].clone();
    server.bound("p").await;
    let path = format!("{PODS}/p");
    let (code, answer) = server.call("DELETE", &path, json!({"preconditions": {"uid": "x"}})).await;
    assert_eq!((code, &answer["reason"], &answer["details"]["kind"]), (409, &json!("Conflict"), &json!("Pod")));
    assert!(
        message(&answer)
            .starts_with("Operation cannot be fulfilled on Pod \"p\": the UID in the precondition (x) does not match")
    );
    let (code, answer) = server.call("DELETE", &path, json!({"preconditions": {"uid": uid}})).await;
    assert_eq!((code, &answer["metadata"]["deletionGracePeriodSeconds"]), (200, &json!(2)));
    let (code, answer) =
        server.patch("merge-patch", &path, json!({"metadata": {"finalizers": ["a.io/b", "c.io/d"]}})).await;
    assert_eq!(code, 422);
    assert!(message(&answer).contains("no new finalizers can be added if the object is being deleted"));
    server.finish("p", "Succeeded").unwrap();
    assert_eq!(server.call("GET", &path, Value::Null).await.0, 200, "held by its finalizer");
    let release = json!([{"op": "test", "path": "/metadata/uid", "value": uid}, {"op": "remove", "path": "/metadata/finalizers"}]);
    assert_eq!(server.patch("json-patch", &path, release).await.0, 200);
    assert_eq!(server.call("GET", &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn the_unbound_and_the_forced_go_at_once() {
    let server = Server::new();
    server.create_pod(gated("g")).await;
    server.create_pod(pod("r")).await;
    server.bound("r").await;
    let mut changes = server.store.subscribe(Kind::Pod, None).unwrap();
    for path in [format!("{PODS}/g"), format!("{PODS}/r?gracePeriodSeconds=0")] {
        assert_eq!(server.call("DELETE", &path, Value::Null).await.0, 200);
        let (marked, gone) = (changes.next().await.unwrap().unwrap(), changes.next().await.unwrap().unwrap());
        assert_eq!(marked.object["metadata"]["deletionGracePeriodSeconds"], 0);
        assert_eq!(gone.change, crate::local::store::Change::Deleted);
    }
}

#[tokio::test]
async fn an_eviction_tells_its_reason() {
    let server = Server::new();
    server.create_pod(pod("p")).await;
    server.bound("p").await;
    let path = format!("{PODS}/p/eviction");
    let (code, answer) = server
        .call("POST", &path, json!({"metadata": {"name": "p"}, "deleteOptions": {"gracePeriodSeconds": 1}}))
        .await;
    assert_eq!((code, &answer["status"]), (201, &json!("Success")));
    let pod = server.store.get(Kind::Pod, "default", "p").unwrap();
    assert_eq!(pod["metadata"]["deletionGracePeriodSeconds"], 1);
    let conditions = pod["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|c| c["type"] == "DisruptionTarget" && c["reason"] == "EvictionByEvictionAPI"));
}

#[tokio::test]
async fn what_does_not_fit_waits_and_says_why() {
    let server = Server::new();
    let mut body = pod("p");
    body["spec"]["nodeSelector"] = json!({"disk": "fast"});
    server.create_pod(body).await;
    let waiting = server.pod_when("p", |p| p["status"]["conditions"][0]["reason"] == "Unschedulable").await;
    assert_eq!(
        waiting["status"]["conditions"][0]["message"],
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    );
    let path = "/api/v1/namespaces/default/events?watch=1&fieldSelector=reason%3DFailedScheduling";
    assert_eq!(Events::open(&server, path).await.next().await.unwrap()["object"]["type"], "Warning");
    let label = json!({"metadata": {"labels": {"disk": "fast"}}});
    assert_eq!(server.patch("merge-patch", "/api/v1/nodes/local", label).await.0, 200);
    server.bound("p").await;
}

#[tokio::test]
async fn logs_are_asked_of_the_node() {
    let server = Server::new();
    server.create_pod(gated("p")).await;
    let log = |query: &str| format!("{PODS}/p/log?{query}");
    assert_eq!(server.call("GET", &log(""), Value::Null).await.0, 204, "not bound");
    assert_eq!(server.call("GET", &log("tailLines=-1"), Value::Null).await.0, 422);
    server.patch("merge-patch", &format!("{PODS}/p"), json!({"spec": {"schedulingGates": null}})).await;
    server.bound("p").await;
    let (code, text) = server.call("GET", &log("tailLines=3&follow=true"), Value::Null).await;
    assert_eq!((code, text), (200, json!("main Yes Some(3)\n")));
    let (code, answer) = server.call("GET", &log("container=zz"), Value::Null).await;
    assert_eq!((code, message(&answer)), (400, "container zz is not valid for pod p"));
    assert_eq!(server.call("GET", &format!("{PODS}/nope/log"), Value::Null).await.0, 404);
    assert_eq!(server.call("POST", &log(""), Value::Null).await.0, 405);
}
