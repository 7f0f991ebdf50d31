//! Lists and watches, raw and through kube's client.

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Api as KubeApi;
use kube::api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn a_streaming_list_ends_with_its_bookmark() {
    let server = Server::new();
    server.create_pod(gated("a")).await;
    server.create_pod(gated("b")).await;
    let query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=0&allowWatchBookmarks=true";
    let mut events = Events::open(&server, &format!("{PODS}?{query}")).await;
    assert_eq!(events.next().await.unwrap()["object"]["metadata"]["name"], "a");
    assert_eq!(events.next().await.unwrap()["object"]["metadata"]["name"], "b");
    let mark = events.next().await.unwrap();
    assert_eq!(mark["type"], "BOOKMARK");
    assert_eq!(mark["object"]["metadata"]["annotations"], json!({"k8s.io/initial-events-end": "true"}));
    assert_eq!(mark["object"]["spec"], json!({"containers": null}));
    server.create_pod(gated("c")).await;
    assert_eq!(events.change().await, Some(("ADDED".to_owned(), "c".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_at_once_and_then_every_minute() {
    let server = Server::new();
    let started = tokio::time::Instant::now();
    let mut events = Events::open(&server, &format!("{PODS}?watch=1&resourceVersion=1&allowWatchBookmarks=true")).await;
    let mark = events.next().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(mark["object"]["metadata"]["resourceVersion"], server.store.version().to_string());
    let response = server
        .send(
            "GET",
            &format!("{PODS}?watch=1&resourceVersion=1&timeoutSeconds=130&allowWatchBookmarks=1"),
            "",
            String::new(),
        )
        .await;
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    assert_eq!(body.iter().filter(|b| **b == b'\n').count(), 3, "at 0.9, 60.9 and 120.9 s of 130 s");
    let response =
        server.send("GET", &format!("{PODS}?watch=1&resourceVersion=1&timeoutSeconds=130"), "", String::new()).await;
    assert!(axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_version_that_is_too_old_is_an_event() {
    let server = Server::with_store(Store::with_history(2));
    for name in ["a", "b", "c", "d"] {
        server.create_pod(gated(name)).await;
    }
    let mut events = Events::open(&server, &format!("{PODS}?watch=1&resourceVersion=3")).await;
    let event = events.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["code"], &event["object"]["reason"]),
        (&json!("ERROR"), &json!(410), &json!("Expired"))
    );
    assert!(event["object"]["message"].as_str().unwrap().starts_with("too old resource version: 3 ("));
    assert_eq!(events.next().await, None, "a clean end follows");
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told() {
    let server = Server::with_store(Store::with_history(2));
    let mut events = Events::open(&server, &format!("{PODS}?watch=1")).await;
    server.create_pod(gated("a")).await;
    assert_eq!(events.change().await.unwrap().1, "a");
    for name in ["b", "c", "d", "e"] {
        server.create_pod(gated(name)).await;
    }
    assert_eq!(events.next().await.unwrap()["object"]["code"], 410);
}

#[tokio::test]
async fn selectors_turn_changes_into_arrivals_and_departures() {
    let server = Server::new();
    let mut events =
        Events::open(&server, &format!("{PODS}?watch=1&labelSelector=app%3Dx&allowWatchBookmarks=1")).await;
    server.create_pod(gated("p")).await;
    let label = |value: Value| json!({"metadata": {"labels": {"app": value}}});
    let path = format!("{PODS}/p");
    for value in [json!("y"), json!("x"), json!("x"), Value::Null] {
        server.patch("merge-patch", &path, label(value)).await;
    }
    server.call("DELETE", &path, Value::Null).await;
    server.create_pod(gated("q")).await;
    for expected in ["ADDED", "DELETED", "ADDED", "DELETED"] {
        assert_eq!(events.change().await, Some((expected.to_owned(), "p".to_owned())));
    }
    assert_eq!(events.change().await, Some(("ADDED".to_owned(), "q".to_owned())));
}

#[tokio::test]
async fn a_stopped_server_ends_its_watches() {
    let server = Server::new();
    let mut events = Events::open(&server, &format!("{PODS}?watch=1&resourceVersion=1")).await;
    server.stop.cancel();
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_version_from_the_future_is_waited_for() {
    let server = Server::new();
    let (code, answer) = server.call("GET", &format!("{PODS}?resourceVersion=99999"), Value::Null).await;
    assert_eq!((code, &answer["details"]["causes"][0]["reason"]), (504, &json!("ResourceVersionTooLarge")));
    let query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=99999";
    let mut events = Events::open(&server, &format!("{PODS}?{query}")).await;
    assert_eq!(events.next().await.unwrap()["object"]["code"], 504);
}

#[tokio::test]
async fn lists_are_paged() {
    let server = Server::new();
    for name in ["a", "b", "c"] {
        server.create_pod(gated(name)).await;
    }
    let (_, first) = server.call("GET", &format!("{PODS}?limit=2"), Value::Null).await;
    assert_eq!((first["items"].as_array().unwrap().len(), &first["metadata"]["remainingItemCount"]), (2, &json!(1)));
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (_, second) = server.call("GET", &format!("{PODS}?limit=2&continue={token}"), Value::Null).await;
    assert_eq!(second["items"][0]["metadata"]["name"], "c");
    assert!(second["metadata"]["continue"].is_null());
    assert_eq!(server.call("GET", &format!("{PODS}?continue=zz!"), Value::Null).await.0, 400);
}

#[tokio::test]
async fn kubes_client_works_over_the_router() {
    let server = Server::new();
    let pods: KubeApi<Pod> = KubeApi::default_namespaced(server.client());
    let body: Pod = serde_json::from_value(pod("p")).unwrap();
    pods.create(&PostParams::default(), &body).await.unwrap();
    assert!(
        matches!(pods.create(&PostParams::default(), &body).await, Err(kube::Error::Api(s)) if s.is_already_exists())
    );
    server.bound("p").await;
    let listed = pods.list(&ListParams::default().labels("app=x").fields("metadata.name=p")).await.unwrap();
    assert_eq!(listed.items.len(), 1);
    let patch = json!({"metadata": {"annotations": {"a": "b"}}});
    let patched = pods.patch("p", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    assert_eq!(patched.metadata.annotations.unwrap()["a"], "b");
    assert_eq!(pods.logs("p", &LogParams::default()).await.unwrap(), "main No None\n");
    pods.delete("p", &DeleteParams::default().grace_period(0)).await.unwrap();
    assert!(pods.get_opt("p").await.unwrap().is_none());
}

#[tokio::test]
async fn kubes_watcher_follows_both_ways() {
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let server = Server::new();
        server.create_pod(gated("p")).await;
        let pods: KubeApi<Pod> = KubeApi::default_namespaced(server.client());
        let mut stream = std::pin::pin!(watcher::watcher(pods, config));
        let mut seen = Vec::new();
        while seen.len() < 5 {
            let event =
                tokio::time::timeout(Duration::from_secs(10), stream.try_next()).await.unwrap().unwrap().unwrap();
            let name = |pod: &Pod| pod.metadata.name.clone().unwrap_or_default();
            match event {
                watcher::Event::Init => seen.push("init".to_owned()),
                watcher::Event::InitApply(pod) => seen.push(format!("has {}", name(&pod))),
                watcher::Event::InitDone => {
                    seen.push("done".to_owned());
                    server.create_pod(gated("q")).await;
                    server.call("DELETE", &format!("{PODS}/p"), Value::Null).await;
                }
                watcher::Event::Apply(pod) if name(&pod) == "q" => seen.push("new q".to_owned()),
                watcher::Event::Apply(_) => {}
                watcher::Event::Delete(pod) => seen.push(format!("gone {}", name(&pod))),
            }
        }
        assert_eq!(seen, ["init", "has p", "done", "new q", "gone p"]);
    }
}
