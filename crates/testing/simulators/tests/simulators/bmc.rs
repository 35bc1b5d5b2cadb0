//! Jobs of rufio and the power of servers.

use std::sync::Arc;

use capt_simulators::bmc::{JobFault, Options, Power, PowerStates, Rufio};
use capt_simulators::crds::Group;
use capt_simulators::fixtures;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{NS, World};

async fn world() -> World {
    World::new(&[Group::Tinkerbell, Group::Bmc]).await
}

fn start(world: &World, options: Options) -> Rufio {
    Rufio::start(&world.client_for("rufio"), options, PowerStates::default(), &world.token)
}

async fn create_machine(world: &World) {
    world.create("BMC", "bmc", fixtures::bmc_machine(NS, "bmc")).await;
}

async fn create_job(world: &World, name: &str, actions: Value) {
    let spec = json!({ "machineRef": { "name": "bmc", "namespace": NS }, "tasks": actions });
    world.create("Job", name, json!({ "spec": spec })).await;
}

fn has(condition: &'static str) -> impl Fn(&Value) -> bool {
    move |job| {
        let conditions = job["status"]["conditions"].as_array().map(Vec::as_slice);
        conditions.unwrap_or_default().iter().any(|c| c["type"] == condition && c["status"] == "True")
    }
}

#[tokio::test(start_paused = true)]
async fn a_power_off_job_completes_only_after_the_server_is_off() {
    let world = world().await;
    let rufio = start(&world, Options::default());
    create_machine(&world).await;
    rufio.power().set(NS, "bmc", Power::On);
    // What the journal of the server held when the power changed.
    let seen: Arc<Mutex<Vec<Power>>> = Arc::default();
    let heard = Arc::clone(&seen);
    rufio.power().on_change(move |change| heard.lock().push(change.power));
    create_job(&world, "off", json!([{ "powerAction": "off" }])).await;
    let running = world.until("Job", "off", has("Running")).await;
    assert!(has("Completed")(&running) || rufio.power().get(NS, "bmc") == Power::On);
    let done = world.until("Job", "off", has("Completed")).await;
    assert_eq!(*seen.lock(), [Power::Off]);
    assert!(has("Running")(&done), "Running is never taken back");
    assert!(done["status"]["completionTime"].is_string() && done["status"]["startTime"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_job_for_a_missing_machine_gets_no_status_until_the_machine_appears() {
    let world = world().await;
    start(&world, Options::default());
    create_job(&world, "off", json!([{ "powerAction": "off" }])).await;
    world.settle().await;
    let waiting = world.get("Job", "off").await.unwrap();
    assert!(waiting.get("status").is_none_or(Value::is_null), "{waiting:#}");
    create_machine(&world).await;
    world.until("Job", "off", has("Completed")).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_fails_as_often_as_told_and_never_changes_the_power_then() {
    let world = world().await;
    let rufio = start(&world, Options::default());
    create_machine(&world).await;
    rufio.power().set(NS, "bmc", Power::On);
    rufio.faults().inject_times("bmc", JobFault::ConnectError, 2);
    for (name, end) in [("one", "Failed"), ("two", "Failed"), ("three", "Completed")] {
        create_job(&world, name, json!([{ "powerAction": "off" }])).await;
        let done = world.until("Job", name, |job| has("Failed")(job) || has("Completed")(job)).await;
        assert!(has(end)(&done), "{name}");
        let expected = if end == "Failed" { Power::On } else { Power::Off };
        assert_eq!(rufio.power().get(NS, "bmc"), expected, "{name}");
        if end == "Failed" {
            assert!(done["status"].get("completionTime").is_none(), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_never_reports_goes_on_when_healed() {
    let world = world().await;
    let rufio = start(&world, Options::default());
    create_machine(&world).await;
    let fault = rufio.faults().inject("off", JobFault::NeverReports);
    create_job(&world, "off", json!([{ "powerAction": "off" }])).await;
    world.settle().await;
    let silent = world.get("Job", "off").await.unwrap();
    assert!(silent.get("status").is_none_or(Value::is_null));
    rufio.faults().heal(fault);
    world.until("Job", "off", has("Completed")).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_on_before_rufio_started_is_known_to_be_on() {
    let world = world().await;
    create_machine(&world).await;
    world.patch_status("BMC", "bmc", json!({ "powerState": "on" })).await;
    let rufio = start(&world, Options::default());
    world.settle().await;
    assert_eq!(rufio.power().get(NS, "bmc"), Power::On);
    let machine = world.get("BMC", "bmc").await.unwrap();
    assert_eq!(machine["status"]["powerState"], "on");
}
