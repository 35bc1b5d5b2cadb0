//! Any object that the schemas accept is decoded, decided on and reported without a panic, and never leads to a write
//! to an object of somebody else.

use std::sync::LazyLock;

use capt_api::meta::Meta;
use capt_reconciler::effect::{Kind, Write};
use capt_reconciler::machine::report::news;
use capt_reconciler::machine::step::Step;
use capt_reconciler::machine::world::World;
use capt_reconciler::observed::tinkerbell::Hardware;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::odd::{member, odd_text, schema, unknown};
use crate::scene::{Scene, decide, hardware, now, report};

macro_rules! schemas {
    ($($name:ident = $path:literal),* $(,)?) => {
        $(static $name: LazyLock<Value> = LazyLock::new(|| schema(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../", $path))));)*
    };
}

schemas! {
    MACHINE = "deploy/crds/infrastructure.cluster.x-k8s.io_tinkerbellmachines.yaml",
    CLUSTER = "deploy/crds/infrastructure.cluster.x-k8s.io_tinkerbellclusters.yaml",
    HARDWARE = "crates/testing/simulators/crds/tinkerbell/hardware.yaml",
    WORKFLOW = "crates/testing/simulators/crds/tinkerbell/workflows.yaml",
    JOB = "crates/testing/simulators/crds/bmc/jobs.yaml",
    CLAIM = "crates/testing/simulators/crds/ipam/ipaddressclaims.yaml",
    ADDRESS = "crates/testing/simulators/crds/ipam/ipaddresses.yaml",
}

/// A life at any of its points.
fn any_scene() -> impl Strategy<Value = Scene> {
    let stage = select(vec![
        Scene::new,
        || Scene::new().adopted(),
        || Scene::new().reserved(),
        || Scene::new().claimed(),
        || Scene::new().fulfilled(),
        || Scene::new().addressed(),
        || Scene::new().booted("RUNNING"),
        || Scene::new().booted("SUCCESS"),
        || Scene::new().provisioned(),
    ] as Vec<fn() -> Scene>);
    (stage, any::<bool>(), any::<bool>()).prop_map(|(stage, deleting, pool)| {
        let mut scene = stage();
        if deleting {
            scene = scene.deleting();
        }
        if !pool {
            scene = scene.without_pool();
        }
        let mut other = hardware("hw-2");
        other["metadata"]["labels"] =
            json!({"v1alpha1.tinkerbell.org/ownerName": "other", "v1alpha1.tinkerbell.org/ownerNamespace": "default"});
        scene.put("Hardware", other);
        scene
    })
}

/// Labels and annotations that mean something to us, with values that nobody expects.
fn odd_metadata() -> impl Strategy<Value = Value> {
    let labels = prop::collection::hash_map(
        select(vec![
            "v1alpha1.tinkerbell.org/ownerName",
            "v1alpha1.tinkerbell.org/ownerNamespace",
            "cluster.x-k8s.io/cluster-name",
            "capt.tinkerbell.org/machine-name",
            "capt.tinkerbell.org/machine-namespace",
        ]),
        odd_text(),
        0..3,
    );
    let record = prop_oneof![
        odd_text(),
        unknown().prop_map(|value| Value::from(value.to_string())),
        prop::collection::vec((odd_text(), odd_text()), 0..3).prop_map(|records| {
            Value::from(
                json!(
                    records
                        .into_iter()
                        .map(|(mac, address)| json!({"mac": mac, "address": address}))
                        .collect::<Vec<_>>()
                )
                .to_string(),
            )
        }),
    ];
    let annotations = prop::collection::hash_map(
        select(vec![
            "v1alpha1.tinkerbell.org/provisioned",
            "hardware.tinkerbell.org/capt-template-override",
            "capt.tinkerbell.org/ipam-reservation",
            "capt.tinkerbell.org/ipam-gateway",
            "capt.tinkerbell.org/machine-uid",
            "capt.tinkerbell.org/failed-attempts",
            "capt.tinkerbell.org/mac-address",
        ]),
        record,
        0..4,
    );
    (labels, annotations).prop_map(|(labels, annotations)| json!({"labels": labels, "annotations": annotations}))
}

/// What stands in place of a member of an object of the scene.
fn oddity() -> impl Strategy<Value = (&'static str, &'static str, Value)> {
    let of = |kind: &'static str, key: &'static str, schema: &'static LazyLock<Value>, name: &'static str| {
        member(schema, name).prop_map(move |value| (kind, key, json!({ name: value }))).boxed()
    };
    let metadata = |kind: &'static str, key: &'static str| {
        odd_metadata().prop_map(move |metadata| (kind, key, json!({ "metadata": metadata }))).boxed()
    };
    prop_oneof![
        4 => of("Hardware", "metal/hw-1", &HARDWARE, "spec"),
        2 => metadata("Hardware", "metal/hw-1"),
        4 => of("TinkerbellMachine", "default/m", &MACHINE, "spec"),
        2 => of("TinkerbellMachine", "default/m", &MACHINE, "status"),
        1 => metadata("TinkerbellMachine", "default/m"),
        2 => of("TinkerbellCluster", "default/c", &CLUSTER, "spec"),
        1 => of("TinkerbellCluster", "default/c", &CLUSTER, "status"),
        1 => of("Workflow", "metal/m", &WORKFLOW, "status"),
        1 => metadata("Workflow", "metal/m"),
        1 => of("Job", "metal/m-poweroff", &JOB, "spec"),
        1 => of("Job", "metal/m-poweroff", &JOB, "status"),
        1 => of("IPAddressClaim", "default/m-0", &CLAIM, "spec"),
        1 => of("IPAddressClaim", "default/m-0", &CLAIM, "status"),
        1 => metadata("IPAddressClaim", "default/m-0"),
        1 => of("IPAddress", "default/m-0", &ADDRESS, "spec"),
    ]
}

/// Puts the oddities into the scene: the member named is replaced whole, metadata is merged.
fn spoil(mut scene: Scene, oddities: Vec<(&'static str, &'static str, Value)>) -> Scene {
    for (kind, key, change) in oddities {
        if kind == "Job" && !scene.objects.contains_key(&(kind, key.to_owned())) {
            scene.put("Job", json!({"metadata": {"namespace": "metal", "name": "m-poweroff", "uid": "job-uid",
                "annotations": {"capt.tinkerbell.org/machine-uid": "m-uid"},
                "labels": {"capt.tinkerbell.org/machine-name": "m", "capt.tinkerbell.org/machine-namespace": "default"}}}));
        }
        let Some(object) = scene.objects.get_mut(&(kind, key.to_owned())) else { continue };
        for (name, value) in change.as_object().unwrap() {
            if name == "metadata" {
                for part in ["labels", "annotations"] {
                    for (key, value) in value[part].as_object().unwrap() {
                        object["metadata"][part][key] = value.clone();
                    }
                }
            } else {
                object[name] = value.clone();
            }
        }
    }
    scene
}

/// Whether the write is to an object of the machine's own, or to Hardware that is free.
fn is_ours(write: &Write, world: &World, scene: &Scene) -> bool {
    let key = write.key.to_string();
    match write.kind {
        Kind::TinkerbellMachine => key == "default/m",
        Kind::IPAddressClaim => {
            world.address.claims.iter().any(|claim| claim.key() == write.key) || key == "default/m-0"
        }
        Kind::Template | Kind::Workflow => write.key.name == "m" || write.key.name == "m-muid",
        Kind::Job => write.key.name.starts_with("m-poweroff"),
        Kind::Hardware => {
            let object = &scene.objects[&("Hardware", key)];
            let hardware: Hardware = serde_json::from_value(object.clone()).unwrap();
            hardware.reserved_for().is_none_or(|owner| owner == world.key())
        }
        Kind::TinkerbellCluster => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn any_objects_that_the_schemas_accept_harm_nobody(scene in any_scene(), oddities in prop::collection::vec(oddity(), 1..4)) {
        let scene = spoil(scene, oddities);
        // Decodes everything that it reads; an object that did not decode would panic here.
        let world = scene.world();
        let step = decide(&world, now());
        if let Step::Do(write) = &step {
            prop_assert!(is_ours(write, &world, &scene), "{write:?}");
        }
        let before = world.machine.status.clone().unwrap_or_default();
        let after = report(&world, &step, now());
        for condition in &after.conditions {
            prop_assert!(condition.message.len() <= 32_768);
            prop_assert!(!condition.reason.is_empty());
        }
        drop(news(&before, &after, &step));
        drop(format!("{step:?}"));
    }
}
