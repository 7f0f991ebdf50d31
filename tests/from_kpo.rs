//! `docs/from-kpo.md` is true: every parameter of KubernetesPodOperator has a row, every flag it names exists, and every
//! line makes the pod it should.
//!
//! The lines are run as a reader would run them, with `--dry-run=client`: no server, no cluster.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test fails by panicking

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

const PAGE: &str = include_str!("../docs/from-kpo.md");
const BINARY: &str = env!("CARGO_BIN_EXE_podlaunch");

/// The constructor of provider 10.25.0.
const PARAMETERS: &str = "kubernetes_conn_id namespace image name random_name_suffix cmds arguments ports volume_mounts \
    volumes env_vars env_from secrets in_cluster cluster_context labels reattach_on_restart durable \
    startup_timeout_seconds startup_check_interval_seconds schedule_timeout_seconds get_logs base_container_name \
    base_container_status_polling_interval init_container_logs container_logs image_pull_policy annotations \
    container_resources affinity config_file runtime_class_name node_selector image_pull_secrets service_account_name \
    automount_service_account_token hostnetwork host_aliases tolerations security_context container_security_context \
    xcom_sidecar_container_security_context dnspolicy dns_config hostname subdomain schedulername full_pod_spec \
    init_containers log_events_on_failure log_events_on_startup do_xcom_push pod_template_file pod_template_dict \
    priority_class_name pod_runtime_info_envs termination_grace_period configmaps skip_on_exit_code deferrable \
    poll_interval log_pod_spec_on_failure on_finish_action on_kill_action is_delete_operator_pod \
    termination_message_policy active_deadline_seconds callbacks progress_callback logging_interval trigger_kwargs \
    container_name_log_prefix_enabled log_formatter";

/// The cells of the rows of the table of parameters.
fn rows() -> Vec<(String, String)> {
    let table = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    table
        .map(|row| {
            let (parameter, goes) = row.split_once("` | ").unwrap_or_else(|| panic!("two cells: {row}"));
            (parameter.to_owned(), goes.to_owned())
        })
        .collect()
}

#[test]
fn every_parameter_has_one_row() {
    let listed: Vec<String> = rows().into_iter().map(|(parameter, _)| parameter).collect();
    let wanted: Vec<&str> = PARAMETERS.split_whitespace().collect();
    assert_eq!(wanted.len(), 73);
    assert_eq!(listed, wanted);
    assert!(rows().iter().all(|(_, goes)| goes.len() > 5), "each says where it goes or why not");
}

fn help(command: &str) -> String {
    let out = Command::new(BINARY).args([command, "--help"]).output().unwrap();
    String::from_utf8(out.stdout).unwrap()
}

fn flags(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
    words.filter(|word| word.len() > 3 && word.starts_with("--")).map(str::to_owned).collect()
}

#[test]
fn every_flag_exists() {
    let (run, serve, logs) = (flags(&help("run")), flags(&help("serve")), flags(&help("logs")));
    for (parameter, goes) in rows() {
        for code in goes.split('`').skip(1).step_by(2) {
            let known = match code {
                _ if code.contains("podlaunch serve") => &serve,
                _ if code.contains("podlaunch logs") => &logs,
                _ => &run,
            };
            for flag in flags(code) {
                assert!(known.contains(&flag), "{parameter}: {flag} is no flag");
            }
        }
    }
}

/// The lines of the page, by task.
fn lines() -> Vec<Vec<String>> {
    let blocks = PAGE.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().trim());
    blocks.map(|line| shlex::split(line).unwrap_or_else(|| panic!("shell words: {line}"))).collect()
}

fn dry_run(words: &[String]) -> Value {
    assert_eq!(words[..2], ["podlaunch", "run"], "{words:?}");
    let out = Command::new(BINARY).args(["run", "--dry-run=client", "-o", "json"]).args(&words[2..]).output().unwrap();
    assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// Whether `pod` has all that `part` has, lists element by element.
fn assert_has(pod: &Value, part: &Value, at: &str) {
    match part {
        Value::Object(map) => map.iter().for_each(|(key, part)| assert_has(&pod[key], part, &format!("{at}.{key}"))),
        Value::Array(parts) => {
            assert_eq!(pod.as_array().map(Vec::len), Some(parts.len()), "{at}: {pod}");
            for (i, part) in parts.iter().enumerate() {
                assert_has(&pod[i], part, &format!("{at}[{i}]"));
            }
        }
        _ => assert_eq!(pod, part, "{at}"),
    }
}

/// What the pod of each task must have: what KPO makes of the same parameters.
#[allow(clippy::too_many_lines, reason = "a table")]
fn expected() -> Vec<(&'static str, Value)> {
    let base = |container: Value| json!({"restartPolicy": "Never", "containers": [container]});
    let hello = |image: &str, python: &str| {
        base(json!({"image": image, "command": [python, "-c"], "args": ["print('hello world')"]}))
    };
    let pi = json!({"image": "perl:5.34.0", "command": ["perl"], "args": ["-Mbignum=bpi", "-wle", "print bpi(2000)"]});
    let secret = json!({"valueFrom": {"secretKeyRef": {"name": "airflow-secrets", "key": "sql_alchemy_conn"}}});
    let mut full_pi = pi.clone();
    full_pi["env"] = json!([{"name": "EXAMPLE_VAR", "value": "/example/value"}]);
    full_pi["imagePullPolicy"] = json!("Always");
    full_pi["resources"] = json!({"limits": {"memory": "250M", "cpu": "100m"}});
    vec![
        ("passing-task", hello("python:3.6", "python")),
        ("failing-task", hello("ubuntu:16.04", "Python")),
        (
            "task",
            json!({
                "containers": [{
                    "image": "ubuntu:16.04", "command": ["bash", "-cx"], "args": ["echo", "10"],
                    "env": [secret],
                    "envFrom": [{"secretRef": {"name": "airflow-secrets-2"}},
                        {"configMapRef": {"name": "test-configmap-1"}}, {"configMapRef": {"name": "test-configmap-2"}}],
                    "ports": [{"name": "http", "containerPort": 80}],
                    "volumeMounts": [{"mountPath": "/root/mount_file", "readOnly": true},
                        {"mountPath": "/etc/sql_conn", "readOnly": true}],
                }],
                "volumes": [{"persistentVolumeClaim": {"claimName": "test-volume"}},
                    {"secret": {"secretName": "airflow-secrets"}}],
                "initContainers": [{"name": "init-container", "image": "ubuntu:16.04",
                    "command": ["bash", "-cx", "echo 10"], "volumeMounts": [{"mountPath": "/root/mount_file"}],
                    "env": [{"name": "key1", "value": "value1"}, {"name": "key2", "value": "value2"}]}],
                "tolerations": [{"key": "key", "operator": "Equal", "value": "value"}],
                "priorityClassName": "medium",
                "affinity": {
                    "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]},
                    "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                        [{"topologyKey": "failure-domain.beta.kubernetes.io/zone"}]},
                },
            }),
        ),
        (
            "task-two",
            json!({"imagePullSecrets": [{"name": "testquay"}],
                "containers": [{"command": ["bash", "-cx"], "args": ["echo", "10", "echo pwd"]}]}),
        ),
        (
            "kubernetes_task_async_log",
            json!({"containers": [{"image": "ubuntu", "volumeMounts": [{"mountPath": "/airflow/xcom"}]}],
                "initContainers": [{"restartPolicy": "Always"}]}),
        ),
        ("pod-ex-minimum", base(json!({"command": ["echo"]}))),
        (
            "ex-kube-templates",
            base(
                json!({"command": ["echo"], "args": ["2024-01-01"], "env": [{"name": "MY_VALUE", "value": "example"}]}),
            ),
        ),
        (
            "ex-kube-secrets",
            json!({"volumes": [{"secret": {"secretName": "service-account"}}],
                "containers": [{"volumeMounts": [{"mountPath": "/var/secrets/google", "readOnly": true}],
                    "env": [secret, {"name": "EXAMPLE_VAR"}, {"name": "GOOGLE_APPLICATION_CREDENTIALS"}]}]}),
        ),
        (
            "ex-pod-affinity",
            json!({"containers": [pi], "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms": [{"matchExpressions": [{"values": ["pool-0", "pool-1"]}]}]}}}}),
        ),
        ("ex-all-configs", base(full_pi)),
        ("start_pod", base(json!({"command": ["sh", "-c", "echo Test Airflow; date"]}))),
        ("pod_task", base(json!({"image": "perl"}))),
    ]
}

#[test]
fn every_line_makes_its_pod() {
    let expected = expected();
    let lines = lines();
    assert_eq!(lines.len(), expected.len());
    for (words, (task, spec)) in lines.iter().zip(&expected) {
        let pod = dry_run(words);
        assert_eq!(pod["metadata"]["annotations"]["podlaunch.dev/task-id"], *task);
        assert_has(&pod["spec"], spec, task);
    }
}

#[test]
fn labels_annotations_and_timeouts_are_in_the_pod() {
    let pod = |task: &str| dry_run(lines().iter().find(|words| words.contains(&task.to_owned())).unwrap());
    let all = pod("ex-all-configs");
    assert_eq!(all["metadata"]["labels"]["pod-label"], "label-name");
    assert_eq!(all["metadata"]["annotations"]["key1"], "value1");
    assert!(all["metadata"]["annotations"]["podlaunch.dev/policy"].as_str().unwrap().contains("120"));
    assert_eq!(pod("passing-task")["metadata"]["labels"]["foo"], "bar");
}
