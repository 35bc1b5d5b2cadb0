//! Tasks decide about Jobs by name, as in rufio (`rufio/internal/controller/{job,task}.go` of Tinkerbell).

use std::time::Duration;

use capt_simulators::bmc::{JobFault, Options, Power, PowerStates, Rufio};
use capt_simulators::crds::Group;
use capt_simulators::fixtures;
use serde_json::{Value, json};

use crate::support::{NS, World};

/// A world whose garbage collector never comes, with a server that is on.
async fn world() -> World {
    let world = World::without_collector(&[Group::Tinkerbell, Group::Bmc]).await;
    world.create("BMC", "bmc", fixtures::bmc_machine(NS, "bmc")).await;
    world
}

fn start(world: &World, options: Options) -> Rufio {
    let rufio = Rufio::start(&world.client_for("rufio"), options, PowerStates::default(), &world.token);
    rufio.power().set(NS, "bmc", Power::On);
    rufio
}

async fn create_job(world: &World, name: &str, actions: Value) {
    create_job_on(world, name, "bmc", actions).await;
}

async fn create_job_on(world: &World, name: &str, machine: &str, actions: Value) {
    let spec = json!({ "machineRef": { "name": machine, "namespace": NS }, "tasks": actions });
    world.create("Job", name, json!({ "spec": spec })).await;
}

fn off() -> Value {
    json!([{ "powerAction": "off" }])
}

fn has(condition: &'static str) -> impl Fn(&Value) -> bool {
    move |object| message(object, condition).is_some()
}

/// The message of a condition that is True.
fn message(object: &Value, condition: &str) -> Option<String> {
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|c| c["type"] == condition && c["status"] == "True")?;
    Some(found["message"].as_str().unwrap_or_default().to_owned())
}

/// job.go, `createTaskWithOwner`.
#[tokio::test(start_paused = true)]
async fn tasks_are_made_one_after_the_other_and_carry_label_owner_and_connection() {
    let world = world().await;
    let latency = Duration::from_secs(1);
    let rufio = start(&world, Options { latency, ..Options::default() });
    create_job(&world, "boot", json!([{ "bootDevice": { "device": "pxe" } }, { "powerAction": "off" }])).await;
    world.until("Task", "boot-task-0", |task| task["status"]["startTime"].is_string()).await;
    assert!(world.get("Task", "boot-task-1").await.is_none(), "the second waits for the first");
    let job = world.until("Job", "boot", has("Completed")).await;
    assert!(has("Running")(&job), "Running is never taken back");
    let machine = world.get("BMC", "bmc").await.unwrap();
    for (name, action) in
        [("boot-task-0", json!({ "bootDevice": { "device": "pxe" } })), ("boot-task-1", off()[0].clone())]
    {
        let task = world.get("Task", name).await.unwrap();
        assert!(has("Completed")(&task));
        assert_eq!(task["metadata"]["labels"]["owner-name"], "boot");
        assert_eq!(task["spec"]["task"]["powerAction"], action["powerAction"]);
        assert_eq!(task["spec"]["connection"], machine["spec"]["connection"]);
        let owner = &task["metadata"]["ownerReferences"][0];
        assert_eq!(owner["uid"], job["metadata"]["uid"]);
        assert_eq!(owner["controller"], true);
        assert!(owner.get("blockOwnerDeletion").is_none());
    }
    assert_eq!(rufio.power().get(NS, "bmc"), Power::Off);
    assert_eq!(rufio.power().calls(NS, "bmc"), 2);
}

/// job.go: `client.MatchingFields{jobOwnerKey: job.Name}` and `TaskOwnerIndexFunc`, which compare no UIDs.
#[tokio::test(start_paused = true)]
async fn a_completed_task_of_an_earlier_job_completes_the_next_without_a_call() {
    let world = world().await;
    let rufio = start(&world, Options::default());
    create_job(&world, "off", off()).await;
    let first = world.until("Job", "off", has("Completed")).await;
    rufio.power().set(NS, "bmc", Power::On);
    world.delete("Job", "off").await;
    create_job(&world, "off", off()).await;
    let second = world.until("Job", "off", has("Completed")).await;
    assert_ne!(first["metadata"]["uid"], second["metadata"]["uid"]);
    assert!(second["status"]["startTime"].is_string() && second["status"]["completionTime"].is_string());
    world.settle().await;
    assert_eq!(rufio.power().calls(NS, "bmc"), 1, "only the first Job reached the BMC");
    assert_eq!(rufio.power().get(NS, "bmc"), Power::On, "proof of nothing");
}

/// job.go: a Task with condition Failed.
#[tokio::test(start_paused = true)]
async fn a_failed_task_of_an_earlier_job_fails_the_next_without_a_call() {
    let world = world().await;
    let rufio = start(&world, Options::default());
    rufio.faults().inject_times("bmc", JobFault::Fails, 1);
    create_job(&world, "off", off()).await;
    world.until("Job", "off", has("Failed")).await;
    world.delete("Job", "off").await;
    create_job(&world, "off", off()).await;
    let second = world.until("Job", "off", has("Failed")).await;
    assert_eq!(message(&second, "Failed").unwrap(), format!("task {NS}/off-task-0 failed"));
    assert_eq!(rufio.power().calls(NS, "bmc"), 1);
    // Where there is no collector, somebody has to take the Task away.
    world.delete("Job", "off").await;
    world.delete("Task", "off-task-0").await;
    create_job(&world, "off", off()).await;
    world.until("Job", "off", has("Completed")).await;
    assert_eq!(rufio.power().get(NS, "bmc"), Power::Off);
}

/// job.go: a Task with neither condition ends the look before the status is written.
#[tokio::test(start_paused = true)]
async fn a_running_task_of_an_earlier_job_leaves_the_next_without_status_and_ends_it() {
    let world = world().await;
    let rufio = start(&world, Options { latency: Duration::from_secs(2), ..Options::default() });
    create_job(&world, "off", off()).await;
    world.until("Task", "off-task-0", |_| true).await;
    world.delete("Job", "off").await;
    create_job(&world, "off", off()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let waiting = world.get("Job", "off").await.unwrap();
    assert!(waiting.get("status").is_none_or(Value::is_null), "{waiting:#}");
    world.until("Job", "off", has("Completed")).await;
    assert_eq!(rufio.power().calls(NS, "bmc"), 1);
}

/// job.go: `job.Spec.Tasks[taskIndex]` with an index that is too large; controller-runtime recovers the panic.
#[tokio::test(start_paused = true)]
async fn more_completed_tasks_than_actions_leave_a_job_without_status_for_ever() {
    let world = world().await;
    start(&world, Options::default());
    create_job(&world, "m", json!([{ "powerAction": "off" }, { "powerAction": "on" }])).await;
    world.until("Job", "m", has("Completed")).await;
    world.delete("Job", "m").await;
    create_job(&world, "m", off()).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let job = world.get("Job", "m").await.unwrap();
    assert!(job.get("status").is_none_or(Value::is_null), "{job:#}");
}

/// job.go: label `owner-name`, and Failed with the API server's words.
#[tokio::test(start_paused = true)]
async fn a_job_name_of_more_than_63_characters_fails_in_the_api_servers_words() {
    let world = world().await;
    let rufio = start(&world, Options::default());
    for (length, end) in [(63, "Completed"), (64, "Failed")] {
        let name = "j".repeat(length);
        create_job(&world, &name, off()).await;
        let job = world.until("Job", &name, |job| has("Completed")(job) || has("Failed")(job)).await;
        assert!(has(end)(&job), "{length}: {job:#}");
        if end == "Failed" {
            let expected = format!(
                "failed to create Task {NS}/{name}-task-0: Task.bmc.tinkerbell.org \"{name}-task-0\" is invalid: \
                 metadata.labels: Invalid value: \"{name}\": must be no more than 63 bytes"
            );
            assert_eq!(message(&job, "Failed").unwrap(), expected);
            assert!(has("Running")(&job) && job["status"]["startTime"].is_string());
        }
    }
    assert_eq!(rufio.power().calls(NS, "bmc"), 1);
}

/// job.go: any error of `createTaskWithOwner` is final.
#[tokio::test(start_paused = true)]
async fn a_task_that_cannot_be_made_fails_the_job_at_once_whatever_the_reason() {
    let world = world().await;
    start(&world, Options::default());
    let broken = memory_apiserver::Fault::status(500, "InternalError", "failed calling webhook");
    world.server.faults().inject(broken.user("rufio").resource("tasks").verb("create").times(1));
    create_job(&world, "off", off()).await;
    let job = world.until("Job", "off", has("Failed")).await;
    let words = message(&job, "Failed").unwrap();
    assert_eq!(words, format!("failed to create Task {NS}/off-task-0: failed calling webhook"));
}

/// job.go: `getMachine` fails before any status is written.
#[tokio::test(start_paused = true)]
async fn a_job_without_its_bmc_machine_has_no_status_and_goes_on_when_it_comes() {
    let world = world().await;
    start(&world, Options::default());
    create_job_on(&world, "off", "late", off()).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let waiting = world.get("Job", "off").await.unwrap();
    assert!(waiting.get("status").is_none_or(Value::is_null), "{waiting:#}");
    world.create("BMC", "late", fixtures::bmc_machine(NS, "late")).await;
    world.until("Job", "off", has("Completed")).await;
}

/// task.go looks at the Task only.
#[tokio::test(start_paused = true)]
async fn a_task_runs_although_its_job_was_deleted() {
    let world = world().await;
    let rufio = start(&world, Options { latency: Duration::from_secs(2), ..Options::default() });
    create_job(&world, "off", off()).await;
    world.until("Task", "off-task-0", |_| true).await;
    world.delete("Job", "off").await;
    world.until("Task", "off-task-0", has("Completed")).await;
    assert_eq!(rufio.power().get(NS, "bmc"), Power::Off);
}

/// task.go: the call that is under way is not called back.
#[tokio::test(start_paused = true)]
async fn a_command_under_way_reaches_the_server_although_its_task_was_deleted() {
    let world = world().await;
    let rufio = start(&world, Options { latency: Duration::from_secs(2), ..Options::default() });
    create_job(&world, "off", off()).await;
    world.until("Task", "off-task-0", |_| true).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.delete("Job", "off").await;
    world.delete("Task", "off-task-0").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(rufio.power().get(NS, "bmc"), Power::Off);
}

/// `MaxConcurrentReconciles: 1` in rufio.go.
#[tokio::test(start_paused = true)]
async fn with_one_worker_a_slow_call_holds_up_the_bmc_of_others() {
    for (workers, expected) in [(1, Power::On), (2, Power::Off)] {
        let world = world().await;
        world.create("BMC", "other", fixtures::bmc_machine(NS, "other")).await;
        let rufio = start(&world, Options { latency: Duration::from_secs(10), workers, ..Options::default() });
        rufio.power().set(NS, "other", Power::On);
        create_job(&world, "a", off()).await;
        world.until("Task", "a-task-0", |_| true).await;
        create_job_on(&world, "b", "other", off()).await;
        tokio::time::sleep(Duration::from_secs(25)).await;
        assert_eq!(rufio.power().get(NS, "bmc"), Power::Off, "{workers}");
        assert_eq!(rufio.power().get(NS, "other"), expected, "{workers}");
    }
}

/// A rufio that starts anew knows Tasks by their connection alone.
#[tokio::test(start_paused = true)]
async fn a_task_is_run_by_the_next_rufio_when_one_stops() {
    let world = world().await;
    world.create("BMC", "other", fixtures::bmc_machine(NS, "other")).await;
    let first = start(&world, Options { latency: Duration::from_secs(60), ..Options::default() });
    create_job(&world, "off", off()).await;
    world.until("Task", "off-task-0", |_| true).await;
    first.stop().await;
    world.delete("Job", "off").await;
    let second = start(&world, Options::default());
    world.until("Task", "off-task-0", has("Completed")).await;
    assert_eq!(second.power().get(NS, "bmc"), Power::Off);
    assert_eq!(second.power().calls(NS, "other"), 0);
}
