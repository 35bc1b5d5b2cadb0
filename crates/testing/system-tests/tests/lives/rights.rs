//! Owners, as the admission plugin OwnerReferencesPermissionEnforcement sees them: who blocks the deletion of an owner needs
//! `update` on the owner's finalizers, and who changes the owners of an object that exists needs `delete` on it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::lab::{Lab, MANAGER};

/// Group, resource, verb.
type Right = (String, String, String);

/// What the shipped ClusterRole grants.
fn granted() -> BTreeSet<Right> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../deploy/rbac/manager_role.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let role: Value =
        serde_saphyr::from_multiple(&text).unwrap().into_iter().find(|v: &Value| !v["rules"].is_null()).unwrap();
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut granted = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                granted.extend(texts(&rule["verbs"]).into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
            }
        }
    }
    granted
}

fn blocking(object: &Value) -> Vec<&Value> {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners.filter(|owner| owner["blockOwnerDeletion"] == true).collect()
}

/// What the plugin asks for when this write is made.
fn asked_for(old: Option<&Value>, new: &Value, group: &str, resource: &str) -> Vec<Right> {
    let mut asked = Vec::new();
    let before = old.map(blocking).unwrap_or_default();
    for owner in blocking(new).into_iter().filter(|owner| !before.contains(owner)) {
        let (owners_group, _) = owner["apiVersion"].as_str().unwrap().split_once('/').unwrap();
        let plural = format!("{}s/finalizers", owner["kind"].as_str().unwrap().to_lowercase());
        asked.push((owners_group.to_owned(), plural, "update".to_owned()));
    }
    if let Some(old) = old
        && old["metadata"]["ownerReferences"] != new["metadata"]["ownerReferences"]
    {
        asked.push((group.to_owned(), resource.to_owned(), "delete".to_owned()));
    }
    asked
}

#[tokio::test(start_paused = true)]
async fn every_owner_that_is_written_is_one_that_we_may_write_where_admission_asks() {
    let mut lab = Lab::with_provisioned("m").await;
    // A claim that lost its owner gets it back.
    lab.patch(
        "ipam.cluster.x-k8s.io",
        "ipaddressclaims",
        "default",
        "m-0",
        serde_json::json!({"metadata": {"ownerReferences": null}}),
    )
    .await;
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    lab.delete_machine("m").await;
    lab.until_released("m").await;
    lab.kill_manager().await;

    let granted = granted();
    let mut asked = BTreeSet::new();
    for record in lab.server.journal().records().iter().filter(|record| &*record.user == MANAGER) {
        let Some(new) = record.new.as_deref() else { continue };
        asked.extend(asked_for(record.old.as_deref(), new, &record.group, &record.resource));
    }
    let missing: Vec<_> = asked.difference(&granted).collect();
    assert!(missing.is_empty(), "not granted: {missing:?}");
    for (group, owner) in [
        ("infrastructure.cluster.x-k8s.io", "tinkerbellmachines/finalizers"),
        ("cluster.x-k8s.io", "clusters/finalizers"),
    ] {
        let right = (group.to_owned(), owner.to_owned(), "update".to_owned());
        assert!(asked.contains(&right), "nothing was made that needs {owner}: this test shows nothing");
    }
    let silent = |(_, resource, verb): &&Right| {
        resource.ends_with("/finalizers") || (resource == "tinkerbellclusters" && verb == "delete")
    };
    let unneeded: Vec<_> = granted.iter().filter(silent).filter(|right| !asked.contains(right)).collect();
    assert!(unneeded.is_empty(), "granted for the plugin, and it never asks: {unneeded:?}");
}
