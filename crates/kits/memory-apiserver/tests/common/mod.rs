//! What the tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs, dead_code)]

use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use memory_apiserver::MemoryApiServer;
use serde_json::{Value, json};

/// A CRD with the features most tests need.
pub const THINGS: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things.test.example.io
spec:
  group: test.example.io
  scope: Namespaced
  names: {plural: things, singular: thing, kind: Thing, listKind: ThingList, shortNames: [th], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    - {name: Owner, type: string, jsonPath: '.metadata.ownerReferences[?(@.kind=="Machine")].name', priority: 1}
    - {name: Dotted, type: string, jsonPath: '.metadata.labels.a\.b/c'}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    selectableFields:
    - jsonPath: .spec.mode
    schema: &schema
      openAPIV3Schema:
        type: object
        properties:
          apiVersion: {type: string}
          kind: {type: string}
          metadata: {type: object}
          spec:
            type: object
            properties:
              size: {type: integer, minimum: 0, maximum: 10}
              mode: {type: string, enum: [fast, slow], default: slow}
              mac: {type: string, pattern: '^([0-9a-f]{2}:){5}[0-9a-f]{2}$'}
              text: {type: string, minLength: 2, maxLength: 5}
              when: {type: string, format: date-time}
              link: {type: string, format: uri}
              port: {x-kubernetes-int-or-string: true}
              nothing: {type: string, nullable: true}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true}
              labels: {type: object, additionalProperties: {type: string}, maxProperties: 3}
              tags: {type: array, items: {type: string}, x-kubernetes-list-type: set}
              plain: {type: array, items: {type: string}, minItems: 1, maxItems: 3}
              items:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties:
                    name: {type: string}
                    value: {type: string}
                    flag: {type: boolean, default: false}
              fixed:
                type: string
                x-kubernetes-validations:
                - {rule: self == oldSelf, message: fixed is immutable}
              pair:
                type: object
                properties:
                  boot_file_name: {type: string}
                  server: {type: string}
                x-kubernetes-validations:
                - {rule: 'has(self.boot_file_name) == has(self.server)', message: both or neither}
              choice:
                type: object
                properties:
                  a: {type: string}
                  b: {type: string}
                oneOf:
                - {required: [a]}
                - {required: [b]}
              template:
                type: object
                x-kubernetes-embedded-resource: true
                x-kubernetes-preserve-unknown-fields: true
          status:
            type: object
            properties:
              ready: {type: boolean}
              phase: {type: string}
              conditions:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [type]
                items:
                  type: object
                  required: [type, status]
                  properties:
                    type: {type: string}
                    status: {type: string}
                    reason: {type: string}
  - name: v1alpha1
    served: true
    storage: false
    subresources: {status: {}}
    selectableFields:
    - jsonPath: .spec.mode
    schema: *schema
"#;

pub fn server() -> MemoryApiServer {
    let server = MemoryApiServer::new();
    server.apply_manifest(THINGS).unwrap();
    server
}

pub fn resource(version: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("test.example.io", version, "Thing"), "things")
}

pub fn things(server: &MemoryApiServer, user: &str) -> Api<DynamicObject> {
    Api::default_namespaced_with(server.client(user), &resource("v1"))
}

pub fn thing(name: &str, spec: Value) -> DynamicObject {
    let value = json!({
        "apiVersion": "test.example.io/v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec,
    });
    serde_json::from_value(value).unwrap()
}

/// Sends a request as it is and returns status, headers and body.
pub async fn raw(
    server: &MemoryApiServer,
    method: &str,
    path: &str,
    content_type: &str,
    accept: &str,
    body: impl Into<String>,
) -> (u16, http::HeaderMap, Value) {
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content_type)
        .header("accept", accept)
        .body(kube::client::Body::from(body.into().into_bytes()))
        .unwrap();
    let response = server.service("tester").oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let value =
        serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    (parts.status.as_u16(), parts.headers, value)
}

pub const THINGS_PATH: &str = "/apis/test.example.io/v1/namespaces/default/things";

pub async fn get(server: &MemoryApiServer, path: &str) -> (u16, Value) {
    let (code, _, value) = raw(server, "GET", path, "", "application/json", "").await;
    (code, value)
}

pub async fn post(server: &MemoryApiServer, path: &str, body: Value) -> (u16, Value) {
    let (code, _, value) = raw(server, "POST", path, "application/json", "application/json", body.to_string()).await;
    (code, value)
}

pub async fn put(server: &MemoryApiServer, path: &str, body: Value) -> (u16, Value) {
    let (code, _, value) = raw(server, "PUT", path, "application/json", "application/json", body.to_string()).await;
    (code, value)
}

pub async fn merge(server: &MemoryApiServer, path: &str, body: Value) -> (u16, Value) {
    let kind = "application/merge-patch+json";
    let (code, _, value) = raw(server, "PATCH", path, kind, "application/json", body.to_string()).await;
    (code, value)
}

pub async fn json_patch(server: &MemoryApiServer, path: &str, body: Value) -> (u16, Value) {
    let kind = "application/json-patch+json";
    let (code, _, value) = raw(server, "PATCH", path, kind, "application/json", body.to_string()).await;
    (code, value)
}

pub async fn apply(server: &MemoryApiServer, path: &str, manager: &str, force: bool, body: Value) -> (u16, Value) {
    let kind = "application/apply-patch+yaml";
    let path = format!("{path}?fieldManager={manager}&force={force}");
    let (code, _, value) = raw(server, "PATCH", &path, kind, "application/json", body.to_string()).await;
    (code, value)
}

pub async fn delete(server: &MemoryApiServer, path: &str, body: Value) -> (u16, Value) {
    let (code, _, value) = raw(server, "DELETE", path, "application/json", "application/json", body.to_string()).await;
    (code, value)
}

/// A Thing as JSON.
pub fn body(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "test.example.io/v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec})
}

pub fn message(status: &Value) -> &str {
    status["message"].as_str().unwrap_or_default()
}

/// Lets the server's controllers do what they have to do.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
