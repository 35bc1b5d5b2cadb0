//! Random objects that are valid under a structural schema, and the one that has every member the schema names.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::string::string_regex;
use serde_json::{Map, Value, json};

/// Whose objects are made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// Of the schema's own version.
    Same,
    /// Of a newer version, with members and values of enums that the schema does not know.
    Newer,
}

/// Objects of a kind, whose schema is that of a version of a CustomResourceDefinition.
pub fn objects(api_version: &str, kind: &str, schema: &Value, age: Age) -> BoxedStrategy<Value> {
    let mut schema = schema.clone();
    let members = schema.pointer_mut("/properties").and_then(Value::as_object_mut).unwrap();
    members.insert("apiVersion".to_owned(), json!({"type": "string", "enum": [api_version]}));
    members.insert("kind".to_owned(), json!({"type": "string", "enum": [kind]}));
    members.remove("metadata");
    let required = schema.get("required").cloned().unwrap_or_else(|| json!([]));
    let mut required: Vec<Value> = required.as_array().cloned().unwrap();
    required.extend([json!("apiVersion"), json!("kind")]);
    schema["required"] = json!(required);
    let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
    (values(&schema, age), metadata())
        .prop_map(move |(mut object, metadata)| {
            object["metadata"] = metadata;
            // They are no enums of the schema's.
            object["apiVersion"] = json!(api_version);
            object["kind"] = json!(kind);
            object
        })
        .boxed()
}

/// Metadata with every member that an API server fills.
fn metadata() -> impl Strategy<Value = Value> {
    let text = || string_regex("[a-z0-9]{1,8}").unwrap();
    let map = move || btree_map(text(), ".{0,8}", 0..3);
    let seconds = (0..4_000_000_000_i64)
        .prop_map(|seconds| jiff::Timestamp::from_second(seconds).unwrap().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    (text(), map(), map(), vec(text(), 0..3), seconds, any::<bool>()).prop_map(
        |(name, labels, mut annotations, finalizers, time, is_managed)| {
            annotations.insert("kubectl.kubernetes.io/last-applied-configuration".to_owned(), "{\"spec\":{}}\n".to_owned());
            let mut metadata = json!({
                "name": name, "namespace": "default", "uid": "0f8fad5b-d9cb-469f-a165-70867728950e", "generation": 3,
                "resourceVersion": "18446744073709551615", "creationTimestamp": time, "labels": labels,
                "annotations": annotations, "finalizers": finalizers,
                "ownerReferences": [{"apiVersion": "v1", "kind": "A", "name": "b", "uid": "c", "controller": true}],
            });
            if is_managed {
                metadata["deletionTimestamp"] = json!(time);
                metadata["deletionGracePeriodSeconds"] = json!(0);
                metadata["managedFields"] = json!([{
                    "manager": "kubectl", "operation": "Apply", "apiVersion": "a/v1", "time": time, "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:spec": {"f:a": {}, "k:{\"name\":\"x\"}": {".": {}}}}, "subresource": "status",
                }]);
            }
            metadata
        },
    )
}

/// Values that a schema allows.
fn values(schema: &Value, age: Age) -> BoxedStrategy<Value> {
    if schema.get("x-kubernetes-int-or-string") == Some(&json!(true)) {
        return prop_oneof![any::<i64>().prop_map(Value::from), "[0-9]{1,3}(Gi|m)?".prop_map(Value::from)].boxed();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => object(schema, age),
        Some("array") => array(schema, age),
        Some("string") => text(schema, age),
        Some("integer") => integer(schema),
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        _ => anything(),
    }
}

/// Values of members that no schema describes.
fn anything() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map("[a-z]{1,4}", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
    .boxed()
}

fn object(schema: &Value, age: Age) -> BoxedStrategy<Value> {
    if let Some(inner) = schema.get("additionalProperties") {
        return btree_map(".{0,6}", values(inner, age), 0..3).prop_map(|map| json!(map)).boxed();
    }
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut members: Vec<(String, BoxedStrategy<Option<Value>>)> = Vec::new();
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let value = values(inner, age);
        let value = if required.contains(&name.as_str()) {
            value.prop_map(Some).boxed()
        } else {
            proptest::option::of(value).boxed()
        };
        members.push((name.clone(), value));
    }
    let (names, values): (Vec<String>, Vec<_>) = members.into_iter().unzip();
    let unknown = match age {
        Age::Same => Just(Value::Object(Map::new())).boxed(),
        Age::Newer => btree_map("new-[a-z]{1,3}", anything(), 0..2).prop_map(|map| json!(map)).boxed(),
    };
    (values, unknown)
        .prop_map(move |(values, unknown)| {
            let mut object: Map<String, Value> = unknown.as_object().unwrap().clone();
            let present = names.iter().zip(values).filter_map(|(name, value)| Some((name.clone(), value?)));
            object.extend(present);
            Value::Object(object)
        })
        .boxed()
}

fn array(schema: &Value, age: Age) -> BoxedStrategy<Value> {
    let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
    let least = usize::try_from(least).unwrap();
    vec(values(&schema["items"], age), least..least + 3).prop_map(Value::from).boxed()
}

fn text(schema: &Value, age: Age) -> BoxedStrategy<Value> {
    if let Some(known) = schema.get("enum").and_then(Value::as_array) {
        let known = proptest::sample::select(known.clone()).boxed();
        return match age {
            Age::Same => known,
            Age::Newer => prop_oneof![known, ".{0,8}".prop_map(Value::from)].boxed(),
        };
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        let pattern = pattern.trim_start_matches("(?i)").trim_start_matches('^').trim_end_matches('$');
        return string_regex(pattern).unwrap().prop_map(Value::from).boxed();
    }
    match schema.get("format").and_then(Value::as_str) {
        // What an API server takes as a date and time is more than what it writes.
        Some("date-time") => proptest::sample::select(vec![
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.5Z",
            "2026-01-01T01:00:00.123456789+01:00",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
        ])
        .prop_map(Value::from)
        .boxed(),
        _ => {
            let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
            string_regex(&format!("(?s:.{{{least},{}}})", least + 8)).unwrap().prop_map(Value::from).boxed()
        }
    }
}

fn integer(schema: &Value) -> BoxedStrategy<Value> {
    let bounds = match schema.get("format").and_then(Value::as_str) {
        Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let bound = |name: &str, or: i64| schema.get(name).and_then(Value::as_f64).map_or(or, |bound| bound as i64);
    (bound("minimum", bounds.0)..=bound("maximum", bounds.1)).prop_map(Value::from).boxed()
}

/// The value that has every member the schema names, all the way down.
pub fn complete(schema: &Value) -> Value {
    if schema.get("x-kubernetes-int-or-string") == Some(&json!(true)) {
        return json!("1");
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => {
            if let Some(inner) = schema.get("additionalProperties") {
                return json!({"key": complete(inner)});
            }
            let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            members.map(|(name, inner)| (name.clone(), complete(inner))).collect()
        }
        Some("array") => json!([complete(&schema["items"])]),
        Some("integer") => json!(1),
        Some("boolean") => json!(true),
        _ => json!("text"),
    }
}
