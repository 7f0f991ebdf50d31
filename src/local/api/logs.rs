//! `GET …/pods/NAME/log`.
//!
//! ```text
//! query values (400, 422) → pod (404) → container (400) → bound? (204) → NodeLogs::open → text/plain body
//! ```

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::{StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Api;
use super::query::Query;
use super::status::{ApiError, FieldError};
use crate::local::node::logs_api::{Attempt, Follow, LinePrefix, LogQuery, LogRefusal};
use crate::local::store::Kind;

/// Answers with the container's log.
pub async fn get(api: &Api, namespace: &str, name: &str, query: &Query) -> Result<Response, ApiError> {
    let asked = Asked::read(name, query)?;
    let Some(pod) = api.store().get(Kind::Pod, namespace, name) else {
        return Err(ApiError::not_found(Kind::Pod, name));
    };
    let container = container(&pod, name, query.get("container").unwrap_or_default())?;
    if pod["spec"]["nodeName"].as_str().unwrap_or_default().is_empty() {
        return Ok(no_content());
    }
    let permit = api.stream_permit()?;
    let query = LogQuery {
        namespace: namespace.to_owned(),
        pod: name.to_owned(),
        container,
        follow: asked.follow,
        attempt: asked.attempt,
        since: asked.since,
        tail_lines: asked.tail_lines,
        limit_bytes: asked.limit_bytes,
        prefix: asked.prefix,
    };
    match api.logs().open(query).await {
        Ok(body) => {
            let stop = api.stop().clone().cancelled_owned();
            let held = body.take_until(stop).map(move |chunk| {
                let _held_while_open = &permit;
                chunk
            });
            let headers = [(header::CONTENT_TYPE, "text/plain"), (header::CACHE_CONTROL, "no-cache, private")];
            Ok((StatusCode::OK, headers, Body::from_stream(held)).into_response())
        }
        Err(LogRefusal::NotScheduled) => Ok(no_content()),
        Err(LogRefusal::BadRequest(message)) => Err(ApiError::bad_request(message)),
        Err(LogRefusal::NotFound(_)) => Err(ApiError::log_not_found(name)),
        Err(LogRefusal::Unreachable(message)) => Err(ApiError::internal(message)),
    }
}

fn no_content() -> Response {
    (StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, "no-cache, private")]).into_response()
}

struct Asked {
    follow: Follow,
    attempt: Attempt,
    prefix: LinePrefix,
    since: Option<Timestamp>,
    tail_lines: Option<u64>,
    limit_bytes: Option<u64>,
}

impl Asked {
    fn read(pod: &str, query: &Query) -> Result<Asked, ApiError> {
        let (tail, limit) = (query.integer("tailLines")?, query.integer("limitBytes")?);
        let since_seconds = query.integer("sinceSeconds")?;
        let since_time = since_time(query)?;
        let mut errors = Vec::new();
        if let Some(lines) = tail.filter(|n| *n < 0) {
            errors.push(FieldError::invalid("tailLines", &json!(lines), "must be greater than or equal to 0"));
        }
        for (field, value) in [("limitBytes", limit), ("sinceSeconds", since_seconds)] {
            if let Some(value) = value.filter(|n| *n < 1) {
                errors.push(FieldError::invalid(field, &json!(value), "must be greater than 0"));
            }
        }
        if since_seconds.is_some() && since_time.is_some() {
            let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
            errors.push(FieldError::forbidden("[]", why));
        }
        if query.get("stream").is_some() {
            errors.push(FieldError::forbidden("stream", "may not be specified"));
        }
        if !errors.is_empty() {
            return Err(ApiError::invalid_as("", "PodLogOptions", pod, &errors));
        }
        let ago = |seconds: i64| Timestamp::now().checked_sub(SignedDuration::from_secs(seconds)).ok();
        let is = |flag: &str| query.flag(flag).unwrap_or(false);
        Ok(Asked {
            follow: if is("follow") { Follow::Yes } else { Follow::No },
            attempt: if is("previous") { Attempt::Previous } else { Attempt::Current },
            prefix: if is("timestamps") { LinePrefix::Timestamp } else { LinePrefix::None },
            since: since_time.or(since_seconds.and_then(ago)).map(whole_seconds),
            tail_lines: tail.and_then(|n| u64::try_from(n).ok()),
            limit_bytes: limit.and_then(|n| u64::try_from(n).ok()),
        })
    }
}

fn since_time(query: &Query) -> Result<Option<Timestamp>, ApiError> {
    match query.get("sinceTime") {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            let shown = json!(text);
            let message =
                format!("parsing time {shown} as \"2006-01-02T15:04:05Z07:00\": cannot parse {shown} as \"2006\"");
            ApiError::bad_request(message)
        }),
    }
}

/// The API server forwards whole seconds only: the fraction is cut.
fn whole_seconds(at: Timestamp) -> Timestamp {
    let cut = at.as_nanosecond().div_euclid(1_000_000_000) * 1_000_000_000;
    Timestamp::from_nanosecond(cut).unwrap_or(at)
}

/// The container to read; one must be named unless there is only one.
fn container(pod: &Value, name: &str, asked: &str) -> Result<String, ApiError> {
    let lists = ["initContainers", "containers"].into_iter();
    let entries = lists.flat_map(|list| pod["spec"][list].as_array().into_iter().flatten());
    let names: Vec<&str> = entries.filter_map(|c| c["name"].as_str()).collect();
    match (asked, names.as_slice()) {
        ("", [only]) => Ok((*only).to_owned()),
        ("", several) => Err(ApiError::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            several.join(" ")
        ))),
        (asked, names) if names.contains(&asked) => Ok(asked.to_owned()),
        (asked, _) => Err(ApiError::bad_request(format!("container {asked} is not valid for pod {name}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: &str) -> (u64, String) {
        let error = Asked::read("l", &Query::parse(Some(query))).map(drop).unwrap_err();
        (error.to_status()["code"].as_u64().unwrap(), error.to_string())
    }

    #[test]
    fn bad_values_are_worded() {
        for (query, code, message) in [
            ("tailLines=x", 400, "strconv.ParseInt: parsing \"x\": invalid syntax"),
            (
                "limitBytes=0&sinceSeconds=0&tailLines=-2",
                422,
                "PodLogOptions \"l\" is invalid: [tailLines: Invalid value: -2: must be greater than or equal to 0, limitBytes: Invalid value: 0: must be greater than 0, sinceSeconds: Invalid value: 0: must be greater than 0]",
            ),
            ("stream=", 422, "PodLogOptions \"l\" is invalid: stream: Forbidden: may not be specified"),
            (
                "sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z",
                422,
                "PodLogOptions \"l\" is invalid: []: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
            ),
        ] {
            assert_eq!(refused(query), (code, message.to_owned()), "{query}");
        }
        assert_eq!(refused("sinceTime=bad").0, 400);
    }

    #[test]
    fn the_fraction_of_a_since_time_is_cut() {
        let asked =
            Asked::read("l", &Query::parse(Some("sinceTime=2026-01-01T00:00:09.999999999Z&follow=true&tailLines=0")))
                .unwrap();
        assert_eq!(asked.since, Some("2026-01-01T00:00:09Z".parse().unwrap()));
        assert_eq!((asked.follow, asked.tail_lines), (Follow::Yes, Some(0)));
    }

    #[test]
    fn containers_are_chosen() {
        let pod = json!({"spec": {"initContainers": [{"name": "i"}], "containers": [{"name": "main"}, {"name": "b"}]}});
        assert_eq!(
            container(&pod, "l", "").unwrap_err().to_string(),
            "a container name must be specified for pod l, choose one of: [i main b]"
        );
        assert_eq!(container(&pod, "l", "zz").unwrap_err().to_string(), "container zz is not valid for pod l");
        assert_eq!(container(&pod, "l", "i").unwrap(), "i");
    }
}
