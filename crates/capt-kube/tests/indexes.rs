//! The indexes agree with a scan over all objects, whatever happens in whatever order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use capt_api::contract::{
    MACHINE_FINALIZER, OWNER_NAME_LABEL, OWNER_NAMESPACE_LABEL, PROVISIONED_ANNOTATION, RESERVATION_ANNOTATION,
    SET_ASIDE_ANNOTATION,
};
use capt_api::kube_core::{Expression, Selector, SelectorExt};
use capt_api::meta::{Meta, ObjectKey};
use capt_kube::cache::Cache;
use capt_kube::decode::Guarded;
use capt_kube::store::is_free;
use capt_kube::watch::Sink;
use capt_reconciler::machine::ownership::{Obstacle, obstacle};
use capt_reconciler::observed::infra::{TinkerbellCluster, TinkerbellMachine};
use capt_reconciler::observed::tinkerbell::Hardware;
use capt_reconciler::ports::Stores;
use kube::runtime::watcher::Event;
use proptest::prelude::*;
use serde_json::json;

mod common;
use common::offline_ports;

/// One step of a story about eight Hardware.
#[derive(Clone, Debug)]
enum Step {
    Put {
        name: u8,
        labels: BTreeMap<String, String>,
        owner: Option<u8>,
        terminating: bool,
        address: Option<u8>,
        /// What else says whose it is.
        sign: Option<u8>,
    },
    Delete {
        name: u8,
    },
    /// A TinkerbellMachine comes, changes what it names, or goes.
    Machine {
        name: u8,
        on: Option<u8>,
    },
    MachineGoes {
        name: u8,
    },
    Hold {
        name: u8,
    },
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    let labels = prop::collection::btree_map("[abc]", "[xy]", 0..3);
    prop_oneof![
        4 => (0..8u8, labels, prop::option::of(0..3u8), prop::bool::weighted(0.1), prop::option::of(0..4u8),
              prop::option::of(0..5u8))
            .prop_map(|(name, labels, owner, terminating, address, sign)| Step::Put {
                name, labels, owner, terminating, address, sign
            }),
        1 => (0..3u8, prop::option::of(0..8u8)).prop_map(|(name, on)| Step::Machine { name, on }),
        1 => (0..3u8).prop_map(|name| Step::MachineGoes { name }),
        1 => (0..8u8).prop_map(|name| Step::Delete { name }),
        1 => (0..8u8).prop_map(|name| Step::Hold { name }),
        1 => Just(Step::Release),
    ]
}

fn hardware(step: &Step, version: u64, life: u64) -> Guarded<Hardware> {
    let Step::Put { name, labels, owner, terminating, address, sign } = step else { unreachable!() };
    let mut labels = labels.clone();
    if let Some(owner) = owner {
        labels.insert(OWNER_NAME_LABEL.into(), format!("m{owner}"));
        labels.insert(OWNER_NAMESPACE_LABEL.into(), "ns".into());
    }
    let mut object = json!({
        "metadata": {"namespace": "ns", "name": format!("h{name}"), "uid": format!("u{name}-{life}"), "labels": labels,
                     "resourceVersion": version.to_string()},
        "spec": {"interfaces": []},
    });
    if *terminating {
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        object["metadata"]["finalizers"] = json!(["f"]);
    }
    match sign {
        Some(0) => object["metadata"]["finalizers"] = json!([MACHINE_FINALIZER]),
        Some(1) => object["metadata"]["annotations"] = json!({PROVISIONED_ANNOTATION: "true"}),
        Some(2) => object["metadata"]["annotations"] = json!({SET_ASIDE_ANNOTATION: ""}),
        Some(3) => object["metadata"]["annotations"] = json!({RESERVATION_ANNOTATION: "[{}]"}),
        _ => {}
    }
    if let Some(address) = address {
        object["spec"]["interfaces"] = json!([{"dhcp": {"mac": format!("0A:{address}"), "ip": {"address": format!("10.0.0.{address}"), "gateway": "10.0.0.254"}}}]);
    }
    serde_json::from_str(&object.to_string()).unwrap()
}

fn machine(name: u8, on: Option<u8>, version: u64, life: u64) -> Guarded<TinkerbellMachine> {
    let spec = match on {
        // By provider ID, or by name in its own namespace.
        Some(on) if on % 2 == 0 => json!({"providerID": format!("tinkerbell://ns/h{on}")}),
        Some(on) => json!({"hardwareName": format!("h{on}")}),
        None => json!({}),
    };
    let object = json!({
        "metadata": {"namespace": "ns", "name": format!("m{name}"), "uid": format!("m{name}-{life}"),
                     "resourceVersion": version.to_string()},
        "spec": spec,
    });
    serde_json::from_str(&object.to_string()).unwrap()
}

fn parked(ports: &impl Stores, selector: &Selector) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    ports.visit_parked_hardware(selector, &mut |hardware| {
        seen.insert(hardware.name().to_owned());
        ControlFlow::Continue(())
    });
    seen
}

fn free(ports: &impl Stores, selector: &Selector) -> Vec<String> {
    let mut seen = Vec::new();
    ports.visit_free_hardware(selector, &mut |hardware| {
        seen.push(hardware.name().to_owned());
        ControlFlow::Continue(())
    });
    seen
}

fn selectors() -> Vec<Selector> {
    let equal = |name: &str, value: &str| Expression::Equal(name.into(), value.into());
    vec![
        Selector::default(),
        equal("a", "x").into(),
        [equal("a", "x"), equal("b", "y")].into_iter().collect(),
        Expression::In("c".into(), ["x".to_owned()].into()).into(),
        Expression::In("c".into(), ["x".to_owned(), "y".to_owned()].into()).into(),
        [equal("a", "y"), Expression::DoesNotExist("b".into())].into_iter().collect(),
        Expression::NotEqual("a".into(), "x".into()).into(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn indexes_agree_with_a_scan(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let cache = Arc::new(Cache::new());
        let ports = offline_ports(&cache);
        let mut held = BTreeMap::new();
        let mut version = 0;
        let mut life = 0;
        for step in steps {
            version += 1;
            match &step {
                Step::Put { .. } => {
                    Sink::<Hardware>::event(&*cache, Event::Apply(hardware(&step, version, life)));
                }
                Step::Delete { name } => {
                    let key = ObjectKey::new("ns", format!("h{name}"));
                    if let Some(last) = ports.hardware(&key) {
                        let mut last = (*last).clone();
                        last.metadata.resource_version = Some(version.to_string());
                        Sink::<Hardware>::event(&*cache, Event::Delete(Guarded::Valid(last)));
                    }
                    // A deleted UID never comes back: the next object of this name is another one.
                    life += 1;
                }
                Step::Machine { name, on } => {
                    Sink::<TinkerbellMachine>::event(&*cache, Event::Apply(machine(*name, *on, version, life)));
                }
                Step::MachineGoes { name } => {
                    let key = ObjectKey::new("ns", format!("m{name}"));
                    if let Some(last) = ports.tinkerbell_machine(&key) {
                        let mut last = (*last).clone();
                        last.metadata.resource_version = Some(version.to_string());
                        Sink::<TinkerbellMachine>::event(&*cache, Event::Delete(Guarded::Valid(last)));
                    }
                    life += 1;
                }
                Step::Hold { name } => {
                    let key = ObjectKey::new("ns", format!("h{name}"));
                    let got = cache.hold_hardware(&key);
                    prop_assert_eq!(got.is_none(), held.contains_key(&key), "held once, and only once");
                    if let Some(got) = got {
                        held.insert(key, got);
                    }
                }
                Step::Release => held.clear(),
            }
            check(&cache, &ports, held.keys().cloned().collect());
        }
    }
}

fn check(cache: &Cache, ports: &impl Stores, held: Vec<ObjectKey>) {
    let all: Vec<_> =
        (0..8).filter_map(|name| cache.kinds.hardware.store.get(&ObjectKey::new("ns", format!("h{name}")))).collect();
    let none = BTreeMap::new();
    for selector in selectors() {
        let expected: Vec<_> = all
            .iter()
            .filter(|hardware| is_free(hardware) && !held.contains(&hardware.key()))
            .filter(|hardware| selector.matches(hardware.metadata.labels.as_ref().unwrap_or(&none)))
            .map(|hardware| hardware.name().to_owned())
            .collect();
        assert_eq!(free(ports, &selector), expected, "{selector}");
        let expected: BTreeSet<_> = all
            .iter()
            .filter(|hardware| match obstacle(hardware) {
                None | Some(Obstacle::Terminating) => false,
                Some(Obstacle::Labelled(machine)) => ports.tinkerbell_machine(&machine).is_none(),
                Some(_) => true,
            })
            .filter(|hardware| selector.matches(hardware.metadata.labels.as_ref().unwrap_or(&none)))
            .map(|hardware| hardware.name().to_owned())
            .collect();
        assert_eq!(parked(ports, &selector), expected, "kept back or orphaned: {selector}");
    }
    let machines: Vec<_> =
        (0..3).filter_map(|name| ports.tinkerbell_machine(&ObjectKey::new("ns", format!("m{name}")))).collect();
    for name in 0..8 {
        let hardware = ObjectKey::new("ns", format!("h{name}"));
        let names = |machine: &&Arc<TinkerbellMachine>| {
            machine.spec.provider_id == format!("tinkerbell://{hardware}")
                || machine.spec.hardware_name == hardware.name
        };
        let expected: Vec<_> = machines.iter().filter(names).map(|machine| machine.key()).collect();
        let found: Vec<_> = ports.machines_on(&hardware).iter().map(|machine| machine.key()).collect();
        assert_eq!(found, expected, "who names {hardware}");
    }
    for machine in &machines {
        assert_eq!(ports.machine_with_uid(machine.uid()), Some(machine.key()));
    }
    for address in 0..4 {
        let mac = format!("0a:{address}");
        let expected: BTreeSet<_> =
            all.iter().filter(|hardware| hardware.macs().any(|other| other == mac)).map(|h| h.key()).collect();
        assert_eq!(ports.hardware_with_mac(&mac).into_iter().collect::<BTreeSet<_>>(), expected, "MAC {mac}");
    }
    for owner in 0..3 {
        let machine = ObjectKey::new("ns", format!("m{owner}"));
        let expected: Vec<_> =
            all.iter().filter(|hardware| hardware.reserved_for() == Some(machine.clone())).map(|h| h.key()).collect();
        let found: Vec<_> = ports.hardware_of(&machine).iter().map(|h| h.key()).collect();
        assert_eq!(found, expected);
    }
    for address in 0..4 {
        let text = format!("10.0.0.{address}");
        let expected: Vec<_> =
            all.iter().filter(|hardware| hardware.addresses().any(|a| a == text)).map(|h| h.key()).collect();
        let users = ports.address_users(text.parse().unwrap(), &ObjectKey::new("", ""));
        assert_eq!(users.into_iter().map(|user| user.key).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn an_address_that_all_servers_have_as_gateway_is_looked_up_without_a_list_of_them() {
    let cache = Arc::new(Cache::new());
    let ports = offline_ports(&cache);
    for n in 0..5_000 {
        let text = format!(
            r#"{{"metadata": {{"namespace": "ns", "name": "h{n}", "uid": "u{n}", "resourceVersion": "1"}},
                "spec": {{"interfaces": [{{"dhcp": {{"mac": "02:00:00:00:00:01", "ip": {{"address": "10.1.{}.{}",
                    "netmask": "255.255.0.0", "gateway": "10.0.0.1"}}}}}}]}}}}"#,
            n / 250,
            n % 250
        );
        cache.answered::<Hardware>(serde_json::from_str(&text).unwrap());
    }
    let users = ports.address_users("10.0.0.1".parse().unwrap(), &ObjectKey::new("ns", "h0"));
    assert!(
        !users.is_empty() && users.len() <= 16,
        "{} users are told, and each look holds up every other",
        users.len()
    );
    assert!(users.iter().all(|user| user.role == "gateway" && user.key.name != "h0"));
}

/// A TinkerbellCluster of another namespace that names `10.0.0.7` as its endpoint.
fn strange_cluster() -> Guarded<TinkerbellCluster> {
    let cluster = json!({
        "metadata": {"namespace": "tenant", "name": "c", "uid": "c", "resourceVersion": "1",
            "labels": {"cluster.x-k8s.io/cluster-name": "c"}},
        "spec": {"controlPlaneEndpoint": {"host": "10.0.0.7", "port": 6443}}
    });
    serde_json::from_str(&cluster.to_string()).unwrap()
}

#[tokio::test]
async fn a_cluster_is_in_earnest_about_its_endpoint_once_a_machine_of_it_holds_a_server() {
    let cache = Arc::new(Cache::new());
    let ports = offline_ports(&cache);
    cache.answered::<TinkerbellCluster>(strange_cluster());
    let users = ports.address_users("10.0.0.7".parse().unwrap(), &ObjectKey::new("ns", "h"));
    let [user] = users.as_slice() else { panic!("one user: {users:?}") };
    assert!(!ports.is_in_earnest(user), "whoever may make TinkerbellClusters would block any address");
    for (version, hardware, earnest) in [(2, "", false), (3, "h", true)] {
        let machine = json!({
            "metadata": {"namespace": "tenant", "name": "m", "uid": "m", "resourceVersion": version.to_string(),
                "labels": {"cluster.x-k8s.io/cluster-name": "c"}},
            "spec": {"hardwareName": hardware}
        });
        cache.answered::<TinkerbellMachine>(serde_json::from_str(&machine.to_string()).unwrap());
        assert_eq!(ports.is_in_earnest(user), earnest, "a machine with Hardware {hardware:?}");
    }
}
