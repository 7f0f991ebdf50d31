//! Refusals and failures that the embedded cluster has no reason to give by itself, in the words of a real one. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::plan::Seen;

/// An answer in place of the real one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// 403: a ResourceQuota is used up.
    Quota,
    /// 403: a ResourceQuota demands a request the pod does not make.
    QuotaNeedsRequests,
    /// 403: a LimitRange forbids it.
    LimitRange,
    /// 403: a PriorityClass does not exist.
    PriorityClass,
    /// 403: Pod Security admission.
    PodSecurity,
    /// 403: a validating webhook said no.
    Webhook,
    /// 500: a webhook could not be asked.
    WebhookDown,
    /// 403: the service account does not exist (yet).
    ServiceAccount,
    /// 403: the namespace is being deleted.
    NamespaceTerminating,
    /// 404: the namespace does not exist.
    NamespaceMissing,
    /// 403: RBAC.
    Rbac,
    /// 401.
    Unauthorized,
    /// 409 of quota accounting: a Conflict, not an existing pod.
    QuotaConflict,
    /// 410: the version asked for is not kept any more.
    Expired,
    /// 413.
    TooLarge,
    /// 500: larger than the store takes. Has no reason.
    EtcdTooLarge,
    /// 429 in plain text.
    TooManyRequests {
        /// Seconds in Retry-After.
        retry_after: u32,
    },
    /// 500 without a reason.
    Internal,
    /// 503.
    Unavailable,
    /// 504: "the operation may still complete".
    Timeout,
    /// 502 in HTML, of a load balancer.
    BadGateway,
    /// Anything.
    Custom {
        status: u16,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        body: String,
    },
}

/// What goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// The answer to this request.
    pub fn reply(&self, seen: &Seen) -> Reply {
        match self {
            Answer::Custom { status, headers, body } => {
                let headers = headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                Reply { status: *status, headers, body: body.clone() }
            }
            Answer::TooManyRequests { retry_after } => {
                let mut reply = text(429, "Too many requests, please try again later.");
                reply.headers.push(("retry-after".to_owned(), retry_after.to_string()));
                reply
            }
            Answer::BadGateway => text(502, "<html><body><h1>502 Bad Gateway</h1></body></html>"),
            other => other.forbidden(seen).unwrap_or_else(|| other.failed(seen)),
        }
    }

    /// The 403s.
    fn forbidden(&self, seen: &Seen) -> Option<Reply> {
        let name = json!(seen.name);
        let namespace = &seen.namespace;
        let why = match self {
            Answer::Quota => "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1".to_owned(),
            Answer::QuotaNeedsRequests => "failed quota: q: must specify requests.cpu for: main".to_owned(),
            Answer::LimitRange => "maximum memory usage per Container is 64Mi, but limit is 1Gi".to_owned(),
            Answer::PriorityClass => "no PriorityClass with name none was found".to_owned(),
            Answer::PodSecurity => {
                "violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false".to_owned()
            }
            Answer::ServiceAccount => {
                format!("error looking up service account {namespace}/default: serviceaccount \"default\" not found")
            }
            Answer::NamespaceTerminating => return Some(terminating(seen)),
            Answer::Webhook => {
                let message = "admission webhook \"policy.example.com\" denied the request: no";
                return Some(status(403, "Forbidden", message, Value::Null));
            }
            Answer::Rbac => {
                let message = format!(
                    "pods is forbidden: User \"system:serviceaccount:a:b\" cannot {} resource \"pods\" in API group \"\" in the namespace \"{namespace}\"",
                    seen.verb
                );
                return Some(status(403, "Forbidden", &message, json!({"kind": "pods"})));
            }
            _ => return None,
        };
        let message = format!("pods {name} is forbidden: {why}");
        Some(status(403, "Forbidden", &message, json!({"name": seen.name, "kind": "pods"})))
    }

    fn failed(&self, seen: &Seen) -> Reply {
        let none = Value::Null;
        match self {
            Answer::Unauthorized => status(401, "Unauthorized", "Unauthorized", none),
            Answer::NamespaceMissing => {
                let message = format!("namespaces {} not found", json!(seen.namespace));
                status(404, "NotFound", &message, json!({"name": seen.namespace, "kind": "namespaces"}))
            }
            Answer::QuotaConflict => {
                let message = "Operation cannot be fulfilled on resourcequotas \"q\": the object has been modified; please apply your changes to the latest version and try again";
                status(409, "Conflict", message, json!({"name": "q", "kind": "resourcequotas"}))
            }
            Answer::Expired => status(410, "Expired", "too old resource version: 1 (2)", none),
            Answer::TooLarge => {
                status(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728", none)
            }
            Answer::EtcdTooLarge => status(500, "", "etcdserver: request is too large", none),
            Answer::WebhookDown => {
                let message = "Internal error occurred: failed calling webhook \"policy.example.com\": failed to call webhook: Post \"https://policy.example.svc:443/\": context deadline exceeded";
                status(500, "InternalError", message, json!({"causes": [{"message": "failed calling webhook"}]}))
            }
            Answer::Unavailable => {
                let message = "the server is currently unable to handle the request";
                status(503, "ServiceUnavailable", message, none)
            }
            Answer::Timeout => {
                let message = "Timeout: request did not complete within the allotted timeout";
                status(504, "Timeout", message, none)
            }
            _ => status(500, "", "rpc error: code = Unknown desc = injected", none),
        }
    }
}

fn terminating(seen: &Seen) -> Reply {
    let namespace = &seen.namespace;
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let message = format!("pods {} is forbidden: {why}", json!(seen.name));
    let cause = format!("namespace {namespace} is being terminated");
    let details = json!({"name": seen.name, "kind": "pods", "causes": [
        {"reason": "NamespaceTerminating", "message": cause, "field": "metadata.namespace"},
    ]});
    status(403, "Forbidden", &message, details)
}

fn status(code: u16, reason: &str, message: &str, details: Value) -> Reply {
    let mut status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "code": code,
    });
    if !reason.is_empty() {
        status["reason"] = json!(reason);
    }
    if !details.is_null() {
        status["details"] = details;
    }
    Reply { status: code, headers: vec![content_type("application/json")], body: status.to_string() }
}

fn text(status: u16, body: &str) -> Reply {
    Reply { status, headers: vec![content_type("text/plain; charset=utf-8")], body: body.to_owned() }
}

fn content_type(value: &str) -> (String, String) {
    ("content-type".to_owned(), value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a real API server 1.34.
    #[test]
    fn words() {
        let seen = Seen { name: "e".into(), namespace: "n".into(), verb: "create", ..Seen::default() };
        for (answer, code, message) in [
            (
                Answer::Quota,
                403,
                "pods \"e\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1",
            ),
            (
                Answer::ServiceAccount,
                403,
                "pods \"e\" is forbidden: error looking up service account n/default: serviceaccount \"default\" not found",
            ),
            (Answer::NamespaceMissing, 404, "namespaces \"n\" not found"),
            (Answer::EtcdTooLarge, 500, "etcdserver: request is too large"),
            (
                Answer::Rbac,
                403,
                "pods is forbidden: User \"system:serviceaccount:a:b\" cannot create resource \"pods\" in API group \"\" in the namespace \"n\"",
            ),
        ] {
            let reply = answer.reply(&seen);
            let body: Value = serde_json::from_str(&reply.body).unwrap();
            assert_eq!((reply.status, body["code"].as_u64()), (code, Some(u64::from(code))), "{answer:?}");
            assert_eq!(body["message"], message);
        }
        let terminating: Value = serde_json::from_str(&Answer::NamespaceTerminating.reply(&seen).body).unwrap();
        assert_eq!(terminating["details"]["causes"][0]["reason"], "NamespaceTerminating");
        let etcd: Value = serde_json::from_str(&Answer::EtcdTooLarge.reply(&seen).body).unwrap();
        assert!(etcd.get("reason").is_none(), "{etcd}");
        let many = Answer::TooManyRequests { retry_after: 7 }.reply(&seen);
        assert_eq!(many.body, "Too many requests, please try again later.");
        assert!(many.headers.contains(&("retry-after".to_owned(), "7".to_owned())));
    }
}
