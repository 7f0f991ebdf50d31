//! The other kinds, discovery, tables.

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api as KubeApi;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn a_namespace_takes_its_objects_with_it() {
    let server = Server::new();
    let (code, created) = server.call("POST", "/api/v1/namespaces", json!({"metadata": {"name": "n"}})).await;
    assert_eq!((code, &created["status"]["phase"]), (201, &json!("Active")));
    assert!(server.store.get(Kind::ServiceAccount, "n", "default").is_some());
    let pods = "/api/v1/namespaces/n/pods";
    let mut held = pod("p");
    held["metadata"]["finalizers"] = json!(["a.io/b"]);
    server.call("POST", pods, held).await;
    server.call("POST", "/api/v1/namespaces/n/configmaps", json!({"metadata": {"name": "c"}})).await;
    let mut namespaces = server.store.subscribe(Kind::Namespace, None).unwrap();
    let (code, answer) = server.call("DELETE", "/api/v1/namespaces/n", Value::Null).await;
    assert_eq!((code, &answer["status"]["phase"]), (200, &json!("Terminating")));
    let (code, answer) = server.call("POST", pods, pod("late")).await;
    assert_eq!((code, &answer["details"]["causes"][0]["reason"]), (403, &json!("NamespaceTerminating")));
    let gone = |kind, name: &str| server.store.get(kind, "n", name).is_none();
    server
        .store
        .update(Kind::Pod, "n", "p", |pod| {
            pod["metadata"]["finalizers"] = json!([]);
            pod["status"]["phase"] = json!("Failed");
            if pod.is_deleting() {
                pod["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            }
            Ok(())
        })
        .unwrap();
    let wait =
        async { while namespaces.next().await.unwrap().unwrap().change != crate::local::store::Change::Deleted {} };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("the namespace stays");
    assert!(gone(Kind::Pod, "p") && gone(Kind::ConfigMap, "c") && gone(Kind::ServiceAccount, "default"));
    let (code, answer) = server.call("DELETE", "/api/v1/namespaces/default", Value::Null).await;
    assert_eq!(
        (code, answer["message"].as_str()),
        (403, Some("namespaces \"default\" is forbidden: this namespace may not be deleted"))
    );
}

#[tokio::test]
async fn secrets_and_config_maps() {
    let server = Server::new();
    let path = "/api/v1/namespaces/default/secrets";
    let (code, secret) = server.call("POST", path, json!({"metadata": {"name": "s"}, "stringData": {"k": "v"}})).await;
    assert_eq!((code, &secret["data"], &secret["type"]), (201, &json!({"k": "dg=="}), &json!("Opaque")));
    assert!(secret["stringData"].is_null());
    assert_eq!(server.call("POST", path, json!({"metadata": {"name": "t"}, "data": {"k": "$$"}})).await.0, 400);
    let path = "/api/v1/namespaces/default/configmaps";
    let (code, answer) = server.call("POST", path, json!({"metadata": {"name": "c"}, "data": {"a b": "x"}})).await;
    assert_eq!((code, &answer["details"]["causes"][0]["field"]), (422, &json!("data[a b]")));
    server.call("POST", path, json!({"metadata": {"generateName": "c-"}, "data": {"a": "x"}})).await;
    let (_, list) = server.call("GET", path, Value::Null).await;
    let name = list["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    assert!(name.len() == 7 && name.starts_with("c-"), "{name}");
    let (code, answer) = server.call("DELETE", &format!("{path}/{name}"), Value::Null).await;
    assert_eq!((code, &answer["status"], &answer["details"]["kind"]), (200, &json!("Success"), &json!("configmaps")));
    server.call("POST", path, json!({"metadata": {"name": "l", "labels": {"a": "b"}}})).await;
    let (_, answer) = server.call("DELETE", &format!("{path}?labelSelector=a%3Db"), Value::Null).await;
    assert_eq!(answer["items"][0]["metadata"]["name"], "l");
    assert!(server.store.list(Kind::ConfigMap, None).0.is_empty());
}

#[tokio::test]
async fn a_stale_lease_cannot_be_taken() {
    let server = Server::new();
    let leases: KubeApi<Lease> = KubeApi::default_namespaced(server.client());
    let lease: Lease = serde_json::from_value(json!({"metadata": {"name": "l"},
        "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}}))
    .unwrap();
    let first = leases.create(&PostParams::default(), &lease).await.unwrap();
    let mut mine = first.clone();
    mine.spec.as_mut().unwrap().holder_identity = Some("b".to_owned());
    leases.replace("l", &PostParams::default(), &mine).await.unwrap();
    assert!(
        matches!(leases.replace("l", &PostParams::default(), &first).await, Err(kube::Error::Api(s)) if s.is_conflict())
    );
    let (_, answer) =
        server.call("GET", "/apis/coordination.k8s.io/v1/namespaces/default/leases/no", Value::Null).await;
    assert_eq!(answer["message"], "leases.coordination.k8s.io \"no\" not found");
    assert_eq!(answer["details"]["group"], "coordination.k8s.io");
}

#[tokio::test]
async fn discovery_tells_what_there_is() {
    let server = Server::new();
    let client = server.client();
    assert_eq!(client.apiserver_version().await.unwrap().git_version, "v1.34.0+podlaunch-local");
    let resources = client.list_core_api_resources("v1").await.unwrap();
    assert!(resources.resources.iter().any(|r| r.name == "pods/log"));
    assert_eq!(client.list_api_groups().await.unwrap().groups[0].name, "coordination.k8s.io");
    let aggregated = client.list_api_groups_aggregated().await.unwrap();
    assert_eq!(aggregated.items[0].versions[0].resources[0].resource.as_deref(), Some("leases"));
    assert_eq!(server.call("GET", "/readyz", Value::Null).await, (200, json!("ok")));
    assert_eq!(server.call("GET", "/openapi/v3/api/v9", Value::Null).await.0, 404);
    let (code, answer) = server.call("GET", "/api/v1/nope", Value::Null).await;
    assert_eq!((code, &answer["reason"]), (404, &json!("NotFound")));
    let (code, answer) = server.call("PUT", PODS, json!({})).await;
    assert_eq!((code, &answer["reason"]), (405, &json!("MethodNotAllowed")));
}

#[tokio::test]
async fn tables_are_what_kubectl_prints() {
    let server = Server::new();
    server.create_pod(gated("p")).await;
    let request = Request::builder()
        .uri(PODS)
        .header(header::ACCEPT, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
    let response = server.api.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (_, table) = read(response).await;
    assert_eq!(table["kind"], "Table");
    assert_eq!(table["columnDefinitions"][2]["name"], "Status");
    let cells = &table["rows"][0]["cells"];
    assert_eq!((&cells[0], &cells[1], &cells[2]), (&json!("p"), &json!("0/1"), &json!("SchedulingGated")));
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
}
