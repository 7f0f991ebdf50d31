//! The fields of the short form that are marked "extended", as they reach the pod.

use super::*;

fn fragment(text: &str, shape: FragmentShape) -> Option<Fragment> {
    Some(Fragment::parse("f", text, shape).unwrap())
}

fn mapping(text: &str) -> Option<Fragment> {
    fragment(text, FragmentShape::Mapping)
}

fn extended() -> TaskSpec {
    let text = |t: &str| Some(t.to_owned());
    let mut spec = short("i");
    let s = &mut spec.short;
    s.ports = vec![Port { number: 80, name: text("web"), protocol: text("TCP") }];
    s.security_context = mapping("{runAsUser: 1000, capabilities: {drop: [ALL]}}");
    s.termination_message_policy = text("File");
    s.pod_security_context = mapping("fsGroup: 2000");
    s.runtime_class = text("gvisor");
    s.automount_token = Some(false);
    s.placement = Placement {
        affinity: mapping("podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: host}]}"),
        topology_spread: fragment("[{topologyKey: zone, maxSkew: 1}]", FragmentShape::List),
        scheduler: text("volcano"),
    };
    s.network = Network {
        hostname: text("h"),
        subdomain: text("s"),
        dns_policy: text("None"),
        dns_config: mapping("nameservers: [10.0.0.1]"),
        host_aliases: vec![HostAlias { ip: "10.0.0.2".into(), hostnames: vec!["db".into()] }],
        host_network: Some(false),
    };
    let init = |name: &str, kind| InitContainer { name: name.into(), kind, image: text("x"), ..Default::default() };
    s.init_containers = vec![
        InitContainer { security_context: mapping("runAsUser: 0"), ..init("prepare", InitKind::RunToCompletion) },
        InitContainer {
            ports: vec![Port { number: 5432, name: None, protocol: None }],
            ..init("proxy", InitKind::Sidecar)
        },
    ];
    spec
}

#[test]
fn the_pod_and_its_containers() {
    let pod = built(&extended());
    assert_eq!(
        pod["spec"],
        json!({
            "restartPolicy": "Never",
            "containers": [{
                "name": "main", "image": "i", "terminationMessagePolicy": "File",
                "ports": [{"containerPort": 80, "name": "web", "protocol": "TCP"}],
                "securityContext": {"runAsUser": 1000, "capabilities": {"drop": ["ALL"]}},
            }],
            "initContainers": [
                {"name": "prepare", "image": "x", "securityContext": {"runAsUser": 0},
                    "terminationMessagePolicy": "FallbackToLogsOnError"},
                {"name": "proxy", "image": "x", "restartPolicy": "Always", "ports": [{"containerPort": 5432}],
                    "terminationMessagePolicy": "FallbackToLogsOnError"},
            ],
            "securityContext": {"fsGroup": 2000},
            "runtimeClassName": "gvisor",
            "automountServiceAccountToken": false,
            "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "host"}]}},
            "topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 1}],
            "schedulerName": "volcano",
            "hostname": "h",
            "subdomain": "s",
            "dnsPolicy": "None",
            "dnsConfig": {"nameservers": ["10.0.0.1"]},
            "hostAliases": [{"ip": "10.0.0.2", "hostnames": ["db"]}],
            "hostNetwork": false,
        })
    );
}

#[test]
fn parts_given_as_text_merge_as_a_manifest_would() {
    let mut spec = manifest(json!({"spec": {
        "securityContext": {"runAsUser": 1, "fsGroup": 1},
        "affinity": {"nodeAffinity": {"x": 1}},
        "topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 1}, {"topologyKey": "host", "maxSkew": 1}],
        "containers": [{"name": "a", "image": "i", "ports": [{"containerPort": 80, "name": "old", "hostPort": 80}],
            "securityContext": {"privileged": true}}]}}));
    spec.short.pod_security_context = mapping("{runAsUser: 2, fsGroup: null}");
    spec.short.placement.affinity = mapping("{$patch: replace, podAffinity: {}}");
    spec.short.placement.topology_spread = fragment("[{topologyKey: host, maxSkew: 5}]", FragmentShape::List);
    spec.short.security_context = mapping("privileged: null");
    spec.short.ports = vec![Port { number: 80, name: Some("new".into()), protocol: None }];
    let pod = &built(&spec)["spec"];
    assert_eq!(pod["securityContext"], json!({"runAsUser": 2}));
    assert_eq!(pod["affinity"], json!({"podAffinity": {}}));
    let zone = json!({"topologyKey": "zone", "maxSkew": 1});
    assert_eq!(pod["topologySpreadConstraints"], json!([zone, {"topologyKey": "host", "maxSkew": 5}]));
    assert_eq!(pod["containers"][0]["securityContext"], json!({}));
    assert_eq!(pod["containers"][0]["ports"], json!([{"containerPort": 80, "name": "new"}]));
}

#[test]
fn projected_and_downward_volumes() {
    let file = |path: &str, source, mode| DownwardFile { path: path.into(), source, mode };
    let field = |path: &str| DownwardSource::Field { path: path.into() };
    let cpu = DownwardSource::Resource {
        resource: "limits.cpu".into(),
        container: "main".into(),
        divisor: Some("1m".into()),
    };
    let key = KeyFile { key: "k".into(), path: "p".into(), mode: Some(0o400) };
    let mut spec = short("i");
    let sources = vec![
        ProjectedSource::Secret { name: "s".into(), items: vec![key], presence: Presence::Required },
        ProjectedSource::ConfigMap { name: "c".into(), items: vec![], presence: Presence::Optional },
        ProjectedSource::DownwardApi { items: vec![file("labels", field("metadata.labels"), None)] },
        ProjectedSource::ServiceAccountToken {
            path: "token".into(),
            audience: Some("vault".into()),
            expiration_seconds: Some(600),
        },
    ];
    let projected = VolumeSource::Projected { sources, default_mode: Some(0o440) };
    let downward = VolumeSource::DownwardApi { items: vec![file("cpu", cpu, Some(0o444))], default_mode: None };
    spec.short.volumes =
        vec![Volume { name: "p".into(), source: projected }, Volume { name: "d".into(), source: downward }];
    assert_eq!(
        built(&spec)["spec"]["volumes"],
        json!([
            {"name": "p", "projected": {"defaultMode": 288, "sources": [
                {"secret": {"name": "s", "items": [{"key": "k", "path": "p", "mode": 256}]}},
                {"configMap": {"name": "c", "optional": true}},
                {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}},
            ]}},
            {"name": "d", "downwardAPI": {"items": [{"path": "cpu", "mode": 292,
                "resourceFieldRef": {"resource": "limits.cpu", "containerName": "main", "divisor": "1m"}}]}},
        ])
    );
}

/// New fields enter the fingerprint when they are set, and only then.
#[test]
fn the_fingerprint() {
    let plain = fingerprint(&short("i")).unwrap();
    assert_ne!(fingerprint(&extended()).unwrap(), plain);
    assert_eq!(serde_json::to_value(short("i")).unwrap(), json!({"short": {"image": "i"}}));
}
