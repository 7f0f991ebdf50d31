//! Templates of a folder and of ConfigMaps, followed as they change; what the server enforces; the warnings they give.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use serde_json::json;
use tonic::Code;

use crate::harness::backend::BINARY;
use crate::harness::cli::podlaunch;
use crate::harness::failure::failure;
use crate::harness::images::BUSYBOX;
use crate::harness::podlaunch::Podlaunch;
use crate::harness::process::{Process, SCRATCH, unique};
use crate::harness::server::{Server, unique_instance};
use crate::harness::spec::{Build as _, sh};
use crate::harness::v1::{self, launch_task_response::Message};
use crate::harness::{Ctx, run, wait};

/// A template whose task prints `text` and what a launch gives as `OWN`.
fn greeting(text: &str) -> String {
    json!({
        "metadata": {
            "labels": {"team": "a"},
            "annotations": {"podlaunch.dev/description": "says hello"},
        },
        "spec": {
            "terminationGracePeriodSeconds": 2,
            "containers": [{
                "name": "main", "image": BUSYBOX, "command": ["sh", "-c", "echo $GREETING $OWN"],
                "env": [{"name": "GREETING", "value": text}, {"name": "OWN", "value": "nothing"}],
            }],
        },
    })
    .to_string()
}

/// A spec that names a template and sets `OWN`.
fn named(template: &str, own: &str) -> v1::TaskSpec {
    let own = v1::EnvVar { name: "OWN".to_owned(), source: Some(v1::env_var::Source::Value(own.to_owned())) };
    let container = v1::ContainerSpec { env: vec![own], ..Default::default() };
    v1::TaskSpec { template: template.to_owned(), container: Some(container), ..Default::default() }
}

/// A folder of its own.
fn folder() -> PathBuf {
    let folder = SCRATCH.join(format!("templates-{}", unique()));
    std::fs::create_dir(&folder).expect("a folder");
    folder
}

/// Puts a file in the place of another, as a mounted ConfigMap does.
fn put(folder: &Path, file: &str, text: &str) {
    let new = folder.join(".new");
    std::fs::write(&new, text).expect("a file");
    std::fs::rename(new, folder.join(file)).expect("another file in its place");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Name and hash of all templates.
async fn listed(client: &Podlaunch) -> BTreeMap<String, String> {
    let answer = client.grpc.clone().list_templates(v1::ListTemplatesRequest::default()).await;
    let templates = answer.expect("templates are listed").into_inner().templates;
    templates.into_iter().map(|template| (template.name, template.content_hash)).collect()
}

/// Awaits that the server has other templates than `before`; tells which.
async fn other_than(client: &Podlaunch, before: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    wait::until("other templates", async || {
        let now = listed(client).await;
        if now == *before { Err(format!("still {now:?}")) } else { Ok(now) }
    })
    .await
}

/// Awaits a line of the server's log that has all these words.
async fn told(server: &Server, words: &[&str]) {
    wait::until("a line in the server's log", async || {
        let log = std::fs::read_to_string(&server.process.log).map_err(|error| error.to_string())?;
        let found = log.lines().any(|line| words.iter().all(|word| line.contains(word)));
        if found { Ok(()) } else { Err(format!("no line with {words:?}")) }
    })
    .await;
}

async fn validated(client: &Podlaunch, request: v1::LaunchTaskRequest) -> v1::Validated {
    let mut answer = client.grpc.clone().launch_task(request).await.expect("it is accepted").into_inner();
    let first = answer.message().await.expect("a message").and_then(|response| response.message);
    let Some(Message::Validated(validated)) = first else { panic!("not Validated: {first:?}") };
    validated
}

async fn output(t: &Ctx, client: &Podlaunch, task_id: &str, spec: v1::TaskSpec) -> String {
    let launched = client.launch(t.request(task_id, spec)).await;
    let ended = launched.unwrap_or_else(|status| panic!("launching {task_id}: {status:?}")).collect().await;
    String::from_utf8_lossy(ended.output()).into_owned()
}

#[test]
fn a_folder_is_followed() {
    run(async |t| {
        let folder = folder();
        put(&folder, "greet.yaml", &greeting("hello"));
        let server = Server::start_with(&unique_instance(), &["--templates", text(&folder)]);
        let client = server.connect().await;
        let first = listed(&client).await;
        assert_eq!(first.keys().collect::<Vec<_>>(), ["greet"]);

        assert_eq!(output(t, &client, "one", named("greet", "world")).await, "hello world\n");
        let pod = t.cluster.list_pods().await.pop().expect("its pod");
        let annotations = pod.metadata.annotations.expect("annotations");
        assert_eq!(annotations.get("podlaunch.dev/template"), Some(&format!("greet@{}", first["greet"])));
        assert!(!annotations.contains_key("podlaunch.dev/description"), "{annotations:?}");
        assert_eq!(pod.metadata.labels.expect("labels").get("team").map(String::as_str), Some("a"));

        let error = failure(client.launch(t.request("none", named("great", "x"))).await);
        error.expect(Code::InvalidArgument, "TEMPLATE_UNKNOWN");
        assert!(error.message.contains("greet"), "it says which there are: {error}");

        // A new version of the template: an old key attaches to its pod, a new one gets the new version.
        put(&folder, "greet.yaml", &greeting("good morning"));
        put(&folder, "more.json", "{\"spec\": {}}");
        let second = other_than(&client, &first).await;
        let second = if second.len() == 2 { second } else { other_than(&client, &second).await };
        assert_ne!(second["greet"], first["greet"]);
        assert_eq!(output(t, &client, "one", named("greet", "world")).await, "hello world\n");
        assert_eq!(output(t, &client, "two", named("greet", "world")).await, "good morning world\n");

        // What cannot be used is told, and changes nothing.
        put(&folder, "greet.yaml", "spec: [");
        told(&server, &["WARN", "template greet", "is not valid YAML", "its last good version stays"]).await;
        assert_eq!(listed(&client).await, second);
        assert_eq!(output(t, &client, "three", named("greet", "again")).await, "good morning again\n");
    });
}

#[test]
fn the_command_line_shows_them() {
    run(async |t| {
        let folder = folder();
        put(&folder, "greet.yaml", &greeting("hello"));
        let server = Server::start_with(&unique_instance(), &["--templates", text(&folder)]);
        server.connect().await;
        let all = podlaunch(&["templates", "--endpoint", &server.endpoint]).await;
        let shown = String::from_utf8_lossy(&all.stdout).into_owned();
        assert!(all.code == Some(0) && shown.contains("greet") && shown.contains("says hello"), "{all:?}");
        let one = podlaunch(&["templates", "--endpoint", &server.endpoint, "greet"]).await;
        assert!(String::from_utf8_lossy(&one.stdout).contains("GREETING"), "{one:?}");
        let ran = podlaunch(&[
            "run",
            "--endpoint",
            &server.endpoint,
            "--namespace",
            &t.namespace,
            "--template",
            "greet",
            "--env",
            "OWN=you",
        ])
        .await;
        assert_eq!((ran.code, ran.stdout.as_slice()), (Some(0), b"hello you\n".as_slice()), "{ran:?}");
    });
}

/// What the API server warns of in a template's pod comes with the answer of a dry run.
#[test]
fn warnings_of_the_api_server() {
    run(async |t| {
        let folder = folder();
        let template = "spec: {noSuchField: 1, containers: [{name: main, image: 'busybox:1', imagePulPolicy: Never}]}";
        put(&folder, "typo.yaml", template);
        let server = Server::start_with(&unique_instance(), &["--templates", text(&folder)]);
        let client = server.connect().await;
        let spec = v1::TaskSpec { template: "typo".to_owned(), ..Default::default() };
        let request = v1::LaunchTaskRequest { validate_only: true, ..t.request("typo", spec) };
        let validated = validated(&client, request).await;
        for field in ["spec.noSuchField", "spec.containers[0].imagePulPolicy"] {
            let warned = validated.warnings.iter().any(|warning| warning.contains(field));
            assert!(warned, "{field} is not in {:?}", validated.warnings);
        }
    });
}

/// What is wrong at the start keeps the server from starting, and says what.
#[test]
fn a_start_with_what_cannot_be_used() {
    run(async |t| {
        let folder = folder();
        put(&folder, "bad.yaml", "kind: Job");
        let enforced = SCRATCH.join(format!("enforced-{}.yaml", unique()));
        std::fs::write(&enforced, "- no mapping").expect("a file");
        for (flag, path, words) in [
            ("--templates", &folder, &["template bad", "kind is"][..]),
            ("--enforced", &enforced, &["must be a mapping"]),
        ] {
            let mut command = Command::new(BINARY);
            let socket = format!("unix:{}", SCRATCH.join(format!("s{}.sock", unique())).display());
            command.args(["serve", "--listen", &socket, flag, text(path), "--kubeconfig"]);
            command.arg(&t.backend.kubeconfig);
            let process = Process::start("server", command);
            let status = wait::guarded("its end", process.wait()).await;
            let said = process.tail();
            assert!(!status.success() && words.iter().all(|word| said.contains(word)), "{status}: {said}");
        }
    });
}

/// A kubeconfig whose context is in the test's namespace: the server's own.
fn own_kubeconfig(t: &Ctx) -> PathBuf {
    let mut config = Kubeconfig::read_from(&t.backend.kubeconfig).expect("a readable kubeconfig");
    for context in &mut config.contexts {
        context.context.get_or_insert_default().namespace = Some(t.namespace.clone());
    }
    let path = SCRATCH.join(format!("kubeconfig-{}", unique()));
    std::fs::write(&path, serde_json::to_vec(&config).expect("JSON")).expect("a file");
    path
}

fn config_map(name: &str, label: &str, data: &[(&str, &str)]) -> ConfigMap {
    let labels = BTreeMap::from([(label.to_owned(), "true".to_owned())]);
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..Default::default() },
        data: Some(data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()),
        ..Default::default()
    }
}

#[test]
fn config_maps_are_followed() {
    run(async |t| {
        let api: Api<ConfigMap> = Api::namespaced(t.cluster.client.clone(), &t.namespace);
        let create = async |map: ConfigMap| api.create(&PostParams::default(), &map).await.expect("it is created");
        let hello = greeting("hello");
        create(config_map("a", "podlaunch.dev/templates", &[("greet.yaml", &hello), ("notes", "no template")])).await;
        create(config_map("b", "elsewhere", &[("other.yaml", &hello)])).await;
        let folder = folder();
        put(&folder, "both.yaml", &greeting("from the folder"));
        let flags = ["--template-configmaps", "--templates", text(&folder)];
        let server = Server::start_via(&unique_instance(), &own_kubeconfig(t), &flags);
        let client = server.connect().await;
        // The first list was awaited before it serves.
        let first = listed(&client).await;
        assert_eq!(first.keys().collect::<Vec<_>>(), ["both", "greet"]);
        assert_eq!(output(t, &client, "one", named("greet", "map")).await, "hello map\n");

        // Changed, and another that cannot be used, and one that the folder has already.
        let bye = greeting("bye");
        let data = json!({"data": {"greet.yaml": bye, "bad.yaml": "spec: [", "both.yaml": bye}});
        api.patch("a", &PatchParams::default(), &Patch::Merge(data)).await.expect("it is patched");
        let second = other_than(&client, &first).await;
        assert_eq!(second.keys().collect::<Vec<_>>(), ["both", "greet"]);
        assert_eq!(second["both"], first["both"], "the folder's wins");
        assert_eq!(output(t, &client, "two", named("greet", "map")).await, "bye map\n");
        told(&server, &["WARN", "template bad of ConfigMap a/bad.yaml", "is not valid YAML"]).await;

        // What is broken later keeps its last good version; what is gone is gone.
        let data = json!({"data": {"greet.yaml": "spec: ["}});
        api.patch("a", &PatchParams::default(), &Patch::Merge(data)).await.expect("it is patched");
        told(&server, &["WARN", "template greet of ConfigMap a/greet.yaml", "its last good version stays"]).await;
        assert_eq!(listed(&client).await, second);
        api.delete("a", &DeleteParams::default()).await.expect("it is deleted");
        let last = other_than(&client, &second).await;
        assert_eq!(last.keys().collect::<Vec<_>>(), ["both"]);
        let error = failure(client.launch(t.request("three", named("greet", "map"))).await);
        error.expect(Code::InvalidArgument, "TEMPLATE_UNKNOWN");
    });
}

/// In every namespace no host network and no gain of privileges, in the test's own a label.
fn policy(t: &Ctx, label: &str) -> String {
    let every = json!({"spec": {
        "hostNetwork": null,
        "containers": [{"name": "*", "securityContext": {"allowPrivilegeEscalation": false}}],
    }});
    json!({"*": every, t.namespace.clone(): {"metadata": {"labels": {"cost-center": label}}}}).to_string()
}

#[test]
fn what_is_enforced() {
    run(async |t| {
        let folder = folder();
        put(&folder, "enforced.yaml", &policy(t, "one"));
        let templates = folder.join("templates");
        std::fs::create_dir(&templates).expect("a folder");
        // A template gives way in silence.
        put(&templates, "host.yaml", "metadata: {labels: {cost-center: own}}\nspec: {hostNetwork: true}");
        let enforced = folder.join("enforced.yaml");
        let flags = ["--enforced", text(&enforced), "--templates", text(&templates)];
        let server = Server::start_with(&unique_instance(), &flags);
        let client = server.connect().await;
        let spec = v1::TaskSpec { template: "host".to_owned(), ..sh("echo done").init("first", "true") };
        assert_eq!(output(t, &client, "one", spec).await, "done\n");
        let pod = t.cluster.list_pods().await.pop().expect("its pod");
        assert_eq!(pod.metadata.labels.expect("labels").get("cost-center").map(String::as_str), Some("one"));
        let spec = pod.spec.expect("a spec");
        assert_eq!(spec.host_network, None);
        let escalates = |container: &k8s_openapi::api::core::v1::Container| {
            container.security_context.as_ref().and_then(|context| context.allow_privilege_escalation)
        };
        assert_eq!(escalates(&spec.containers[0]), Some(false));

        // What the launch itself says is refused by its own name.
        let refused = async |spec: v1::TaskSpec| failure(client.launch(t.request("refused", spec)).await);
        let error = refused(sh("true").pod(|pod| pod.host_network = Some(true))).await;
        error.expect(Code::InvalidArgument, "POLICY_VIOLATED");
        assert!(error.names("spec.pod.host_network"), "{error}");
        let manifest = json!({"metadata": {"labels": {"cost-center": "own"}}}).to_string();
        let error = refused(v1::TaskSpec { manifest, ..sh("true") }).await;
        error.expect(Code::InvalidArgument, "POLICY_VIOLATED");
        assert!(error.names("spec.manifest: metadata.labels[cost-center]"), "{error}");
        assert_eq!(t.cluster.list_pods().await.len(), 1, "nothing was made of what was refused");

        // Broken: told, and it holds on. Changed: holds from then on.
        put(&folder, "enforced.yaml", "- no mapping");
        told(&server, &["WARN", "what is enforced stays as it was", "must be a mapping"]).await;
        refused(sh("true").pod(|pod| pod.host_network = Some(true)))
            .await
            .expect(Code::InvalidArgument, "POLICY_VIOLATED");
        put(&folder, "enforced.yaml", &policy(t, "two"));
        let label = async || {
            let request = v1::LaunchTaskRequest { validate_only: true, ..t.request("label", sh("true")) };
            let pod = validated(&client, request).await.pod_json;
            if pod.contains(r#""cost-center":"two""#) { Ok(()) } else { Err(pod) }
        };
        wait::until("the new policy", label).await;
    });
}
