//! Nothing of a container outlives the process of its node, however that ends.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

/// Where the victim keeps its state.
const STATE: &str = "PODLAUNCH_TEST_NODE_STATE";

/// The process that is killed. Runs only when started by the test below.
#[tokio::test]
#[ignore = "a helper of a_killed_node_leaves_nothing_behind"]
async fn victim() {
    let Ok(root) = std::env::var(STATE) else {
        return;
    };
    let store = Store::new();
    let node = Node::start(store.clone(), NodeConfig::new(root)).unwrap();
    let script = "trap '' TERM HUP; sleep 1000 & echo pids $$$$ $!; wait";
    let spec = json!({"nodeName": "local", "restartPolicy": "Never", "containers": [sh("main", script)]});
    let mut pods = store.subscribe(Kind::Pod, None).unwrap();
    let pod = json!({"metadata": {"name": "p", "namespace": "default"}, "spec": spec});
    store.create(Kind::Pod, pod).unwrap();
    while main_state(&pods.next().await.unwrap().unwrap().object)["running"].is_null() {}
    let query = LogQuery {
        namespace: "default".into(),
        pod: "p".into(),
        container: "main".into(),
        follow: Follow::Yes,
        attempt: Attempt::Current,
        since: None,
        tail_lines: None,
        limit_bytes: None,
        prefix: LinePrefix::None,
    };
    let mut body = node.logs().open(query).await.unwrap();
    let line = body.next().await.unwrap().unwrap();
    println!("{}", String::from_utf8_lossy(&line).trim());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_node_leaves_nothing_behind() {
    let state = tempfile::tempdir().unwrap();
    let module = module_path!().split_once("::").unwrap().1;
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::victim"), "--ignored", "--nocapture"])
        .env(STATE, state.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let told = lines.map_while(Result::ok).find_map(|line| {
        let (_, pids) = line.split_once("pids ")?;
        Some(pids.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    });
    let pids = told.unwrap();
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| is_alive(pid)));
    victim.kill().unwrap();
    victim.wait().unwrap();
    let all_dead = async {
        while pids.iter().any(|pid| is_alive(pid)) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, all_dead).await.unwrap();
}

/// Zombies are dead.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}
