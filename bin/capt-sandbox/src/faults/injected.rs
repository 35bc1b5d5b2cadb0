//! A fault at work: the server it is in, what shows of it, and its end.

use std::time::{Duration, Instant};

use anyhow::Context;
use capt_api::contract::RELEASE_WITHOUT_POWER_OFF_ANNOTATION;
use capt_invariants::{Key, text};
use capt_simulators::bmc::{JobFault, Power};
use capt_simulators::tinkerbell::WorkflowFault;
use serde_json::{Value, json};

use super::pools::{exhaust, is_pool};
use super::{Borne, Fault, Shown, Told};
use crate::control_plane::ControlPlane;
use crate::install::Installer;
use crate::manifests::Document;

/// How late the garbage collector is.
const LATE: Duration = Duration::from_secs(10);
/// What outlives its owner for so long has not just been overlooked.
const LEFT: Duration = Duration::from_secs(1);
/// A Task that begins this long after it was made has waited for a worker: a connection takes a second, timestamps are
/// whole seconds.
const WAITED: Duration = Duration::from_secs(3);
const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io";
const RUFIO: &str = "bmc.tinkerbell.org";

/// A server in use.
#[derive(Clone, Debug)]
struct Server {
    machine: Key,
    bmc: Key,
}

/// A fault that was injected.
#[derive(Clone, Debug)]
pub struct Injected {
    fault: Fault,
    /// Of faults of one server.
    server: Option<Server>,
    /// The commands that its BMC had heard before.
    calls: u64,
    /// A Job that outlives its Workflow, by its UID, and since when.
    left: Option<(String, Instant)>,
}

impl Injected {
    /// Breaks it. Templates and the pool must not be on the control plane yet where they are what is changed.
    ///
    /// # Errors
    /// When there is nothing that could be broken.
    pub async fn inject(
        fault: Fault,
        control_plane: &ControlPlane,
        installer: &mut Installer,
        documents: &mut [Document],
    ) -> anyhow::Result<Self> {
        let mut injected = Self { fault, server: None, calls: 0, left: None };
        let simulators = control_plane.simulators().context("no simulators run")?;
        let bmcs = simulators.job_faults().context("rufio does not run")?;
        match fault {
            Fault::WorkflowFailed => {
                let workflows = simulators.workflow_faults().context("Tinkerbell does not run")?;
                workflows.inject_times("*", WorkflowFault::AgentFails, 1);
            }
            Fault::PowerOffFailed => drop(bmcs.inject_times("*", JobFault::Fails, 1)),
            Fault::PoolExhausted => exhaust(documents),
            Fault::LateCollector => {
                boot_by_bmc(documents);
                control_plane.server().faults().delay_garbage_collector(LATE);
            }
            // That is how rufio was started.
            Fault::SlowBmcs => {}
            Fault::BmcNeverAnswers => {
                let server = injected.choose(control_plane, 0)?;
                bmcs.inject(&server.bmc.name, JobFault::NeverAnswers);
            }
            Fault::BmcMachineMissing => {
                let server = injected.choose(control_plane, 1)?;
                installer.delete(bmc_machine(documents, &server.bmc)?).await?;
            }
            Fault::OffIsAnError => {
                let Server { bmc, .. } = injected.choose(control_plane, 2)?;
                injected.calls = control_plane.power().calls(&bmc.namespace, &bmc.name);
                control_plane.power().set(&bmc.namespace, &bmc.name, Power::Off);
                bmcs.inject(&bmc.name, JobFault::OffIsAnError);
            }
        }
        Ok(injected)
    }

    /// The n-th server in use, so that several faults inject several servers where there are so many.
    fn choose(&mut self, control_plane: &ControlPlane, n: usize) -> anyhow::Result<Server> {
        let mut servers: Vec<Server> = Vec::new();
        for hardware in control_plane.server().list("tinkerbell.org", "hardware") {
            let label = |name: &str| text(&hardware, &format!("/metadata/labels/v1alpha1.tinkerbell.org~1{name}"));
            let machine = Key::new(label("ownerNamespace"), label("ownerName"));
            let bmc = Key::new(text(&hardware, "/metadata/namespace"), text(&hardware, "/spec/bmcRef/name"));
            if !machine.name.is_empty() && !bmc.name.is_empty() {
                servers.push(Server { machine, bmc });
            }
        }
        servers.sort_by(|a, b| a.bmc.cmp(&b.bmc));
        let server = n.checked_rem(servers.len()).and_then(|n| servers.into_iter().nth(n));
        let server = server.with_context(|| format!("fault {} wants a server in use that has a BMC", self.fault))?;
        self.server = Some(server.clone());
        Ok(server)
    }

    /// The fault.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// How it shows, once it does.
    pub fn shown(&mut self, control_plane: &ControlPlane) -> Option<Shown> {
        match self.fault.sign() {
            Some(sign) => told(self.fault, sign, control_plane).map(Shown::Told),
            None => self.seen(control_plane).map(|seen| Shown::Borne(Borne { fault: self.fault, seen })),
        }
    }

    /// What is seen of a fault that is no news for the user.
    fn seen(&mut self, control_plane: &ControlPlane) -> Option<String> {
        let server = control_plane.server();
        match self.fault {
            Fault::OffIsAnError => {
                let Server { machine, bmc } = self.server.as_ref()?;
                let refused = control_plane.power().calls(&bmc.namespace, &bmc.name) - self.calls;
                let events = server.list("", "events");
                let is_released = |event: &Value| {
                    text(event, "/reason") == "Released" && text(event, "/involvedObject/name") == machine.name
                };
                let released = events.iter().find(|event| is_released(event)).filter(|_| refused > 0)?;
                Some(format!("BMC {bmc} refused the command; {machine} {}", text(released, "/message")))
            }
            Fault::LateCollector => {
                let workflows = server.list("tinkerbell.org", "workflows");
                let has_workflow = |job: &Value| {
                    let owner = text(job, "/metadata/ownerReferences/0/uid");
                    workflows.iter().any(|workflow| text(workflow, "/metadata/uid") == owner)
                };
                let of_boot = |job: &Value| text(job, "/metadata/ownerReferences/0/kind") == "Workflow";
                let jobs = server.list(RUFIO, "jobs");
                let left = jobs.iter().find(|job| of_boot(job) && !has_workflow(job))?;
                let uid = text(left, "/metadata/uid");
                if self.left.as_ref().is_none_or(|(known, _)| known != uid) {
                    self.left = Some((uid.to_owned(), Instant::now()));
                }
                let since = self.left.as_ref().map(|(_, since)| *since)?;
                let name = text(left, "/metadata/name");
                (since.elapsed() >= LEFT).then(|| format!("Job {name} outlives its Workflow"))
            }
            Fault::SlowBmcs => server.list(RUFIO, "tasks").iter().find_map(|task| {
                let time = |pointer: &str| text(task, pointer).parse::<jiff::Timestamp>().ok();
                let (made, begun) = (time("/metadata/creationTimestamp")?, time("/status/startTime")?);
                let waited = Duration::try_from(begun.duration_since(made)).unwrap_or_default();
                let name = text(task, "/metadata/name");
                (waited >= WAITED).then(|| format!("Task {name} waited {} s for its turn", waited.as_secs()))
            }),
            _ => None,
        }
    }

    /// Mends it, as a person would; `whole` are the objects as they were before.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn mend(
        &self,
        control_plane: &ControlPlane,
        installer: &mut Installer,
        whole: &[Document],
    ) -> anyhow::Result<()> {
        match self.fault {
            Fault::WorkflowFailed => {
                let workflows = control_plane.server().list("tinkerbell.org", "workflows");
                let failed = workflows.iter().find(|workflow| text(workflow, "/status/state") == "FAILED");
                let failed = failed.context("the failed Workflow is gone")?;
                installer.delete(&as_document((**failed).clone())).await
            }
            Fault::PoolExhausted => {
                for pool in whole.iter().filter(|document| is_pool(document)) {
                    installer.merge(pool, &json!({ "spec": pool.object.get("spec") })).await?;
                }
                Ok(())
            }
            Fault::BmcNeverAnswers => {
                let Server { machine, bmc } = self.server.as_ref().context("the fault is in no server")?;
                control_plane.power().set(&bmc.namespace, &bmc.name, Power::Off);
                let machine = control_plane.server().get(
                    INFRASTRUCTURE,
                    "tinkerbellmachines",
                    Some(&machine.namespace),
                    &machine.name,
                );
                let machine = as_document((*machine.context("the machine is gone")?).clone());
                let annotations = json!({ RELEASE_WITHOUT_POWER_OFF_ANNOTATION: "true" });
                installer.merge(&machine, &json!({ "metadata": { "annotations": annotations } })).await
            }
            Fault::BmcMachineMissing => {
                let server = self.server.as_ref().context("the fault is in no server")?;
                installer.create(bmc_machine(whole, &server.bmc)?).await
            }
            Fault::PowerOffFailed | Fault::OffIsAnError | Fault::LateCollector | Fault::SlowBmcs => Ok(()),
        }
    }
}

/// How a machine tells it, once a condition and an event do.
fn told(fault: Fault, (type_, reason): (&str, &str), control_plane: &ControlPlane) -> Option<Told> {
    let machines = control_plane.server().list(INFRASTRUCTURE, "tinkerbellmachines");
    let events = control_plane.server().list("", "events");
    machines.iter().find_map(|machine| {
        let conditions = machine.pointer("/status/conditions")?.as_array()?;
        let condition = conditions.iter().find(|c| text(c, "/type") == type_ && text(c, "/reason") == reason)?;
        let uid = text(machine, "/metadata/uid");
        let event = events.iter().find(|e| text(e, "/reason") == reason && text(e, "/involvedObject/uid") == uid)?;
        Some(Told {
            fault,
            machine: text(machine, "/metadata/name").to_owned(),
            condition: type_.to_owned(),
            reason: reason.to_owned(),
            message: text(condition, "/message").to_owned(),
            event: text(event, "/message").to_owned(),
        })
    })
}

/// Every machine's server is booted by its BMC.
fn boot_by_bmc(documents: &mut [Document]) {
    for template in documents.iter_mut().filter(|document| document.kind() == "TinkerbellMachineTemplate") {
        let spec = template.object.pointer_mut("/spec/template/spec").and_then(Value::as_object_mut);
        if let Some(spec) = spec {
            spec.insert("bootOptions".to_owned(), json!({ "bootMode": "netboot" }));
        }
    }
}

/// An object of the control plane, to be changed there.
fn as_document(object: Value) -> Document {
    Document { file: "the control plane".to_owned(), number: 1, object }
}

fn bmc_machine<'a>(documents: &'a [Document], key: &Key) -> anyhow::Result<&'a Document> {
    let is_it =
        |document: &&Document| document.group() == RUFIO && document.kind() == "Machine" && document.key() == *key;
    documents.iter().find(is_it).with_context(|| format!("no BMC Machine {key} among the objects"))
}
