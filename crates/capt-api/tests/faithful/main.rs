//! Nothing is lost: objects that the real CustomResourceDefinitions allow, through our types and back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod generate;

use std::fmt::Debug;

use capt_api::{bmc, cluster_api, infra, tinkerbell};
use capt_simulators::crds::Group;
use generate::{Age, complete, objects};
use proptest::test_runner::{Config, TestRunner};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Objects of each version of each kind.
const CASES: u32 = 100;

/// Reads an object and writes it again: through text, as a program does, and through values.
fn written<T: Serialize + DeserializeOwned>(object: &Value) -> Result<Value, serde_json::Error> {
    let read: T = serde_json::from_str(&object.to_string())?;
    let again: T = serde_json::from_value(object.clone())?;
    assert_eq!(serde_json::to_value(&again)?, serde_json::to_value(&read)?);
    serde_json::from_str(&serde_json::to_string(&read)?)
}

/// What a type does with one object; the debug output of what was read comes along.
type Through = fn(&Value) -> Result<(Value, String), serde_json::Error>;

fn through<T: Serialize + DeserializeOwned + Debug>(object: &Value) -> Result<(Value, String), serde_json::Error> {
    Ok((written::<T>(object)?, format!("{:?}", serde_json::from_value::<T>(object.clone())?)))
}

/// Every kind that has a type, and whether the type names all its members.
fn kinds() -> Vec<(&'static str, Through, bool)> {
    vec![
        ("tinkerbellclusters.infrastructure.cluster.x-k8s.io", through::<infra::TinkerbellCluster>, true),
        ("tinkerbellmachines.infrastructure.cluster.x-k8s.io", through::<infra::TinkerbellMachine>, true),
        (
            "tinkerbellmachinetemplates.infrastructure.cluster.x-k8s.io",
            through::<infra::TinkerbellMachineTemplate>,
            true,
        ),
        ("hardware.tinkerbell.org", through::<tinkerbell::Hardware>, true),
        ("templates.tinkerbell.org", through::<tinkerbell::Template>, true),
        ("workflows.tinkerbell.org", through::<tinkerbell::Workflow>, true),
        ("workflowrulesets.tinkerbell.org", through::<tinkerbell::WorkflowRuleSet>, true),
        ("jobs.bmc.tinkerbell.org", through::<bmc::Job>, true),
        ("machines.bmc.tinkerbell.org", through::<bmc::Machine>, true),
        ("tasks.bmc.tinkerbell.org", through::<bmc::Task>, true),
        ("ipaddressclaims.ipam.cluster.x-k8s.io", through::<cluster_api::IPAddressClaim>, true),
        ("ipaddresses.ipam.cluster.x-k8s.io", through::<cluster_api::IPAddress>, true),
        ("inclusterippools.ipam.cluster.x-k8s.io", through::<cluster_api::InClusterIPPool>, true),
        ("globalinclusterippools.ipam.cluster.x-k8s.io", through::<cluster_api::GlobalInClusterIPPool>, true),
        ("clusters.cluster.x-k8s.io", through::<cluster_api::Cluster>, false),
        ("machines.cluster.x-k8s.io", through::<cluster_api::Machine>, false),
    ]
}

/// Every definition in the tree.
fn definitions() -> Vec<Value> {
    let ours = capt_api::crds().unwrap().into_iter().map(|crd| serde_json::to_value(crd).unwrap());
    let theirs = Group::ALL.iter().flat_map(|group| group.crds()).map(|text| serde_saphyr::from_str(text).unwrap());
    ours.chain(theirs).collect()
}

/// One version of one kind.
struct Version {
    api_version: String,
    kind: String,
    schema: Value,
    through: Through,
    names_all: bool,
}

fn versions() -> Vec<Version> {
    let definitions = definitions();
    let mut all = Vec::new();
    for (name, through, names_all) in kinds() {
        let definition = definitions.iter().find(|definition| definition["metadata"]["name"] == name).expect(name);
        let spec = &definition["spec"];
        for version in spec["versions"].as_array().unwrap() {
            all.push(Version {
                api_version: format!("{}/{}", spec["group"].as_str().unwrap(), version["name"].as_str().unwrap()),
                kind: spec["names"]["kind"].as_str().unwrap().to_owned(),
                schema: version["schema"]["openAPIV3Schema"].clone(),
                through,
                names_all,
            });
        }
    }
    all
}

fn nothing_is_lost(age: Age) {
    for version in versions() {
        let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
        let objects = objects(&version.api_version, &version.kind, &version.schema, age);
        let result = runner.run(&objects, |object| {
            let (written, _) = (version.through)(&object)
                .map_err(|error| proptest::test_runner::TestCaseError::fail(error.to_string()))?;
            proptest::prop_assert_eq!(written, object);
            Ok(())
        });
        if let Err(error) = result {
            panic!("{} {}: {error}", version.api_version, version.kind);
        }
    }
}

#[test]
fn a_valid_object_read_and_written_back_has_lost_or_changed_nothing() {
    nothing_is_lost(Age::Same);
}

#[test]
fn members_and_values_of_a_newer_version_are_written_back_as_they_were() {
    nothing_is_lost(Age::Newer);
}

#[test]
fn every_member_of_a_definition_has_a_name_in_its_type() {
    for version in versions().into_iter().filter(|version| version.names_all) {
        let mut object = complete(&version.schema);
        object["apiVersion"] = json!(version.api_version);
        object["kind"] = json!(version.kind);
        object["metadata"] = json!({"name": "a"});
        let (written, read) = (version.through)(&object).unwrap();
        assert_eq!(written, object);
        let unnamed = read.split("other: {").skip(1).filter(|rest| !rest.starts_with('}'));
        let unnamed: Vec<&str> = unnamed.map(|rest| rest.split(':').next().unwrap()).collect();
        assert!(unnamed.is_empty(), "{} {}: {unnamed:?} have no names", version.api_version, version.kind);
    }
}

#[test]
fn every_definition_in_the_tree_that_we_know_objects_of_has_a_type() {
    /// Kinds that no part of CAPT reads or writes, and which the simulators alone need.
    const WITHOUT: [&str; 7] = [
        "machinedeployments.cluster.x-k8s.io",
        "machinesets.cluster.x-k8s.io",
        "kubeadmcontrolplanes.controlplane.cluster.x-k8s.io",
        "kubeadmcontrolplanetemplates.controlplane.cluster.x-k8s.io",
        "kubeadmconfigs.bootstrap.cluster.x-k8s.io",
        "kubeadmconfigtemplates.bootstrap.cluster.x-k8s.io",
        "ippools.ipam.metal3.io",
    ];
    let typed: Vec<&str> = kinds().into_iter().map(|(name, ..)| name).collect();
    for definition in definitions() {
        let name = definition["metadata"]["name"].as_str().unwrap();
        assert!(typed.contains(&name) != WITHOUT.contains(&name), "{name}");
    }
}

#[test]
fn an_object_of_another_kind_is_not_taken_for_one() {
    let of =
        |api_version: &str, kind: &str| json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}});
    let error = serde_json::from_value::<bmc::Machine>(of("cluster.x-k8s.io/v1beta2", "Machine")).unwrap_err();
    assert_eq!(error.to_string(), "expected Machine of bmc.tinkerbell.org, found Machine of cluster.x-k8s.io/v1beta2");
    assert!(serde_json::from_value::<bmc::Job>(of("bmc.tinkerbell.org/v1alpha1", "Task")).is_err());
    assert!(serde_json::from_value::<bmc::Job>(of("bmc.tinkerbell.org/v1alpha1", "Job")).is_ok());
    assert!(serde_json::from_value::<bmc::Job>(json!({"metadata": {"name": "a"}})).is_ok(), "an item of a list");
}
