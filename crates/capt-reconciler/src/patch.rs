//! Small builders for patch bodies.

use std::collections::BTreeMap;

use crate::observed::infra::TinkerbellMachine;
use capt_api::contract::{MACHINE_NAME_LABEL, MACHINE_NAMESPACE_LABEL};
use capt_api::kube_core::Resource;
use capt_api::meta::Meta;
use serde_json::{Value, json};

/// One token of a JSON pointer, escaped (RFC 6901).
pub fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// A merge patch of metadata that only holds for the object as we know it: any other writer's change in between makes
/// the server answer 409.
pub fn guarded_metadata(object: &impl Meta, metadata: Value) -> Value {
    let mut metadata = metadata;
    if let Value::Object(members) = &mut metadata {
        members.insert("resourceVersion".to_owned(), json!(object.resource_version()));
    }
    json!({ "metadata": metadata })
}

/// The operation that makes a JSON patch hold only for the object as we know it. A `test` would do as well, but its
/// failure could not be told from a wrong patch (422); this one answers 409.
pub fn same_version(object: &impl Meta) -> Value {
    json!({"op": "replace", "path": "/metadata/resourceVersion", "value": object.resource_version()})
}

/// The object's finalizers with some added and some left out, or none if nothing changes.
pub fn finalizers(object: &impl Meta, add: &[&str], remove: &[&str]) -> Option<Vec<String>> {
    let current = object.metadata().finalizers.clone().unwrap_or_default();
    let mut wanted: Vec<String> = current.iter().filter(|f| !remove.contains(&f.as_str())).cloned().collect();
    for finalizer in add {
        if !wanted.iter().any(|f| f == finalizer) {
            wanted.push((*finalizer).to_owned());
        }
    }
    (wanted != current).then_some(wanted)
}

/// The labels by which everything made for a machine is found again.
pub fn machine_labels(machine: &TinkerbellMachine) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        (MACHINE_NAME_LABEL, machine.name().to_owned()),
        (MACHINE_NAMESPACE_LABEL, machine.namespace().to_owned()),
    ])
}

/// An owner reference to the machine: controller, and blocking its foreground deletion.
pub fn controlled_by(machine: &TinkerbellMachine) -> Value {
    json!({
        "apiVersion": TinkerbellMachine::api_version(&()),
        "kind": TinkerbellMachine::kind(&()),
        "name": machine.name(),
        "uid": machine.uid(),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_in_an_annotation_key_does_not_start_a_new_path() {
        assert_eq!(escape("capt.tinkerbell.org/a~b"), "capt.tinkerbell.org~1a~0b");
    }

    #[test]
    fn finalizers_of_others_stay() {
        let machine: TinkerbellMachine =
            serde_json::from_value(json!({"metadata": {"finalizers": ["theirs", "old"]}})).unwrap();
        assert_eq!(finalizers(&machine, &["ours"], &["old"]), Some(vec!["theirs".to_owned(), "ours".to_owned()]));
        assert_eq!(finalizers(&machine, &["theirs"], &["gone"]), None, "no change, no write");
    }
}
