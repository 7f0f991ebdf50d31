//! The answer to a launch that nobody is asked for: the pod, made by the rules alone.
//!
//! For `run --dry-run=client`. A server's own settings (instance, default timeout, template, policy) are not known
//! here: the pod is that of a server which has none.

use tonic::Status;

use super::decode::{self, Defaults};
use super::encode;
use super::errors::{Context, Fault, invalid};
use super::scrub::Scrubber;
use crate::pod::build::{self, Finalizer, Refused};
use crate::pod::enforce::Enforced;
use crate::pod::result::ResultSettings;
use crate::pod::template::Template;
use crate::proto::v1;
use crate::task::Instance;
use crate::task::fingerprint::fingerprint;

/// Namespace of a key that names none.
const DEFAULT_NAMESPACE: &str = "default";

/// The pod of `request` as it would be sent.
///
/// # Errors
///
/// Those of LaunchTask that need no cluster, as it words them.
#[allow(clippy::result_large_err, reason = "tonic's own type, once a process")]
pub fn preview(request: v1::LaunchTaskRequest) -> Result<v1::Validated, Status> {
    preview_on(request, None, &Enforced::default())
}

/// The same over the template that the request names, under what a server enforces.
#[allow(clippy::result_large_err, reason = "tonic's own type, once a process")]
fn preview_on(
    request: v1::LaunchTaskRequest,
    template: Option<&Template>,
    enforced: &Enforced,
) -> Result<v1::Validated, Status> {
    let cluster = request.key.as_ref().map(|key| key.cluster.clone()).unwrap_or_default();
    let mut context = Context { key: request.key.clone(), ..Context::default() };
    let defaults = Defaults { cluster: &cluster, namespace: DEFAULT_NAMESPACE };
    let call = decode::launch(request, defaults, None).map_err(|refusal| Fault::from(refusal).into_status(&context))?;
    let launch = call.launch;
    context.key = Some(encode::key(&launch.key, &cluster));
    context.scrubber = Scrubber::of(&launch.spec, None);
    let wrong = |fields| invalid(fields).into_status(&context);
    let fingerprint = fingerprint(&launch.spec).map_err(|error| wrong(vec![error]))?;
    let instance = Instance::default();
    let pod = build::build(&build::Launch {
        instance: &instance,
        key: &launch.key,
        spec: &launch.spec,
        template,
        enforced,
        fingerprint: &fingerprint,
        traceparent: None,
        finalizer: Finalizer::Off,
        default_startup_seconds: None,
        waited_seconds: 0,
        result: &ResultSettings::default(),
        cancel_after: launch.cancel_after,
        now: jiff::Timestamp::now(),
    })
    .map_err(|refused| match refused {
        Refused::Invalid(fields) | Refused::Policy(fields) => wrong(fields),
    })?;
    Ok(v1::Validated {
        key: context.key.clone(),
        pod_name: launch.key.pod_name(&instance),
        fingerprint: fingerprint.to_string(),
        pod_json: pod.to_string(),
        warnings: Vec::new(),
    })
}

#[cfg(test)]
#[path = "fuzz_tests.rs"]
mod fuzz_tests;
#[cfg(test)]
#[path = "pods_tests.rs"]
mod pods_tests;

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tonic_types::StatusExt as _;

    use super::*;

    fn request(image: &str) -> v1::LaunchTaskRequest {
        let container = v1::ContainerSpec { image: image.into(), ..Default::default() };
        v1::LaunchTaskRequest {
            key: Some(v1::TaskKey { task_id: "t".into(), attempt: 1, ..Default::default() }),
            spec: Some(v1::TaskSpec { container: Some(container), ..Default::default() }),
            ..Default::default()
        }
    }

    #[test]
    fn the_pod_without_a_cluster() {
        let made = preview(request("busybox")).unwrap();
        let pod: Value = serde_json::from_str(&made.pod_json).unwrap();
        assert_eq!(pod["metadata"]["name"], made.pod_name.as_str());
        assert_eq!(pod["metadata"]["namespace"], "default");
        assert_eq!(pod["spec"]["containers"][0]["image"], "busybox");
        assert!(made.fingerprint.starts_with("v1:"));
    }

    #[test]
    fn what_is_wrong_is_named_as_a_server_names_it() {
        for (image, field) in [("", "spec.container.image"), ("a b", "spec.container.image")] {
            let status = preview(request(image)).unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
            let details = status.get_error_details();
            assert_eq!(details.bad_request().unwrap().field_violations[0].field, field);
        }
    }
}
