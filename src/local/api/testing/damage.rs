//! Any value in any place of an object is stored or refused, never a panic or a 500.

use serde_json::{Value, json};

use super::*;

/// A pod that has something in nearly every place the server looks at.
fn full_pod(name: &str) -> Value {
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "default", "labels": {"a": "b"}, "annotations": {"c": "d"},
            "finalizers": ["x.io/y"], "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u"}]},
        "spec": {
            "restartPolicy": "Never", "activeDeadlineSeconds": 9, "terminationGracePeriodSeconds": 2,
            "nodeSelector": {"disk": "fast"}, "schedulingGates": [{"name": "x.io/q"}],
            "tolerations": [{"key": "k", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms":
                [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]}}},
            "volumes": [{"name": "s", "secret": {"secretName": "s"}}, {"name": "e", "emptyDir": {"sizeLimit": "1Gi"}},
                {"name": "d", "downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}]}}],
            "initContainers": [{"name": "i", "image": "i"}],
            "containers": [{"name": "main", "image": "i", "command": ["x"], "ports": [{"containerPort": 80}],
                "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "envFrom": [{"configMapRef": {"name": "c"}}], "volumeMounts": [{"name": "s", "mountPath": "/s"}],
                "resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1Mi"}}}],
        },
    })
}

/// Every place in a value, as JSON pointers, the whole first.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.replace('~', "~0").replace('/', "~1"), v)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in inner {
        places(value, &format!("{here}/{key}"), found);
    }
}

fn wrong_values() -> [Value; 9] {
    [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("x\u{0}y z"),
        json!([]),
        json!([1]),
        json!({"a": {"b": []}}),
    ]
}

fn replaced(object: &Value, place: &str, wrong: &Value) -> Value {
    let mut damaged = object.clone();
    if let Some(target) = damaged.pointer_mut(place) {
        *target = wrong.clone();
    }
    damaged
}

#[tokio::test]
async fn creates_survive_any_value_anywhere() {
    let server = Server::new();
    let whole = full_pod("p");
    let (code, answer) = server.call("POST", &format!("{PODS}?dryRun=All&fieldValidation=Strict"), whole.clone()).await;
    assert_eq!(code, 201, "{answer}");
    let mut found = Vec::new();
    places(&whole, "", &mut found);
    for place in &found {
        for wrong in wrong_values() {
            let body = replaced(&whole, place, &wrong);
            let (code, answer) = server.call("POST", &format!("{PODS}?dryRun=All"), body).await;
            assert!(matches!(code, 201 | 400 | 422), "{place} = {wrong}: {code} {answer}");
        }
    }
}

#[tokio::test]
async fn patches_survive_any_value_anywhere() {
    let server = Server::new();
    let whole = server.create_pod(full_pod("p")).await;
    let path = format!("{PODS}/p?dryRun=All");
    let mut found = Vec::new();
    places(&whole, "", &mut found);
    for place in &found {
        for wrong in wrong_values() {
            let operations = json!([{"op": "replace", "path": place, "value": wrong}]);
            let (code, answer) = server.patch("json-patch", &path, operations).await;
            assert!(matches!(code, 200 | 400 | 409 | 422), "json {place} = {wrong}: {code} {answer}");
            let body = replaced(&whole, place, &wrong);
            for format in ["merge-patch", "strategic-merge-patch"] {
                let (code, answer) = server.patch(format, &path, body.clone()).await;
                // A list that lacks its merge key is a 500 in Kubernetes too.
                let keyless = code == 500
                    && answer["message"].as_str().is_some_and(|m| m.contains("merge key") || m.contains("list"));
                assert!(
                    matches!(code, 200 | 400 | 409 | 422) || keyless,
                    "{format} {place} = {wrong}: {code} {answer}"
                );
            }
        }
    }
}

#[tokio::test]
async fn status_and_tables_survive_any_value_anywhere() {
    let server = Server::new();
    server.create_pod(gated("p")).await;
    let status = json!({"status": {"phase": "Running", "reason": "x", "conditions": [{"type": "Ready", "status": "True"}],
        "initContainerStatuses": [{"name": "i", "ready": true, "restartCount": 1, "image": "i", "imageID": "",
            "state": {"terminated": {"exitCode": 1, "signal": 9}}}],
        "containerStatuses": [{"name": "main", "ready": true, "restartCount": 1, "image": "i", "imageID": "", "state": {"running": {}},
            "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:00:00Z"}}}]}});
    let mut found = Vec::new();
    places(&status, "", &mut found);
    for place in &found {
        for wrong in wrong_values() {
            let body = replaced(&status, place, &wrong);
            let (code, answer) = server.patch("merge-patch", &format!("{PODS}/p/status"), body).await;
            assert!(matches!(code, 200 | 400 | 422), "{place} = {wrong}: {code} {answer}");
            let request =
                Request::builder().uri(PODS).header(header::ACCEPT, "application/json;as=Table;v=v1;g=meta.k8s.io");
            let response = server.api.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status(), 200, "{place} = {wrong}");
        }
    }
}
