//! What a typed server's decoder does to built-in kinds: unknown members go, wrong types and broken base64 are refused.

use crate::golang;
use crate::kind::Behaviour;
use crate::meta;
use base64::Engine;
use serde_json::Value;

/// Drops the members that small kinds do not have. The others keep what they are given.
pub(super) fn prune(object: &mut Value, behaviour: Behaviour, unknown: &mut Vec<String>) {
    let known: &[&str] = match behaviour {
        Behaviour::ConfigMap => &["data", "binaryData", "immutable"],
        Behaviour::Secret => &["data", "stringData", "type", "immutable"],
        Behaviour::Namespace | Behaviour::Node | Behaviour::Pod | Behaviour::Service | Behaviour::Definition => {
            &["spec", "status"]
        }
        Behaviour::Lease => &["spec"],
        Behaviour::Webhooks => &["webhooks"],
        Behaviour::ServiceAccount => &["secrets", "imagePullSecrets", "automountServiceAccountToken"],
        Behaviour::Event | Behaviour::Custom => return,
    };
    meta::object_mut(object).retain(|key, _| {
        let kept = matches!(key.as_str(), "apiVersion" | "kind" | "metadata") || known.contains(&key.as_str());
        if !kept {
            unknown.push(key.clone());
        }
        kept
    });
}

/// The decoder's complaint, if it has one. Never shows a value: it may be a secret.
pub(super) fn undecodable(object: &Value, behaviour: Behaviour) -> Option<String> {
    let members = |key: &str| object.get(key).and_then(Value::as_object).into_iter().flatten();
    let (kind, plain, binary) = match behaviour {
        Behaviour::ConfigMap => ("ConfigMap", "data", "binaryData"),
        Behaviour::Secret => ("Secret", "stringData", "data"),
        _ => return None,
    };
    for member in [plain, binary] {
        let wrong = |value: &Value, wanted: &str| {
            let actual = match value {
                Value::Number(_) => "number",
                Value::Bool(_) => "bool",
                Value::Array(_) => "array",
                Value::String(_) => "string",
                _ => "object",
            };
            Some(format!("json: cannot unmarshal {actual} into Go struct field {kind}.{member} of type {wanted}"))
        };
        if let Some(value) = object.get(member).filter(|m| !m.is_object() && !m.is_null()) {
            return wrong(value, if member == plain { "map[string]string" } else { "map[string][]uint8" });
        }
        if let Some((_, value)) = members(member).find(|(_, v)| !v.is_string() && !v.is_null()) {
            return wrong(value, if member == plain { "string" } else { "[]uint8" });
        }
    }
    members(binary).filter_map(|(_, value)| value.as_str()).find_map(|text| {
        let error = base64::engine::general_purpose::STANDARD.decode(text).err()?;
        Some(golang::base64_error(text, &error))
    })
}
