//! A stand-in for tink-controller (`tink/controller/internal/workflow` of Tinkerbell), tink-server and the agent on
//! every server.

mod agent;
mod boot_job;
mod document;
mod go_hardware;
mod netboot;
mod patch;
mod render;
mod workflow;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ahash::AHashMap;
use kube::Client;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bmc::PowerStates;
use crate::engine::{Clock, Key, Object, Queue, Store, Tasks, kinds, work};
use crate::faults::Faults;

/// What can go wrong with a Workflow; the pattern of [`Faults`] is matched with the Workflow's and its Hardware's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkflowFault {
    /// The template does not render: state stays empty, and it is tried again.
    RenderFails,
    /// PREPARING ends in FAILED.
    PreparingFails,
    /// The agent never fetches an action. A strike a look, so it is not to be counted.
    StuckPending,
    /// The agent reports that its action failed: FAILED, no POST, allowPXE stays on.
    AgentFails,
    /// The agent reports that its action took too long: TIMEOUT, no POST, allowPXE stays on.
    AgentTimesOut,
    /// The agent reports its last success once more after SUCCESS, which brings POST back for a while.
    LateSuccess,
    /// Somebody deletes the Hardware when POST begins.
    HardwareDeletedInPost,
}

/// How Tinkerbell behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Time between two writes to one Workflow.
    pub step: Duration,
    /// Only PREPARING, PENDING, RUNNING, POST and SUCCESS are written, not each action of the agent.
    pub coarse: bool,
    /// A template is rendered with what the watches have told, as tink-controller does it: one written just before the
    /// Workflow may be "not found" at first. Otherwise Template and Hardware are read, so that nothing is missed.
    pub cached: bool,
    /// A server with a BMC is switched on when its Workflow reaches PENDING without a boot mode (which has its own Job
    /// for that): somebody presses the button.
    pub power_on: bool,
    /// Time between the look at a Workflow in PREPARING and what is done about it. tink-controller sleeps there: up to
    /// 7.5 s where a Job runs, up to a few seconds where it loses races for the Hardware. What it does then, it does
    /// although the Workflow may have been deleted meanwhile: such a boot Job comes after its Workflow's end.
    pub stall: Duration,
    /// A finished Workflow with the same agent blocks a new one (Tinkerbell up to v0.25 may do this).
    pub terminal_siblings_block: bool,
    /// How many Workflows are worked on at once.
    pub workers: usize,
    /// The time at the start, from where it goes on with tokio's clock; the wall clock's without.
    pub start_time: Option<jiff::Timestamp>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            step: Duration::from_millis(5),
            coarse: false,
            cached: false,
            power_on: true,
            stall: Duration::ZERO,
            terminal_siblings_block: false,
            workers: 16,
            start_time: None,
        }
    }
}

/// What the workers share.
struct Tink {
    options: Options,
    client: Client,
    faults: Faults<WorkflowFault>,
    /// Power of the servers; without it every server counts as on.
    power: Option<PowerStates>,
    clock: Clock,
    hardware: Arc<Store>,
    templates: Arc<Store>,
    workflows: Arc<Store>,
    jobs: Arc<Store>,
    waiting_for_power: Arc<Mutex<AHashMap<Key, BTreeSet<Key>>>>,
    memory: Arc<Mutex<AHashMap<String, Memory>>>,
}

/// What is remembered of a Workflow, by its UID. Losing it does no harm.
#[derive(Default)]
struct Memory {
    /// The next write is not before this.
    due: Option<Instant>,
    /// The server was switched on for it.
    powered_on: bool,
    /// The late report was sent.
    reported_late: bool,
    /// The Hardware was deleted for it.
    hardware_deleted: bool,
}

/// A running Tinkerbell.
pub struct Tinkerbell {
    tasks: Tasks,
    faults: Faults<WorkflowFault>,
}

impl Tinkerbell {
    /// Starts Tinkerbell on a client of its own. It stops when `token` is cancelled, or by [`Self::stop`].
    ///
    /// Agents run only on servers that `power` says are on; without it, or without a BMC, on all.
    pub fn start(client: &Client, options: Options, power: Option<PowerStates>, token: &CancellationToken) -> Self {
        let tasks = Tasks::under(token);
        let faults = Faults::default();
        let queue: Queue<Key> = Queue::new(&tasks);

        let memory: Arc<Mutex<AHashMap<String, Memory>>> = Arc::default();
        let (wake, forgotten) = (queue.clone(), Arc::clone(&memory));
        let workflows = Store::start(&tasks, client, &kinds::WORKFLOW, move |change| {
            if let (Some(gone), None) = (change.before, change.after) {
                forgotten.lock().remove(gone.uid());
            }
            wake.add(change.key.clone());
        });
        let wake = queue.clone();
        let jobs = Store::start(&tasks, client, &kinds::BMC_JOB, move |change| {
            if let Some(workflow) = change.after.or(change.before).and_then(|job| boot_job::workflow_of(job)) {
                wake.add(workflow);
            }
        });
        let waiting_for_power: Arc<Mutex<AHashMap<Key, BTreeSet<Key>>>> = Arc::default();
        if let Some(power) = &power {
            let (wake, waiting) = (queue.clone(), Arc::clone(&waiting_for_power));
            power.on_change(move |change| {
                let woken = waiting.lock().remove(&Key::new(change.namespace, change.name));
                woken.into_iter().flatten().for_each(|workflow| wake.add(workflow));
            });
        }
        let (wake, seen) = (queue.clone(), Arc::clone(&workflows));
        faults.on_heal(move || seen.select(|_| true).iter().for_each(|workflow| wake.add(workflow.key())));

        let tink = Arc::new(Tink {
            clock: Clock::start(options.start_time),
            options,
            client: client.clone(),
            faults: faults.clone(),
            power,
            hardware: Store::start(&tasks, client, &kinds::HARDWARE, |_| {}),
            templates: Store::start(&tasks, client, &kinds::TEMPLATE, |_| {}),
            workflows,
            jobs,
            waiting_for_power,
            memory,
        });
        let workers = tasks.clone();
        tasks.spawn(async move {
            for store in [&tink.hardware, &tink.templates, &tink.workflows, &tink.jobs] {
                store.wait_synced().await;
            }
            work(&workers, &queue, &tink, tink.options.workers);
        });
        Self { tasks, faults }
    }

    /// Faults of Workflows.
    pub fn faults(&self) -> &Faults<WorkflowFault> {
        &self.faults
    }

    /// Stops Tinkerbell for good.
    pub async fn stop(&self) {
        self.tasks.stop().await;
    }
}

impl Tink {
    /// Whether the Workflow has a fault; counts as one strike.
    fn strikes(&self, workflow: &Object, fault: WorkflowFault) -> bool {
        self.faults.strikes(&[workflow.name(), workflow.spec_text("/hardwareRef")], fault)
    }

    /// Reads or changes what is remembered of a Workflow.
    fn remember<T>(&self, workflow: &Object, with: impl FnOnce(&mut Memory) -> T) -> T {
        with(self.memory.lock().entry(workflow.uid().to_owned()).or_default())
    }

    /// The Hardware of a Workflow.
    fn hardware_of(&self, workflow: &Object) -> Option<Arc<Object>> {
        self.hardware.get(&hardware_key(workflow))
    }
}

fn hardware_key(workflow: &Object) -> Key {
    Key::new(workflow.namespace(), workflow.spec_text("/hardwareRef"))
}
