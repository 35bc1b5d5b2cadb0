//! What one decision and one report cost, at several moments of a machine's life.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../tests/machine/scene.rs"]
mod scene;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use scene::{Scene, decide, now, report};

fn decisions(c: &mut Criterion) {
    for (moment, scene) in [
        ("new", Scene::new()),
        ("Hardware reserved", Scene::new().reserved()),
        ("waiting for its address", Scene::new().claimed()),
        ("address granted", Scene::new().fulfilled()),
        ("workflow running", Scene::new().booted("RUNNING")),
        ("provisioned", Scene::new().provisioned()),
        ("being deleted", Scene::new().provisioned().deleting()),
    ] {
        let world = scene.world();
        c.bench_function(&format!("decide: {moment}"), |b| b.iter(|| decide(black_box(&world), now())));
        let step = decide(&world, now());
        c.bench_function(&format!("report: {moment}"), |b| b.iter(|| report(black_box(&world), &step, now())));
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
