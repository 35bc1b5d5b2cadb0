//! Does the inputs of a case again, and writes down what the stand-ins make of them.

use std::sync::Arc;
use std::time::Duration;

use capt_simulators::bmc::{self, Power, PowerStates, Rufio};
use capt_simulators::crds::Group;
use capt_simulators::fixtures;
use capt_simulators::tinkerbell::{self, Tinkerbell, WorkflowFault};
use memory_apiserver::{Fault, MemoryApiServer};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};

use super::Case;
use super::recording::{Event, Recording};
use crate::support::World;

/// The time when the recording began, as its events and its timestamps tell together.
const BEGIN: &str = "2026-11-28T10:47:22.3Z";
/// How often rufio looked at the power of a server by itself.
const POWER_CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Who the stand-ins are to the server.
const RUFIO: &str = "rufio";
const TINKERBELL: &str = "tinkerbell";
/// How long the server takes for a write. In the recording rufio makes a Task between two writes of tink-controller, but
/// does no more than that.
const WRITES: [(&str, Duration); 2] = [(RUFIO, Duration::from_millis(3)), (TINKERBELL, Duration::from_millis(5))];

pub struct Replay {
    pub power: Power,
    pub calls: u64,
    told: Vec<Value>,
}

/// What was heard, by the number of the write.
type Heard = Arc<Mutex<Vec<(u64, Value)>>>;

impl Replay {
    pub async fn run(case: Case, recording: &Recording) -> Self {
        let begin: jiff::Timestamp = BEGIN.parse().unwrap();
        // The collector's deletions are in the recording.
        let server = MemoryApiServer::builder().garbage_collection(false).start_time(begin).build();
        let world = World::on(server, &[Group::Tinkerbell, Group::Bmc], "v1beta2");
        let world = world.in_namespace(case.namespace).await;
        for (user, latency) in WRITES {
            world.server.faults().inject(Fault::latency(latency).user(user).verb("write").always());
        }
        let heard = listen(&world).await;
        let power = PowerStates::default();
        let options = bmc::Options {
            latency: case.latency,
            power_check_interval: POWER_CHECK_INTERVAL,
            start_time: Some(begin),
            ..bmc::Options::default()
        };
        let rufio = Rufio::start(&world.client_for(RUFIO), options, power.clone(), &world.token);
        if let Some(fault) = case.fault {
            rufio.faults().inject("*", fault);
        }
        let options =
            tinkerbell::Options { cached: true, power_on: false, start_time: Some(begin), ..Default::default() };
        let client = world.client_for(TINKERBELL);
        let tinkerbell = Tinkerbell::start(&client, options, Some(power.clone()), &world.token);
        // The agent's reports are in the recording.
        tinkerbell.faults().inject("*", WorkflowFault::StuckPending);

        let player = Player { world, case, power, start: Instant::now() };
        player.power.set(case.namespace, case.bmc, case.power);
        if let Some(at) = case.switched_on {
            let (power, at) = (player.power.clone(), player.at(at));
            tokio::spawn(async move {
                sleep_until(at).await;
                power.set(case.namespace, case.bmc, Power::On);
            });
        }
        for (event, before) in recording.inputs() {
            sleep_until(player.at(event.t)).await;
            player.play(event, before, recording).await;
        }
        // What had not come when the recording ended, must not come here either.
        sleep_until(player.at(Recording::end() + 1.0)).await;
        let mut heard = std::mem::take(&mut *heard.lock());
        heard.sort_by_key(|(version, _)| *version);
        Self {
            power: player.power.get(case.namespace, case.bmc),
            calls: player.power.calls(case.namespace, case.bmc),
            told: heard.into_iter().map(|(_, told)| told).collect(),
        }
    }

    pub fn told(&self) -> Vec<Value> {
        self.told.clone()
    }
}

struct Player {
    world: World,
    case: Case,
    power: PowerStates,
    start: Instant,
}

impl Player {
    fn at(&self, t: f64) -> Instant {
        self.start + Duration::from_secs_f64(t)
    }

    async fn play(&self, event: &Event, before: Option<&Event>, recording: &Recording) {
        let (world, name) = (&self.world, event.name.as_str());
        // The recording calls rufio's kind as the server does.
        let kind = if event.kind == "Machine" { "BMC" } else { event.kind.as_str() };
        let metadata = metadata(event);
        match (event.happened.as_str(), kind) {
            ("DELETED", _) => world.delete(kind, name).await,
            ("ADDED", "BMC") => {
                world.create(kind, name, fixtures::bmc_machine(self.case.namespace, name)).await;
            }
            ("ADDED", "Job") => {
                world.create(kind, name, json!({ "metadata": metadata, "spec": event.rest["spec"] })).await;
            }
            ("ADDED", "Hardware") => {
                world.create(kind, name, self.hardware(event, recording)).await;
            }
            ("MODIFIED", "Hardware") => {
                world.patch(kind, name, hardware_patch(event, before.unwrap())).await;
            }
            ("ADDED", "Workflow") => self.boot(event, metadata, recording).await,
            ("MODIFIED", "Workflow") => {
                let report =
                    Map::from_iter(["state", "currentState"].into_iter().filter_map(|part| {
                        event.rest["status"].get(part).map(|value| (part.to_owned(), value.clone()))
                    }));
                world.patch_status(kind, name, report.into()).await;
            }
            other => panic!("{other:?} is no input"),
        }
    }

    fn hardware(&self, event: &Event, recording: &Recording) -> Value {
        let (namespace, bmc) = (self.case.namespace, self.case.bmc);
        let mut hardware =
            fixtures::hardware(namespace, &event.name, &agent(recording), &Default::default(), Some(bmc));
        hardware["metadata"]["labels"] = event.rest["labels"].clone();
        let interface = &mut hardware["spec"]["interfaces"][0];
        interface["netboot"] = event.rest["netboot"][0].clone();
        interface["dhcp"]["uefi"] = false.into();
        hardware
    }

    /// Template and Workflow.
    async fn boot(&self, event: &Event, metadata: Value, recording: &Recording) {
        let timeout = first(recording, "/status/globalTimeout");
        let data = format!(
            "version: \"0.1\"\nname: t\nglobal_timeout: {timeout}\ntasks:\n- name: t\n  worker: \"{{{{.device_1}}}}\"\n  \
             actions:\n  - {{name: a, image: i, timeout: 60}}\n"
        );
        let (world, name) = (&self.world, event.name.as_str());
        if let Some(late) = self.case.template_late {
            // Its watch breaks, and is open again only after this time.
            let late = Fault::latency(late).user(TINKERBELL).verb("watch").resource("templates");
            world.server.faults().inject(late);
            assert!(world.server.faults().drop_watches(Some("templates")) > 0);
        }
        world.create("Template", name, json!({ "spec": { "data": data } })).await;
        let mut boot = json!({ "toggleAllowNetboot": true });
        if let Some(mode) = self.case.boot_mode {
            boot["bootMode"] = mode.into();
        }
        let spec = json!({
            "templateRef": name, "hardwareRef": "hw1", "hardwareMap": { "device_1": agent(recording) },
            "bootOptions": boot,
        });
        world.create("Workflow", name, json!({ "metadata": metadata, "spec": spec })).await;
    }
}

/// The first value that an event of the case has there.
fn first(recording: &Recording, pointer: &str) -> Value {
    let find = |event: &Event| Value::Object(event.rest.clone()).pointer(pointer).cloned();
    recording.events.iter().find_map(find).unwrap()
}

/// The agent of the case's server.
fn agent(recording: &Recording) -> String {
    first(recording, "/status/agentID").as_str().unwrap().to_owned()
}

/// Labels and owners as recorded.
fn metadata(event: &Event) -> Value {
    let owners = event.rest["owners"].as_array().unwrap().iter().map(|owner| {
        json!({
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": owner[0], "name": owner[1],
            "uid": "6b0cf2f4-61d6-4d8d-a49c-7d8e1f6b3c5a", "controller": owner[2],
        })
    });
    json!({ "labels": event.rest["labels"], "ownerReferences": owners.collect::<Vec<_>>() })
}

/// What capt-manager wrote: other labels, or something the recording does not show.
fn hardware_patch(event: &Event, before: &Event) -> Value {
    let (old, new) = (&before.rest["labels"], &event.rest["labels"]);
    if old == new {
        return json!({ "metadata": { "annotations": { "v1alpha1.tinkerbell.org/provisioned": "true" } } });
    }
    let gone = old.as_object().unwrap().keys().filter(|label| new.get(label.as_str()).is_none());
    let mut labels: Map<_, _> = gone.map(|label| (label.clone(), Value::Null)).collect();
    labels.extend(new.as_object().unwrap().clone());
    json!({ "metadata": { "labels": labels } })
}

/// Writes down every event of the recorded kinds, in the recording's words.
async fn listen(world: &World) -> Heard {
    let heard = Heard::default();
    for kind in ["BMC", "Hardware", "Workflow", "Job", "Task"] {
        let heard = Arc::clone(&heard);
        let take_in = move |happened: &str, object: Value| {
            let version = object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
            heard.lock().push((version, told(happened, &object)));
        };
        world.watch(kind, take_in).await;
    }
    heard
}

/// An event as the recording tells it.
fn told(happened: &str, object: &Value) -> Value {
    let metadata = &object["metadata"];
    let owners = metadata["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
    let owners = owners.iter().map(|owner| json!([owner["kind"], owner["name"], owner["controller"]]));
    let kind = object["kind"].as_str().unwrap();
    let mut told = json!({
        "event": happened, "kind": kind, "name": metadata["name"], "labels": metadata["labels"],
        "owners": owners.collect::<Vec<_>>(), "deleting": metadata.get("deletionTimestamp").is_some(),
    });
    let mut status = object.get("status").cloned().unwrap_or_else(|| json!({}));
    let spec = &object["spec"];
    match kind {
        "Hardware" => {
            let interfaces = spec["interfaces"].as_array().unwrap();
            told["netboot"] = interfaces.iter().map(|interface| interface["netboot"].clone()).collect();
            return told;
        }
        "Workflow" => drop(status.as_object_mut().unwrap().remove("tasks")),
        "Job" => told["spec"] = spec.clone(),
        "Task" => told["spec"] = json!({ "task": spec["task"] }),
        _ => {}
    }
    told["status"] = status;
    told
}
