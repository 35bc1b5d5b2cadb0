//! The rights that are granted to capt-manager are the rights it uses: not one less, as every scenario shows, and not one
//! more, as is checked here.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::bail;
use real_control_plane::manifests::read_folder;
use serde_json::Value;

/// A right: group, resource with subresource, verb.
pub type Right = (String, String, String);

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

/// Compares what is granted with what was used in all scenarios together.
///
/// # Errors
/// When a right was never used; each is named.
pub fn are_minimal(granted: &BTreeSet<Right>, used: &BTreeSet<Right>) -> anyhow::Result<()> {
    let complaint = |right: &Right| format!("{} {}.{} is granted and never used", right.2, right.1, right.0);
    let complaints: Vec<String> = granted.difference(used).map(complaint).collect();
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
}
