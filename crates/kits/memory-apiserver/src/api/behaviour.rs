//! What particular kinds fill in, keep, and refuse.

use crate::crd;
use crate::error::{FieldError, FieldErrorKind};
use crate::kind::Behaviour;
use crate::meta;
use serde_json::{Map, Value, json};

/// Fills in what the server adds to a new object.
pub(super) fn on_create(object: &mut Value, behaviour: Behaviour, now: &str) {
    match behaviour {
        Behaviour::Namespace => {
            let map = meta::object_mut(object);
            map.insert("spec".to_owned(), json!({"finalizers": ["kubernetes"]}));
            map.insert("status".to_owned(), json!({"phase": "Active"}));
        }
        Behaviour::Definition => {
            let mut finalizers: Vec<String> = meta::finalizers(object).map(str::to_owned).collect();
            if !finalizers.iter().any(|f| f == crd::CLEANUP_FINALIZER) {
                finalizers.push(crd::CLEANUP_FINALIZER.to_owned());
            }
            meta::set_finalizers(object, finalizers);
            meta::object_mut(object).shift_remove("status");
            crd::establish(object, now);
        }
        Behaviour::Pod => {
            meta::object_mut(object).insert("status".to_owned(), json!({"phase": "Pending"}));
        }
        _ => {}
    }
}

/// Brings a new or changed object to the form the server stores.
pub(super) fn normalise(object: &mut Value, behaviour: Behaviour) {
    match behaviour {
        Behaviour::Secret => {
            fold_string_data(meta::object_mut(object));
            let map = meta::object_mut(object);
            if map.get("type").and_then(Value::as_str).unwrap_or_default().is_empty() {
                map.insert("type".to_owned(), json!("Opaque"));
            }
        }
        Behaviour::Definition => crd::default(object),
        Behaviour::Webhooks => default_webhooks(object),
        Behaviour::Namespace => {
            let name = meta::name(object).to_owned();
            let labels = meta::map_at(meta::meta_mut(object), "labels");
            labels.insert("kubernetes.io/metadata.name".to_owned(), Value::from(name));
        }
        _ => {}
    }
    if behaviour != Behaviour::Custom {
        // A typed server stores no nulls.
        meta::object_mut(object).retain(|_, value| !value.is_null());
    }
    if behaviour == Behaviour::Event {
        // These are always there, if only to say that they are not.
        let map = meta::object_mut(object);
        for key in ["eventTime", "firstTimestamp", "lastTimestamp"] {
            map.entry(key).or_insert(Value::Null);
        }
        for key in ["reportingComponent", "reportingInstance"] {
            map.entry(key).or_insert_with(|| json!(""));
        }
        map.entry("source").or_insert_with(|| json!({}));
    }
}

fn fold_string_data(secret: &mut Map<String, Value>) {
    use base64::Engine;
    let Some(Value::Object(plain)) = secret.shift_remove("stringData") else { return };
    let data = meta::map_at(secret, "data");
    for (key, value) in plain {
        let encoded = base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or_default());
        data.insert(key, Value::from(encoded));
    }
}

/// What the kind itself refuses. `old` is the object before an update.
pub(super) fn check(new: &Value, old: Option<&Value>, behaviour: Behaviour, errors: &mut Vec<FieldError>) {
    match behaviour {
        Behaviour::Secret => {
            if old.is_some_and(|old| meta::text(old, "type") != meta::text(new, "type")) {
                errors.push(FieldError::invalid("type", &json!(meta::text(new, "type")), "field is immutable"));
            }
            check_keys(new, &["data"], errors);
            check_size(new, &["data"], "data", errors);
            check_immutable(new, old, &["data"], errors);
        }
        Behaviour::ConfigMap => {
            check_keys(new, &["data", "binaryData"], errors);
            check_size(new, &["data", "binaryData"], "[]", errors);
            check_immutable(new, old, &["data", "binaryData"], errors);
        }
        Behaviour::Webhooks => check_webhooks(new, errors),
        Behaviour::Lease => {
            if let Some(seconds) =
                new.pointer("/spec/leaseDurationSeconds").filter(|s| s.as_i64().is_some_and(|n| n <= 0))
            {
                errors.push(FieldError::invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
            }
        }
        Behaviour::Event => {
            let involved = new.get("involvedObject").map(|o| meta::text(o, "namespace")).unwrap_or_default();
            let namespace = meta::namespace(new);
            let fits = involved == namespace || (involved.is_empty() && matches!(namespace, "default" | "kube-system"));
            if old.is_none() && !fits {
                let detail = "does not match event.namespace";
                errors.push(FieldError::invalid("involvedObject.namespace", &json!(involved), detail));
            }
        }
        _ => {}
    }
}

/// What a webhook says that does not say it (`kubernetes/pkg/apis/admissionregistration/v1/defaults.go`).
fn default_webhooks(configuration: &mut Value) {
    let mutating = meta::text(configuration, "kind") == "MutatingWebhookConfiguration";
    let webhooks = configuration.get_mut("webhooks").and_then(Value::as_array_mut).into_iter().flatten();
    for webhook in webhooks.filter_map(Value::as_object_mut) {
        if let Some(service) =
            webhook.get_mut("clientConfig").and_then(|c| c.get_mut("service")).and_then(Value::as_object_mut)
        {
            service.entry("port").or_insert_with(|| json!(443));
        }
        for rule in webhook.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
            meta::object_mut(rule).entry("scope").or_insert_with(|| json!("*"));
        }
        for (key, value) in [
            ("failurePolicy", json!("Fail")),
            ("matchPolicy", json!("Equivalent")),
            ("namespaceSelector", json!({})),
            ("objectSelector", json!({})),
            ("timeoutSeconds", json!(10)),
        ] {
            webhook.entry(key).or_insert(value);
        }
        if mutating {
            webhook.entry("reinvocationPolicy").or_insert_with(|| json!("Never"));
        }
    }
}

/// Refuses what this server would pass over: selectors and conditions are not evaluated here.
fn check_webhooks(configuration: &Value, errors: &mut Vec<FieldError>) {
    let webhooks = configuration.get("webhooks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (index, webhook) in webhooks.iter().enumerate() {
        let is_set = |value: &Value| match value {
            Value::Object(map) => !map.is_empty(),
            Value::Array(list) => !list.is_empty(),
            _ => false,
        };
        for key in ["namespaceSelector", "objectSelector", "matchConditions"] {
            if webhook.get(key).is_some_and(is_set) {
                errors.push(FieldError::forbidden(
                    format!("webhooks[{index}].{key}"),
                    "memory-apiserver does not evaluate it",
                ));
            }
        }
        if meta::text(webhook, "name").is_empty() {
            errors.push(FieldError::required(format!("webhooks[{index}].name"), ""));
        }
    }
}

const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
    'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

fn check_keys(object: &Value, members: &[&str], errors: &mut Vec<FieldError>) {
    for member in members {
        for key in object.get(*member).and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key) {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            if key.is_empty() || !key.bytes().all(fits) {
                errors.push(FieldError::invalid(format!("{member}[{key}]"), &json!(key), CONFIG_KEY));
            }
        }
    }
}

/// All values together may be no longer than this; the keys do not count.
const MAX_DATA: usize = 1024 * 1024;

/// Refuses data that is too long. Only a ConfigMap's `data` is kept as it is, all else in base64.
fn check_size(object: &Value, members: &[&str], field: &str, errors: &mut Vec<FieldError>) {
    let plain = meta::text(object, "kind") == "ConfigMap";
    let length = |member: &str, text: &str| {
        if plain && member == "data" { text.len() } else { text.trim_end_matches('=').len() * 3 / 4 }
    };
    let values = members.iter().flat_map(|member| {
        let map = object.get(*member).and_then(Value::as_object);
        map.into_iter().flatten().filter_map(|(_, v)| v.as_str()).map(move |text| length(member, text))
    });
    if values.sum::<usize>() > MAX_DATA {
        let mut error = FieldError::forbidden(field, format!("may not be more than {MAX_DATA} bytes"));
        error.kind = FieldErrorKind::TooLong;
        errors.push(error);
    }
}

fn check_immutable(new: &Value, old: Option<&Value>, keys: &[&str], errors: &mut Vec<FieldError>) {
    let Some(old) = old.filter(|o| o.get("immutable").and_then(Value::as_bool) == Some(true)) else { return };
    let detail = "field is immutable when `immutable` is set";
    if new.get("immutable").and_then(Value::as_bool) != Some(true) {
        errors.push(FieldError::forbidden("immutable", detail));
    }
    for key in keys.iter().filter(|key| old.get(**key) != new.get(**key)) {
        errors.push(FieldError::forbidden(*key, detail));
    }
}
