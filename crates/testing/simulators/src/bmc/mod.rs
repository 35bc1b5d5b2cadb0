//! A stand-in for rufio, and the BMCs it talks to.
//!
//! It does what rufio's own controllers do (`rufio/internal/controller` of Tinkerbell), also where that is unkind: the
//! Tasks of a Job are those whose controller has its *name*, so a Task that an earlier Job left behind decides about a
//! later one.

mod connections;
mod faults;
mod job;
mod machine;
mod options;
mod power;
mod task;

use std::sync::Arc;

use kube::Client;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::engine::{Clock, Key, Object, Queue, Store, Tasks, kinds, work};
use crate::faults::Faults;

use connections::Connections;

pub use faults::JobFault;
pub use options::Options;
pub use power::{Power, PowerChange, PowerStates};

/// What the workers share.
struct Bmc {
    options: Options,
    faults: Faults<JobFault>,
    power: PowerStates,
    clock: Clock,
    connections: Arc<Connections>,
    machines: Arc<Store>,
    jobs: Arc<Store>,
    tasks: Arc<Store>,
}

/// A running rufio.
pub struct Rufio {
    tasks: Tasks,
    power: PowerStates,
    faults: Faults<JobFault>,
}

impl Rufio {
    /// Starts rufio on a client of its own. It stops when `token` is cancelled, or by [`Self::stop`].
    pub fn start(client: &Client, options: Options, power: PowerStates, token: &CancellationToken) -> Self {
        let tasks = Tasks::under(token);
        let faults = Faults::default();
        let connections: Arc<Connections> = Arc::default();
        let jobs_queue: Queue<Key> = Queue::new(&tasks);
        let tasks_queue: Queue<Key> = Queue::new(&tasks);
        let machines_queue: Queue<Key> = Queue::new(&tasks);

        let queue = jobs_queue.clone();
        let job_store = Store::start(&tasks, client, &kinds::BMC_JOB, move |c| queue.add(c.key.clone()));
        let (queue, owners, known) = (tasks_queue.clone(), jobs_queue.clone(), Arc::clone(&connections));
        let task_store = Store::start(&tasks, client, &kinds::BMC_TASK, move |change| {
            // Also a Task that went: its Job makes it again, if that is still there.
            for task in [change.before, change.after].into_iter().flatten() {
                if let Some(job) = task::owner_name(task) {
                    owners.add(Key::new(task.namespace(), job));
                }
            }
            match (change.before, change.after) {
                (Some(gone), None) => known.forget_task(gone.uid()),
                _ => queue.add(change.key.clone()),
            }
        });
        let (queue, states, known) = (machines_queue.clone(), power.clone(), Arc::clone(&connections));
        let machines = Store::start(&tasks, client, &kinds::BMC_MACHINE, move |change| {
            if let Some(machine) = change.after {
                known.learn(machine);
            }
            if change.before.is_none() {
                machine::learn_power(&states, change);
            }
            queue.add(change.key.clone());
        });
        let healed = [
            (jobs_queue.clone(), Arc::clone(&job_store)),
            (tasks_queue.clone(), Arc::clone(&task_store)),
            (machines_queue.clone(), Arc::clone(&machines)),
        ];
        faults.on_heal(move || {
            for (queue, seen) in &healed {
                seen.select(|_| true).iter().for_each(|object| queue.add(object.key()));
            }
        });

        let bmc = Arc::new(Bmc {
            faults: faults.clone(),
            power: power.clone(),
            clock: Clock::start(options.start_time),
            connections,
            options,
            machines,
            jobs: job_store,
            tasks: task_store,
        });
        let workers = tasks.clone();
        tasks.spawn(async move {
            for store in [&bmc.machines, &bmc.jobs, &bmc.tasks] {
                store.wait_synced().await;
            }
            let count = bmc.options.workers;
            work(&workers, &jobs_queue, &Arc::new(job::Jobs(Arc::clone(&bmc))), count);
            work(&workers, &tasks_queue, &Arc::new(task::TaskRuns(Arc::clone(&bmc))), count);
            let machines = machine::Machines { bmc: Arc::clone(&bmc), queue: machines_queue.clone() };
            work(&workers, &machines_queue, &Arc::new(machines), count);
        });
        Self { tasks, power, faults }
    }

    /// The power of the servers.
    pub fn power(&self) -> &PowerStates {
        &self.power
    }

    /// Faults of Jobs and of the BMCs they speak to.
    pub fn faults(&self) -> &Faults<JobFault> {
        &self.faults
    }

    /// Stops rufio for good; servers stay as they are.
    pub async fn stop(&self) {
        self.tasks.stop().await;
    }
}

impl Bmc {
    /// A question to a BMC, or its answer, is under way. The worker waits for it, as rufio's does.
    async fn call(&self) {
        if !self.options.latency.is_zero() {
            tokio::time::sleep(self.options.latency).await;
        }
    }
}

/// `status.conditions` of an object with one condition set to True; without a message it has none.
fn with_condition(object: &Object, condition: &str, message: &str) -> Vec<Value> {
    let mut conditions = conditions_of(object);
    let mut entry = json!({ "type": condition, "status": "True" });
    if let Some(entry) = entry.as_object_mut().filter(|_| !message.is_empty()) {
        entry.insert("message".to_owned(), message.into());
    }
    match conditions.iter_mut().find(|known| known.get("type").and_then(Value::as_str) == Some(condition)) {
        Some(known) => *known = entry,
        None => conditions.push(entry),
    }
    conditions
}

fn conditions_of(object: &Object) -> Vec<Value> {
    object.status.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default()
}
