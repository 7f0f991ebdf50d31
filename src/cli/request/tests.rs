//! Flags in, requests out.

use clap::Parser as _;

use super::*;
use crate::cli::args::{Cli, ClientCommand, Command};

fn args(line: &str) -> RunArgs {
    let line = format!("podlaunch run {line}");
    match Cli::try_parse_from(line.split_whitespace()).expect(&line).command {
        Command::Client(ClientCommand::Run(args)) => *args,
        other => panic!("{other:?}"),
    }
}

fn request(line: &str) -> Result<v1::LaunchTaskRequest, Failure> {
    launch(&args(line), "hello".to_owned(), String::new())
}

fn spec(line: &str) -> v1::TaskSpec {
    match request(line) {
        Ok(request) => request.spec.unwrap_or_default(),
        Err(failure) => panic!("{line}: {failure}"),
    }
}

#[test]
fn what_is_not_said_is_not_sent() {
    let plain = v1::LaunchTaskRequest {
        key: Some(v1::TaskKey {
            cluster: String::new(),
            namespace: "default".to_owned(),
            task_id: "hello".to_owned(),
            attempt: 1,
        }),
        spec: Some(v1::TaskSpec {
            container: Some(v1::ContainerSpec { image: "busybox".to_owned(), ..Default::default() }),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(request("--image busybox").ok(), Some(plain));
    let manifest = launch(&args("-f pod.yaml"), "hello".to_owned(), "kind: Pod".to_owned());
    let expected = v1::TaskSpec { manifest: "kind: Pod".to_owned(), ..Default::default() };
    assert_eq!(manifest.ok().and_then(|request| request.spec), Some(expected));
}

#[test]
fn the_container() {
    use v1::env_var::Source;
    let spec = spec(
        "--image i --container job -e A=1 -e B=$(P) --secret-env P=db:pass --env-from secret:s \
         --env-from configmap:c --cpu 500m --memory 1Gi --image-pull-policy IfNotPresent -w /w -- sh -c x",
    );
    assert_eq!(spec.primary_container, "job");
    let container = spec.container.unwrap_or_default();
    assert_eq!(container.command, ["sh", "-c", "x"]);
    assert!(container.args.is_empty());
    assert_eq!(container.working_dir, "/w");
    assert_eq!(container.image_pull_policy(), v1::ImagePullPolicy::IfNotPresent);
    let env: Vec<_> = container.env.iter().map(|env| env.name.as_str()).collect();
    assert_eq!(env, ["P", "A", "B"], "secrets come before what may refer to them");
    assert_eq!(container.env[1].source, Some(Source::Value("1".to_owned())));
    let Some(Source::SecretKey(secret)) = &container.env[0].source else {
        panic!("{:?}", container.env[0]);
    };
    assert_eq!((secret.name.as_str(), secret.key.as_str()), ("db", "pass"));
    assert_eq!(container.env_from.len(), 2);
    let resources = container.resources.unwrap_or_default();
    assert_eq!(resources.limits, resources.requests);
    assert_eq!(resources.limits["cpu"], "500m");
    assert_eq!(resources.limits["memory"], "1Gi");
}

#[test]
fn the_pod_and_the_timeouts() {
    let spec = spec(
        "--image i -l foo=bar --annotation a=b --node-selector disk=ssd --service-account sa \
         --restart on-failure --schedule-timeout 1m --startup-timeout 90s --execution-timeout 1h --grace 5s \
         --pending-grace IMAGE_PULL_FAILED=2m --pending-grace unschedulable=0",
    );
    let pod = spec.pod.unwrap_or_default();
    assert_eq!(pod.labels["foo"], "bar");
    assert_eq!(pod.annotations["a"], "b");
    assert_eq!(pod.node_selector["disk"], "ssd");
    assert_eq!(pod.service_account_name, "sa");
    assert_eq!(pod.restart_policy(), v1::RestartPolicy::OnFailure);
    let timeouts = spec.timeouts.unwrap_or_default();
    let seconds = |span: Option<prost_types::Duration>| span.map(|span| span.seconds);
    assert_eq!(seconds(timeouts.schedule), Some(60));
    assert_eq!(seconds(timeouts.startup), Some(90));
    assert_eq!(seconds(timeouts.execution), Some(3600));
    assert_eq!(seconds(timeouts.termination_grace), Some(5));
    let graces: Vec<_> = timeouts.pending_graces.iter().map(|g| (g.reason(), seconds(g.grace))).collect();
    assert_eq!(graces, [(v1::Reason::ImagePullFailed, Some(120)), (v1::Reason::Unschedulable, Some(0))]);
}

#[test]
fn whose_logs() {
    use v1::LogContainers as C;
    let selected = |line: &str| {
        let request = match request(&format!("--image i {line}")) {
            Ok(request) => request,
            Err(failure) => panic!("{line}: {failure}"),
        };
        let marked = marks(&request).container;
        let logs = request.spec.and_then(|spec| spec.logs);
        (logs.map(|logs| (logs.mode(), logs.containers.join(","))), marked)
    };
    let some = |mode, names: &str| Some((mode, names.to_owned()));
    assert_eq!(selected(""), (None, Switch::Off));
    assert_eq!(selected("--no-logs"), (some(C::None, ""), Switch::Off));
    assert_eq!(selected("--logs-of all"), (some(C::All, ""), Switch::On));
    assert_eq!(selected("--logs-of side"), (some(C::Named, "side"), Switch::Off));
    assert_eq!(selected("--logs-of a,b"), (some(C::Named, "a,b"), Switch::On));
    assert_eq!(selected("--container job --logs-of primary --logs-of side"), (some(C::Named, "job,side"), Switch::On));
    for line in ["--logs-of primary,side", "--logs-of all,side"] {
        let Err(Failure::Flag { flag, .. }) = request(&format!("--image i {line}")) else {
            panic!("{line}");
        };
        assert_eq!(flag, "--logs-of");
    }
}

#[test]
fn the_same_name_twice_is_a_mistake() {
    for (line, flag) in [
        ("-e A=1 -e A=2", "--env"),
        ("-e A=1 --secret-env A=s:k", "--env"),
        ("-l a=1 -l a=1", "--label"),
        ("--annotation a=1 --annotation a=2", "--annotation"),
        ("--node-selector a=1 --node-selector a=2", "--node-selector"),
    ] {
        let failure = request(&format!("--image i {line}"));
        let Err(Failure::Flag { flag: named, problem }) = failure else {
            panic!("{line}");
        };
        assert_eq!(named, flag);
        assert!(problem.contains("twice"), "{problem}");
    }
}

#[test]
fn spans_beyond_the_contract_do_not_wrap() {
    assert_eq!(proto_duration(Duration::from_millis(1500)).nanos, 500_000_000);
    assert_eq!(proto_duration(Duration::MAX).seconds, i64::MAX);
}
