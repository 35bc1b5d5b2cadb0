//! Nothing is silent: whatever a server says to our writes, people hear of it, and it costs little.

use std::time::Duration;

use memory_apiserver::Fault;
use serde_json::json;

use crate::lab::{Lab, MANAGER};

const A_MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_webhook_that_is_down_for_ever_is_told_within_a_minute_and_costs_little() {
    for (group, resource, code, words) in [
        ("hardware", "hardware", 500, "failed calling webhook: connection refused"),
        ("claims", "ipaddressclaims", 500, "connect: connection refused"),
        ("templates", "templates", 503, "no endpoints available"),
        ("jobs", "jobs", 429, "too many"),
    ] {
        let mut lab = Lab::new().await;
        lab.hardware(1).await;
        lab.start_manager().await;
        let down = lab.server.faults().inject(
            Fault::status(code, "InternalError", words).user(MANAGER).verb("write").resource(resource).always(),
        );
        lab.machine("m").await;
        if resource == "jobs" {
            lab.until_provisioned("m").await;
            lab.delete_machine("m").await;
        }
        lab.until(&format!("{group}: it is told"), A_MINUTE, |lab| lab.message("m", "Ready").contains(words)).await;
        lab.until(&format!("{group}: by an event, too"), A_MINUTE, |lab| lab.events("WriteFailed") > 0).await;
        let writes = lab.writes(MANAGER);
        tokio::time::sleep(10 * A_MINUTE).await;
        let more = lab.writes(MANAGER) - writes;
        assert!(more <= 24, "{group}: {more} writes in ten minutes");
        lab.server.faults().remove(down);
        if resource == "jobs" {
            lab.until_released("m").await;
        } else {
            lab.until_provisioned("m").await;
            assert_eq!(lab.message("m", "Ready"), "", "{group}: the wait goes away");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn claims_of_machines_whose_finalizer_somebody_took_off_go_once_no_hardware_carries_their_address() {
    let mut lab = Lab::with_provisioned("m").await;
    lab.expect_violations_by_hand();
    lab.pause_cluster(true).await;
    lab.until_condition("m", "Paused", "True", "Paused").await;
    lab.delete_machine("m").await;
    lab.patch(
        "infrastructure.cluster.x-k8s.io",
        "tinkerbellmachines",
        "default",
        "m",
        json!({"metadata": {"finalizers": null}}),
    )
    .await;
    lab.until_gone("m").await;
    lab.delete("ipam.cluster.x-k8s.io", "ipaddressclaims", "default", "m-0").await;
    lab.until("it is told", A_MINUTE, |lab| lab.events("AddressReleasedInUse") > 0).await;
    assert_eq!(lab.claims(), 1, "the server may run with that address");
    lab.set_ip("hw-000", json!(null)).await;
    // The provider lets nothing go while the Cluster is paused.
    lab.pause_cluster(false).await;
    lab.until("the claim goes", A_MINUTE, |lab| lab.claims() == 0).await;
}
