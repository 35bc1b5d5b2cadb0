//! Requests per second of the server, in process, one client: the time of each is a request's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::*;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

const OBJECTS: usize = 1_000;

fn requests(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let server = server();
    let things = things(&server, "bench");
    runtime.block_on(async {
        for number in 0..OBJECTS {
            things.create(&PostParams::default(), &thing(&format!("t-{number}"), json!({"size": 1}))).await.unwrap();
        }
    });
    let mut group = c.benchmark_group("memory-apiserver, 1,000 objects");
    group.throughput(Throughput::Elements(1));
    group.bench_function("get", |b| b.iter(|| runtime.block_on(things.get("t-500")).unwrap()));
    let mut turn = 0;
    group.bench_function("merge patch", |b| {
        b.iter(|| {
            turn += 1;
            let patch = Patch::Merge(json!({"spec": {"size": turn % 10}}));
            runtime.block_on(things.patch("t-7", &PatchParams::default(), &patch)).unwrap()
        });
    });
    group.bench_function("server-side apply", |b| {
        b.iter(|| {
            turn += 1;
            let body = json!({"apiVersion": "test.example.io/v1", "kind": "Thing", "metadata": {"name": "applied"},
                "spec": {"size": turn % 10}});
            runtime.block_on(things.patch("applied", &PatchParams::apply("bench"), &Patch::Apply(body))).unwrap()
        });
    });
    group.bench_function("create and delete", |b| {
        b.iter(|| {
            turn += 1;
            let name = format!("new-{turn}");
            runtime.block_on(async {
                things.create(&PostParams::default(), &thing(&name, json!({"size": 1}))).await.unwrap();
                things.delete(&name, &kube::api::DeleteParams::default()).await.unwrap();
            });
        });
    });
    group.throughput(Throughput::Elements(OBJECTS as u64));
    group.bench_function("list of 1,000, per object", |b| {
        b.iter(|| runtime.block_on(things.list(&ListParams::default())).unwrap().items.len());
    });
    group.finish();
}

criterion_group!(benches, requests);
criterion_main!(benches);
