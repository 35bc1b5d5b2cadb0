//! How many requests a second one core serves in process: creates, merge patches, status patches, gets and deletes of a
//! custom resource with a schema, while watches follow. `cargo run --release -p memory-apiserver --example throughput`

use futures::{AsyncBufReadExt, StreamExt};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, WatchParams};
use kube::core::GroupVersionKind;
use memory_apiserver::MemoryApiServer;
use serde_json::json;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const OBJECTS: u32 = 4000;
const WATCHES: usize = 40;

const CRD: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: machines.bench.example.io}
spec:
  group: bench.example.io
  scope: Namespaced
  names: {plural: machines, kind: Machine}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [name]
            properties:
              name: {type: string, pattern: '^[a-z0-9-]+$'}
              size: {type: integer, minimum: 0}
              mode: {type: string, enum: [fast, slow], default: slow}
              interfaces:
                type: array
                items:
                  type: object
                  properties:
                    mac: {type: string, pattern: '^([0-9a-f]{2}:){5}[0-9a-f]{2}$'}
                    address: {type: string}
                    enabled: {type: boolean, default: true}
          status:
            type: object
            properties:
              phase: {type: string}
              conditions:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [type]
                items:
                  type: object
                  required: [type, status]
                  properties: {type: {type: string}, status: {type: string}, message: {type: string}}
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    for managed_fields in [true, false] {
        run(managed_fields).await?;
    }
    Ok(())
}

async fn run(managed_fields: bool) -> Result<(), Box<dyn Error>> {
    let server = MemoryApiServer::builder().managed_fields(managed_fields).build();
    server.apply_manifest(CRD)?;
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("bench.example.io", "v1", "Machine"));
    let api: Api<DynamicObject> = Api::default_namespaced_with(server.client("bench"), &kind);
    let bytes = Arc::new(AtomicU64::new(0));
    for _ in 0..WATCHES {
        // Raw lines: what is measured is the server, not a client that parses.
        let request = kube::core::Request::new("/apis/bench.example.io/v1/machines");
        let request = request.watch(&WatchParams::default(), "0")?;
        let client = server.client("watcher");
        let bytes = bytes.clone();
        tokio::spawn(async move {
            let Ok(lines) = client.request_stream(request).await else { return };
            let mut lines = lines.lines();
            while let Some(Ok(line)) = lines.next().await {
                bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
            }
        });
    }
    println!("managed fields {managed_fields}, {WATCHES} watches, one thread:");
    let name = |n: u32| format!("machine-{n}");
    let report = |what: &str, started: Instant| {
        let rate = f64::from(OBJECTS) / started.elapsed().as_secs_f64();
        println!("  {what:<14} {rate:>9.0} requests/s");
    };
    let started = Instant::now();
    for n in 0..OBJECTS {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "bench.example.io/v1", "kind": "Machine",
            "metadata": {"name": name(n), "labels": {"cluster": "c", "pool": "p"}},
            "spec": {"name": name(n), "size": n, "interfaces": [
                {"mac": "00:00:00:00:00:01", "address": "10.0.0.1"}, {"mac": "00:00:00:00:00:02", "address": "10.0.0.2"}]},
        }))?;
        api.create(&PostParams::default(), &object).await?;
    }
    report("create", started);
    let started = Instant::now();
    for n in 0..OBJECTS {
        let patch = json!({"metadata": {"annotations": {"a": "b"}}, "spec": {"size": n + 1}});
        api.patch(&name(n), &PatchParams::default(), &Patch::Merge(patch)).await?;
    }
    report("merge patch", started);
    let started = Instant::now();
    for n in 0..OBJECTS {
        let conditions = json!([{"type": "Ready", "status": "True", "message": "as it should be"}]);
        let patch = json!({"status": {"phase": "Running", "conditions": conditions}});
        api.patch_status(&name(n), &PatchParams::default(), &Patch::Merge(patch)).await?;
    }
    report("status patch", started);
    let started = Instant::now();
    for n in 0..OBJECTS {
        api.get_metadata(&name(n)).await?;
    }
    report("get metadata", started);
    let started = Instant::now();
    for n in 0..OBJECTS {
        api.get(&name(n)).await?;
    }
    report("get", started);
    let started = Instant::now();
    for n in 0..OBJECTS {
        api.delete(&name(n), &DeleteParams::default()).await?;
    }
    report("delete", started);
    println!("  watches received {} MB", bytes.load(Ordering::Relaxed) / 1_000_000);
    Ok(())
}
