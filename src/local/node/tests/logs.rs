//! Logs of real containers.

use jiff::Timestamp;

use super::*;

#[tokio::test]
async fn a_burst_just_before_the_exit_is_whole() {
    let bed = Bed::new();
    let mut pod = bed.sh("seq 1 200000");
    pod.until(|pod| !main_state(pod)["terminated"].is_null()).await;
    let expected: String = (1..=200_000).map(|i| format!("{i}\n")).collect();
    assert!(bed.log("main").await == expected);
}

#[tokio::test]
async fn a_follow_gets_everything_and_ends() {
    let bed = Bed::new();
    let mut pod = bed.sh("for i in 1 2 3; do echo line $i; sleep 0.05; done; printf 'no newline'");
    pod.until_running().await;
    let mut query = bed.query("main");
    query.follow = Follow::Yes;
    assert_eq!(bed.read(query).await.unwrap(), "line 1\nline 2\nline 3\nno newline");
}

#[tokio::test]
async fn stamps_have_one_form() {
    let bed = Bed::new();
    let before = Timestamp::now();
    let mut pod = bed.sh("echo a; echo b");
    pod.until_phase("Succeeded").await;
    let mut query = bed.query("main");
    query.prefix = LinePrefix::Timestamp;
    for line in bed.read(query).await.unwrap().lines() {
        let (stamp, _) = line.split_once(' ').unwrap();
        assert_eq!(stamp.len(), 30);
        let at: Timestamp = stamp.parse().unwrap();
        assert!(before <= at && at <= Timestamp::now());
    }
}

#[tokio::test]
async fn rotation_loses_what_was_written_before_it() {
    let bed = Bed::with(|config| {
        config.log_max_size = 100;
        config.timing.rotate_check = Duration::from_millis(10);
    });
    let mut pod = bed.sh("seq 1 100; until [ -e gate ]; do sleep 0.01; done; echo after");
    let running = pod.until_running().await;
    let uid = running["metadata"]["uid"].as_str().unwrap();
    let pod_dir = bed.dir.path().join("node/pods").join(uid);
    let mut query = bed.query("main");
    query.follow = Follow::Yes;
    let mut open = bed.node.logs().open(query).await.unwrap();
    while !bed.log("main").await.is_empty() {
        tokio::task::yield_now().await;
    }
    std::fs::write(pod_dir.join("containers/main/root/gate"), "").unwrap();
    let mut seen = Vec::new();
    while let Some(piece) = timeout(PATIENCE, open.next()).await.unwrap() {
        seen.extend_from_slice(&piece.unwrap());
    }
    assert!(String::from_utf8(seen).unwrap().ends_with("after\n"));
}
