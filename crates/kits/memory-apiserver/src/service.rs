//! One request in, one answer out: the `tower` face of the server, and what both faces share.

use crate::Inner;
use crate::api::connect;
use crate::api::delete::DeleteOptions;
use crate::api::scale::Change;
use crate::api::watch::Watch;
use crate::api::{Call, Failure, Outcome, Written};
use crate::body::delete_options;
use crate::error::{ApiError, MAX_BODY};
use crate::faults::{Action, Stopped, Target};
use crate::kind::Kind;
use crate::request::{Params, ResourcePath};
use crate::routing;
use crate::store::Object;
use crate::view::View;
use crate::{discovery, openapi, scale};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, header};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer: a whole document, or a watch.
pub struct ResponseBody(Content);

enum Content {
    Full(Option<Bytes>),
    Watch(Box<Watch>),
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            Content::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(http_body::Frame::data(bytes)))),
            Content::Watch(watch) => watch.poll_chunk(cx).map(|chunk| chunk.map(|b| Ok(http_body::Frame::data(b)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Content::Full(None))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.0 {
            Content::Full(bytes) => http_body::SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Content::Watch(_) => http_body::SizeHint::default(),
        }
    }
}

/// The server as seen by one user, for `kube::Client::new` or any `tower` stack.
#[derive(Clone)]
pub struct Service {
    pub(crate) inner: Arc<Inner>,
    pub(crate) user: Arc<str>,
}

impl tower::Service<Request<kube::client::Body>> for Service {
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let (inner, user) = (self.inner.clone(), self.user.clone());
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await?;
            Ok(inner.handle(&user, &parts, &body).await?)
        })
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn respond(code: u16, body: Content, content_type: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody(body));
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    if let (false, Ok(value)) = (content_type.is_empty(), content_type.parse()) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}

fn document(code: u16, bytes: Bytes) -> Response<ResponseBody> {
    respond(code, Content::Full(Some(bytes)), "application/json")
}

fn json_document(code: u16, value: &Value) -> Response<ResponseBody> {
    document(code, Bytes::from(value.to_string()))
}

fn refused(error: &ApiError) -> Response<ResponseBody> {
    if error.is_plain() {
        let body = Content::Full(Some(Bytes::from(error.message.clone())));
        return respond(error.code, body, "text/plain; charset=utf-8");
    }
    let mut response = json_document(error.code, &error.to_value());
    if let Some(seconds) = error.details.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// An answer that never comes, or a broken connection.
async fn silence(how: Stopped) -> Result<Response<ResponseBody>, std::io::Error> {
    match how {
        Stopped::Hang => std::future::pending().await,
        Stopped::Error => {
            Err(std::io::Error::new(std::io::ErrorKind::ConnectionReset, "connection broken by an injected fault"))
        }
    }
}

impl Inner {
    /// Serves one request of `user`.
    pub(crate) async fn handle(
        self: &Arc<Self>,
        user: &Arc<str>,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Response<ResponseBody>, std::io::Error> {
        self.start_controllers();
        let stopped = self.state.lock().stops.of(user);
        if let Some(stopped) = stopped {
            return silence(stopped).await;
        }
        let Some(path) = ResourcePath::parse(parts.uri.path()) else {
            return Ok(self.other(parts));
        };
        let query = parts.uri.query().unwrap_or_default();
        let applies = header(&parts.headers, &header::CONTENT_TYPE).starts_with("application/apply-patch");
        let parsed = Params::parse(query, routing::options_kind(&parts.method))
            .and_then(|params| Ok((routing::verb(&parts.method, &path, &params, applies)?, params)));
        let (verb, params) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => return Ok(refused(&error)),
        };
        if body.len() > MAX_BODY {
            return Ok(refused(&ApiError::body_too_large()));
        }
        self.requests.count(user, verb, &path.group, &path.resource, &path.subresource);
        let target = Target {
            user,
            verb,
            resource: &path.resource,
            subresource: &path.subresource,
            namespace: path.namespace.as_deref().unwrap_or_default(),
            name: path.name.as_deref().unwrap_or_default(),
        };
        let fault = self.faults.take(&target);
        match &fault {
            Some(Action::Refuse(error)) => return Ok(refused(error)),
            Some(Action::Conflict) => {
                let resource = crate::error::GroupResource { group: &path.group, resource: &path.resource };
                return Ok(refused(&ApiError::stale(resource, target.name)));
            }
            Some(Action::HangBefore) => return silence(Stopped::Hang).await,
            Some(Action::BreakBefore) => return silence(Stopped::Error).await,
            Some(Action::Delay(delay)) => tokio::time::sleep(*delay).await,
            Some(Action::HangAfter | Action::BreakAfter) | None => {}
        }
        let warnings = RefCell::new(Vec::new());
        let answer = self.resource(user, verb, parts, &path, params, body, &warnings);
        let warnings = warnings.into_inner();
        match (&fault, answer) {
            (Some(Action::HangAfter), Ok(_)) => silence(Stopped::Hang).await,
            (Some(Action::BreakAfter), Ok(_)) => silence(Stopped::Error).await,
            (_, Ok(response)) => Ok(warned(response, &warnings)),
            (_, Err(Failure::Refused(error))) => Ok(warned(refused(&error), &warnings)),
            (_, Err(Failure::Stopped(stopped))) => silence(stopped).await,
        }
    }

    /// Everything that is no resource.
    fn other(&self, parts: &Parts) -> Response<ResponseBody> {
        let path = parts.uri.path();
        let accept = header(&parts.headers, &header::ACCEPT);
        match path.trim_end_matches('/') {
            "/healthz" | "/livez" | "/readyz" => {
                return respond(200, Content::Full(Some(Bytes::from_static(b"ok"))), "text/plain; charset=utf-8");
            }
            _ => {}
        }
        let registry = self.registry();
        let aggregated = accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2");
        if let Some(value) = discovery::answer(path, &registry, aggregated) {
            let content_type = if aggregated && matches!(path.trim_end_matches('/'), "/api" | "/apis") {
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            } else {
                "application/json"
            };
            return respond(200, Content::Full(Some(Bytes::from(value.to_string()))), content_type);
        }
        if let Some(value) = openapi::answer(path, &registry) {
            return json_document(200, &value);
        }
        refused(&ApiError::no_page())
    }

    #[allow(clippy::too_many_arguments)]
    fn resource(
        self: &Arc<Self>,
        user: &Arc<str>,
        verb: &'static str,
        parts: &Parts,
        path: &ResourcePath,
        params: Params,
        body: &Bytes,
        warnings: &RefCell<Vec<String>>,
    ) -> Result<Response<ResponseBody>, Failure> {
        let content_type = header(&parts.headers, &header::CONTENT_TYPE);
        if let Some(answer) = self.access.review(user, path, verb, body, content_type) {
            return Ok(json_document(201, &answer?));
        }
        let registry = self.registry();
        let (route, served) = routing::resolve(&registry, path, verb)?;
        let mut params = params;
        // Watching one object by its URL.
        if let (true, Some(name)) = (verb == "watch", &path.name) {
            params.field_selector = format!("metadata.name={name}");
        }
        let agent = header(&parts.headers, &header::USER_AGENT).split('/').next().unwrap_or_default();
        let call = Call {
            inner: self,
            user,
            verb,
            route,
            served,
            namespace: path.namespace.as_deref(),
            name: path.name.as_deref().unwrap_or_default(),
            subresource: &path.subresource,
            params: &params,
            agent: if agent.is_empty() { "unknown" } else { agent },
            warnings,
            patch: None,
        };
        served.deprecation.iter().for_each(|warning| call.warn(warning.clone()));
        let view = View::negotiate(header(&parts.headers, &header::ACCEPT), &params.include_object)
            .ok_or_else(ApiError::not_acceptable)?;
        if connect::is_connection(call.kind(), &path.subresource) {
            call.connect()?;
            return Ok(respond(204, Content::Full(None), ""));
        }
        if path.subresource == "scale" {
            return self.scale(&call, parts, body, view);
        }
        Ok(match verb {
            "get" => document(200, call.get(view)?),
            "list" => document(200, call.list(view)?),
            "watch" => respond(200, Content::Watch(Box::new(call.watch(view, self)?)), "application/json"),
            _ => return self.write(&call, verb, parts, body, view),
        })
    }

    fn write(
        &self,
        call: &Call<'_>,
        verb: &'static str,
        parts: &Parts,
        body: &Bytes,
        view: View,
    ) -> Result<Response<ResponseBody>, Failure> {
        let content_type = header(&parts.headers, &header::CONTENT_TYPE);
        let written = match verb {
            "create" => {
                let parsed = call.read(body, content_type)?;
                call.create(parsed.value, parsed.duplicates)?
            }
            "update" => {
                let parsed = call.read(body, content_type)?;
                call.replace(&parsed.value, &parsed.duplicates)?
            }
            "patch" | "apply" => {
                let (kind, parsed) = call.read_patch(body, content_type)?;
                call.patch(kind, &parsed.value, &parsed.duplicates)?
            }
            _ => {
                let options = if body.is_empty() { json!({}) } else { delete_options(body, content_type)?.value };
                let policy = call.params.propagation_policy.as_deref();
                let options = DeleteOptions::parse(&options, policy, call.params.dry_run)?;
                if verb == "deletecollection" {
                    return delete_collection(call, &options, view);
                }
                call.delete(&options)?
            }
        };
        self.answer(call, &written, view)
    }

    fn scale(
        &self,
        call: &Call<'_>,
        parts: &Parts,
        body: &Bytes,
        view: View,
    ) -> Result<Response<ResponseBody>, Failure> {
        let content_type = header(&parts.headers, &header::CONTENT_TYPE);
        let written = match call.verb {
            "get" => {
                let shown = view.object(&*call.scale()?, &scale::KIND, 0, true, self.clock.now());
                return Ok(document(200, shown));
            }
            "update" => call.rescale(Change::Replace(&call.read_scale(body, content_type)?))?,
            _ => {
                let (kind, parsed) = call.read_patch(body, content_type)?;
                call.rescale(Change::Patch(kind, &parsed.value))?
            }
        };
        if let Some(lost) = written.answer_lost {
            return Err(Failure::Stopped(lost));
        }
        let (Outcome::Object(object) | Outcome::Deleted(object)) = &written.object;
        Ok(document(written.code, view.object(object, &scale::KIND, 0, true, self.clock.now())))
    }

    fn answer(&self, call: &Call<'_>, written: &Written, view: View) -> Result<Response<ResponseBody>, Failure> {
        if let Some(lost) = written.answer_lost {
            return Err(Failure::Stopped(lost));
        }
        let (kind, version) = (call.kind(), call.route.version);
        Ok(match &written.object {
            Outcome::Deleted(object) if !kind.returns_deleted_object() => json_document(
                written.code,
                &json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                    "details": deleted_details(kind, object),
                }),
            ),
            Outcome::Object(object) | Outcome::Deleted(object) => {
                document(written.code, view.object(object, kind, version, true, self.clock.now()))
            }
        })
    }
}

fn deleted_details(kind: &Kind, object: &Object) -> Value {
    let mut details = json!({"name": object.name(), "kind": kind.plural, "uid": crate::meta::uid(&object.value)});
    if !kind.group.is_empty() {
        crate::meta::object_mut(&mut details).insert("group".to_owned(), json!(kind.group));
    }
    details
}

/// Deletes everything selected and answers with what it was.
fn delete_collection(call: &Call<'_>, options: &DeleteOptions, view: View) -> Result<Response<ResponseBody>, Failure> {
    let listed = call.list(view)?;
    for object in call.selected()? {
        let namespace = call.kind().namespaced.then(|| object.namespace());
        let one = Call { namespace, name: object.name(), verb: "deletecollection", ..*call };
        match one.delete(options) {
            Ok(Written { answer_lost: Some(lost), .. }) => return Err(Failure::Stopped(lost)),
            Ok(_) => {}
            Err(Failure::Refused(error)) if error.code == 404 => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(document(200, listed))
}

fn warned(mut response: Response<ResponseBody>, warnings: &[String]) -> Response<ResponseBody> {
    for warning in warnings {
        let text = format!("299 - \"{}\"", warning.replace('\\', "\\\\").replace('"', "\\\""));
        if let Ok(value) = text.parse() {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}
