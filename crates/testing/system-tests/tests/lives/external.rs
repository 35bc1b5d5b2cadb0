//! Tinkerbell in another cluster, with all the access we want there, with what a kubeconfig made for upstream gives, and
//! with a server that is away for a while.

use std::time::Duration;

use memory_apiserver::{Fault, FaultId, Stopped};
use serde_json::json;

use crate::lab::{Lab, MANAGER, Options};

const LATER: Duration = Duration::from_secs(120);

async fn external() -> Lab {
    Lab::with(Options { external: true, ..Options::default() }).await
}

/// Refuses a verb as missing rights do.
fn deny(lab: &Lab, verb: &str, resource: &str) -> FaultId {
    let fault = Fault::status(403, "Forbidden", &format!("capt cannot {verb} {resource}"));
    lab.tinkerbell.faults().inject(fault.user(MANAGER).verb(verb).resource(resource).always())
}

fn asked(lab: &Lab, verb: &str, resource: &str) -> u64 {
    lab.tinkerbell.journal().count_requests(Some(MANAGER), Some(verb), Some(resource))
}

/// Nothing of ours is on the wrong server, and what is there has no owner.
fn everything_is_where_it_belongs(lab: &Lab) {
    for record in lab.tinkerbell.journal().records() {
        if &*record.user == MANAGER {
            assert!(
                record.group.ends_with("tinkerbell.org"),
                "{} {} on the external server",
                record.verb,
                record.resource
            );
            let owners = record.new.as_ref().map(|new| new["metadata"]["ownerReferences"].clone()).unwrap_or_default();
            assert!(owners.is_null(), "{} {} has an owner that nobody knows there", record.resource, record.name);
        }
    }
    for record in lab.server.journal().records() {
        let ours = &*record.user == MANAGER;
        assert!(!ours || !record.group.ends_with("tinkerbell.org"), "{} on the management server", record.resource);
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_life_writes_each_object_to_its_own_server_and_waits_on_no_timer() {
    let mut lab = external().await;
    lab.hardware(1).await;
    lab.start_manager().await;
    let begin = tokio::time::Instant::now();
    lab.machine("m").await;
    lab.until_provisioned("m").await;
    assert!(begin.elapsed() < Duration::from_secs(5), "woken by timers only: {:?}", begin.elapsed());
    assert!(lab.machine_address("m").is_some(), "the claim is on the management cluster");
    let workflow = lab.get("tinkerbell.org", "workflows", "metal", "m").unwrap();
    assert_eq!(workflow["metadata"]["labels"]["capt.tinkerbell.org/machine-namespace"], "default");
    let begin = tokio::time::Instant::now();
    lab.delete_machine("m").await;
    lab.until_released("m").await;
    assert!(begin.elapsed() < Duration::from_secs(5), "woken by timers only: {:?}", begin.elapsed());
    assert_eq!(lab.tinkerbell.list("tinkerbell.org", "templates").len(), 0);
    assert_eq!(lab.tinkerbell.list("bmc.tinkerbell.org", "jobs").len(), 0, "the Job has no owner to go with");
    everything_is_where_it_belongs(&lab);
    lab.no_violations();
}

/// Hardware in a namespace of the machine's name: only there an owner would be thought of at all.
#[tokio::test(start_paused = true)]
async fn an_object_in_a_namespace_of_the_same_name_has_no_owner_in_the_other_cluster() {
    let mut lab = Lab::with(Options { external: true, metal: "default", ..Options::default() }).await;
    lab.hardware(1).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until("it boots", LATER, |lab| lab.get("tinkerbell.org", "workflows", "default", "m").is_some()).await;
    lab.until_provisioned("m").await;
    everything_is_where_it_belongs(&lab);
}

#[tokio::test(start_paused = true)]
async fn only_namespaces_with_machines_are_watched_and_templates_never() {
    let mut lab = external().await;
    lab.hardware(2).await;
    lab.start_manager().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(asked(&lab, "watch", "workflows") + asked(&lab, "list", "workflows"), 0, "before there is a machine");
    lab.machine("a").await;
    lab.machine("b").await;
    lab.until_provisioned("a").await;
    lab.until_provisioned("b").await;
    assert_eq!(asked(&lab, "list", "workflows"), 1, "two machines share one watch");
    assert_eq!(asked(&lab, "list", "templates") + asked(&lab, "watch", "templates"), 0);
    lab.namespace("more-metal").await;
    lab.put_hardware_into("more-metal");
    lab.hardware_range(7..8).await;
    lab.machine("c").await;
    lab.until_provisioned("c").await;
    assert_eq!(asked(&lab, "list", "workflows"), 2);
    // A relist of one namespace says nothing about the other.
    lab.tinkerbell.faults().compact();
    lab.tinkerbell.faults().drop_watches(None);
    tokio::time::sleep(LATER).await;
    for name in ["a", "b", "c"] {
        lab.delete_machine(name).await;
        lab.until_gone(name).await;
    }
    assert_eq!(lab.reserved_hardware(), 0);
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn with_upstreams_kubeconfig_a_machine_that_waits_for_hardware_is_retried_on_a_timer() {
    let mut lab = external().await;
    deny(&lab, "watch", "hardware");
    deny(&lab, "delete", "jobs");
    lab.start_manager().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(asked(&lab, "list", "hardware"), 1, "nobody waits");
    lab.machine("m").await;
    lab.until_condition("m", "HardwareReserved", "False", "NoHardwareAvailable").await;
    lab.hardware(1).await;
    let begin = tokio::time::Instant::now();
    lab.until_provisioned("m").await;
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    let lists = asked(&lab, "list", "hardware");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(asked(&lab, "list", "hardware"), lists, "nobody waits any more");
    lab.delete_machine("m").await;
    lab.until_released("m").await;
    assert_eq!(lab.tinkerbell.list("bmc.tinkerbell.org", "jobs").len(), 1, "it may not be deleted");
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_right_to_watch_that_is_given_later_is_used() {
    let mut lab = external().await;
    let denial = deny(&lab, "watch", "hardware");
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "HardwareReserved", "False", "NoHardwareAvailable").await;
    lab.tinkerbell.faults().remove(denial);
    tokio::time::sleep(LATER).await;
    lab.hardware(1).await;
    let begin = tokio::time::Instant::now();
    lab.until_provisioned("m").await;
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_failed_power_off_is_tried_again_without_the_right_to_delete_jobs() {
    let mut lab = external().await;
    lab.hardware(1).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_provisioned("m").await;
    let denial = deny(&lab, "delete", "jobs");
    lab.fail_power_off("hw-000", 2);
    lab.delete_machine("m").await;
    lab.until("told", LATER, |lab| lab.condition("m", "Deleting").is_some_and(|told| told.1 == "PowerOffFailed")).await;
    assert_eq!(lab.reserved_hardware(), 1, "the server may run");
    lab.until_released("m").await;
    assert_eq!(lab.tinkerbell.list("bmc.tinkerbell.org", "jobs").len(), 3, "what may not be deleted stays");
    assert!(lab.tinkerbell.faults().hits(denial) <= 3, "no hot loop");
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_while_a_machine_is_made_is_waited_for() {
    for after in 0..5 {
        let mut lab = external().await;
        lab.hardware(1).await;
        lab.start_manager().await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        lab.tinkerbell.faults().stop_after(MANAGER, after, Stopped::Error, false);
        lab.machine("m").await;
        tokio::time::sleep(Duration::from_secs(300)).await;
        lab.tinkerbell.faults().resume(MANAGER);
        lab.until_provisioned("m").await;
        lab.delete_machine("m").await;
        lab.until_released("m").await;
        everything_is_where_it_belongs(&lab);
        lab.no_violations();
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_while_a_machine_is_deleted_does_not_count_as_hardware_gone() {
    let mut lab = external().await;
    lab.hardware(1).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_provisioned("m").await;
    lab.tinkerbell.faults().stop_after(MANAGER, 0, Stopped::Error, false);
    lab.delete_machine("m").await;
    tokio::time::sleep(Duration::from_secs(900)).await;
    assert!(lab.claim_uid("m-0").is_some(), "the address is given back while the server may run");
    lab.tinkerbell.faults().resume(MANAGER);
    lab.until_released("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_cannot_be_watched_stops_no_deletion() {
    let mut lab = external().await;
    lab.hardware(1).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_provisioned("m").await;
    lab.kill_manager().await;
    let (workflows, jobs) = (deny(&lab, "list", "workflows"), deny(&lab, "list", "jobs"));
    lab.start_manager().await;
    lab.delete_machine("m").await;
    lab.until_released("m").await;
    assert!(lab.tinkerbell.faults().hits(workflows) + lab.tinkerbell.faults().hits(jobs) > 0, "it was tried");
    assert_eq!(lab.tinkerbell.list("tinkerbell.org", "workflows").len(), 0);
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_cannot_be_watched_is_told_and_tried_less_and_less_often() {
    let mut lab = external().await;
    lab.hardware(1).await;
    let denial = deny(&lab, "list", "workflows");
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "WorkflowSucceeded", "False", "NamespaceNotWatched").await;
    assert!(lab.message("m", "WorkflowSucceeded").contains("watch in backoff"));
    tokio::time::sleep(Duration::from_secs(600)).await;
    // 5, 10, 20, 40, 80, 160, 300 s: seven attempts within ten minutes.
    let tried = lab.tinkerbell.faults().hits(denial);
    assert!((6..=9).contains(&tried), "{tried} attempts");
    assert_eq!(lab.tinkerbell.list("tinkerbell.org", "workflows").len(), 0);
    lab.tinkerbell.faults().remove(denial);
    lab.until_provisioned("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_starts_anew_finds_what_its_predecessor_made() {
    for writes in 1..6 {
        let mut lab = external().await;
        lab.hardware(1).await;
        lab.start_manager().await;
        lab.tinkerbell.faults().stop_after(MANAGER, writes, Stopped::Error, false);
        lab.machine("m").await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        lab.kill_manager().await;
        lab.tinkerbell.faults().resume(MANAGER);
        lab.start_manager().await;
        lab.until_provisioned("m").await;
        lab.no_violations();
    }
}

#[tokio::test(start_paused = true)]
async fn a_template_that_hardware_names_is_found_without_a_watch() {
    let mut lab = external().await;
    lab.hardware(1).await;
    lab.annotate_hardware("hw-000", json!({"hardware.tinkerbell.org/capt-template-override": "mine"})).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "WorkflowSucceeded", "False", "TemplateInvalid").await;
    lab.create(json!({"apiVersion": "tinkerbell.org/v1alpha1", "kind": "Template", "metadata": {"namespace": "metal", "name": "mine"},
        "spec": {"data": "version: \"0.1\"\nname: mine\nglobal_timeout: 60\ntasks: []\n"}})).await;
    let data = |lab: &Lab| lab.get("tinkerbell.org", "templates", "metal", "m").map(|t| t["spec"]["data"].clone());
    lab.until("the text is used", LATER, |lab| data(lab).is_some_and(|text| text.to_string().contains("mine"))).await;
}
