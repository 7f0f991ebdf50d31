//! `podlaunch release-finalizers`: lets go of the pods of an installation that is not served any more.
//!
//! Only our own finalizer is taken off, and only from pods of this instance. What was not recorded before is lost.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::args::ReleaseFinalizersArgs;
use crate::cluster::{Cluster, ClusterConfig, PatchAnswer, PatchOp, Scope};
use crate::pod::slim::SlimPod;
use crate::task::{Instance, meta};

/// Runs it; says what was let go, a line each.
pub(super) async fn run(args: ReleaseFinalizersArgs) -> anyhow::Result<ExitCode> {
    let instance = Instance::new(args.instance.clone())?;
    let config = ClusterConfig { kubeconfig: args.kubeconfig, context: args.context, instance: instance.clone() };
    let cluster = Cluster::connect(&config).await?;
    let scope = if args.namespace.is_empty() { Scope::Cluster } else { Scope::Namespaces(args.namespace) };
    let mut failed = false;
    for part in scope.parts() {
        for pod in cluster.list_pods(part.as_deref(), &instance).await? {
            let name = name(&pod);
            match release(&cluster, &pod).await {
                Ok(Released::Now) => writeln!(std::io::stdout(), "{name} released").context("stdout")?,
                Ok(Released::NotHeld) => {}
                Err(error) => {
                    failed = true;
                    writeln!(std::io::stderr(), "{name} not released: {error:#}").context("stderr")?;
                }
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

enum Released {
    Now,
    NotHeld,
}

async fn release(cluster: &Cluster, pod: &SlimPod) -> anyhow::Result<Released> {
    let finalizers = pod.metadata.finalizers.as_deref().unwrap_or_default();
    let Some(at) = finalizers.iter().position(|finalizer| finalizer == meta::FINALIZER) else {
        return Ok(Released::NotHeld);
    };
    let ops = PatchOp::remove_finalizer(pod.metadata.uid.as_deref().unwrap_or_default(), at);
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let answer = cluster.patch_pod(namespace, pod.metadata.name.as_deref().unwrap_or_default(), &ops).await?;
    match answer {
        PatchAnswer::Applied(_) | PatchAnswer::Gone => Ok(Released::Now),
        PatchAnswer::TestFailed => anyhow::bail!("its finalizers changed meanwhile; repeat the command"),
    }
}

fn name(pod: &SlimPod) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{}/{}", part(&pod.metadata.namespace), part(&pod.metadata.name))
}
