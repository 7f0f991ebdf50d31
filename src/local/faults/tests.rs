//! Faults as a client meets them: through the port.

use std::time::Duration;

use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::local::serve::Server;
use crate::local::{LocalCluster, LocalConfig, serve_tls};

struct Running {
    client: kube::Client,
    cluster: LocalCluster,
    server: Server,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

async fn start() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let cluster = LocalCluster::start(LocalConfig::new(folder.path().join("state"))).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stop = CancellationToken::new();
    let server = serve_tls(cluster.faulty_router(), listener, folder.path(), stop.clone()).unwrap();
    let kubeconfig = Kubeconfig::read_from(server.kubeconfig()).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    // Each request here is to be one request there.
    config.default_retry = false;
    let client = kube::Client::try_from(config).unwrap();
    Running { client, cluster, server, stop, _folder: folder }
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        drop(self.client);
        self.server.stopped().await;
        self.cluster.shutdown().await;
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Result<(StatusCode, String), String> {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string().into_bytes()) };
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let answer = self.client.send(request.body(body).unwrap()).await.map_err(|error| format!("{error:?}"))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    async fn plan(&self, rule: Value) {
        let (status, body) = self.send(Method::POST, RULES, &json!({"seed": 1, "rules": [rule]})).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{body}");
    }

    async fn fired(&self) -> u64 {
        let (_, body) = self.send(Method::GET, RULES, &Value::Null).await.unwrap();
        let told: Value = serde_json::from_str(&body).unwrap();
        told["rules"][0]["fired"].as_u64().unwrap()
    }

    async fn make(&self, name: &str) -> Result<(StatusCode, String), String> {
        self.send(Method::POST, MAPS, &json!({"metadata": {"name": name}, "data": {"a": "b"}})).await
    }

    async fn exists(&self, name: &str) -> bool {
        let found = self.send(Method::GET, &format!("{MAPS}/{name}"), &Value::Null).await;
        found.unwrap().0 == StatusCode::OK
    }
}

const RULES: &str = "/podlaunch.dev/faults";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn on_create(name: &str, action: Value) -> Value {
    json!({"name": name, "match": {"verb": "create", "resource": "configmaps", "name": name}, "times": 1, "action": action})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_and_without_its_effect() {
    let running = start().await;
    for (name, effect, done) in [("without", "none", false), ("with", "done", true)] {
        running.plan(on_create(name, json!({"do": "answer", "answer": "unavailable", "effect": effect}))).await;
        let (status, body) = running.make(name).await.unwrap();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
        assert_eq!(running.exists(name).await, done, "{name}");
        let expected = if done { StatusCode::CONFLICT } else { StatusCode::CREATED };
        assert_eq!(running.make(name).await.unwrap().0, expected, "the rule is used up");
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_and_a_reset() {
    let running = start().await;
    for by in ["connection", "stream"] {
        for (effect, done) in [("none", false), ("done", true)] {
            let name = format!("{by}-{effect}");
            running.plan(on_create(&name, json!({"do": "sever", "effect": effect, "by": by}))).await;
            let answer = running.make(&name).await;
            assert!(answer.is_err(), "{name}: {answer:?}");
            assert_eq!(running.exists(&name).await, done, "{name}");
        }
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_end_early() {
    let running = start().await;
    running.make("one").await.unwrap();
    let whole = running.send(Method::GET, MAPS, &Value::Null).await.unwrap().1;
    let rule = |action| json!({"name": "r", "match": {"verb": "list"}, "times": 1, "action": action});

    running.plan(rule(json!({"do": "end", "after": 10, "text": "!"}))).await;
    let ended = running.send(Method::GET, MAPS, &Value::Null).await.unwrap().1;
    assert_eq!(ended, format!("{}!", &whole[..10]));
    assert_eq!(running.fired().await, 1);

    running.plan(rule(json!({"do": "end", "text": "!"}))).await;
    assert_eq!(running.send(Method::GET, MAPS, &Value::Null).await.unwrap().1, format!("{whole}!"));

    for by in ["connection", "stream"] {
        running.plan(rule(json!({"do": "cut", "after": 10, "by": by}))).await;
        let cut = running.send(Method::GET, MAPS, &Value::Null).await;
        assert!(cut.is_err(), "{by}: {cut:?}");
    }
    // A body shorter than the cut is not cut, and that is told.
    running.plan(rule(json!({"do": "cut", "after": 1_000_000, "by": "stream"}))).await;
    assert_eq!(running.send(Method::GET, MAPS, &Value::Null).await.unwrap().1, whole);
    assert_eq!(running.fired().await, 0);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_expire() {
    let running = start().await;
    running.make("one").await.unwrap();
    running.plan(json!({"name": "w", "match": {"verb": "watch"}, "action": {"do": "expire", "after": 1}})).await;
    let (status, body) = running.send(Method::GET, &format!("{MAPS}?watch=true"), &Value::Null).await.unwrap();
    let kinds: Vec<Value> =
        body.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].clone()).collect();
    assert_eq!((status, kinds), (StatusCode::OK, vec![json!("ADDED"), json!("ERROR")]));
    running.send(Method::DELETE, RULES, &Value::Null).await.unwrap();

    let (_, list) = running.send(Method::GET, MAPS, &Value::Null).await.unwrap();
    let list: Value = serde_json::from_str(&list).unwrap();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    running.send(Method::POST, &format!("{RULES}/acts"), &json!({"act": "compact"})).await.unwrap();
    let resumed = format!("{MAPS}?watch=true&resourceVersion={version}&timeoutSeconds=1");
    let (_, body) = running.send(Method::GET, &resumed, &Value::Null).await.unwrap();
    assert!(body.contains("too old resource version"), "{body}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_held_until_its_rule_goes() {
    let running = start().await;
    running.plan(on_create("held", json!({"do": "hold", "effect": "done"}))).await;
    let release = async {
        let held = async {
            while running.fired().await == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), held).await.unwrap();
        assert!(running.exists("held").await);
        running.send(Method::DELETE, &format!("{RULES}?name=he*"), &Value::Null).await.unwrap();
    };
    let (answer, ()) = tokio::join!(running.make("held"), release);
    assert_eq!(answer.unwrap().0, StatusCode::CREATED);
    running.end().await;
}

/// Without the flag, and without the token, there is nothing to ask.
#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_asks_for_faults() {
    let running = start().await;
    let (status, _) = running.send(Method::POST, RULES, &json!({"rules": [{"name": "x"}]})).await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST, "a rule without an action");
    let plain = kube::Client::new(running.cluster.router(), "default");
    let request = Request::get(RULES).body(Body::empty()).unwrap();
    assert_eq!(plain.send(request).await.unwrap().status(), StatusCode::NOT_FOUND);
    let text = std::fs::read_to_string(running.server.kubeconfig()).unwrap();
    let mut kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
    kubeconfig.auth_infos[0].auth_info.as_mut().unwrap().token = Some("wrong".to_owned().into());
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let stranger = kube::Client::try_from(config).unwrap();
    let request = Request::get(RULES).body(Body::empty()).unwrap();
    assert_eq!(stranger.send(request).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    running.end().await;
}
