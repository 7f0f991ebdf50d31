//! The fields of the short form that are marked "extended".

use super::*;
use crate::task::spec::{DownwardSource, InitKind, ProjectedSource};
use v1::volume::Source as Vol;

fn port(number: u32) -> v1::ContainerPort {
    v1::ContainerPort { container_port: number, ..Default::default() }
}

fn alias(ip: &str, names: usize) -> v1::HostAlias {
    v1::HostAlias { ip: ip.into(), hostnames: vec!["a".into(); names] }
}

/// Field and what makes it wrong.
pub(super) fn wrong_fields() -> Vec<Case> {
    vec![
        ("spec.container.ports", change(|r| container(r).ports = vec![port(1); 65])),
        ("spec.container.ports[0].container_port", change(|r| container(r).ports = vec![port(0)])),
        ("spec.container.ports[1].container_port", change(|r| container(r).ports = vec![port(65_535), port(65_536)])),
        (
            "spec.container.ports[0].name",
            change(|r| container(r).ports = vec![v1::ContainerPort { name: "x".repeat(16), ..port(1) }]),
        ),
        ("spec.container.security_context", change(|r| container(r).security_context = "[]".into())),
        ("spec.pod.sidecars[0].name", change(|r| pod(r).sidecars.push(v1::ContainerSpec::default()))),
        (
            "spec.pod.sidecars[0].ports[0].container_port",
            change(|r| {
                let ports = vec![port(0)];
                pod(r).sidecars.push(v1::ContainerSpec { name: "s".into(), ports, ..Default::default() });
            }),
        ),
        ("spec.pod.affinity", change(|r| pod(r).affinity = "a: [".into())),
        ("spec.pod.affinity", change(|r| pod(r).affinity = "x".repeat(65 << 10))),
        ("spec.pod.topology_spread_constraints", change(|r| pod(r).topology_spread_constraints = "{}".into())),
        ("spec.pod.security_context", change(|r| pod(r).security_context = "yes".into())),
        ("spec.pod.dns_config", change(|r| pod(r).dns_config = "null".into())),
        ("spec.pod.host_aliases[0].ip", change(|r| pod(r).host_aliases = vec![alias("", 1)])),
        ("spec.pod.host_aliases[0].hostnames", change(|r| pod(r).host_aliases = vec![alias("::1", 0)])),
        ("spec.pod.host_aliases[0].hostnames", change(|r| pod(r).host_aliases = vec![alias("::1", 65)])),
        ("spec.pod.host_aliases", change(|r| pod(r).host_aliases = vec![alias("::1", 1); 65])),
    ]
}

fn projected(source: v1::projected_source::Source) -> Change {
    change(move |r| {
        let sources = vec![v1::ProjectedSource { source: Some(source.clone()) }];
        volume(r, Some(Vol::Projected(v1::ProjectedVolume { sources, default_mode: None })));
    })
}

fn downward(file: v1::DownwardApiFile) -> Change {
    change(move |r| {
        let items = vec![file.clone()];
        volume(r, Some(Vol::DownwardApi(v1::DownwardApiFiles { items, default_mode: None })));
    })
}

fn file(path: &str, source: Option<v1::downward_api_file::Source>) -> v1::DownwardApiFile {
    v1::DownwardApiFile { path: path.into(), source, mode: None }
}

/// Field and what makes it wrong, in volumes.
pub(super) fn wrong_volumes() -> Vec<Case> {
    use v1::downward_api_file::Source as In;
    use v1::projected_source::Source as Of;
    let token = |path: &str, expiration| {
        Of::ServiceAccountToken(v1::ServiceAccountToken { path: path.into(), expiration, ..Default::default() })
    };
    let field = || Some(In::FieldPath("metadata.name".into()));
    let resource = v1::ResourceFieldRef { resource: "limits.cpu".into(), ..Default::default() };
    vec![
        (
            "spec.pod.volumes[0].persistent_volume_claim.claim_name",
            change(|r| volume(r, Some(Vol::PersistentVolumeClaim(Default::default())))),
        ),
        (
            "spec.pod.volumes[0].host_path.path",
            change(|r| volume(r, Some(Vol::HostPath(v1::HostPathVolume { path: "a".into(), ..Default::default() })))),
        ),
        ("spec.pod.volumes[0].projected.sources", change(|r| volume(r, Some(Vol::Projected(Default::default()))))),
        (
            "spec.pod.volumes[0].projected.sources[0]",
            change(|r| {
                let sources = vec![v1::ProjectedSource { source: None }];
                volume(r, Some(Vol::Projected(v1::ProjectedVolume { sources, default_mode: None })));
            }),
        ),
        (
            "spec.pod.volumes[0].projected.sources[0].secret.default_mode",
            projected(Of::Secret(v1::ObjectFiles { default_mode: Some(0o400), ..files() })),
        ),
        (
            "spec.pod.volumes[0].projected.sources[0].config_map.name",
            projected(Of::ConfigMap(v1::ObjectFiles::default())),
        ),
        ("spec.pod.volumes[0].projected.sources[0].service_account_token.path", projected(token("../a", None))),
        (
            "spec.pod.volumes[0].projected.sources[0].service_account_token.expiration",
            projected(token("a", seconds(599))),
        ),
        ("spec.pod.volumes[0].downward_api.items", change(|r| volume(r, Some(Vol::DownwardApi(Default::default()))))),
        ("spec.pod.volumes[0].downward_api.items[0]", downward(file("a", None))),
        ("spec.pod.volumes[0].downward_api.items[0].path", downward(file("/a", field()))),
        (
            "spec.pod.volumes[0].downward_api.items[0].mode",
            downward(v1::DownwardApiFile { mode: Some(512), ..file("a", field()) }),
        ),
        (
            "spec.pod.volumes[0].downward_api.items[0].resource_field.container_name",
            downward(file("a", Some(In::ResourceField(resource)))),
        ),
    ]
}

#[test]
fn all_of_it_is_read() {
    use v1::projected_source::Source as Of;
    let mut request = base();
    container(&mut request).ports = vec![v1::ContainerPort { name: "web".into(), ..port(80) }];
    container(&mut request).security_context = "runAsNonRoot: yes".into();
    container(&mut request).termination_message_policy = "File".into();
    let named = |name: &str| v1::ContainerSpec { name: name.into(), ..Default::default() };
    let options = pod(&mut request);
    options.init_containers = vec![named("i")];
    options.sidecars = vec![named("s")];
    options.affinity = "{}".into();
    options.topology_spread_constraints = "[]".into();
    options.security_context = "{\"fsGroup\": 1}".into();
    options.dns_config = "nameservers: [1.1.1.1]".into();
    options.dns_policy = "None".into();
    options.hostname = "h".into();
    options.subdomain = "s".into();
    options.runtime_class_name = "gvisor".into();
    options.scheduler_name = "volcano".into();
    options.automount_service_account_token = Some(false);
    options.host_network = Some(true);
    options.host_aliases = vec![alias("10.0.0.1", 2)];
    let token = v1::ServiceAccountToken { audience: "vault".into(), expiration: seconds(600), path: "token".into() };
    let sources = vec![v1::ProjectedSource { source: Some(Of::ServiceAccountToken(token)) }];
    volume(&mut request, Some(Vol::Projected(v1::ProjectedVolume { sources, default_mode: Some(0o440) })));
    let items = vec![file("labels", Some(v1::downward_api_file::Source::FieldPath("metadata.labels".into())))];
    volume(&mut request, Some(Vol::DownwardApi(v1::DownwardApiFiles { items, default_mode: None })));

    let short = launch(request, DEFAULTS, None).unwrap().launch.spec.short;
    assert_eq!((short.ports[0].number, short.ports[0].name.as_deref()), (80, Some("web")));
    assert_eq!(short.security_context.unwrap().value()["runAsNonRoot"], true);
    assert_eq!(short.termination_message_policy.as_deref(), Some("File"));
    let inits: Vec<_> = short.init_containers.iter().map(|init| (init.name.as_str(), init.kind)).collect();
    assert_eq!(inits, [("i", InitKind::RunToCompletion), ("s", InitKind::Sidecar)]);
    assert!(short.placement.affinity.is_some() && short.placement.topology_spread.is_some());
    assert_eq!(short.placement.scheduler.as_deref(), Some("volcano"));
    assert_eq!(short.pod_security_context.unwrap().value()["fsGroup"], 1);
    assert_eq!(short.network.dns_config.unwrap().value()["nameservers"][0], "1.1.1.1");
    assert_eq!(short.network.host_aliases[0].hostnames.len(), 2);
    assert_eq!((short.network.host_network, short.automount_token), (Some(true), Some(false)));
    assert_eq!(short.runtime_class.as_deref(), Some("gvisor"));
    match &short.volumes[0].source {
        VolumeSource::Projected { sources, default_mode: Some(0o440) } => assert_eq!(
            sources[..],
            [ProjectedSource::ServiceAccountToken {
                path: "token".into(),
                audience: Some("vault".into()),
                expiration_seconds: Some(600)
            }]
        ),
        other => panic!("{other:?}"),
    }
    match &short.volumes[1].source {
        VolumeSource::DownwardApi { items, .. } => {
            assert_eq!(items[0].source, DownwardSource::Field { path: "metadata.labels".into() });
        }
        other => panic!("{other:?}"),
    }
}
