//! Our generated CRDs beside those of Go CAPT v0.7.0: every difference is listed here, with its reason.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

const GO: [(&str, &str); 3] = [
    ("tinkerbellclusters", include_str!("go-capt-v0.7.0/tinkerbellclusters.yaml")),
    ("tinkerbellmachines", include_str!("go-capt-v0.7.0/tinkerbellmachines.yaml")),
    ("tinkerbellmachinetemplates", include_str!("go-capt-v0.7.0/tinkerbellmachinetemplates.yaml")),
];

/// Path (its beginning) and the reason for the difference.
const WANTED: [(&str, &str); 7] = [
    ("/metadata/annotations", "controller-gen's own mark; who puts the authority of the conversion webhook in"),
    ("/metadata/labels", "Go CAPT adds the contract labels later, by kustomize"),
    ("/spec/conversion", "Go CAPT adds it later, by kustomize, with a Service that is not there"),
    ("/spec/versions/0/additionalPrinterColumns", "more useful columns, and no column with a dead path"),
    ("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/ipamPoolRef", "addresses from pools"),
    (
        "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/template/properties/spec/properties/ipamPoolRef",
        "addresses from pools",
    ),
    (
        "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/template/properties/metadata",
        "labels and annotations reach the machines made from a template",
    ),
];

/// Leaves by path; lists whose order means nothing (`required`) as sets, descriptions left out.
fn leaves(value: &Value, path: &str, inside_properties: bool, out: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            if members.is_empty() {
                out.insert(path.to_owned(), "{}".to_owned());
            }
            for (key, member) in members {
                if key == "description" && member.is_string() && !inside_properties {
                    continue;
                }
                leaves(member, &format!("{path}/{key}"), key == "properties" && !inside_properties, out);
            }
        }
        Value::Array(items) if path.ends_with("/required") && items.iter().all(Value::is_string) => {
            let set: BTreeSet<&str> = items.iter().filter_map(Value::as_str).collect();
            out.insert(path.to_owned(), format!("{set:?}"));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &format!("{path}/{index}"), false, out);
            }
        }
        leaf => {
            // 1 and 1.0 are one number in a schema.
            let text = leaf.as_f64().map_or_else(|| leaf.to_string(), |number| number.to_string());
            out.insert(path.to_owned(), text);
        }
    }
}

#[test]
fn an_object_that_go_capt_accepts_is_never_refused_by_a_schema_difference() {
    let ours: BTreeMap<String, Value> = capt_api::crds()
        .unwrap()
        .into_iter()
        .map(|crd| (crd.spec.names.plural.clone(), serde_json::to_value(crd).unwrap()))
        .collect();
    assert_eq!(ours.len(), GO.len(), "a CRD did not decode");
    let mut surprises = Vec::new();
    let mut used = BTreeSet::new();
    for (plural, text) in GO {
        let go: Value = serde_saphyr::from_str(text).unwrap();
        let (mut theirs, mut mine) = (BTreeMap::new(), BTreeMap::new());
        leaves(&go, "", false, &mut theirs);
        leaves(&ours[plural], "", false, &mut mine);
        let paths: BTreeSet<&String> = theirs.keys().chain(mine.keys()).collect();
        for path in paths {
            if theirs.get(path) == mine.get(path) {
                continue;
            }
            match WANTED.iter().position(|(wanted, _)| path.starts_with(wanted)) {
                Some(index) => {
                    used.insert(index);
                }
                None => {
                    surprises.push(format!("{plural} {path}: Go {:?}, ours {:?}", theirs.get(path), mine.get(path)))
                }
            }
        }
    }
    assert!(surprises.is_empty(), "differences without a reason:\n{}", surprises.join("\n"));
    let unused: Vec<_> = (0..WANTED.len()).filter(|index| !used.contains(index)).map(|index| WANTED[index]).collect();
    assert!(unused.is_empty(), "reasons for differences that are not there: {unused:?}");
}

#[test]
fn crds_carry_the_contract_labels_that_cluster_api_looks_for() {
    for crd in capt_api::crds().unwrap() {
        let labels = crd.metadata.labels.unwrap();
        assert_eq!(labels["cluster.x-k8s.io/v1beta1"], "v1beta1");
        assert_eq!(labels["cluster.x-k8s.io/v1beta2"], "v1beta1", "names one of our versions, not the contract's");
        assert_eq!(labels["clusterctl.cluster.x-k8s.io"], "", "clusterctl move leaves others behind");
    }
}
