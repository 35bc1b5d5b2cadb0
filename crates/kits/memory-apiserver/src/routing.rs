//! Which verb a request is, and whether its path fits a kind.

use crate::api::connect;
use crate::error::ApiError;
use crate::kind::{Behaviour, Served};
use crate::request::{Params, ResourcePath};
use crate::store::{Registry, Route};
use http::Method;

/// The options object a request's query stands for, as messages name it.
pub(crate) fn options_kind(method: &Method) -> &'static str {
    match *method {
        Method::POST => "CreateOptions",
        Method::PUT => "UpdateOptions",
        Method::DELETE => "DeleteOptions",
        Method::PATCH => "PatchOptions",
        _ => "ListOptions",
    }
}

/// The verb of a request; `applies` when its body is an apply configuration.
pub(crate) fn verb(
    method: &Method,
    path: &ResourcePath,
    params: &Params,
    applies: bool,
) -> Result<&'static str, ApiError> {
    match (method, path.name.is_some()) {
        (&Method::GET, true) if path.watch => Ok("watch"),
        (&Method::GET, true) => Ok("get"),
        (&Method::GET, false) if params.watch || path.watch => Ok("watch"),
        (&Method::GET, false) => Ok("list"),
        (&Method::POST, _) => Ok("create"),
        (&Method::PUT, true) => Ok("update"),
        (&Method::PATCH, true) => Ok(if applies { "apply" } else { "patch" }),
        (&Method::PUT | &Method::PATCH, false) => Err(ApiError::bad_request("name must be provided")),
        (&Method::DELETE, true) => Ok("delete"),
        (&Method::DELETE, false) => Ok("deletecollection"),
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// The kind and version a path leads to, if scope, subresource and verb fit it.
pub(crate) fn resolve<'a>(
    registry: &'a Registry,
    path: &ResourcePath,
    verb: &str,
) -> Result<(&'a Route, &'a Served), ApiError> {
    let Some(route) = registry.find(&path.group, &path.version, &path.resource) else {
        // Groups of the server's own answer for themselves; what belongs to none has no page.
        return Err(if registry.is_own(&path.group, &path.version) {
            ApiError::no_such_path()
        } else {
            ApiError::no_page()
        });
    };
    let served = route.kind.version(route.version).ok_or_else(ApiError::no_page)?;
    check(route, served, path, verb)?;
    Ok((route, served))
}

fn check(route: &Route, served: &Served, path: &ResourcePath, verb: &str) -> Result<(), ApiError> {
    let kind = &route.kind;
    let name = path.name.as_deref().unwrap_or_default();
    let known = match path.subresource.as_str() {
        "" => true,
        "status" => served.status,
        "scale" => served.scale.is_some(),
        connection if connect::is_connection(kind, connection) => true,
        "finalize" => kind.behaviour == Behaviour::Namespace,
        _ => false,
    };
    let custom = kind.is_custom();
    if !known {
        return Err(if custom { ApiError::not_found(kind.group_resource(), name) } else { ApiError::no_such_path() });
    }
    let needs_namespace = kind.namespaced && !matches!(verb, "list" | "watch");
    if (path.namespace.is_some() && !kind.namespaced) || (path.namespace.is_none() && needs_namespace) {
        return Err(if custom { ApiError::no_page() } else { ApiError::method_not_allowed() });
    }
    let connects = connect::is_connection(kind, &path.subresource) && matches!(verb, "get" | "create");
    if !path.subresource.is_empty() && !connects && !matches!(verb, "get" | "update" | "patch" | "apply") {
        return Err(ApiError::verb_not_supported(verb, kind.group_resource()));
    }
    Ok(())
}
