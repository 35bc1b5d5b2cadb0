//! What it costs to find Hardware for a machine among 10,000, and to take one more into the cache.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../tests/common/mod.rs"]
mod common;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;

use capt_kube::cache::Cache;
use capt_kube::decode::Guarded;
use capt_kube::watch::Sink;
use capt_reconciler::machine::select::{Candidate, candidate};
use capt_reconciler::observed::infra::TinkerbellMachine;
use capt_reconciler::observed::tinkerbell::Hardware;
use criterion::{Criterion, criterion_group, criterion_main};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

const HARDWARE: usize = 10_000;

fn hardware(number: usize, version: usize) -> Guarded<Hardware> {
    let mac = format!("02:00:00:00:{:02x}:{:02x}", number / 256, number % 256);
    let object = json!({
        "metadata": {"namespace": "metal", "name": format!("hw-{number:05}"), "uid": format!("uid-{number}"),
            "resourceVersion": version.to_string(),
            "labels": {"rack": format!("r{}", number % 100), "disk": if number.is_multiple_of(2) { "ssd" } else { "hdd" }}},
        "spec": {"disks": [{"device": "/dev/sda"}], "metadata": {"instance": {"id": mac}},
            "interfaces": [{"netboot": {}, "dhcp": {"mac": mac, "ip": {"address": format!("10.0.{}.{}", number / 250, number % 250 + 2),
                "netmask": "255.255.0.0", "gateway": "10.0.255.254"}}}]}});
    serde_json::from_value(object).unwrap()
}

fn machine(affinity: Value) -> TinkerbellMachine {
    serde_json::from_value(
        json!({"metadata": {"namespace": "default", "name": "m"}, "spec": {"hardwareAffinity": affinity}}),
    )
    .unwrap()
}

fn selector(labels: Value) -> Value {
    json!({"labelSelector": {"matchLabels": labels}})
}

fn selection(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let cache = Arc::new(Cache::new());
    for number in 0..HARDWARE {
        Sink::<Hardware>::event(&*cache, Event::Apply(hardware(number, 1)));
    }
    let ports = common::offline_ports(&cache);
    for (wish, affinity) in [
        ("any", json!({})),
        ("one rack of 100", json!({"required": [selector(json!({"rack": "r57"}))]})),
        (
            "one rack, the faster disk preferred",
            json!({"required": [selector(json!({"rack": "r57"}))],
                "preferred": [{"weight": 10, "hardwareAffinityTerm": selector(json!({"disk": "ssd"}))}]}),
        ),
        (
            "any, the faster disk preferred",
            json!({"preferred": [{"weight": 10, "hardwareAffinityTerm": selector(json!({"disk": "ssd"}))}]}),
        ),
        ("none that exists", json!({"required": [selector(json!({"rack": "none"}))]})),
    ] {
        let machine = machine(affinity);
        let found = || candidate(&ports, black_box(&machine), &BTreeSet::new());
        assert_eq!(matches!(found(), Candidate::Found(_)), wish != "none that exists", "{wish}");
        c.bench_function(&format!("selection among 10,000 Hardware: {wish}"), |b| b.iter(found));
    }
    let mut version = 1;
    c.bench_function("cache: a Hardware changes, among 10,000", |b| {
        b.iter_batched(
            || {
                version += 1;
                hardware(version % HARDWARE, version)
            },
            |hardware| Sink::<Hardware>::event(&*cache, Event::Apply(hardware)),
            criterion::BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, selection);
criterion_main!(benches);
