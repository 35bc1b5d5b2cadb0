//! What people may do with our kinds.

use capt_api::contract::INFRASTRUCTURE_GROUP;
use serde_json::{Value, json};

use super::objects::Document;
use crate::names::{PROVIDER, PROVIDER_LABEL};

const KINDS: [&str; 3] = ["tinkerbellclusters", "tinkerbellmachines", "tinkerbellmachinetemplates"];

/// Whoever may look at a namespace sees its clusters and machines: added to the role `view` that every cluster has.
#[must_use]
pub fn viewer() -> Document {
    role("capt-viewer-role", &["view"], &["get", "list", "watch"])
}

/// Who makes clusters and machines. Added to no other role: a machine takes Hardware of any namespace and installs on it what its
/// template says, which is more than editors of a namespace are trusted with.
#[must_use]
pub fn editor() -> Document {
    let verbs = ["get", "list", "watch", "create", "update", "patch", "delete"];
    role("capt-editor-role", &[], &verbs).because("Bind it to whom you trust with your servers.")
}

fn role(name: &str, added_to: &[&str], verbs: &[&str]) -> Document {
    let mut labels = json!({ PROVIDER_LABEL: PROVIDER });
    if let Value::Object(labels) = &mut labels {
        let add = |to: &&str| (format!("rbac.authorization.k8s.io/aggregate-to-{to}"), json!("true"));
        labels.extend(added_to.iter().map(add));
    }
    Document::new(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": name, "labels": labels },
        "rules": [{ "apiGroups": [INFRASTRUCTURE_GROUP], "resources": KINDS, "verbs": verbs }],
    }))
}
