//! As much OpenAPI as `kubectl` needs to apply, explain and validate: the schemas of custom resources, open ones for the
//! rest, and the operations that say that field validation is supported.

use crate::kind::{Kind, Served};
use crate::meta;
use crate::store::Registry;
use serde_json::{Map, Value, json};

/// The answer to `/openapi/v2`, `/openapi/v3` or one document of v3; `None` for another path.
pub(crate) fn answer(path: &str, registry: &Registry) -> Option<Value> {
    match path.trim_end_matches('/') {
        "/openapi/v2" => Some(v2(registry)),
        "/openapi/v3" => Some(index(registry)),
        path => {
            let document = path.strip_prefix("/openapi/v3/")?;
            let (group, version) = match document.split('/').collect::<Vec<_>>().as_slice() {
                ["api", version] => ("", *version),
                ["apis", group, version] => (*group, *version),
                _ => return None,
            };
            registry.has_group_version(group, version).then(|| v3(registry, group, version))
        }
    }
}

fn base(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

fn index(registry: &Registry) -> Value {
    let mut paths = Map::new();
    for served in all(registry).map(|(_, served)| served) {
        let path = base(&served.group, &served.version);
        paths.entry(path.clone()).or_insert_with(|| json!({"serverRelativeURL": format!("/openapi/v3/{path}")}));
    }
    json!({"paths": paths})
}

fn all(registry: &Registry) -> impl Iterator<Item = (&Kind, &Served)> {
    registry.routes.iter().filter_map(|route| Some((route.kind.as_ref(), route.kind.version(route.version)?)))
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": "v1.35.0"})
}

fn definition_name(kind: &Kind, served: &Served) -> String {
    let reversed: Vec<&str> = served.group.split('.').rev().collect();
    let group = if served.group.is_empty() { "io.k8s.api.core".to_owned() } else { reversed.join(".") };
    format!("{group}.{}.{}", served.version, kind.kind)
}

fn schema(kind: &Kind, served: &Served) -> Value {
    let mut schema = served.schema_source.as_deref().cloned().unwrap_or_else(|| json!({"type": "object"}));
    let map = meta::object_mut(&mut schema);
    let extension = json!([{"group": served.group, "version": served.version, "kind": kind.kind}]);
    map.insert("x-kubernetes-group-version-kind".to_owned(), extension);
    if served.schema_source.is_none() {
        map.insert("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true));
    }
    let properties = meta::map_at(map, "properties");
    for (key, kind) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
        properties.insert(key.to_owned(), json!({"type": kind}));
    }
    schema
}

fn path_of(kind: &Kind, served: &Served) -> String {
    let scope = if kind.namespaced { "namespaces/{namespace}/" } else { "" };
    format!("/{}/{scope}{}/{{name}}", base(&served.group, &served.version), kind.plural)
}

/// `kubectl` looks at the parameters of PATCH to learn whether the server validates fields.
fn patch_parameters(version: u8) -> Value {
    let text = |name: &str| {
        if version == 2 {
            json!({"in": "query", "name": name, "type": "string", "uniqueItems": true})
        } else {
            json!({"in": "query", "name": name, "schema": {"type": "string", "uniqueItems": true}})
        }
    };
    json!([text("dryRun"), text("fieldManager"), text("fieldValidation"), text("force")])
}

fn v3(registry: &Registry, group: &str, version: &str) -> Value {
    let (mut schemas, mut paths) = (Map::new(), Map::new());
    for (kind, served) in all(registry).filter(|(_, s)| s.group == group && s.version == version) {
        let name = definition_name(kind, served);
        let gvk = json!({"group": served.group, "version": served.version, "kind": kind.kind});
        let reference = json!({"$ref": format!("#/components/schemas/{name}")});
        let content = json!({"application/json": {"schema": reference}});
        paths.insert(
            path_of(kind, served),
            json!({
                "get": {
                    "x-kubernetes-action": "get", "x-kubernetes-group-version-kind": gvk,
                    "responses": {"200": {"description": "OK", "content": content}},
                },
                "patch": {
                    "parameters": patch_parameters(3), "x-kubernetes-action": "patch",
                    "x-kubernetes-group-version-kind": gvk, "requestBody": {"content": content},
                    "responses": {"200": {"description": "OK", "content": content}},
                },
            }),
        );
        schemas.insert(name, schema(kind, served));
    }
    json!({"openapi": "3.0.0", "info": info(), "paths": paths, "components": {"schemas": schemas}})
}

fn v2(registry: &Registry) -> Value {
    let (mut definitions, mut paths) = (Map::new(), Map::new());
    for (kind, served) in all(registry) {
        let gvk = json!({"group": served.group, "version": served.version, "kind": kind.kind});
        paths.insert(path_of(kind, served), json!({"patch": {
            "parameters": patch_parameters(2), "x-kubernetes-action": "patch", "x-kubernetes-group-version-kind": gvk,
            "responses": {"200": {"description": "OK"}},
        }}));
        definitions.insert(definition_name(kind, served), schema(kind, served));
    }
    json!({"swagger": "2.0", "info": info(), "paths": paths, "definitions": definitions})
}
