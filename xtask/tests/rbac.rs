//! The manifests that grant the manager its rights.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use xtask::manifests::render;
use xtask::rbac::{EVERYWHERE, NAMESPACE, OWN_NAMESPACE, SERVICE_ACCOUNT};

fn read<K: serde::de::DeserializeOwned>(file: &str, number: usize) -> K {
    let files = render().unwrap();
    let document = files.get(&format!("rbac/{file}")).unwrap().split("---\n").nth(number).unwrap().to_owned();
    serde_saphyr::from_str(&document).unwrap()
}

#[test]
fn a_manifest_read_back_grants_what_the_table_says() {
    for (rules, table) in [
        (read::<ClusterRole>("manager_role.yaml", 1).rules.unwrap(), EVERYWHERE),
        (read::<Role>("leader_election_role.yaml", 1).rules.unwrap(), OWN_NAMESPACE),
    ] {
        assert_eq!(rules.len(), table.len());
        for (rule, line) in rules.iter().zip(table) {
            assert_eq!(rule.api_groups.as_deref().unwrap(), [line.group]);
            assert_eq!(rule.resources.as_deref().unwrap(), line.resources);
            assert!(rule.verbs.iter().eq(line.verbs()), "{rule:?}");
        }
    }
}

#[test]
fn a_role_is_bound_to_the_account_that_the_manager_runs_as() {
    let account: ServiceAccount = read("service_account.yaml", 1);
    assert_eq!(account.metadata.name.as_deref(), Some(SERVICE_ACCOUNT));
    assert_eq!(account.metadata.namespace.as_deref(), Some(NAMESPACE));

    let everywhere: ClusterRoleBinding = read("manager_role.yaml", 2);
    let election: RoleBinding = read("leader_election_role.yaml", 2);
    assert_eq!(election.metadata.namespace.as_deref(), Some(NAMESPACE));
    for (reference, subjects, role) in [
        (everywhere.role_ref, everywhere.subjects, read::<ClusterRole>("manager_role.yaml", 1).metadata.name),
        (election.role_ref, election.subjects, read::<Role>("leader_election_role.yaml", 1).metadata.name),
    ] {
        assert_eq!(Some(reference.name), role);
        let [subject] = subjects.as_deref().unwrap() else { panic!("one subject") };
        assert_eq!(subject.name, SERVICE_ACCOUNT);
        assert_eq!(subject.namespace.as_deref(), Some(NAMESPACE));
    }
}

#[test]
fn a_right_that_could_do_harm_is_not_granted() {
    for rule in EVERYWHERE.iter().chain(OWN_NAMESPACE) {
        assert!(!rule.reason.is_empty() && !rule.resources.is_empty() && rule.verbs().count() > 0, "{rule:?}");
        let mut all = rule.resources.iter().copied().chain(rule.verbs()).chain([rule.group]);
        assert!(all.all(|word| word != "*" && word != "deletecollection"), "{rule:?}");
        if rule.resources.contains(&"secrets") {
            assert!(rule.verbs().eq(["get"]), "secrets are read one by one");
        }
    }
}

#[test]
fn no_right_is_granted_twice() {
    let mut seen = BTreeSet::new();
    for rule in EVERYWHERE {
        for (resource, verb) in
            rule.resources.iter().flat_map(|resource| rule.verbs().map(move |verb| (resource, verb)))
        {
            assert!(seen.insert((rule.group, resource, verb)), "{verb} {resource}");
        }
    }
}

#[test]
fn an_object_that_blocks_the_deletion_of_its_owner_can_be_made_where_admission_asks_for_the_right() {
    let granted = |group: &str, resource: &str, verb: &str| {
        EVERYWHERE.iter().any(|rule| {
            rule.group == group && rule.resources.contains(&resource) && rule.verbs().any(|granted| granted == verb)
        })
    };
    assert!(granted("infrastructure.cluster.x-k8s.io", "tinkerbellmachines/finalizers", "update"), "owner of claims");
    assert!(granted("cluster.x-k8s.io", "clusters/finalizers", "update"), "owner of an adopted TinkerbellCluster");
}
