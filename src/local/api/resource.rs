//! The verbs on resources.
//!
//! ```text
//! GET collection → list | watch      GET NAME → get            GET pods/NAME/log → logs
//! POST → create   PUT → replace   PATCH → patch (under the store's lock)   DELETE → delete, delete collection
//! ```

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::decode::{self, Encoding};
use super::patch::Patch;
use super::query::{FieldValidation, ListOptions, Query};
use super::route::Target;
use super::status::{ApiError, json_response};
use super::view::View;
use super::watch::{self, WatchContext};
use super::write::{self, Part};
use super::{Api, delete, logs};
use crate::local::store::{Kind, Meta};

type Answer = Result<Response, ApiError>;

/// A request whose target is known.
struct Call<'a> {
    api: &'a Api,
    target: Target,
    query: Query,
    headers: HeaderMap,
}

/// Answers a request on a resource.
pub async fn handle(api: &Api, target: Target, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let call = Call { api, query: Query::parse(parts.uri.query()), target, headers: parts.headers };
    let name = call.target.name.clone();
    let subresource = call.target.subresource.clone();
    let method = parts.method;
    let has_body = matches!(method, Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    let body = if has_body { decode::body(body).await? } else { bytes::Bytes::new() };
    match (name.as_deref(), subresource.as_deref()) {
        (None, _) => call.collection(&method, &body).await,
        (Some(name), None) => call.item(&method, name, &body, Part::Main),
        (Some(name), Some("status")) if call.has_status() => match method {
            Method::DELETE => Err(ApiError::method_not_allowed()),
            _ => call.item(&method, name, &body, Part::Status),
        },
        (Some(name), Some(other)) => call.subresource(&method, name, other, &body).await,
    }
}

impl Call<'_> {
    fn kind(&self) -> Kind {
        self.target.kind
    }

    fn has_status(&self) -> bool {
        matches!(self.kind(), Kind::Pod | Kind::Namespace | Kind::Node)
    }

    fn namespace(&self) -> &str {
        self.target.namespace.as_deref().unwrap_or_default()
    }

    fn view(&self) -> View {
        View::from_request(&self.headers, self.query.get("includeObject"))
    }

    async fn collection(&self, method: &Method, body: &[u8]) -> Answer {
        match *method {
            Method::GET => self.list_or_watch().await,
            Method::POST if self.target.namespace.is_some() || !self.kind().is_namespaced() => self.create(body),
            Method::DELETE if self.kind() != Kind::Namespace => self.delete_collection(body),
            _ => Err(ApiError::method_not_allowed()),
        }
    }

    fn item(&self, method: &Method, name: &str, body: &[u8], part: Part) -> Answer {
        match *method {
            Method::GET => self.get(name),
            Method::PUT => self.replace(name, body, part),
            Method::PATCH => self.patch(name, body, part),
            Method::DELETE => self.delete(name, body),
            _ => Err(ApiError::method_not_allowed()),
        }
    }

    async fn subresource(&self, method: &Method, name: &str, sub: &str, body: &[u8]) -> Answer {
        match (self.kind(), sub, method) {
            (Kind::Pod, "log", &Method::GET) => logs::get(self.api, self.namespace(), name, &self.query).await,
            (Kind::Pod, "eviction", &Method::POST) => self.evict(name, body),
            (Kind::Namespace, "finalize", &Method::PUT) => self.replace(name, body, Part::Main),
            (Kind::Pod, "log" | "eviction", _) => Err(ApiError::method_not_allowed()),
            (Kind::Pod, "exec" | "attach" | "portforward", _) => {
                Err(ApiError::bad_request(format!("{sub} is not served by the local cluster")))
            }
            _ => Err(ApiError::no_such_resource()),
        }
    }

    fn get(&self, name: &str) -> Answer {
        let Some(object) = self.api.store().get(self.kind(), self.namespace(), name) else {
            return Err(ApiError::not_found(self.kind(), name));
        };
        Ok(self.show(StatusCode::OK, &object))
    }

    fn show(&self, code: StatusCode, object: &Value) -> Response {
        match self.view().of_one(self.kind(), object) {
            Some(form) => json_response(code, &form),
            None => json_response(code, object),
        }
    }

    async fn list_or_watch(&self) -> Answer {
        let options = self.query.list_options(self.kind())?;
        if let Some(watch) = &options.watch {
            let context = WatchContext {
                store: self.api.store().clone(),
                kind: self.kind(),
                namespace: self.target.namespace.clone(),
                view: self.view(),
                stop: self.api.stop().clone(),
                permit: self.api.stream_permit()?,
            };
            return Ok(watch::respond(context, &options, watch));
        }
        let store = self.api.store();
        if !watch::await_version(store, self.kind(), options.not_older_than).await {
            return Err(ApiError::version_too_large(options.not_older_than, store.version()));
        }
        self.list(&options)
    }

    fn list(&self, options: &ListOptions) -> Answer {
        let (objects, version) = self.api.store().list(self.kind(), self.target.namespace.as_deref());
        let start = options.resume.as_deref().map(resume_key).transpose()?;
        let position = |o: &Value| (o.namespace().to_owned(), o.name().to_owned());
        let mut shown: Vec<_> = objects
            .iter()
            .filter(|o| options.labels.matches(o) && options.fields.matches(o))
            .filter(|o| start.as_ref().is_none_or(|s| position(o) > *s))
            .collect();
        let mut meta = json!({"resourceVersion": version.to_string()});
        if let Some(limit) = options.limit.filter(|l| *l < shown.len()) {
            let rest = shown.len() - limit;
            shown.truncate(limit);
            if let Some(last) = shown.last() {
                meta["continue"] = json!(resume_token(last));
                meta["remainingItemCount"] = json!(rest);
            }
        }
        let items = shown.into_iter().map(|o| &**o);
        Ok(json_response(StatusCode::OK, &self.view().of_list(self.kind(), items, &meta)))
    }

    fn create(&self, body: &[u8]) -> Answer {
        let effect = self.query.effect("CreateOptions")?;
        let (object, unknown) = self.decode(body)?;
        let stored = write::create(self.api.store(), self.kind(), self.namespace(), object, effect)?;
        Ok(with_warnings(self.show(StatusCode::CREATED, &stored), &unknown))
    }

    fn decode(&self, body: &[u8]) -> Result<(Value, Vec<String>), ApiError> {
        let validation = self.query.field_validation()?;
        let (mut object, unknown) = decode::object(self.kind(), Encoding::of(&self.headers)?, body, validation)?;
        if self.kind().is_namespaced() {
            write::place(&mut object, self.namespace())?;
        }
        let named = validation != FieldValidation::Ignore;
        Ok((object, if named { unknown } else { Vec::new() }))
    }

    fn replace(&self, name: &str, body: &[u8], part: Part) -> Answer {
        let effect = self.query.effect("UpdateOptions")?;
        let (object, unknown) = self.decode(body)?;
        let stored = write::replace(self.api.store(), &self.target, name, &object, part, effect)?;
        Ok(with_warnings(self.show(StatusCode::OK, &stored), &unknown))
    }

    fn patch(&self, name: &str, body: &[u8], part: Part) -> Answer {
        let effect = self.query.effect("PatchOptions")?;
        let patch = Patch::parse(&self.headers, body)?;
        let stored = write::patch(self.api.store(), &self.target, name, &patch, part, effect)?;
        Ok(self.show(StatusCode::OK, &stored))
    }

    fn delete(&self, name: &str, body: &[u8]) -> Answer {
        let options = delete::DeleteOptions::read(&self.query, Encoding::of(&self.headers)?, body)?;
        let kind = self.kind();
        let deleted = delete::delete(self.api.store(), kind, self.namespace(), name, &options)?;
        let held = self.api.store().get(kind, self.namespace(), name).is_some_and(|o| o.uid() == deleted.uid());
        if matches!(kind, Kind::Pod | Kind::Namespace) || held {
            return Ok(self.show(StatusCode::OK, &deleted));
        }
        let details = json!({"name": name, "group": kind.group(), "kind": kind.plural(), "uid": deleted.uid()});
        Ok(json_response(StatusCode::OK, &success(&details)))
    }

    fn delete_collection(&self, body: &[u8]) -> Answer {
        let options = delete::DeleteOptions::read(&self.query, Encoding::of(&self.headers)?, body)?;
        let list = self.query.list_options(self.kind())?;
        let (objects, version) = self.api.store().list(self.kind(), self.target.namespace.as_deref());
        let mut deleted = Vec::new();
        for object in objects.iter().filter(|o| list.labels.matches(o) && list.fields.matches(o)) {
            match delete::delete(self.api.store(), self.kind(), object.namespace(), object.name(), &options) {
                Ok(last) => deleted.push(last),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        let meta = json!({"resourceVersion": version.to_string()});
        let items = deleted.iter().map(|o| &**o);
        Ok(json_response(StatusCode::OK, &self.view().of_list(self.kind(), items, &meta)))
    }

    fn evict(&self, name: &str, body: &[u8]) -> Answer {
        let eviction: Value = serde_json::from_slice(body).unwrap_or_default();
        let options = delete::DeleteOptions::of(&self.query, &eviction["deleteOptions"])?;
        delete::evict(self.api.store(), self.namespace(), name, &options)?;
        let status = success(&Value::Null);
        Ok(json_response(StatusCode::CREATED, &status))
    }
}

fn success(details: &Value) -> Value {
    let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
    if let Some(details) = details.as_object() {
        status["details"] = details.iter().filter(|(_, v)| **v != "").map(|(k, v)| (k.clone(), v.clone())).collect();
    }
    status
}

/// An object's place in a list, as an opaque token.
fn resume_token(object: &Value) -> String {
    let place = json!([object.namespace(), object.name()]).to_string();
    data_encoding::BASE64URL_NOPAD.encode(place.as_bytes())
}

fn resume_key(token: &str) -> Result<(String, String), ApiError> {
    let bytes = data_encoding::BASE64URL_NOPAD.decode(token.as_bytes()).ok();
    let place = bytes.and_then(|b| serde_json::from_slice(&b).ok());
    place.ok_or_else(|| {
        ApiError::bad_request("continue key is not valid: encoded cursor was not produced by this server")
    })
}

/// Names dropped fields in `Warning` headers, as Kubernetes does.
fn with_warnings(mut response: Response, unknown: &[String]) -> Response {
    for field in unknown {
        let escaped = format!("unknown field \"{field}\"").replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{escaped}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response.into_response()
}
