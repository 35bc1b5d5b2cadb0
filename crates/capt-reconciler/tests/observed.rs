//! What is cached of our own kinds beside the types that lose nothing: a member that is new there must not be forgotten here.
#![allow(clippy::unwrap_used, missing_docs)]

use capt_api::k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use capt_reconciler::observed::infra::{TinkerbellCluster, TinkerbellMachine, TinkerbellMachineTemplate};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The value that has every member a schema names.
fn complete(schema: &Value) -> Value {
    if let Some(first) = schema.pointer("/enum/0") {
        return first.clone();
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("object"), _) if schema.get("additionalProperties").is_some() => {
            json!({"key": complete(&schema["additionalProperties"])})
        }
        (Some("object"), _) => {
            let members = schema["properties"].as_object().into_iter().flatten();
            members.map(|(name, inner)| (name.clone(), complete(inner))).collect()
        }
        (Some("array"), _) => json!([complete(&schema["items"])]),
        (Some("integer"), _) => json!(1),
        (Some("boolean"), _) => json!(true),
        (_, Some("date-time")) => json!("2026-01-01T00:00:00Z"),
        _ => json!("text"),
    }
}

/// Reads an object as a projection and writes what it kept.
fn kept<T: DeserializeOwned + Serialize>(object: Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(object).unwrap()).unwrap()
}

#[test]
fn every_member_of_our_own_kinds_is_decoded() {
    let definitions = capt_api::crds().unwrap();
    assert_eq!(definitions.len(), 3);
    for definition in definitions {
        let schema: &JSONSchemaProps =
            definition.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        let mut object = complete(&serde_json::to_value(schema).unwrap());
        object["apiVersion"] = json!("infrastructure.cluster.x-k8s.io/v1beta1");
        object["kind"] = json!(definition.spec.names.kind);
        object["metadata"] = json!({"name": "a"});
        let kept = match definition.spec.names.kind.as_str() {
            "TinkerbellCluster" => kept::<TinkerbellCluster>(object.clone()),
            "TinkerbellMachine" => kept::<TinkerbellMachine>(object.clone()),
            _ => kept::<TinkerbellMachineTemplate>(object.clone()),
        };
        assert_eq!(kept, object);
    }
}
