//! Odd objects: anything that the schema of a CustomResourceDefinition accepts.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

/// The schema of a kind: that of the storage version of its definition.
pub fn schema(definition: &str) -> Value {
    let crd: Value = serde_saphyr::from_str(definition).unwrap();
    let versions = crd["spec"]["versions"].as_array().unwrap();
    let stored = versions.iter().find(|version| version["storage"] == true).unwrap();
    stored["schema"]["openAPIV3Schema"].clone()
}

/// Any `spec`, or other member, that the schema accepts. Rules in CEL are not looked at.
pub fn member(schema: &Value, name: &str) -> BoxedStrategy<Value> {
    value(&schema["properties"][name])
}

fn value(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(values) = schema["enum"].as_array() {
        return select(values.clone()).boxed();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return prop_oneof![any::<i64>().prop_map(Value::from), text(schema)].boxed();
    }
    if schema["x-kubernetes-preserve-unknown-fields"] == true && schema["properties"].is_null() {
        return unknown().boxed();
    }
    match schema["type"].as_str() {
        Some("object") => object(schema),
        Some("array") => prop::collection::vec(value(&schema["items"]), 0..3).prop_map(Value::from).boxed(),
        Some("string") => text(schema),
        Some("integer") => integer(schema),
        Some("number") => {
            any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite()).prop_map(Value::from).boxed()
        }
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        other => panic!("a schema of type {other:?}"),
    }
}

/// A random part of the optional members, all required ones, within the bounds of their number.
fn object(schema: &Value) -> BoxedStrategy<Value> {
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let is_required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let (required, optional): (Vec<_>, Vec<_>) = properties.iter().partition(|(name, _)| is_required(name));
    let of = |(name, schema): (&String, &Value)| (Just(name.clone()), value(schema)).boxed();
    let least = schema["minProperties"].as_u64().unwrap_or(0) as usize;
    let most = schema["maxProperties"].as_u64().map_or(optional.len(), |most| most as usize).min(optional.len());
    let required: Vec<_> = required.into_iter().map(of).collect();
    let optional: Vec<_> = optional.into_iter().map(of).collect();
    let least = least.saturating_sub(required.len()).min(most);
    let chosen = (required, subsequence(optional, least..=most).prop_flat_map(|members| members));
    let extra = match &schema["additionalProperties"] {
        Value::Object(_) => prop::collection::vec((odd_text(), value(&schema["additionalProperties"])), 0..3).boxed(),
        _ if schema["x-kubernetes-preserve-unknown-fields"] == true => {
            prop::collection::vec((odd_text(), unknown()), 0..2).boxed()
        }
        _ => Just(Vec::new()).boxed(),
    };
    (chosen, extra)
        .prop_map(|((required, optional), extra)| {
            let named = required.into_iter().chain(optional);
            let extra = extra.into_iter().map(|(name, value)| (name.as_str().unwrap_or_default().to_owned(), value));
            Value::Object(named.chain(extra).collect())
        })
        .boxed()
}

fn text(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(pattern) = schema["pattern"].as_str() {
        let bare = pattern.trim_start_matches('^').trim_end_matches('$');
        return proptest::string::string_regex(bare).unwrap().prop_map(Value::from).boxed();
    }
    match schema["format"].as_str() {
        Some("uri") => {
            return select(vec![
                json!("http://h/x.iso"),
                json!("urn:x"),
                json!("file:///a/../b"),
                json!("http://[::1]:1/?q#f"),
            ])
            .boxed();
        }
        Some("date-time") => {
            return select(vec![
                json!("2026-01-01T00:00:00Z"),
                json!("0001-01-01T00:00:00Z"),
                json!("9999-12-31T23:59:59+14:00"),
            ])
            .boxed();
        }
        _ => {}
    }
    let least = schema["minLength"].as_u64().unwrap_or(0) as usize;
    let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX) as usize;
    odd_text()
        .prop_filter("length", move |text| {
            let length = text.as_str().unwrap_or_default().chars().count();
            least <= length && length <= most
        })
        .boxed()
}

/// Text of all sorts, much of it of the sorts that the program reads something into.
pub fn odd_text() -> BoxedStrategy<Value> {
    let known = [
        "",
        " ",
        "\u{0}",
        "\n",
        "null",
        "true",
        "-1",
        "a",
        "hw-1",
        "metal",
        "default/m",
        "../..",
        "{{",
        "{{.}}",
        "{{range .}}",
        "{{.BaseRegistry}}/x:{{.KubernetesVersion}}",
        "10.0.0.5",
        "010.0.0.5",
        "10.0.0.5/24",
        "256.0.0.1",
        "fd00::1",
        "::ffff:10.0.0.5",
        "fe80::1%eth0",
        "255.255.255.0",
        "00:00:00:00:00:01",
        "AA-BB-CC-DD-EE-FF",
        "PROVIDER_ID",
        "tinkerbell://metal/hw-1",
        "tinkerbell://",
        "tinkerbell:///",
        "tinkerbell://a/b/c",
        "aws:///x",
        "/dev/sda",
        "/dev/nvme0n1",
        "SUCCESS",
        "STATE_FAILED",
        "iso",
        "\u{202e}abc",
        "ääää",
        "𝕏𝕐𝕫",
        "- a: [",
        "a: &a *a",
    ];
    prop_oneof![
        6 => select(known.map(Value::from).to_vec()),
        3 => ".{0,16}".prop_map(Value::from),
        1 => (select(vec!["x", "ä", "{{", "1"]), 1_usize..3000).prop_map(|(of, times)| Value::from(of.repeat(times))),
    ]
    .boxed()
}

fn integer(schema: &Value) -> BoxedStrategy<Value> {
    let (low, high) =
        if schema["format"] == "int32" { (i32::MIN.into(), i32::MAX.into()) } else { (i64::MIN, i64::MAX) };
    let low = schema["minimum"].as_f64().map_or(low, |least| low.max(least as i64));
    let high = schema["maximum"].as_f64().map_or(high, |most| high.min(most as i64));
    let extremes = select(vec![json!(low), json!(high), json!(low.max(0).min(high)), json!(low.max(-1).min(high))]);
    prop_oneof![extremes, (low..=high).prop_map(Value::from)].boxed()
}

/// Any JSON, where a schema keeps what it does not know.
pub fn unknown() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        odd_text()
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((odd_text(), inner), 0..3).prop_map(|members| {
                Value::Object(
                    members
                        .into_iter()
                        .map(|(name, value)| (name.as_str().unwrap_or_default().to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}
