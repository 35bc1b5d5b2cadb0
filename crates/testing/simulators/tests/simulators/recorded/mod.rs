//! The recorded cases of Tinkerbell's own controllers, played again on the stand-ins.
//!
//! `golden/tinkerbell/events.jsonl` holds what the real ones did (see the README beside it). Of a case's events those that
//! capt-manager, a person, the agent or the garbage collector brought about are done again, at their times; what rufio and
//! tink-controller made of them has to be the same: the same events in the same order, with the same labels, owners, specs
//! and statuses, conditions in their order and times to the second.
//!
//! What stays different is listed with its reason in `golden/tinkerbell/differences.yaml`. An entry that is no longer true
//! is a failure, too.

mod compare;
mod recording;
mod replay;

use std::time::Duration;

use capt_simulators::bmc::{JobFault, Power};

use compare::Listed;
use recording::Recording;
use replay::Replay;
use serde_json::json;

/// What the events of a case do not tell.
#[derive(Clone, Copy)]
pub struct Case {
    namespace: &'static str,
    /// How long one call to a BMC took; opening a connection is one.
    latency: Duration,
    /// Whether the server was on at the beginning.
    power: Power,
    /// When somebody switched it on, in seconds.
    switched_on: Option<f64>,
    /// What is wrong with the BMC.
    fault: Option<JobFault>,
    /// What `spec.bmcRef` of the Hardware names.
    bmc: &'static str,
    /// The boot mode of the Workflow.
    boot_mode: Option<&'static str>,
    /// How long tink-controller's watch of Templates was broken when the Template was made.
    template_late: Option<Duration>,
}

const QUICK: Case = Case {
    namespace: "",
    latency: Duration::from_millis(20),
    power: Power::On,
    switched_on: None,
    fault: None,
    bmc: "b1",
    boot_mode: None,
    template_late: None,
};

/// Plays a case; gives the power of its server at the end, and how many commands have reached its BMC.
async fn play(case: Case) -> (Power, u64) {
    let recording = Recording::of(case.namespace);
    let replay = Replay::run(case, &recording).await;
    let found = compare::differences(case.namespace, &recording.told(), &replay.told());
    let listed = Listed::of(case.namespace);
    let complaints: Vec<String> = listed.judge(&found);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    (replay.power, replay.calls)
}

/// The power-off of a machine is Completed by what an earlier Job left; the server stays on, whoever believes it.
#[tokio::test(start_paused = true)]
async fn a_leftover_task_completes_a_job_as_recorded() {
    let late = Some(Duration::from_millis(5));
    let case = Case { namespace: "case-1-leftover", switched_on: Some(5.0), template_late: late, ..QUICK };
    assert_eq!(play(case).await, (Power::On, 1), "only the first Job reached the BMC");
}

#[tokio::test(start_paused = true)]
async fn a_job_with_a_long_name_fails_as_recorded() {
    let case = Case { namespace: "case-2-long-name", ..QUICK };
    assert_eq!(play(case).await, (Power::On, 0));
}

#[tokio::test(start_paused = true)]
async fn a_job_without_its_bmc_machine_stays_without_status_as_recorded() {
    let case = Case { namespace: "case-3-no-bmc-machine", bmc: "gone", ..QUICK };
    play(case).await;
}

#[tokio::test(start_paused = true)]
async fn a_bmc_that_calls_off_an_error_is_told_as_recorded() {
    let (latency, fault) = (Duration::from_millis(8), Some(JobFault::OffIsAnError));
    let case = Case { namespace: "case-4-off-is-an-error", latency, power: Power::Off, fault, ..QUICK };
    assert_eq!(play(case).await, (Power::Off, 2), "the two Jobs between found a Task that had failed");
}

/// The server is on when its Hardware is free: the boot Job outlived its Workflow.
#[tokio::test(start_paused = true)]
async fn a_boot_job_outlives_its_workflow_as_recorded() {
    let latency = Duration::from_secs(2);
    let case = Case { namespace: "case-5-netboot-deleted", latency, boot_mode: Some("netboot"), ..QUICK };
    assert_eq!(play(case).await, (Power::On, 4));
}

/// The order of one kind's events among another's is a difference, too.
#[test]
fn events_of_two_kinds_that_change_places_are_told() {
    let event = |kind: &str| json!({ "event": "ADDED", "kind": kind, "name": "x" });
    let (recorded, replayed) = ([event("Job"), event("Task")], [event("Task"), event("Job")]);
    let found = compare::differences("case", &recorded, &replayed);
    let places: Vec<_> = found.iter().map(|difference| difference.place.as_str()).collect();
    assert_eq!(places, ["case/order/1", "case/order/2"]);
}

/// Whoever adds a case to the recording must add its test.
#[test]
fn no_recorded_case_is_left_out() {
    let known = [
        "case-1-leftover",
        "case-2-long-name",
        "case-3-no-bmc-machine",
        "case-4-off-is-an-error",
        "case-5-netboot-deleted",
    ];
    assert_eq!(Recording::namespaces(), known);
    let strangers = Listed::namespaces().into_iter().filter(|listed| !known.contains(&listed.as_str()));
    assert_eq!(strangers.collect::<Vec<_>>(), Vec::<String>::new());
}

/// The judge itself: a difference must be listed, and a listed one must be there, as it is listed.
#[test]
fn an_unlisted_difference_and_a_listed_one_that_is_gone_are_both_told() {
    let (place, gone) = ("case/Job/1/status", "case/order/1");
    let found = |replayed: &str| {
        let events = |state: &str| [json!({ "event": "ADDED", "kind": "Job", "name": "j", "status": state })];
        compare::differences("case", &events("a"), &events(replayed))
    };
    let entry = |place: &str| format!("- {{place: {place}, recorded: a, replayed: b, why: so}}");
    let judge = |entries: &[String], replayed: &str| Listed::parse(&entries.join("\n")).judge(&found(replayed)).len();
    assert_eq!(judge(&[], "a"), 0);
    assert_eq!(judge(&[], "b"), 1, "not listed");
    assert_eq!(judge(&[entry(place)], "b"), 0);
    assert_eq!(judge(&[entry(place)], "a"), 1, "no longer true");
    assert_eq!(judge(&[entry(place)], "c"), 2, "another one than the listed");
    assert_eq!(judge(&[entry(place), entry(gone)], "b"), 1);
    assert_eq!(judge(&[entry(place).replace("so", "''")], "b"), 1, "nobody says why");
}
