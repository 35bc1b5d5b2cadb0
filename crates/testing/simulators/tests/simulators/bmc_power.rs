//! BMCs that misbehave, and what a BMC Machine says (`rufio/internal/controller/{task,machine}.go` of Tinkerbell).

use std::time::Duration;

use capt_simulators::bmc::{JobFault, Options, Power, PowerStates, Rufio};
use capt_simulators::crds::Group;
use capt_simulators::fixtures;
use serde_json::{Value, json};

use crate::support::{NS, World};

async fn world() -> World {
    let world = World::new(&[Group::Tinkerbell, Group::Bmc]).await;
    world.create("BMC", "bmc", fixtures::bmc_machine(NS, "bmc")).await;
    world
}

fn start(world: &World, options: Options, power: Power) -> Rufio {
    let states = PowerStates::default();
    states.set(NS, "bmc", power);
    Rufio::start(&world.client_for("rufio"), options, states, &world.token)
}

async fn create_job(world: &World, action: &str) {
    let spec = json!({ "machineRef": { "name": "bmc", "namespace": NS }, "tasks": [{ "powerAction": action }] });
    world.create("Job", "job", json!({ "spec": spec })).await;
}

fn failure(object: &Value) -> Option<String> {
    let conditions = object["status"]["conditions"].as_array()?;
    let failed = conditions.iter().find(|c| c["type"] == "Failed" && c["status"] == "True")?;
    Some(failed["message"].as_str().unwrap_or_default().to_owned())
}

fn is_failed(object: &Value) -> bool {
    failure(object).is_some()
}

/// task.go, `doReconcile`: a client that cannot be had.
#[tokio::test(start_paused = true)]
async fn a_bmc_without_connection_fails_task_and_job_at_once() {
    let world = world().await;
    let rufio = start(&world, Options::default(), Power::On);
    rufio.faults().inject("bmc", JobFault::ConnectError);
    let begin = tokio::time::Instant::now();
    create_job(&world, "off").await;
    world.until("Job", "job", is_failed).await;
    assert!(begin.elapsed() < Duration::from_secs(1));
    let task = world.get("Task", "job-task-0").await.unwrap();
    let words = failure(&task).unwrap();
    assert!(words.starts_with("Failed to connect to BMC: failed to open connection to BMC: "), "{words}");
    assert!(task["status"].get("startTime").is_none(), "it never began");
    assert_eq!(rufio.power().calls(NS, "bmc"), 0);
}

/// task.go, `doReconcile` and `checkTaskStatus`: ten minutes from `startTime`, whether the question is not answered or
/// the answer is the wrong one.
#[tokio::test(start_paused = true)]
async fn a_bmc_that_does_not_do_it_fails_the_task_after_ten_minutes() {
    for fault in [JobFault::NeverAnswers, JobFault::Ignores] {
        let world = world().await;
        let rufio = start(&world, Options::default(), Power::On);
        rufio.faults().inject("bmc", fault);
        create_job(&world, "off").await;
        tokio::time::sleep(Duration::from_secs(590)).await;
        let running = world.get("Task", "job-task-0").await.unwrap();
        assert!(running["status"]["startTime"].is_string() && !is_failed(&running), "{fault:?}: {running:#}");
        tokio::time::sleep(Duration::from_secs(20)).await;
        let words = failure(&world.get("Task", "job-task-0").await.unwrap()).unwrap();
        assert!(words.starts_with("bmc task timeout: 60"), "{fault:?}: {words}");
        let words = failure(&world.get("Job", "job").await.unwrap()).unwrap();
        assert_eq!(words, format!("task {NS}/job-task-0 failed"), "{fault:?}");
        assert_eq!(rufio.power().get(NS, "bmc"), Power::On);
    }
}

/// task.go, `checkTaskStatus`: a look every three seconds until the power is the wanted one.
#[tokio::test(start_paused = true)]
async fn off_on_and_soft_wait_for_the_power_they_want() {
    for (action, before, wanted) in
        [("off", Power::On, Power::Off), ("soft", Power::On, Power::Off), ("on", Power::Off, Power::On)]
    {
        let world = world().await;
        let rufio = start(&world, Options::default(), before);
        let fault = rufio.faults().inject("bmc", JobFault::Ignores);
        create_job(&world, action).await;
        world.settle().await;
        rufio.faults().heal(fault);
        world.settle().await;
        let waiting = world.get("Job", "job").await.unwrap();
        assert!(waiting["status"].get("completionTime").is_none(), "{action}: {waiting:#}");
        // Somebody presses the button.
        rufio.power().set(NS, "bmc", wanted);
        let begin = tokio::time::Instant::now();
        world.until("Job", "job", |job| job["status"]["completionTime"].is_string()).await;
        assert!(begin.elapsed() < Duration::from_secs(4), "{action}");
    }
}

/// Case 4 of the recordings: the words stand on the Task, not on the Job.
#[tokio::test(start_paused = true)]
async fn off_is_an_error_for_some_bmcs_when_the_server_is_off() {
    let world = world().await;
    let rufio = start(&world, Options::default(), Power::Off);
    rufio.faults().inject("bmc", JobFault::OffIsAnError);
    create_job(&world, "off").await;
    let job = world.until("Job", "job", is_failed).await;
    assert_eq!(failure(&job).unwrap(), format!("task {NS}/job-task-0 failed"));
    let words = failure(&world.get("Task", "job-task-0").await.unwrap()).unwrap();
    assert!(words.contains("Command not supported in present state"), "{words}");
    world.delete("Job", "job").await;
    world.until_gone("Task", "job-task-0").await;
    rufio.power().set(NS, "bmc", Power::On);
    create_job(&world, "off").await;
    world.until("Job", "job", |job| job["status"]["completionTime"].is_string()).await;
}

#[tokio::test(start_paused = true)]
async fn a_bmc_that_fails_n_times_works_afterwards() {
    let world = world().await;
    let rufio = start(&world, Options::default(), Power::On);
    rufio.faults().inject_times("bmc", JobFault::Fails, 2);
    for fails in [true, true, false] {
        create_job(&world, "off").await;
        let ended = |job: &Value| is_failed(job) || job["status"]["completionTime"].is_string();
        let job = world.until("Job", "job", ended).await;
        assert_eq!(is_failed(&job), fails);
        world.delete("Job", "job").await;
        world.until_gone("Task", "job-task-0").await;
    }
    assert_eq!(rufio.power().get(NS, "bmc"), Power::Off);
}

fn power_state(machine: &Value) -> &str {
    machine["status"]["powerState"].as_str().unwrap_or_default()
}

/// machine.go: `For(&bmc.Machine{})` and `RequeueAfter: r.powerCheckInterval`, 30 minutes in rufio.go.
#[tokio::test(start_paused = true)]
async fn the_power_state_is_late_until_the_machine_is_touched_or_the_interval_is_over() {
    let world = world().await;
    let rufio = start(&world, Options::default(), Power::On);
    world.until("BMC", "bmc", |machine| power_state(machine) == "on").await;
    rufio.power().set(NS, "bmc", Power::Off);
    tokio::time::sleep(Duration::from_secs(29 * 60)).await;
    assert_eq!(power_state(&world.get("BMC", "bmc").await.unwrap()), "on", "nobody has looked");
    tokio::time::sleep(Duration::from_secs(2 * 60)).await;
    assert_eq!(power_state(&world.get("BMC", "bmc").await.unwrap()), "off");
    rufio.power().set(NS, "bmc", Power::On);
    world.patch("BMC", "bmc", json!({ "metadata": { "annotations": { "example.org/look": "1" } } })).await;
    let begin = tokio::time::Instant::now();
    world.until("BMC", "bmc", |machine| power_state(machine) == "on").await;
    assert!(begin.elapsed() < Duration::from_secs(1));
}

/// machine.go: `client.MergeFrom` of nothing new is no event.
#[tokio::test(start_paused = true)]
async fn a_machine_whose_state_did_not_change_is_not_written() {
    let world = world().await;
    start(&world, Options { power_check_interval: Duration::from_secs(5), ..Options::default() }, Power::On);
    let before = world.until("BMC", "bmc", |machine| power_state(machine) == "on").await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let after = world.get("BMC", "bmc").await.unwrap();
    assert_eq!(before["metadata"]["resourceVersion"], after["metadata"]["resourceVersion"]);
}

/// `SetCondition` of `api/v1alpha1/bmc/machine.go`: the time is that of the condition's last change of status.
#[tokio::test(start_paused = true)]
async fn last_update_time_of_contactable_does_not_tell_when_the_power_was_read() {
    let world = world().await;
    let rufio =
        start(&world, Options { power_check_interval: Duration::from_secs(5), ..Options::default() }, Power::On);
    let before = world.until("BMC", "bmc", |machine| power_state(machine) == "on").await;
    rufio.power().set(NS, "bmc", Power::Off);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let after = world.get("BMC", "bmc").await.unwrap();
    assert_eq!(power_state(&after), "off");
    assert_eq!(before["status"]["conditions"], after["status"]["conditions"]);
}

/// machine.go, `doReconcile` and `updatePowerState`.
#[tokio::test(start_paused = true)]
async fn a_bmc_that_does_not_answer_is_not_contactable_and_its_power_unknown() {
    for (fault, words) in
        [(JobFault::ConnectError, "failed to open connection to BMC: "), (JobFault::NeverAnswers, "get power state: ")]
    {
        let world = world().await;
        let options = Options { power_check_interval: Duration::from_secs(5), ..Options::default() };
        let rufio = start(&world, options, Power::On);
        world.until("BMC", "bmc", |machine| power_state(machine) == "on").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let id = rufio.faults().inject("bmc", fault);
        let machine = world.until("BMC", "bmc", |machine| power_state(machine) == "unknown").await;
        let condition = &machine["status"]["conditions"][0];
        assert_eq!((&condition["type"], &condition["status"]), (&json!("Contactable"), &json!("False")));
        assert!(condition["message"].as_str().unwrap().starts_with(words), "{condition}");
        rufio.faults().heal(id);
        let machine = world.until("BMC", "bmc", |machine| power_state(machine) == "on").await;
        let condition = &machine["status"]["conditions"][0];
        assert_eq!(condition["status"], "True");
        assert!(condition.get("message").is_none());
        assert!(condition["lastUpdateTime"].is_string());
    }
}
