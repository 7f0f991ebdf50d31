//! The rules of one container, in a pod's `containers` or `initContainers`.

use serde_json::{Value, json};

use super::text::{dns_label, env_name};
use super::{is_set, items, text_of};
use crate::local::api::pods::quantity::Quantity;
use crate::local::api::status::FieldError;

/// Checks everything of a container but the uniqueness of its name.
pub fn check(container: &Value, path: &str, volumes: &[&str], errors: &mut Vec<FieldError>) {
    image(container, path, errors);
    one_of(container, path, "terminationMessagePolicy", &["File", "FallbackToLogsOnError"], errors);
    for (index, entry) in items(container, "env") {
        env(entry, &format!("{path}.env[{index}]"), errors);
    }
    for (_, source) in items(container, "envFrom") {
        if !is_set(source, "configMapRef") && !is_set(source, "secretRef") {
            let why = "must specify one of: `configMapRef` or `secretRef`";
            errors.push(FieldError::invalid(format!("{path}.envFrom"), &json!(""), why));
        }
    }
    for (index, mount) in items(container, "volumeMounts") {
        volume_mount(mount, &format!("{path}.volumeMounts[{index}]"), volumes, errors);
    }
    one_of(container, path, "imagePullPolicy", &["Always", "IfNotPresent", "Never"], errors);
    resources(&container["resources"], &format!("{path}.resources"), errors);
}

/// The name's own syntax; true when it is worth comparing with others.
pub fn name(container: &Value, path: &str, errors: &mut Vec<FieldError>) -> bool {
    let name = text_of(container, "name");
    let field = format!("{path}.name");
    if name.is_empty() {
        errors.push(FieldError::required(field, ""));
        return false;
    }
    if let Err(why) = dns_label(name) {
        errors.push(FieldError::invalid(field, &json!(name), &why));
        return false;
    }
    true
}

/// The image must be there and without blanks around it.
pub fn image(container: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let image = text_of(container, "image");
    let field = format!("{path}.image");
    if image.is_empty() {
        errors.push(FieldError::required(field, ""));
    } else if image.trim() != image {
        let why = "must not have leading or trailing whitespace";
        errors.push(FieldError::invalid(field, &json!(image), why));
    }
}

/// A field with a fixed set of values; absent is left to the defaults.
pub fn one_of(parent: &Value, path: &str, field: &str, allowed: &[&str], errors: &mut Vec<FieldError>) {
    let value = &parent[field];
    if !value.is_null() && !allowed.iter().any(|a| value == a) {
        errors.push(FieldError::unsupported(format!("{path}.{field}"), value, allowed));
    }
}

fn env(entry: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let name = text_of(entry, "name");
    if name.is_empty() {
        errors.push(FieldError::required(format!("{path}.name"), ""));
    } else if let Err(why) = env_name(name) {
        errors.push(FieldError::invalid(format!("{path}.name"), &json!(name), &why));
    }
    let source = &entry["valueFrom"];
    if source.is_null() {
        return;
    }
    let field = format!("{path}.valueFrom");
    let kinds = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
    let set = kinds.iter().filter(|k| is_set(source, k)).count();
    if set == 0 {
        let why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
        errors.push(FieldError::invalid(field, &json!(""), why));
    } else if !text_of(entry, "value").is_empty() {
        errors.push(FieldError::invalid(field, &json!(""), "may not be specified when `value` is not empty"));
    } else if set > 1 {
        let why = "may not have more than one field specified at a time";
        errors.push(FieldError::invalid(field, &json!(""), why));
    }
}

fn volume_mount(mount: &Value, path: &str, volumes: &[&str], errors: &mut Vec<FieldError>) {
    let name = text_of(mount, "name");
    let field = format!("{path}.name");
    if name.is_empty() {
        errors.push(FieldError::required(field, ""));
    } else if !volumes.contains(&name) {
        errors.push(FieldError::missing(field, name));
    }
    if text_of(mount, "mountPath").is_empty() {
        errors.push(FieldError::required(format!("{path}.mountPath"), ""));
    }
}

fn resources(resources: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for list in ["limits", "requests"] {
        for (name, value) in resources[list].as_object().into_iter().flatten() {
            let quantity = Quantity::parse(value.as_str().unwrap_or_default());
            if quantity.is_some_and(|q| q < Quantity::ZERO) {
                let why = "must be greater than or equal to 0";
                errors.push(FieldError::invalid(format!("{path}.{list}[{name}]"), value, why));
            }
        }
    }
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let limit = &resources["limits"][name];
        let read = |v: &Value| v.as_str().and_then(Quantity::parse);
        let over = read(request).zip(read(limit)).is_some_and(|(asked, bound)| asked > bound);
        if over {
            let why = format!("must be less than or equal to {name} limit of {}", text_of(&resources["limits"], name));
            errors.push(FieldError::invalid(format!("{path}.requests"), request, &why));
        }
    }
}
