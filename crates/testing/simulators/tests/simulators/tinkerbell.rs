//! Workflows from rendering to success, and everything that can go wrong on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use capt_simulators::bmc::{self, Power, PowerStates, Rufio};
use capt_simulators::crds::Group;
use capt_simulators::fixtures;
use capt_simulators::tinkerbell::{Options, Tinkerbell, WorkflowFault};
use memory_apiserver::Fault;
use serde_json::{Value, json};

use crate::support::{NS, World};

const TEMPLATE: &str = r#"
version: "0.1"
name: {{ .Hardware.Metadata.Instance.Hostname }}
global_timeout: 600
tasks:
- name: install
  worker: {{ .device_1 }}
  volumes: [/dev:/dev]
  actions:
  - name: write disk
    image: quay.io/tinkerbell/actions/oci2disk
    timeout: 60
    environment:
      DEST_DISK: {{ index .Hardware.Disks 0 }}
      PARTITION: {{ formatPartition (index .Hardware.Disks 0) 1 }}
      ADDRESS: {{ (index .hardware.spec.interfaces 0).dhcp.ip.address }}
      NETMASK: {{ (index .Hardware.Interfaces 0).DHCP.IP.Netmask }}
      MODE: 0600
  - name: reboot
    image: ghcr.io/jacobweinstock/waitdaemon:0.2.1
    timeout: 90
    pid: host
"#;

pub async fn world(bmc: bool) -> World {
    let world = World::new(&[Group::Tinkerbell, Group::Bmc]).await;
    let labels = BTreeMap::new();
    let mut hardware = fixtures::hardware(NS, "hw", &fixtures::mac(1), &labels, bmc.then_some("hw-bmc"));
    hardware["spec"]["interfaces"][0]["dhcp"]["ip"] =
        json!({ "address": "10.0.0.5", "netmask": "255.255.255.0", "gateway": "10.0.0.1", "family": 4 });
    world.create("Hardware", "hw", hardware).await;
    if bmc {
        world.create("BMC", "hw-bmc", fixtures::bmc_machine(NS, "hw-bmc")).await;
    }
    world
}

pub async fn create_template(world: &World) {
    world.create("Template", "wf", json!({ "spec": { "data": TEMPLATE } })).await;
}

pub async fn create_workflow(world: &World, boot_options: Value) {
    let spec = json!({
        "templateRef": "wf", "hardwareRef": "hw", "hardwareMap": { "device_1": fixtures::mac(1) },
        "bootOptions": boot_options,
    });
    world.create("Workflow", "wf", json!({ "spec": spec })).await;
}

pub fn start(world: &World, options: Options) -> Tinkerbell {
    start_with_power(world, options, None)
}

pub fn start_with_power(world: &World, options: Options, power: Option<PowerStates>) -> Tinkerbell {
    Tinkerbell::start(&world.client_for("tinkerbell"), options, power, &world.token)
}

pub fn state(expected: &'static str) -> impl Fn(&Value) -> bool {
    move |workflow| workflow["status"]["state"] == expected
}

async fn allows_pxe(world: &World) -> bool {
    let hardware = world.get("Hardware", "hw").await.unwrap();
    hardware["spec"]["interfaces"][0]["netboot"]["allowPXE"] == true
}

#[tokio::test(start_paused = true)]
async fn a_workflow_goes_through_every_state_with_the_rendered_tasks() {
    let world = world(false).await;
    start(&world, Options::default());
    let states = world.trace("Workflow", "wf", "/status/state");
    let agents = world.trace("Workflow", "wf", "/status/currentState/actionName");
    create_template(&world).await;
    create_workflow(&world, json!({ "toggleAllowNetboot": true })).await;
    let done = world.until("Workflow", "wf", state("SUCCESS")).await;
    assert_eq!(*states.lock(), ["", "PREPARING", "PENDING", "RUNNING", "POST", "SUCCESS"]);
    assert_eq!(*agents.lock(), ["", "write disk", "reboot"]);
    let task = &done["status"]["tasks"][0];
    assert_eq!(task["agentID"], fixtures::mac(1));
    let action = &task["actions"][0];
    let environment = json!({
        "ADDRESS": "10.0.0.5", "DEST_DISK": "/dev/sda", "MODE": "0600", "NETMASK": "255.255.255.0",
        "PARTITION": "/dev/sda1",
    });
    assert_eq!(action["environment"], environment);
    assert_eq!(action["state"], "SUCCESS");
    assert_eq!(task["actions"][1]["state"], "SUCCESS");
    assert!(action["executionStop"].is_string());
    assert_eq!(done["status"]["templateRendering"], "successful");
    let netboot = &done["status"]["bootOptions"]["allowNetboot"];
    assert_eq!(*netboot, json!({ "toggledTrue": true, "toggledFalse": true }));
    assert!(!allows_pxe(&world).await, "switched back");
}

#[tokio::test(start_paused = true)]
async fn coarse_mode_keeps_every_state_with_five_writes() {
    let world = world(false).await;
    let options = Options { coarse: true, step: Duration::ZERO, ..Options::default() };
    start(&world, options);
    let states = world.trace("Workflow", "wf", "/status/state");
    create_template(&world).await;
    create_workflow(&world, json!({ "toggleAllowNetboot": true })).await;
    let done = world.until("Workflow", "wf", state("SUCCESS")).await;
    assert_eq!(*states.lock(), ["", "PREPARING", "PENDING", "RUNNING", "POST", "SUCCESS"]);
    assert_eq!(done["status"]["tasks"][0]["actions"][1]["state"], "SUCCESS");
    world.settle().await;
    let writes = world.writes_by("tinkerbell");
    let count = |plural: &str| writes.iter().filter(|(_, p)| p == plural).count();
    assert_eq!((count("workflows"), count("hardware")), (5, 2));
}

#[tokio::test(start_paused = true)]
async fn without_boot_options_a_workflow_starts_pending_and_leaves_the_hardware_alone() {
    let world = world(false).await;
    start(&world, Options::default());
    let states = world.trace("Workflow", "wf", "/status/state");
    create_template(&world).await;
    create_workflow(&world, json!({})).await;
    world.until("Workflow", "wf", state("SUCCESS")).await;
    assert_eq!(*states.lock(), ["", "PENDING", "RUNNING", "POST", "SUCCESS"]);
    assert!(world.writes_by("tinkerbell").iter().all(|(_, plural)| plural != "hardware"));
}

#[tokio::test(start_paused = true)]
async fn a_template_that_does_not_render_fails_visibly_and_is_tried_again() {
    let world = world(false).await;
    start(&world, Options::default());
    let failed = |workflow: &Value| workflow["status"]["templateRendering"] == "failed";
    create_workflow(&world, json!({})).await;
    let missing = world.until("Workflow", "wf", failed).await;
    assert!(missing["status"].get("state").is_none());
    assert_eq!(missing["status"]["conditions"][0]["status"], "False");
    assert_eq!(missing["status"]["conditions"][0]["message"], "template not found", "reconciler.go, processWorkflow");
    // A missing key is an error, as with Tinkerbell.
    world.create("Template", "wf", json!({ "spec": { "data": "name: {{ .nothing }}" } })).await;
    world.settle().await;
    assert!(failed(&world.get("Workflow", "wf").await.unwrap()));
    world.patch("Template", "wf", json!({ "spec": { "data": TEMPLATE } })).await;
    let done = world.until("Workflow", "wf", state("SUCCESS")).await;
    assert_eq!(done["status"]["templateRendering"], "successful");
}

#[tokio::test(start_paused = true)]
async fn a_disabled_workflow_only_gets_its_agent() {
    let world = world(false).await;
    start(&world, Options::default());
    create_template(&world).await;
    create_workflow(&world, json!({})).await;
    world.until("Workflow", "wf", state("SUCCESS")).await;
    let spec = json!({
        "templateRef": "wf", "hardwareRef": "hw", "hardwareMap": { "device_1": "x" }, "disabled": true,
    });
    world.create("Workflow", "off", json!({ "spec": spec })).await;
    world.settle().await;
    let off = world.get("Workflow", "off").await.unwrap();
    assert_eq!(off["status"], json!({ "agentID": "x" }));
}

#[tokio::test(start_paused = true)]
async fn each_fault_ends_where_the_real_one_ends() {
    for (fault, end, pxe_stays) in [
        (WorkflowFault::AgentFails, "FAILED", true),
        (WorkflowFault::AgentTimesOut, "TIMEOUT", true),
        (WorkflowFault::PreparingFails, "FAILED", false),
        (WorkflowFault::HardwareDeletedInPost, "FAILED", false),
    ] {
        let world = world(false).await;
        let tinkerbell = start(&world, Options::default());
        tinkerbell.faults().inject("hw", fault);
        let states = world.trace("Workflow", "wf", "/status/state");
        create_template(&world).await;
        create_workflow(&world, json!({ "toggleAllowNetboot": true })).await;
        world.until("Workflow", "wf", state(end)).await;
        world.settle().await;
        let states = states.lock().clone();
        assert_eq!(states.last().unwrap(), end, "{fault:?}: nothing retries");
        let deleted = fault == WorkflowFault::HardwareDeletedInPost;
        assert_eq!(states.contains(&"POST".to_owned()), deleted, "{fault:?}");
        assert_eq!(world.get("Hardware", "hw").await.is_none(), deleted, "{fault:?}");
        if !deleted {
            assert_eq!(allows_pxe(&world).await, pxe_stays, "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn faults_that_heal_let_the_workflow_go_on() {
    for (fault, stuck_in) in [(WorkflowFault::RenderFails, ""), (WorkflowFault::StuckPending, "PENDING")] {
        let world = world(false).await;
        let tinkerbell = start(&world, Options::default());
        let id = tinkerbell.faults().inject("wf*", fault);
        create_template(&world).await;
        create_workflow(&world, json!({ "toggleAllowNetboot": true })).await;
        world.settle().await;
        let stuck = world.get("Workflow", "wf").await.unwrap();
        assert_eq!(stuck["status"]["state"].as_str().unwrap_or_default(), stuck_in);
        tinkerbell.faults().heal(id);
        world.until("Workflow", "wf", state("SUCCESS")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_report_brings_post_back_once() {
    let world = world(false).await;
    let tinkerbell = start(&world, Options::default());
    tinkerbell.faults().inject("wf", WorkflowFault::LateSuccess);
    let states = world.trace("Workflow", "wf", "/status/state");
    create_template(&world).await;
    create_workflow(&world, json!({ "toggleAllowNetboot": true })).await;
    world.until("Workflow", "wf", state("SUCCESS")).await;
    world.settle().await;
    let expected = ["", "PREPARING", "PENDING", "RUNNING", "POST", "SUCCESS", "POST", "SUCCESS"];
    assert_eq!(*states.lock(), expected);
}

#[tokio::test(start_paused = true)]
async fn the_agent_runs_only_while_its_server_is_on() {
    let world = world(true).await;
    let power = PowerStates::default();
    let options = Options { power_on: false, ..Options::default() };
    start_with_power(&world, options, Some(power.clone()));
    create_template(&world).await;
    create_workflow(&world, json!({ "toggleAllowNetboot": true })).await;
    world.settle().await;
    assert!(state("PENDING")(&world.get("Workflow", "wf").await.unwrap()));
    power.set(NS, "hw-bmc", Power::On);
    world.until("Workflow", "wf", state("SUCCESS")).await;
}

#[tokio::test(start_paused = true)]
async fn a_workflow_that_reaches_pending_switches_its_server_on() {
    let world = world(true).await;
    let power = PowerStates::default();
    start_with_power(&world, Options::default(), Some(power.clone()));
    create_template(&world).await;
    create_workflow(&world, json!({ "toggleAllowNetboot": true })).await;
    world.until("Workflow", "wf", state("SUCCESS")).await;
    assert_eq!(power.get(NS, "hw-bmc"), Power::On);
}

#[tokio::test(start_paused = true)]
async fn every_boot_mode_boots_the_server_by_its_own_jobs() {
    for (mode, more, before, after) in [
        ("netboot", json!({}), "netboot-wf", None),
        ("isoboot", json!({ "isoURL": "http://192.0.2.1/hook.iso" }), "iso-mount-wf", Some("iso-eject-wf")),
        (
            "customboot",
            json!({ "custombootConfig": {
                "preparingActions": [
                    { "virtualMediaAction": { "kind": "CD", "mediaURL": "http://{{ (index .Hardware.Disks 0).Device }}" } },
                    { "powerAction": "on" },
                ],
                "postActions": [{ "bootDevice": { "device": "disk" } }],
            } }),
            "customboot-preparing-wf",
            Some("customboot-post-wf"),
        ),
    ] {
        let world = world(true).await;
        let power = PowerStates::default();
        let rufio = Rufio::start(&world.client_for("rufio"), bmc::Options::default(), power.clone(), &world.token);
        start_with_power(&world, Options::default(), Some(power.clone()));
        create_template(&world).await;
        let mut options = more;
        options["bootMode"] = json!(mode);
        options["toggleAllowNetboot"] = json!(true);
        create_workflow(&world, options).await;
        let done = world.until("Workflow", "wf", state("SUCCESS")).await;
        assert_eq!(rufio.power().get(NS, "hw-bmc"), Power::On, "{mode}");
        let job = world.get("Job", before).await.unwrap();
        assert_eq!(job["metadata"]["ownerReferences"][0]["uid"], done["metadata"]["uid"]);
        assert_eq!(done["status"]["bootOptions"]["jobs"][before]["uid"], job["metadata"]["uid"]);
        if mode == "customboot" {
            let url = &job["spec"]["tasks"][0]["virtualMediaAction"]["mediaURL"];
            assert_eq!(*url, "http:///dev/sda");
        }
        if let Some(after) = after {
            assert!(world.get("Job", after).await.is_some(), "{after}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_boot_mode_that_cannot_work_fails_the_workflow() {
    let no_bmc = "error creating job: hardware \"hw\" does not have a BMC";
    for (name, with_bmc, options, fails, condition, message) in [
        ("no BMC", false, json!({ "bootMode": "netboot" }), false, "BootJobSetupFailed", no_bmc),
        // Tinkerbell says nothing about it in the status.
        (
            "no URL",
            true,
            json!({ "bootMode": "iso" }),
            false,
            "TemplateRenderedSuccess",
            "template rendered successfully",
        ),
        ("job fails", true, json!({ "bootMode": "netboot" }), true, "BootJobFailed", "job failed"),
    ] {
        let world = world(with_bmc).await;
        let power = PowerStates::default();
        let rufio = Rufio::start(&world.client_for("rufio"), bmc::Options::default(), power.clone(), &world.token);
        if fails {
            rufio.faults().inject("hw-bmc", bmc::JobFault::Fails);
        }
        start_with_power(&world, Options::default(), Some(power));
        create_template(&world).await;
        create_workflow(&world, options).await;
        let failed = world.until("Workflow", "wf", state("FAILED")).await;
        let failed_for = failed["status"]["conditions"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&failed_for["type"], &failed_for["message"]), (&json!(condition), &json!(message)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_sibling_of_the_same_agent_can_block_a_workflow() {
    let world = world(false).await;
    let options = Options { terminal_siblings_block: true, ..Options::default() };
    start(&world, options);
    create_template(&world).await;
    create_workflow(&world, json!({})).await;
    world.until("Workflow", "wf", state("SUCCESS")).await;
    let spec = json!({ "templateRef": "wf", "hardwareRef": "hw", "hardwareMap": { "device_1": fixtures::mac(1) } });
    world.create("Workflow", "next", json!({ "spec": spec })).await;
    world.settle().await;
    assert!(state("PENDING")(&world.get("Workflow", "next").await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn lost_races_for_the_hardware_are_repeated_and_four_in_a_row_are_fatal() {
    for (races, end) in [(3, "SUCCESS"), (4, "FAILED")] {
        let world = world(false).await;
        let race = Fault::conflict().user("tinkerbell").resource("hardware").verb("update");
        world.server.faults().inject(race.times(races));
        start(&world, Options::default());
        create_template(&world).await;
        create_workflow(&world, json!({ "toggleAllowNetboot": true })).await;
        let ended = world.until("Workflow", "wf", state(end)).await;
        if end == "FAILED" {
            // hardware.go: the Workflow says so by the condition of the toggle itself.
            let told = ended["status"]["conditions"].as_array().unwrap().last().unwrap().clone();
            assert_eq!((&told["type"], &told["status"]), (&json!("AllowNetbootTrue"), &json!("False")));
            let message = told["message"].as_str().unwrap();
            let begins = "error setting allowPXE to true: error updating allow pxe after 4 retries: ";
            assert!(message.starts_with(begins), "{message}");
        }
    }
}
