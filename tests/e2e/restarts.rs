//! Containers that Kubernetes starts again: every run is followed, and what is not readable any more is said to be.

use crate::harness::collected::Collected;
use crate::harness::run;
use crate::harness::server::{Server, unique_instance};
use crate::harness::spec::{Build as _, sh};
use crate::harness::v1::container_change::State;
use crate::harness::v1::{self, DeliveryVerdict, LogLossCause, Reason, TaskState};

/// Restarts of the task: three of them take half a minute of back-off.
const RESTARTS: u32 = 3;

/// Fails `RESTARTS` times and then succeeds, two lines each time.
fn again_and_again() -> v1::TaskSpec {
    let count = r#""${PODLAUNCH_CONTAINER_ROOT-}/state/count""#;
    let script = format!(
        "n=$(cat {count} 2>/dev/null || echo 0); echo $((n + 1)) > {count}; \
         echo run $n begins; sleep 1; echo run $n ends; [ $n -ge {RESTARTS} ] || exit $((n + 1))"
    );
    let mut spec = sh(&script).pod(|pod| pod.restart_policy = v1::RestartPolicy::OnFailure.into());
    let manifest = serde_json::json!({
        "containers": [{"name": "main", "volumeMounts": [{"name": "state", "mountPath": "/state"}]}],
        "volumes": [{"name": "state", "emptyDir": {}}],
    });
    spec.manifest = manifest.to_string();
    spec
}

fn run_of(task: &Collected, restart: u32) -> String {
    let log = task.logs.get(&("main".to_owned(), restart));
    log.map(|log| String::from_utf8_lossy(log).into_owned()).unwrap_or_default()
}

fn written_by(restart: u32) -> String {
    format!("run {restart} begins\nrun {restart} ends\n")
}

/// The verdict on a run, with what is missing of it.
fn verdict(task: &Collected, restart: u32) -> Option<(DeliveryVerdict, LogLossCause)> {
    let delivery = task.termination().and_then(|termination| termination.delivery.as_ref()).expect("a delivery");
    let one = delivery.containers.iter().find(|one| one.container == "main" && one.restart == restart)?;
    Some((one.verdict(), one.cause()))
}

fn gaps(task: &Collected) -> Vec<(u32, LogLossCause)> {
    let gap = |body: &v1::event::Body| match body {
        v1::event::Body::LogGap(gap) => Some((gap.restart, gap.cause())),
        _ => None,
    };
    task.bodies().filter_map(gap).collect()
}

#[test]
fn three_restarts_are_followed() {
    run(async |t| {
        let instance = unique_instance();
        let server = Server::start(&instance);
        let client = server.connect().await;
        let request = t.request("task", again_and_again());
        let task = client.launch(request).await.expect("accepted").collect().await;
        task.assert_ended(TaskState::Succeeded, Reason::Completed);
        task.assert_exit_code(0);
        for restart in 0..=RESTARTS {
            assert_eq!(run_of(&task, restart), written_by(restart), "\n{task}");
            let expected = (DeliveryVerdict::Complete, LogLossCause::Unspecified);
            assert_eq!(verdict(&task, restart), Some(expected), "run {restart}\n{task}");
            let mut ends = task.container_changes().filter(|change| change.restart == restart);
            let end = ends.find_map(|change| match &change.state {
                Some(State::Terminated(end)) => Some(end),
                _ => None,
            });
            let code = if restart == RESTARTS { 0 } else { i32::try_from(restart).expect("few") + 1 };
            assert_eq!(end.and_then(|end| end.exit_code), Some(code), "run {restart}\n{task}");
        }
        assert_eq!(gaps(&task), [], "\n{task}");
        // It was RUNNING over all of them.
        assert_eq!(task.state_changes().filter(|change| change.state() == TaskState::Running).count(), 1);

        // Who comes late is told what is not there any more: by who saw it, and by who did not.
        let other = Server::start(&instance);
        for late in [client, other.connect().await] {
            let request = v1::AttachTaskRequest { key: Some(task.key()), ..Default::default() };
            let late = late.attach(request).await.expect("it is known").collect().await;
            assert_eq!(late.outcome_bytes(), task.outcome_bytes());
            // The run before the last goes when the node tidies up.
            let gone = RESTARTS - u32::from(!run_of(&late, RESTARTS - 1).is_empty());
            let mut gaps = gaps(&late);
            gaps.sort_unstable();
            let expected = (0..gone).map(|restart| (restart, LogLossCause::Restarted)).collect::<Vec<_>>();
            assert_eq!(gaps, expected, "\n{late}");
            for restart in 0..=RESTARTS {
                let (text, expected) = match restart < gone {
                    true => (String::new(), (DeliveryVerdict::Truncated, LogLossCause::Restarted)),
                    false => (written_by(restart), (DeliveryVerdict::Complete, LogLossCause::Unspecified)),
                };
                assert_eq!(run_of(&late, restart), text, "\n{late}");
                assert_eq!(verdict(&late, restart), Some(expected), "run {restart}\n{late}");
            }
        }
    });
}
