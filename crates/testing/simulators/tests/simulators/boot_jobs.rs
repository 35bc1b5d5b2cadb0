//! The Jobs of a boot mode, as tink-controller makes them (`tink/controller/internal/workflow/{pre,job}.go`).

use std::sync::Arc;
use std::time::Duration;

use capt_simulators::bmc::{self, Power, PowerStates, Rufio};
use capt_simulators::crds::Group;
use capt_simulators::fixtures;
use capt_simulators::tinkerbell::{Options, Tinkerbell};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{NS, World};
use crate::tinkerbell::{create_template, create_workflow, start, start_with_power, state, world};

const JOB: &str = "netboot-wf";

fn netboot() -> Value {
    json!({ "bootMode": "netboot", "toggleAllowNetboot": true })
}

/// Tinkerbell alone: Jobs stay as the test leaves them.
async fn without_rufio(options: Options) -> (World, Tinkerbell) {
    let world = world(true).await;
    let tinkerbell = start(&world, options);
    create_template(&world).await;
    (world, tinkerbell)
}

fn noted(workflow: &Value) -> &Value {
    &workflow["status"]["bootOptions"]["jobs"][JOB]
}

fn conditions(workflow: &Value) -> Vec<(&str, &str)> {
    let all = workflow["status"]["conditions"].as_array().unwrap();
    all.iter().map(|c| (c["type"].as_str().unwrap(), c["message"].as_str().unwrap())).collect()
}

/// What was noted of the Job each time the Workflow was written, with its state; UIDs by the order of their coming.
fn passes(world: &World) -> Arc<Mutex<Vec<Value>>> {
    let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
    let (world, passes) = (world.clone(), Arc::clone(&seen));
    tokio::spawn(async move {
        let mut uids: Vec<Value> = Vec::new();
        loop {
            if let Some(workflow) = world.get("Workflow", "wf").await {
                let mut job = noted(&workflow).clone();
                if let Some(uid) = job.get("uid").cloned() {
                    if !uids.contains(&uid) {
                        uids.push(uid.clone());
                    }
                    job["uid"] = json!(uids.iter().position(|known| *known == uid));
                }
                let told = workflow["status"]["conditions"].as_array().map_or(0, Vec::len);
                let pass = json!([workflow["status"]["state"], told, job]);
                let mut passes = passes.lock();
                if told > 0 && passes.last() != Some(&pass) {
                    passes.push(pass);
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    seen
}

/// job.go, `handleJob`; the same is in a recording of the real one: resourceVersions 390 to 448 of
/// `case-5-netboot-deleted`.
#[tokio::test(start_paused = true)]
async fn a_boot_job_is_made_noted_deleted_and_made_again_before_it_is_waited_for() {
    let (world, _tinkerbell) = without_rufio(Options { step: Duration::from_millis(20), ..Options::default() }).await;
    let passes = passes(&world);
    create_workflow(&world, netboot()).await;
    let waiting =
        world.until("Workflow", "wf", |w| noted(w)["existingJobDeleted"] == true && noted(w)["uid"].is_string()).await;
    world.settle().await;
    let expected = [
        json!(["PREPARING", 1, null]),
        // The toggle and the first Job in one write; the Job is not noted yet.
        json!(["PREPARING", 3, null]),
        json!(["PREPARING", 3, { "uid": 0 }]),
        json!(["PREPARING", 3, { "existingJobDeleted": true }]),
        json!(["PREPARING", 3, { "existingJobDeleted": true, "uid": 1 }]),
    ];
    assert_eq!(*passes.lock(), expected);
    assert_eq!(
        conditions(&waiting),
        [
            ("TemplateRenderedSuccess", "template rendered successfully"),
            ("AllowNetbootTrue", "set allowPXE to true"),
            ("BootJobSetupComplete", "job created"),
        ]
    );
    let job = world.get("Job", JOB).await.unwrap();
    assert_eq!(noted(&waiting)["uid"], job["metadata"]["uid"]);
    world.patch_status("Job", JOB, json!({ "conditions": [{ "type": "Completed", "status": "True" }] })).await;
    let done = world.until("Workflow", "wf", |w| noted(w)["complete"] == true).await;
    assert_ne!(done["status"]["state"], "PREPARING", "complete and PENDING in one write");
    assert_eq!(conditions(&done)[3], ("BootJobComplete", "job completed"));
    let jobs = world.writes_by("tinkerbell").into_iter().filter(|(_, plural)| plural == "jobs");
    let verbs: Vec<_> = jobs.map(|(verb, _)| verb).collect();
    assert_eq!(verbs, ["create", "delete", "create"]);
}

/// job.go, `createJob`: `ownerRef` has `Controller` and nothing more.
#[tokio::test(start_paused = true)]
async fn a_boot_job_does_not_hold_up_the_deletion_of_its_workflow() {
    let (world, _tinkerbell) = without_rufio(Options::default()).await;
    create_workflow(&world, netboot()).await;
    let job = world.until("Job", JOB, |_| true).await;
    let owner = &job["metadata"]["ownerReferences"][0];
    assert_eq!((&owner["kind"], &owner["controller"]), (&json!("Workflow"), &json!(true)));
    assert!(owner.get("blockOwnerDeletion").is_none());
}

/// job.go, `createJob` and `deleteExisting`: by name, whoever made it. Tasks go by the label `owner-name`.
#[tokio::test(start_paused = true)]
async fn a_job_of_that_name_is_taken_over_and_deleted_with_every_task_of_that_label() {
    let (world, _tinkerbell) = without_rufio(Options { step: Duration::from_millis(100), ..Options::default() }).await;
    let spec = json!({ "machineRef": { "name": "hw-bmc", "namespace": NS }, "tasks": [{ "powerAction": "off" }] });
    let foreign = world.create("Job", JOB, json!({ "spec": spec })).await;
    let connection = fixtures::bmc_machine(NS, "hw-bmc")["spec"]["connection"].clone();
    for (name, label) in [("one", JOB), ("two", JOB), ("other", "another-job")] {
        let task = json!({
            "metadata": { "labels": { "owner-name": label } },
            "spec": { "task": { "powerAction": "off" }, "connection": connection },
        });
        world.create("Task", name, task).await;
    }
    create_workflow(&world, netboot()).await;
    world.until("Workflow", "wf", |w| noted(w)["uid"] == foreign["metadata"]["uid"]).await;
    let own = world.until("Job", JOB, |job| job["metadata"]["uid"] != foreign["metadata"]["uid"]).await;
    assert_eq!(own["metadata"]["ownerReferences"][0]["kind"], "Workflow");
    let left: Vec<_> = world.list("Task").await.iter().map(|task| task["metadata"]["name"].clone()).collect();
    assert_eq!(left, ["other"]);
}

/// job.go, `trackRunningJob`: the Job is looked up by its name only.
#[tokio::test(start_paused = true)]
async fn a_job_that_vanishes_while_it_is_waited_for_fails_the_workflow() {
    let (world, _tinkerbell) = without_rufio(Options::default()).await;
    create_workflow(&world, netboot()).await;
    world.until("Workflow", "wf", |w| noted(w)["existingJobDeleted"] == true && noted(w)["uid"].is_string()).await;
    world.settle().await;
    world.delete("Job", JOB).await;
    let failed = world.until("Workflow", "wf", state("FAILED")).await;
    let told = conditions(&failed).pop().unwrap();
    assert_eq!(told, ("BootJobFailed", "error getting job: jobs.bmc.tinkerbell.org \"netboot-wf\" not found"));
}

/// job.go, `handleJob`: whatever the API server says to the creation is final.
#[tokio::test(start_paused = true)]
async fn a_job_that_cannot_be_made_fails_the_workflow_at_once() {
    let (world, _tinkerbell) = without_rufio(Options::default()).await;
    let broken = memory_apiserver::Fault::status(500, "InternalError", "failed calling webhook");
    world.server.faults().inject(broken.user("tinkerbell").resource("jobs").verb("create").times(1));
    create_workflow(&world, netboot()).await;
    let failed = world.until("Workflow", "wf", state("FAILED")).await;
    let (kind, message) = conditions(&failed).pop().unwrap();
    assert_eq!(kind, "BootJobSetupFailed");
    assert!(message.starts_with("error creating job: ") && message.ends_with("failed calling webhook"), "{message}");
}

/// hardware.go and job.go sleep after they have read the Workflow.
#[tokio::test(start_paused = true)]
async fn a_boot_job_can_come_after_the_end_of_its_workflow_and_switch_the_server_on() {
    let world = World::without_collector(&[Group::Tinkerbell, Group::Bmc]).await;
    let labels = std::collections::BTreeMap::new();
    let hardware = fixtures::hardware(NS, "hw", &fixtures::mac(1), &labels, Some("hw-bmc"));
    world.create("Hardware", "hw", hardware).await;
    world.create("BMC", "hw-bmc", fixtures::bmc_machine(NS, "hw-bmc")).await;
    let power = PowerStates::default();
    let rufio = Rufio::start(&world.client_for("rufio"), bmc::Options::default(), power.clone(), &world.token);
    let options = Options { stall: Duration::from_secs(7), ..Options::default() };
    start_with_power(&world, options, Some(power));
    let data = "version: \"0.1\"\nname: n\nglobal_timeout: 6\ntasks:\n- name: t\n  worker: w\n  actions:\n  - name: a\n    image: i\n    timeout: 6\n";
    world.create("Template", "wf", json!({ "spec": { "data": data } })).await;
    create_workflow(&world, netboot()).await;
    world.until("Workflow", "wf", state("PREPARING")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.delete("Workflow", "wf").await;
    assert!(world.get("Job", JOB).await.is_none());
    assert_eq!(rufio.power().get(NS, "hw-bmc"), Power::Off);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(world.get("Job", JOB).await.is_some());
    assert_eq!(rufio.power().get(NS, "hw-bmc"), Power::On);
    let hardware = world.get("Hardware", "hw").await.unwrap();
    assert_eq!(hardware["spec"]["interfaces"][0]["netboot"]["allowPXE"], true, "nobody takes it back");
}
