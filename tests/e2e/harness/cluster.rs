//! The cluster seen directly, by kube: the oracle for what podlaunch says, and the hand that does things behind its
//! back.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use kube::api::{DeleteParams, ListParams, LogParams, ObjectMeta, PostParams, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::WatchEvent;
use kube::{Api, Client, Config};

use super::backend::Backend;

/// A namespace of the cluster under test.
#[derive(Clone)]
pub struct Cluster {
    pub client: Client,
    pub namespace: String,
}

impl Cluster {
    pub async fn connect(backend: &Backend, namespace: &str) -> Cluster {
        let kubeconfig = Kubeconfig::read_from(&backend.kubeconfig).expect("a readable kubeconfig");
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let client = Client::try_from(config.expect("a usable kubeconfig")).expect("a client");
        Cluster { client, namespace: namespace.to_owned() }
    }

    pub async fn create_namespace(&self) {
        let namespace = Namespace { metadata: named(&self.namespace), ..Default::default() };
        let api: Api<Namespace> = Api::all(self.client.clone());
        let made = api.create(&PostParams::default(), &namespace).await;
        made.unwrap_or_else(|error| panic!("namespace {}: {error}", self.namespace));
    }

    /// Does not wait until it is gone.
    pub async fn delete_namespace(&self) {
        let api: Api<Namespace> = Api::all(self.client.clone());
        if let Err(error) = api.delete(&self.namespace, &DeleteParams::default()).await {
            println!("note: namespace {} is left behind: {error}", self.namespace);
        }
    }

    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub async fn list_pods(&self) -> Vec<Pod> {
        let list = self.pods().list(&ListParams::default()).await;
        list.expect("pods can be listed").items
    }

    pub async fn pod(&self, name: &str) -> Pod {
        let pod = self.pods().get(name).await;
        pod.unwrap_or_else(|error| panic!("pod {name}: {error}"))
    }

    /// The log of container `main` as the API server gives it.
    pub async fn raw_log(&self, pod: &str) -> Vec<u8> {
        let answer = self.read_log(pod, None).await;
        answer.unwrap_or_else(|error| panic!("log of {pod}: {error}"))
    }

    /// Its last line; none while there is no log.
    pub async fn last_line(&self, pod: &str) -> Vec<u8> {
        self.read_log(pod, Some(1)).await.unwrap_or_default()
    }

    async fn read_log(&self, pod: &str, tail_lines: Option<i64>) -> Result<Vec<u8>, String> {
        let params = LogParams { container: Some("main".to_owned()), tail_lines, ..Default::default() };
        let request = kube::core::Request::new(format!("/api/v1/namespaces/{}/pods", self.namespace));
        let request = request.logs(pod, &params).expect("a log request");
        let answer = self.client.send(request.map(Into::into)).await;
        let response = answer.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(response.status().to_string());
        }
        let bytes = http_body_util::BodyExt::collect(response.into_body()).await;
        Ok(bytes.map_err(|error| error.to_string())?.to_bytes().to_vec())
    }

    /// Deletes a pod as anybody might.
    pub async fn delete_pod(&self, name: &str) {
        let deleted = self.pods().delete(name, &DeleteParams::default()).await;
        deleted.unwrap_or_else(|error| panic!("deleting pod {name}: {error}"));
    }

    pub async fn create_secret(&self, name: &str, key: &str, value: &str) {
        let secret = Secret {
            metadata: named(name),
            data: Some(BTreeMap::from([(key.to_owned(), ByteString(value.as_bytes().to_vec()))])),
            ..Default::default()
        };
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let made = api.create(&PostParams::default(), &secret).await;
        made.unwrap_or_else(|error| panic!("secret {name}: {error}"));
    }

    /// A raw watch of one pod: awaits the first version of it for which `seen` holds.
    pub async fn watch_until(&self, name: &str, seen: impl Fn(&Pod) -> bool) -> Pod {
        let params = WatchParams::default().fields(&format!("metadata.name={name}"));
        loop {
            let watch = self.pods().watch(&params, "0").await.expect("a watch");
            let mut watch = watch.boxed();
            while let Ok(Some(event)) = watch.try_next().await {
                if let WatchEvent::Added(pod) | WatchEvent::Modified(pod) | WatchEvent::Deleted(pod) = event
                    && seen(&pod)
                {
                    return pod;
                }
            }
        }
    }
}

/// Why a container of the pod waits, in Kubernetes' word.
pub fn waiting_reason(pod: &Pod) -> Option<&str> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.first()?.state.as_ref()?.waiting.as_ref()?.reason.as_deref()
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..Default::default() }
}
