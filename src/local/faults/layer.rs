//! The thin part: requests in, the plan asked, faults done.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::act::Act;
use super::answer::Reply;
use super::plan::{Action, Break, Effect, Planned, Rule, Seen};
use super::{Connection, Faults, Severed, body};
use crate::local::api::{Route, Target, route};

/// The control paths.
const RULES: &str = "/podlaunch.dev/faults";
const ACTS: &str = "/podlaunch.dev/faults/acts";
/// Largest body that is read to see what a request is about.
const MAX_BODY: usize = 4 << 20;

/// Answers the control paths, and lets everything else meet the plan.
pub async fn handle(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    match (request.uri().path(), request.method()) {
        (RULES, _) => faults.rules(request).await,
        (ACTS, &Method::POST) => faults.act(request).await,
        _ => faults.meet(request, next).await,
    }
}

/// What POST takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Posted {
    seed: Option<u64>,
    #[serde(default)]
    rules: Vec<Rule>,
}

impl Faults {
    async fn rules(&self, request: Request) -> Response {
        let Ok(Query(query)) = Query::<BTreeMap<String, String>>::try_from_uri(request.uri()) else {
            return refuse("the query cannot be read");
        };
        let pattern = query.get("name").map_or("*", String::as_str).to_owned();
        match *request.method() {
            Method::GET => {}
            Method::DELETE => {
                let before = self.told(&pattern);
                self.0.plan.lock().remove(&pattern);
                return Json(before).into_response();
            }
            Method::POST => match read::<Posted>(request).await {
                Ok(posted) => self.add(posted),
                Err(why) => return refuse(&why),
            },
            _ => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
        Json(self.told(&pattern)).into_response()
    }

    fn add(&self, posted: Posted) {
        let mut plan = self.0.plan.lock();
        if let Some(seed) = posted.seed {
            plan.reseed(seed);
        }
        for rule in posted.rules {
            tracing::info!(name = rule.name, seed = plan.seed(), "a fault is planned");
            plan.add(rule);
        }
    }

    fn told(&self, pattern: &str) -> Value {
        let plan = self.0.plan.lock();
        json!({"seed": plan.seed(), "rules": plan.report(pattern)})
    }

    async fn act(&self, request: Request) -> Response {
        match read::<Act>(request).await {
            Ok(act) => match act.perform(&self.0.store, &self.0.node) {
                Ok(()) => Json(json!({})).into_response(),
                Err(why) => (StatusCode::CONFLICT, why).into_response(),
            },
            Err(why) => refuse(&why),
        }
    }

    async fn meet(&self, request: Request, next: Next) -> Response {
        if self.0.plan.lock().is_empty() {
            return next.run(request).await;
        }
        let (seen, request) = match see(request).await {
            Ok(seen) => seen,
            Err(why) => return refuse(&why),
        };
        let planned = self.0.plan.lock().decide(&seen);
        match planned {
            None => next.run(request).await,
            Some(planned) => suffer(planned, &seen, request, next).await,
        }
    }
}

/// Carries a fault out.
async fn suffer(planned: Planned, seen: &Seen, request: Request, next: Next) -> Response {
    tracing::debug!(method = seen.method, path = seen.path, action = ?planned.action, "a fault");
    tokio::time::sleep(Duration::from_millis(planned.delay_ms)).await;
    let connection = request.extensions().get::<Connection>().cloned().unwrap_or_default();
    let fired = planned.fired.clone();
    match planned.action {
        Action::Pass => {
            fired.count();
            next.run(request).await
        }
        Action::Answer { answer, effect } => {
            after(effect, request, next).await;
            fired.count();
            sent(&answer.reply(seen))
        }
        Action::Sever { effect, by } => {
            after(effect, request, next).await;
            fired.count();
            sever(by, &connection).await
        }
        Action::Hold { effect: Effect::None } => {
            fired.count();
            planned.removed.cancelled().await;
            next.run(request).await
        }
        Action::Hold { effect: Effect::Done } => {
            let answer = next.run(request).await;
            fired.count();
            planned.removed.cancelled().await;
            answer
        }
        // The rest is done to the body.
        action => {
            let answer = next.run(request).await;
            if !answer.status().is_success() {
                return answer;
            }
            body::spoil(answer, action, fired, connection)
        }
    }
}

async fn after(effect: Effect, request: Request, next: Next) {
    if effect == Effect::Done {
        let answer = next.run(request).await;
        // A write is done with its head; a list or a log would only be thrown away.
        drop(answer);
    }
}

async fn sever(by: Break, connection: &Connection) -> Response {
    match by {
        Break::Stream => {
            let mut answer = StatusCode::INTERNAL_SERVER_ERROR.into_response();
            answer.extensions_mut().insert(Severed);
            answer
        }
        Break::Connection => {
            connection.sever();
            std::future::pending().await
        }
    }
}

fn sent(reply: &Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body.clone()));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// What a request is about. Its body is read if it is a create, which names its object there.
async fn see(request: Request) -> Result<(Seen, Request), String> {
    let (parts, body) = request.into_parts();
    let query = Query::<BTreeMap<String, String>>::try_from_uri(&parts.uri).map(|Query(query)| query);
    let mut seen = Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        agent: text_of(parts.headers.get(header::USER_AGENT)),
        query: query.unwrap_or_default(),
        ..Seen::default()
    };
    let mut body = body;
    if let Route::Resource(target) = route(parts.uri.path()) {
        seen.verb = verb(&parts.method, &target, &seen.query);
        let sub = target.subresource.as_deref().map(|sub| format!("/{sub}")).unwrap_or_default();
        seen.resource = format!("{}{sub}", target.kind.plural());
        seen.namespace = target.namespace.unwrap_or_default();
        seen.name = target.name.unwrap_or_default();
        if seen.verb == "create" && seen.name.is_empty() {
            let bytes = to_bytes(body, MAX_BODY).await.map_err(|error| error.to_string())?;
            seen.name = name_in(&bytes);
            body = Body::from(bytes);
        }
    }
    Ok((seen, Request::from_parts(parts, body)))
}

fn name_in(body: &Bytes) -> String {
    let object: Value = serde_json::from_slice(body).unwrap_or_default();
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn text_of(value: Option<&HeaderValue>) -> String {
    value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn verb(method: &Method, target: &Target, query: &BTreeMap<String, String>) -> &'static str {
    let watch = query.get("watch").is_some_and(|watch| matches!(watch.as_str(), "true" | "1"));
    match (method.as_str(), target.name.is_some()) {
        ("GET", true) => "get",
        ("GET", false) if watch => "watch",
        ("GET", false) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        _ => "",
    }
}

async fn read<T: serde::de::DeserializeOwned>(request: Request) -> Result<T, String> {
    let body = to_bytes(request.into_body(), MAX_BODY).await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}

fn refuse(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, why.to_owned()).into_response()
}
