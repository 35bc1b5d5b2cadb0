//! The rights that are granted to capt-manager are the rights it uses: not one less, as every scenario shows, and not one
//! more, as is checked here.
//!
//! Some rights cannot be seen in use. The admission plugin OwnerReferencesPermissionEnforcement (on by default on
//! OpenShift) asks the authorizer itself, in the middle of another request, and the audit log knows requests only: whoever
//! writes an owner reference with `blockOwnerDeletion` needs `update` on the owner's `finalizers`, and whoever changes the
//! owners of an object that exists needs `delete` on it. A server without the plugin asks for neither. They are
//! listed here one by one, so that a right nobody needs cannot hide behind them; a scenario on a server with
//! the plugin, and the rules of the plugin played on whole lives (`capt-sandbox`, `lives/rights.rs`), show that they are enough.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::bail;
use real_control_plane::manifests::read_folder;
use serde_json::Value;

/// A right: group, resource with subresource, verb.
pub type Right = (String, String, String);

/// The rights that only the admission plugin asks for, and never in a request of its own.
const ASKED_BY_THE_PLUGIN: [(&str, &str, &str); 3] = [
    ("cluster.x-k8s.io", "clusters/finalizers", "update"),
    ("infrastructure.cluster.x-k8s.io", "tinkerbellmachines/finalizers", "update"),
    ("infrastructure.cluster.x-k8s.io", "tinkerbellclusters", "delete"),
];

fn is_asked_by_the_plugin((group, resource, verb): &Right) -> bool {
    ASKED_BY_THE_PLUGIN.contains(&(group, resource, verb))
}

/// Every right that the Roles and ClusterRoles in a folder grant.
///
/// # Errors
/// When the folder cannot be read.
pub fn granted(folder: &Path) -> anyhow::Result<BTreeSet<Right>> {
    let mut granted = BTreeSet::new();
    for object in read_folder(folder)? {
        let rules = object.get("rules").and_then(Value::as_array);
        for rule in rules.into_iter().flatten() {
            let texts = |member: &str| {
                let list = rule.get(member).and_then(Value::as_array);
                list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
            };
            for group in texts("apiGroups") {
                for resource in texts("resources") {
                    granted.extend(texts("verbs").into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
                }
            }
        }
    }
    Ok(granted)
}

/// Compares what is granted with what was used in all scenarios together; rights that only the admission plugin asks for
/// count as used.
///
/// # Errors
/// When a right was never used; each is named.
pub fn are_minimal(granted: &BTreeSet<Right>, used: &BTreeSet<Right>) -> anyhow::Result<()> {
    let complaint = |right: &Right| format!("{} {}.{} is granted and never used", right.2, right.1, right.0);
    let unused = granted.difference(used).filter(|right| !is_asked_by_the_plugin(right));
    let complaints: Vec<String> = unused.map(complaint).collect();
    if complaints.is_empty() { Ok(()) } else { bail!("{}", complaints.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_that_nobody_uses_is_named() {
        let right = |verb: &str| ("g".to_owned(), "things".to_owned(), verb.to_owned());
        let granted = BTreeSet::from([right("get"), right("delete")]);
        let error = are_minimal(&granted, &BTreeSet::from([right("get")])).unwrap_err();
        assert!(error.to_string().contains("delete things.g is granted and never used"), "{error}");
    }

    #[test]
    fn a_right_that_only_admission_asks_for_is_no_complaint_and_excuses_no_other() {
        let right = |resource: &str, verb: &str| {
            ("infrastructure.cluster.x-k8s.io".to_owned(), resource.to_owned(), verb.to_owned())
        };
        let silent = BTreeSet::from([right("tinkerbellmachines/finalizers", "update")]);
        are_minimal(&silent, &BTreeSet::new()).unwrap();
        let error = are_minimal(&BTreeSet::from([right("tinkerbellmachines", "delete")]), &silent).unwrap_err();
        assert!(error.to_string().contains("delete tinkerbellmachines."), "{error}");
    }
}
