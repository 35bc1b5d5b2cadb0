//! Pruning, defaulting, validation, CEL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use serde_json::{Value, json};

async fn refusal(spec: Value) -> (u16, String) {
    let server = server();
    let (code, status) = post(&server, THINGS_PATH, body("a", spec)).await;
    (code, message(&status).to_owned())
}

#[tokio::test]
async fn each_validation_complains_in_the_servers_words() {
    for (spec, complaint) in [
        (json!({"size": 11}), "spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10"),
        (json!({"size": -1}), "spec.size: Invalid value: -1: spec.size in body should be greater than or equal to 0"),
        (
            json!({"size": "1"}),
            "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
        ),
        (
            json!({"size": 1.5}),
            "spec.size: Invalid value: \"number\": spec.size in body must be of type integer: \"number\"",
        ),
        (json!({"mode": "odd"}), "spec.mode: Unsupported value: \"odd\": supported values: \"fast\", \"slow\""),
        (
            json!({"mac": "AA:BB"}),
            "spec.mac: Invalid value: \"AA:BB\": spec.mac in body should match '^([0-9a-f]{2}:){5}[0-9a-f]{2}$'",
        ),
        (json!({"text": "x"}), "spec.text: Invalid value: \"x\": spec.text in body should be at least 2 chars long"),
        (json!({"text": "xxxxxx"}), "spec.text: Too long: may not be more than 5 bytes"),
        (
            json!({"when": "today"}),
            "spec.when: Invalid value: \"today\": spec.when in body must be of type date-time: \"today\"",
        ),
        (json!({"link": "no link"}), "spec.link in body must be of type uri: \"no link\""),
        (json!({"port": true}), "spec.port in body must be of type integer,string: \"boolean\""),
        (json!({"plain": []}), "spec.plain: Invalid value: 0: spec.plain in body should have at least 1 items"),
        (json!({"plain": ["a", "b", "c", "d"]}), "spec.plain: Too many: 4: must have at most 3 items"),
        (
            json!({"labels": {"a": "", "b": "", "c": "", "d": ""}}),
            "spec.labels: Too many: 4: must have at most 3 items",
        ),
        (json!({"labels": {"a": 1}}), "spec.labels.a in body must be of type string: \"integer\""),
        (json!({"items": [{"value": "x"}]}), "spec.items[0].name: Required value"),
        (json!({"items": [{"name": "x"}, {"name": "x"}]}), "spec.items[1]: Duplicate value: {\"name\":\"x\"}"),
        (json!({"tags": ["a", "a"]}), "spec.tags[1]: Duplicate value: \"a\""),
        (json!({"choice": {}}), "\"spec.choice\" must validate one and only one schema (oneOf). Found none valid"),
        (
            json!({"choice": {"a": "", "b": ""}}),
            "\"spec.choice\" must validate one and only one schema (oneOf). Found 2 valid",
        ),
        (json!({"pair": {"server": "x"}}), "spec.pair: Invalid value: both or neither"),
    ] {
        let (code, found) = refusal(spec.clone()).await;
        assert_eq!(code, 422, "{spec}: {found}");
        assert!(found.contains(complaint), "{spec}:\n  found    {found}\n  expected {complaint}");
    }
}

#[tokio::test]
async fn a_refusal_names_kind_object_and_every_field() {
    let server = server();
    let (code, status) = post(&server, THINGS_PATH, body("a", json!({"size": 11, "mode": "odd"}))).await;
    assert_eq!((code, &status["reason"]), (422, &json!("Invalid")));
    assert!(message(&status).starts_with("Thing.test.example.io \"a\" is invalid: ["), "{status}");
    assert_eq!(status["details"]["kind"], "Thing");
    let mut fields: Vec<&str> =
        status["details"]["causes"].as_array().unwrap().iter().map(|c| c["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    fields.dedup();
    assert!(fields.contains(&"spec.mode") && fields.contains(&"spec.size"), "{fields:?}");
}

#[tokio::test]
async fn what_is_valid_passes() {
    let spec = json!({
        "size": 10, "mode": "fast", "mac": "00:11:22:33:44:55", "text": "abc", "when": "2026-01-02T03:04:05Z",
        "link": "https://x/y", "port": "http", "nothing": null, "free": {"any": [1, {"x": null}]},
        "labels": {"k": "v"}, "tags": ["a", "b"], "plain": ["a", "a"], "items": [{"name": "x"}, {"name": "y"}],
        "fixed": "f", "pair": {"server": "s", "boot_file_name": "b"}, "choice": {"a": "1"},
        "template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "any": 1},
    });
    let (code, found) = refusal(spec).await;
    assert_eq!(code, 201, "{found}");
}

#[tokio::test]
async fn unknown_fields_are_pruned_and_defaults_filled_in() {
    let server = server();
    let mut object = body(
        "a",
        json!({
            "unknown": 1, "free": {"kept": {"deep": 1}}, "items": [{"name": "x", "unknown": 1}], "size": null, "nothing": null,
        }),
    );
    object["other"] = json!(1);
    object["metadata"]["unknown"] = json!(1);
    let (code, headers, created) =
        raw(&server, "POST", THINGS_PATH, "application/json", "application/json", object.to_string()).await;
    assert_eq!(code, 201, "{created}");
    let spec = json!({
        "free": {"kept": {"deep": 1}}, "items": [{"name": "x", "flag": false}], "nothing": null, "mode": "slow",
    });
    assert_eq!(created["spec"], spec, "a null that is not allowed disappears");
    assert!(created.get("other").is_none() && created["metadata"].get("unknown").is_none());
    let warnings: Vec<_> = headers.get_all("warning").iter().map(|w| w.to_str().unwrap()).collect();
    assert!(warnings.contains(&r#"299 - "unknown field \"spec.unknown\"""#), "{warnings:?}");
    assert!(warnings.contains(&r#"299 - "unknown field \"spec.items[0].unknown\"""#), "{warnings:?}");
}

#[tokio::test]
async fn field_validation_is_strict_when_asked() {
    let server = server();
    let strict = format!("{THINGS_PATH}?fieldValidation=Strict");
    let (code, status) = post(&server, &strict, body("a", json!({"unknown": 1}))).await;
    assert_eq!(code, 400);
    assert_eq!(
        message(&status),
        "Thing in version \"v1\" cannot be handled as a Thing: strict decoding error: unknown field \"spec.unknown\""
    );
    let twice =
        r#"{"apiVersion":"test.example.io/v1","kind":"Thing","metadata":{"name":"a"},"spec":{"size":1,"size":2}}"#;
    let (code, _, status) = raw(&server, "POST", &strict, "application/json", "", twice).await;
    assert_eq!(code, 400);
    assert!(message(&status).contains("duplicate field \"spec.size\""), "{status}");
    let (code, headers, _) =
        raw(&server, "POST", &format!("{THINGS_PATH}?fieldValidation=Ignore"), "application/json", "", twice).await;
    assert_eq!((code, headers.get("warning")), (201, None));
    let (code, status) =
        merge(&server, &format!("{THINGS_PATH}/a?fieldValidation=Strict"), json!({"spec": {"q": 1}})).await;
    assert_eq!(code, 422);
    assert!(message(&status).contains("strict decoding error: unknown field \"spec.q\""), "{status}");
}

#[tokio::test]
async fn transition_rules_compare_with_the_old_object() {
    let server = server();
    post(&server, THINGS_PATH, body("a", json!({"fixed": "x"}))).await;
    let path = format!("{THINGS_PATH}/a");
    let (code, status) = merge(&server, &path, json!({"spec": {"fixed": "y"}})).await;
    assert_eq!(code, 422);
    assert!(message(&status).contains("spec.fixed: Invalid value: \"y\": fixed is immutable"), "{status}");
    assert_eq!(merge(&server, &path, json!({"spec": {"fixed": null}})).await.0, 200);
}

const LOOSE: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rules.test.example.io}
spec:
  group: test.example.io
  scope: Cluster
  names: {plural: rules, kind: Rule}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: integer}
              list:
                type: array
                items: {type: object, properties: {name: {type: string}, kind: {type: string}}}
                x-kubernetes-validations:
                - {rule: 'self.all(x, self.exists_one(y, x.name == y.name))', message: names must be unique}
              key:
                type: string
                x-kubernetes-validations:
                - {rule: "!(self in ['Ready', 'Available'])", message: reserved}
                - {rule: "self.contains('/') ? ( self.split('/') [0].size() < 5) : true", message: prefix too long}
              broken:
                type: string
                x-kubernetes-validations:
                - {rule: 'self.nosuch()'}
              computed:
                type: integer
                x-kubernetes-validations:
                - {rule: self < 5, messageExpression: '"too big: " + string(self)', fieldPath: .x, reason: FieldValueForbidden}
              at: {type: string, format: date-time}
            x-kubernetes-validations:
            - {rule: "!has(self.at) || self.at > timestamp('2020-01-01T00:00:00Z')", message: too early}
"#;

#[tokio::test]
async fn rules_of_real_crds_are_understood_and_failing_ones_never_panic() {
    let server = server();
    server.apply_manifest(LOOSE).unwrap();
    let path = "/apis/test.example.io/v1/rules";
    let mut number = 0;
    for (spec, complaint) in [
        (json!({"list": [{"name": "a"}, {"name": "b"}], "key": "a/b", "at": "2026-01-01T00:00:00Z"}), None),
        (json!({"list": [{"name": "a"}, {"name": "a"}]}), Some("spec.list: Invalid value: names must be unique")),
        (json!({"key": "Ready"}), Some("spec.key: Invalid value: \"Ready\": reserved")),
        (json!({"key": "abcdef/x"}), Some("spec.key: Invalid value: \"abcdef/x\": prefix too long")),
        (json!({"broken": "x"}), Some("evaluating rule: self.nosuch()")),
        (json!({"computed": 7}), Some("spec.computed.x: Forbidden: too big: 7")),
        (json!({"at": "2019-01-01T00:00:00Z"}), Some("spec: Invalid value: too early")),
    ] {
        number += 1;
        let object = json!({"apiVersion": "test.example.io/v1", "kind": "Rule", "metadata": {"name": format!("r{number}")}, "spec": spec});
        let (code, status) = post(&server, path, object).await;
        match complaint {
            None => assert_eq!(code, 201, "{status}"),
            Some(complaint) => assert!(code == 422 && message(&status).contains(complaint), "{status}"),
        }
    }
}

#[tokio::test]
async fn what_was_wrong_before_a_schema_grew_stricter_may_stay() {
    let server = server();
    server.apply_manifest(LOOSE).unwrap();
    let path = "/apis/test.example.io/v1/rules";
    let object =
        json!({"apiVersion": "test.example.io/v1", "kind": "Rule", "metadata": {"name": "r"}, "spec": {"size": 50}});
    post(&server, path, object).await;
    let stricter = LOOSE.replace("size: {type: integer}", "size: {type: integer, maximum: 10}");
    server.apply_manifest(&stricter).unwrap();
    let one = format!("{path}/r");
    assert_eq!(merge(&server, &one, json!({"spec": {"key": "k"}})).await.0, 200, "the wrong field was left alone");
    assert_eq!(merge(&server, &one, json!({"spec": {"size": 51}})).await.0, 422);
}
