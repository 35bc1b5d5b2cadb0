//! The write budget of one machine, events included: 11 writes to provision it with a pool, 9 without, 10 to release it.

use std::time::Duration;

use serde_json::json;

use crate::lab::{Lab, MANAGER};

#[tokio::test(start_paused = true)]
async fn a_life_with_pool_and_bmc_stays_within_its_write_budget() {
    let lab = Lab::with_provisioned("m").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let provision = lab.machine_writes(MANAGER);
    assert!(provision <= 11, "{provision} writes to provision: {:?}", lab.write_list(MANAGER));
    let told = lab.machine_events();
    let [story] = told.as_slice() else { panic!("transitions within seconds are one event: {told:?}") };
    for transition in ["Provisioned", "reserved Hardware", "wrote address", "made Workflow", "is provisioned"] {
        assert!(story.contains(transition), "{transition} is not told: {story}");
    }
    assert_eq!(lab.hardware_writes(MANAGER), 3, "reserve, address, provisioned");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(lab.machine_writes(MANAGER), provision, "none in idle");
    lab.delete_machine("m").await;
    lab.until_released("m").await;
    let release = lab.machine_writes(MANAGER) - provision;
    assert!(release <= 10, "{release} writes to release: {:?}", lab.write_list(MANAGER));
    let [story] = &lab.machine_events()[told.len()..] else { panic!("one event: {:?}", lab.machine_events()) };
    assert!(story.starts_with("Released"), "{story}");
}

#[tokio::test(start_paused = true)]
async fn a_life_without_a_pool_stays_within_its_write_budget_even_when_every_state_lasts() {
    let mut lab = Lab::slow().await;
    lab.hardware(1).await;
    lab.set_ip("hw-000", json!({"address": "192.168.1.5", "netmask": "255.255.255.0"})).await;
    lab.start_manager().await;
    lab.machine_with("m", json!({"ipamPoolRef": null})).await;
    lab.until_provisioned("m").await;
    // A state that lasts is told by a write to the status, and by an event when it ends.
    let writes = lab.writes_without_events(MANAGER);
    assert!(writes <= 9, "{writes} writes to provision: {:?}", lab.write_list(MANAGER));
}
