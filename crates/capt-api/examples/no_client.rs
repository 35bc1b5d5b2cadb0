//! Reads a TinkerbellMachine without a Kubernetes client and without a runtime:
//! `cargo run -p capt-api --no-default-features --example no_client`.

use capt_api::infra::{HardwareAffinity, PoolReference, TinkerbellMachine, TinkerbellMachineSpec};
use capt_api::meta::Meta;

fn main() -> Result<(), serde_json::Error> {
    let made = TinkerbellMachine::new(
        "default",
        "worker-1",
        TinkerbellMachineSpec {
            hardware_affinity: Some(HardwareAffinity::labels([("type", "worker")])),
            ipam_pool_ref: Some(PoolReference::in_cluster("rack-1")),
            ..Default::default()
        },
    );
    let text = serde_json::to_string_pretty(&made)?;
    let machine: TinkerbellMachine = serde_json::from_str(&text)?;
    let pool = machine.spec.as_ref().and_then(|spec| spec.ipam_pool_ref.as_ref());
    let pool = pool.map_or("none".to_owned(), ToString::to_string);
    println!("{} takes its address from: {pool}", machine.key());
    println!("{text}");
    Ok(())
}
