//! Reads a TinkerbellMachine without a Kubernetes client and without a runtime:
//! `cargo run -p capt-api --no-default-features --example no_client`.

use capt_api::infra::TinkerbellMachine;
use capt_api::meta::Meta;

fn main() -> Result<(), serde_json::Error> {
    let machine: TinkerbellMachine = serde_json::from_str(
        r#"{"metadata": {"namespace": "default", "name": "worker-1"},
            "spec": {"ipamPoolRef": {"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "rack-1"}}}"#,
    )?;
    let pool = machine.spec.ipam_pool_ref.as_ref().map_or("none".to_owned(), ToString::to_string);
    println!("{} takes its address from: {pool}", machine.key());
    println!("{}", serde_json::to_string_pretty(&machine)?);
    Ok(())
}
