//! Flags in, requests out.

use clap::Parser as _;

use super::*;
use crate::cli::args::{Cli, ClientCommand, Command};

fn args(line: &str) -> RunArgs {
    let line = format!("podlaunch run {line}");
    match Cli::try_parse_from(shlex::split(&line).expect(&line)).expect(&line).command {
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
fn entrypoint_and_arguments() {
    let command = |line: &str| {
        let container = spec(&format!("--image i {line}")).container.unwrap_or_default();
        (container.command.join(" "), container.args.join(" "))
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(command("-- a b"), pair("a b", ""));
    assert_eq!(command("--keep-entrypoint -- a b"), pair("", "a b"));
    assert_eq!(command("--entrypoint bash --entrypoint -cx -- a b"), pair("bash -cx", "a b"));
    assert_eq!(command("--entrypoint bash"), pair("bash", ""));
}

#[test]
fn references_come_before_what_may_refer_to_them() {
    use v1::env_var::Source;
    let spec = spec(
        "--image i -e A=1 --secret P=db:pass --config-map M=app:mode --field-env POD=metadata.name \
         --field-env CPUS=limits.cpu --secret /etc/db=db --secret /etc/tls/key=tls:tls.key --config-map /etc/app=app",
    );
    let container = spec.container.unwrap_or_default();
    let names: Vec<_> = container.env.iter().map(|env| env.name.as_str()).collect();
    assert_eq!(names, ["P", "M", "POD", "CPUS", "A"]);
    assert!(matches!(&container.env[1].source, Some(Source::ConfigMapKey(at)) if at.name == "app" && at.key == "mode"));
    assert!(matches!(&container.env[2].source, Some(Source::FieldPath(path)) if path == "metadata.name"));
    assert!(matches!(&container.env[3].source, Some(Source::ResourceField(field)) if field.resource == "limits.cpu"));
    let mounts: Vec<_> =
        container.volume_mounts.iter().map(|m| (m.name.as_str(), m.mount_path.as_str(), m.sub_path.as_str())).collect();
    assert_eq!(
        mounts,
        [("secret-db", "/etc/db", ""), ("secret-tls", "/etc/tls/key", "tls.key"), ("configmap-app", "/etc/app", "")]
    );
    assert!(container.volume_mounts.iter().all(|mount| mount.read_only));
    let volumes: Vec<_> = spec.pod.unwrap_or_default().volumes.into_iter().map(|volume| volume.name).collect();
    assert_eq!(volumes, ["secret-db", "secret-tls", "configmap-app"]);
}

#[test]
fn volumes_and_the_containers_beside() {
    use v1::volume::Source;
    let spec = spec(
        "--image i -v emptydir:/work:10Gi -v pvc:data:/data:ro -v pvc:data:/again -v token:vault:/t -v shared:/s \
         -v podinfo:/p --secret /etc/db=db --init 'fetch=busybox sh -c \"wget x\"' --sidecar proxy=envoy",
    );
    let (container, pod) = (spec.container.unwrap_or_default(), spec.pod.unwrap_or_default());
    let volumes: Vec<_> = pod.volumes.iter().map(|volume| volume.name.as_str()).collect();
    assert!(volumes[0].starts_with("dir-work-"), "{volumes:?}");
    assert_eq!(volumes[1..], ["pvc-data", "token-vault", "podinfo", "secret-db"]);
    assert!(matches!(&pod.volumes[0].source, Some(Source::EmptyDir(dir)) if dir.size_limit == "10Gi"));
    assert!(matches!(&pod.volumes[2].source, Some(Source::Projected(_))));
    let paths = |container: &v1::ContainerSpec| {
        container.volume_mounts.iter().map(|mount| mount.mount_path.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(paths(&container), "/work /data /again /t /s /p /etc/db");
    assert_eq!(container.volume_mounts[4].name, "shared");
    let read_only: Vec<_> = container.volume_mounts.iter().map(|mount| mount.read_only).collect();
    assert_eq!(read_only, [false, true, false, false, false, false, true]);
    let init = &pod.init_containers[0];
    assert_eq!((init.name.as_str(), init.image.as_str()), ("fetch", "busybox"));
    assert_eq!(init.command, ["sh", "-c", "wget x"]);
    assert_eq!(paths(init), "/work /data /again /t /s /p", "secrets are the task's own");
    assert_eq!((pod.sidecars[0].name.as_str(), paths(&pod.sidecars[0])), ("proxy", paths(init)));
}

#[test]
fn resources_and_rights() {
    let of = |line: &str| spec(&format!("--image i {line}")).container.unwrap_or_default();
    let resources = of("--cpu 2 --memory 4Gi --gpu 1 --requests cpu=1,ephemeral-storage=1Gi --limits memory=8Gi");
    let resources = resources.resources.unwrap_or_default();
    let show = |map: &std::collections::BTreeMap<String, String>| {
        map.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(show(&resources.requests), "cpu=1 ephemeral-storage=1Gi memory=4Gi nvidia.com/gpu=1");
    assert_eq!(show(&resources.limits), "cpu=2 memory=8Gi nvidia.com/gpu=1");
    let gpu = of("--gpu amd.com/gpu=2").resources.unwrap_or_default();
    assert_eq!(show(&gpu.limits), "amd.com/gpu=2");
    assert_eq!(
        of("--user 1000:10 --privileged").security_context,
        r#"{"runAsUser":1000,"runAsGroup":10,"privileged":true}"#
    );
    assert_eq!(of("--container-security-context '{runAsUser: 1}'").security_context, "{runAsUser: 1}");
    assert_eq!(of("--port web=80 --port 53/udp").ports.len(), 2);
    assert_eq!(of("--termination-message-policy File").termination_message_policy, "File");
}

#[test]
fn the_pod_in_all_its_parts() {
    let spec = spec(
        "--image i --template gpu --toleration gpu=true:NoSchedule --toleration spot:NoExecute:60s --affinity '{a: 1}' \
         --topology-spread '[]' --pull-secret reg --priority-class high --security-context '{fsGroup: 1}' \
         --runtime-class gvisor --scheduler volcano --hostname h --subdomain s --dns-policy None \
         --dns-config '{nameservers: [1.1.1.1]}' --add-host db:10.0.0.2 --add-host cache:10.0.0.2 --add-host v6:::1 \
         --host-network --automount-token off",
    );
    assert_eq!(spec.template, "gpu");
    let pod = spec.pod.unwrap_or_default();
    let tolerations: Vec<_> = pod.tolerations.iter().map(|t| (t.key.as_str(), t.operator.as_str())).collect();
    assert_eq!(tolerations, [("gpu", "Equal"), ("spot", "Exists")]);
    assert_eq!(pod.tolerations[1].toleration_period.map(|period| period.seconds), Some(60));
    assert_eq!((pod.affinity.as_str(), pod.topology_spread_constraints.as_str()), ("{a: 1}", "[]"));
    assert_eq!((pod.security_context.as_str(), pod.image_pull_secrets.join(",").as_str()), ("{fsGroup: 1}", "reg"));
    assert_eq!((pod.runtime_class_name.as_str(), pod.scheduler_name.as_str()), ("gvisor", "volcano"));
    assert_eq!((pod.hostname.as_str(), pod.subdomain.as_str(), pod.dns_policy.as_str()), ("h", "s", "None"));
    let aliases: Vec<_> = pod.host_aliases.iter().map(|a| (a.ip.as_str(), a.hostnames.join(","))).collect();
    assert_eq!(aliases, [("10.0.0.2", "db,cache".to_owned()), ("::1", "v6".to_owned())]);
    assert_eq!((pod.host_network, pod.automount_service_account_token), (Some(true), Some(false)));
    assert_eq!(pod.priority_class_name, "high");
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

#[test]
fn where_a_result_is_taken_from() {
    let source = |kind: v1::ResultKind, path: &str, max_bytes| {
        Some(v1::ResultSource { kind: kind.into(), path: path.to_owned(), max_bytes })
    };
    use v1::ResultKind::{File, TerminationMessage};
    for (flags, expected) in [
        ("", None),
        ("--result message", source(TerminationMessage, "", 0)),
        ("--result file", source(File, "", 0)),
        ("--result-file /out/r", source(File, "/out/r", 0)),
        ("--result file --result-file /out/r --result-max-size 2Mi", source(File, "/out/r", 2 << 20)),
    ] {
        assert_eq!(spec(&format!("--image x {flags}")).result, expected, "{flags}");
    }
    for (flags, flag) in
        [("--result message --result-file /out/r", "--result-file"), ("--result-max-size 1Ki", "--result-max-size")]
    {
        let failure = request(&format!("--image x {flags}")).expect_err(flags);
        assert!(failure.to_string().starts_with(flag), "{failure}");
    }
}
