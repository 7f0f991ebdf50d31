//! The recorded histories of a real cluster, run again here: the final status has to be the same, field by field, apart from
//! times, ids, addresses and images.

use super::*;

macro_rules! recorded {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../tests/corpus/", $name, ".jsonl")))),*]
    };
}

/// What differs by nature: values are blanked, their presence is compared.
const BLANKED: [&str; 11] = [
    "lastTransitionTime",
    "startedAt",
    "finishedAt",
    "startTime",
    "containerID",
    "imageID",
    "image",
    "hostIP",
    "podIP",
    "ip",
    "message",
];

fn normalise(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            // Of a container's user there is a word in some recordings and none in others of the same kind.
            let kept = fields.iter().filter(|(key, _)| !matches!(key.as_str(), "volumeMounts" | "qosClass" | "user"));
            let blank = |key: &str, value: &Value| match BLANKED.contains(&key) && !value.is_null() {
                true => json!("*"),
                false => normalise(value),
            };
            kept.map(|(key, value)| (key.clone(), blank(key, value))).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(normalise).collect(),
        other => other.clone(),
    }
}

/// The pod as it was created there, without what admission added.
fn spec_of(recorded: &Value) -> Value {
    let mut spec = recorded["spec"].clone();
    spec["volumes"] = json!([]);
    spec["nodeName"] = json!("local");
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            container["volumeMounts"] = json!([]);
        }
    }
    spec
}

async fn replay(name: &str, history: &str) {
    let objects: Vec<Value> =
        history.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["object"].take()).collect();
    let expected = &objects.last().unwrap()["status"];
    let bed = Bed::with(|config| config.timing.crash_back_off.first = Duration::from_secs(3600));
    let mut pod = bed.launch(spec_of(&objects[0]));
    let phase = expected["phase"].as_str().unwrap();
    let done = pod
        .until(|pod| {
            pod["status"]["phase"] == phase && pod["status"]["reason"].is_null() == expected["reason"].is_null()
        })
        .await;
    let (found, expected) = (normalise(&done["status"]), normalise(expected));
    assert_eq!(found, expected, "{name}\n{:#}\n{:#}", found, expected);
}

#[tokio::test]
async fn final_statuses_are_those_of_a_real_cluster() {
    let scenarios = recorded![
        "true",
        "true-argv",
        "exit-3",
        "exit-137",
        "exit-139",
        "exit-255",
        "sleep1",
        "start-error",
        "start-error-cwd",
        "init-fail",
        "init-start-error",
        "init-ok",
        "two-containers-main-first",
        "other-fails-first",
        "termination-message-fallback",
        "sidecar",
        "deadline-trap",
    ];
    let replays = scenarios.map(|(name, history)| replay(name, history));
    futures::future::join_all(replays).await;
}
