//! Pools and claims: exhausted, missing, paused, of the other family, absent at first.

use std::time::Duration;

use serde_json::json;

use crate::lab::{Lab, Options};

#[tokio::test(start_paused = true)]
async fn an_exhausted_pool_is_told_and_a_freed_address_is_used_within_two_seconds() {
    let mut lab = Lab::with(Options { addresses: "10.0.0.100-10.0.0.100", ..Options::default() }).await;
    lab.hardware(2).await;
    lab.start_manager().await;
    lab.machine("a").await;
    lab.until_provisioned("a").await;
    lab.machine("b").await;
    lab.until_condition("b", "IPAddressClaimsFulfilled", "False", "PoolExhausted").await;
    assert!(lab.message("b", "IPAddressClaimsFulfilled").contains("my-ip-pool"));
    lab.delete_machine("a").await;
    lab.until_released("a").await;
    let begin = tokio::time::Instant::now();
    lab.until("b has the address", Duration::from_secs(30), |lab| lab.address_of("hw-001").is_some()).await;
    assert!(begin.elapsed() <= Duration::from_secs(2), "it took {:?}", begin.elapsed());
    lab.until_provisioned("b").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_missing_pool_is_told_and_the_machine_goes_on_when_it_is_made() {
    let mut lab = Lab::with(Options { pool: false, ..Options::default() }).await;
    lab.hardware(1).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "IPAddressClaimsFulfilled", "False", "PoolNotFound").await;
    assert!(lab.message("m", "Ready").contains("my-ip-pool"), "folded into Ready");
    lab.pool().await;
    lab.until_provisioned("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_pool_of_a_kind_that_nobody_serves_is_told() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.start_manager().await;
    lab.machine_with("m", json!({"ipamPoolRef": {"apiGroup": "example.com", "kind": "DreamPool", "name": "p"}})).await;
    lab.until_condition("m", "IPAddressClaimsFulfilled", "False", "PoolKindNotServed").await;
    lab.delete_machine("m").await;
    lab.until_released("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_paused_pool_is_told_and_the_machine_goes_on_afterwards() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.annotate_pool(json!({"cluster.x-k8s.io/paused": ""})).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "IPAddressClaimsFulfilled", "False", "PoolPaused").await;
    lab.annotate_pool(json!({"cluster.x-k8s.io/paused": null})).await;
    lab.until_provisioned("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_provider_of_the_second_family_gives_and_takes_back_addresses_as_well() {
    let mut lab = Lab::with(Options { metal3: true, ..Options::default() }).await;
    lab.hardware(1).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_provisioned("m").await;
    lab.delete_machine("m").await;
    lab.until_released("m").await;
    assert_eq!(lab.ip_addresses(), 0);
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn kinds_of_ipam_that_are_absent_at_first_are_waited_for_and_used_when_they_appear() {
    let mut lab = Lab::with(Options { ipam_kinds: false, pool: false, ..Options::default() }).await;
    lab.hardware(2).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.machine("early").await;
    lab.until_condition("m", "IPAddressClaimsFulfilled", "False", "IPAMNotInstalled").await;
    lab.delete_machine("early").await;
    lab.until_gone("early").await;
    lab.install_ipam_kinds().await;
    lab.pool().await;
    lab.until_provisioned("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_is_told_after_a_minute_and_used_when_it_is_up_again() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.pause_provider();
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "IPAddressClaimsFulfilled", "False", "WaitingForIPAddress").await;
    lab.until_condition("m", "IPAddressClaimsFulfilled", "False", "NoProviderResponded").await;
    lab.resume_provider();
    lab.until_provisioned("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_machine_without_a_pool_lives_as_before_and_its_manual_address_stays() {
    let mut lab = Lab::with(Options { ipam_kinds: false, pool: false, ..Options::default() }).await;
    lab.hardware(1).await;
    lab.set_ip("hw-000", json!({"address": "192.168.1.5", "netmask": "255.255.255.0"})).await;
    lab.start_manager().await;
    lab.machine_with("m", json!({"ipamPoolRef": null})).await;
    lab.until_provisioned("m").await;
    assert_eq!(lab.machine_address("m").as_deref(), Some("192.168.1.5"));
    lab.delete_machine("m").await;
    lab.until_gone("m").await;
    assert_eq!(lab.address_of("hw-000").as_deref(), Some("192.168.1.5"));
    lab.no_violations();
}
