//! Odd worlds: what people, other programs and broken hardware do to a machine.

use std::time::Duration;

use serde_json::json;

use crate::lab::{Lab, MANAGER};

#[tokio::test(start_paused = true)]
async fn a_claim_deleted_by_hand_under_a_running_server_is_told_and_its_hardware_stays_untouched() {
    let mut lab = Lab::with_provisioned("m").await;
    let writes = lab.hardware_writes(MANAGER);
    lab.expect_violations_by_hand();
    lab.delete("ipam.cluster.x-k8s.io", "ipaddressclaims", "default", "m-0").await;
    lab.until_condition("m", "IPAddressClaimsFulfilled", "False", "AddressReleasedInUse").await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(lab.hardware_writes(MANAGER), writes, "the Hardware of a provisioned machine is not written to");
    assert!(lab.is_provisioned("m"), "still provisioned");
    lab.delete_machine("m").await;
    lab.until_released("m").await;
}

#[tokio::test(start_paused = true)]
async fn an_address_that_belongs_to_another_claim_is_never_written() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.pause_provider();
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until("the claim is there", Duration::from_secs(30), |lab| lab.claims() == 1).await;
    lab.ip_address("stranger", "other-claim", "10.0.0.150").await;
    lab.claim_status("m-0", json!({"addressRef": {"name": "stranger"}})).await;
    lab.until_condition("m", "IPAddressClaimsFulfilled", "False", "ClaimConflict").await;
    assert_eq!(lab.address_of("hw-000"), None);
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_manual_address_is_kept_reported_and_nothing_is_claimed() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.set_ip("hw-000", json!({"address": "192.168.1.5", "netmask": "255.255.255.0", "gateway": "192.168.1.1"})).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_provisioned("m").await;
    assert_eq!(
        lab.condition("m", "IPAddressClaimsFulfilled").unwrap(),
        ("True".to_owned(), "StaticAddress".to_owned())
    );
    assert_eq!(lab.claims(), 0);
    lab.until("one event tells it", Duration::from_secs(10), |lab| lab.events("StaticAddress") == 1).await;
    lab.delete_machine("m").await;
    lab.until_gone("m").await;
    assert_eq!(lab.address_of("hw-000").as_deref(), Some("192.168.1.5"));
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn hardware_with_the_record_of_a_machine_that_is_gone_goes_to_nobody_until_a_person_clears_it() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.set_ip("hw-000", json!({"address": "10.0.0.77", "netmask": "255.255.255.0"})).await;
    let record = json!([{"claimNamespace": "default", "claimName": "gone-0", "claimUID": "dead", "machineUID": "dead",
        "mac": "02:00:00:00:00:00", "address": "10.0.0.77"}]);
    lab.annotate_hardware("hw-000", json!({"capt.tinkerbell.org/ipam-reservation": record.to_string()})).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "HardwareReserved", "False", "NoHardwareAvailable").await;
    let message = lab.message("m", "HardwareReserved");
    assert!(message.contains("metal/hw-000") && message.contains("capt.tinkerbell.org/ipam-reservation"), "{message}");
    assert_eq!(lab.address_of("hw-000").as_deref(), Some("10.0.0.77"), "its server may run with it");
    lab.set_ip("hw-000", json!(null)).await;
    lab.annotate_hardware("hw-000", json!({"capt.tinkerbell.org/ipam-reservation": null})).await;
    lab.until_provisioned("m").await;
    assert_eq!(lab.address_of("hw-000").as_deref(), Some("10.0.0.100"));
    assert_eq!(lab.machine_address("m").as_deref(), Some("10.0.0.100"));
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_failed_power_off_keeps_the_address_until_a_later_job_succeeds() {
    let lab = Lab::with_provisioned("m").await;
    lab.fail_power_off("hw-000", 2);
    lab.delete_machine("m").await;
    lab.until_condition("m", "Deleting", "True", "PowerOffFailed").await;
    assert_eq!(lab.claims(), 1, "the address is not given back while the server may run");
    assert!(lab.address_of("hw-000").is_some());
    lab.until_released("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn hardware_deleted_halfway_never_makes_a_machine_undeletable() {
    let mut lab = Lab::with_provisioned("m").await;
    lab.expect_violations_by_hand();
    lab.purge("tinkerbell.org", "hardware", "metal", "hw-000").await;
    lab.until_condition("m", "HardwareReserved", "False", "HardwareNotFound").await;
    lab.delete_machine("m").await;
    lab.until_gone("m").await;
    assert_eq!(lab.claims(), 0, "the claim is released all the same");
}

#[tokio::test(start_paused = true)]
async fn a_wiped_reservation_of_a_provisioned_machine_is_put_back_exactly() {
    let lab = Lab::with_provisioned("m").await;
    let before = lab.ip_of("hw-000");
    lab.set_ip("hw-000", json!(null)).await;
    lab.until("the address is back", Duration::from_secs(30), |lab| lab.ip_of("hw-000") == before).await;
    lab.until("an event tells it", Duration::from_secs(10), |lab| lab.events("AddressRestored") == 1).await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_failed_workflow_is_told_and_not_tried_again() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.fail_workflow("m");
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "WorkflowSucceeded", "False", "WorkflowFailed").await;
    let writes = lab.writes(MANAGER);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(lab.writes(MANAGER), writes, "no hot loop");
    lab.delete_machine("m").await;
    lab.until_released("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn what_the_message_of_a_failed_workflow_says_to_do_works() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.fail_workflow("m");
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "WorkflowSucceeded", "False", "WorkflowFailed").await;
    let message = lab.message("m", "WorkflowSucceeded");
    assert!(message.contains("delete the Workflow to try again on this server"), "{message}");
    lab.heal_workflows();
    lab.delete("tinkerbell.org", "workflows", "metal", "m").await;
    lab.until_provisioned("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_provisioning_and_deletion_until_it_ends() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.pause_cluster(true).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "Paused", "True", "Paused").await;
    assert_eq!(lab.reserved_hardware(), 0);
    lab.pause_cluster(false).await;
    lab.until_provisioned("m").await;
    lab.pause_cluster(true).await;
    lab.until_condition("m", "Paused", "True", "Paused").await;
    lab.delete_machine("m").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.reserved_hardware(), 1, "nothing is released while paused");
    lab.pause_cluster(false).await;
    lab.until_released("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_lost_claim_of_a_machine_that_has_not_booted_is_made_anew() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.pause_provider();
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until("the claim is there", Duration::from_secs(30), |lab| lab.claims() == 1).await;
    let first = lab.claim_uid("m-0");
    lab.delete("ipam.cluster.x-k8s.io", "ipaddressclaims", "default", "m-0").await;
    lab.until("another claim is there", Duration::from_secs(30), |lab| {
        let now = lab.claim_uid("m-0");
        now.is_some() && now != first
    })
    .await;
    lab.resume_provider();
    lab.until_provisioned("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn hardware_deleted_while_its_server_is_being_installed_is_told_and_the_machine_can_go() {
    let mut lab = Lab::slow().await;
    lab.hardware(1).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "WorkflowSucceeded", "False", "WorkflowRunning").await;
    lab.expect_violations_by_hand();
    lab.purge("tinkerbell.org", "hardware", "metal", "hw-000").await;
    lab.until_condition("m", "HardwareReserved", "False", "HardwareNotFound").await;
    lab.delete_machine("m").await;
    lab.until_gone("m").await;
    assert_eq!(lab.claims(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_machine_deleted_while_it_is_being_installed_leaves_nothing_behind() {
    let mut lab = Lab::slow().await;
    lab.hardware(1).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "WorkflowSucceeded", "False", "WorkflowRunning").await;
    lab.delete_machine("m").await;
    lab.until_released("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_machine_made_anew_under_the_same_name_takes_nothing_over_from_the_one_before() {
    let lab = Lab::with_provisioned("m").await;
    let first = lab.claim_uid("m-0");
    lab.delete_machine("m").await;
    lab.until_released("m").await;
    lab.delete("cluster.x-k8s.io", "machines", "default", "m").await;
    lab.delete_secret("m-bootstrap").await;
    lab.machine("m").await;
    lab.until_provisioned("m").await;
    assert_ne!(lab.claim_uid("m-0"), first);
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn hardware_that_lacks_a_field_is_told_and_used_once_it_is_mended() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.patch("tinkerbell.org", "hardware", "metal", "hw-000", json!({"spec": {"disks": null}})).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "HardwareReserved", "False", "HardwareUnfit").await;
    assert!(lab.message("m", "HardwareReserved").contains("metal/hw-000"));
    assert_eq!(lab.hardware_writes(MANAGER), 0, "nothing is written to Hardware that cannot be used");
    lab.patch("tinkerbell.org", "hardware", "metal", "hw-000", json!({"spec": {"disks": [{"device": "/dev/sda"}]}}))
        .await;
    lab.until_provisioned("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn an_address_that_somebody_else_carries_is_not_written_until_they_give_it_up() {
    let mut lab = Lab::new().await;
    lab.hardware(2).await;
    lab.patch(
        "tinkerbell.org",
        "hardware",
        "metal",
        "hw-001",
        json!({"metadata": {"labels": {"v1alpha1.tinkerbell.org/ownerName": "somebody"}}}),
    )
    .await;
    lab.set_ip("hw-001", json!({"address": "10.0.0.100", "netmask": "255.255.255.0"})).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "IPAddressClaimsFulfilled", "False", "AddressDuplicate").await;
    assert!(lab.message("m", "IPAddressClaimsFulfilled").contains("metal/hw-001"));
    lab.set_ip("hw-001", json!(null)).await;
    let begin = tokio::time::Instant::now();
    lab.until("the address is written", Duration::from_secs(60), |lab| lab.address_of("hw-000").is_some()).await;
    assert!(begin.elapsed() <= Duration::from_secs(2), "it took {:?}", begin.elapsed());
    lab.until_provisioned("m").await;
    lab.no_violations();
}
