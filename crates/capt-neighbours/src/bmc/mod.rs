//! A stand-in for rufio, and the BMCs it talks to.

mod job;
mod machine;
mod power;

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio_util::sync::CancellationToken;

use crate::engine::{Change, Clock, Key, Queue, Store, Tasks, Timers, kinds, work};
use crate::faults::Faults;

pub use power::{Power, PowerChange, PowerStates};

/// What can go wrong with a Job; the pattern of [`Faults`] is matched with the Job's and the BMC Machine's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobFault {
    /// The first action fails: the Job ends as Failed and the power stays as it was.
    Fails,
    /// The BMC does not answer: as [`Self::Fails`], with rufio's message for it.
    ConnectError,
    /// The Job never gets a condition. A strike a look, so it is not to be counted.
    NeverReports,
}

/// How rufio behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Time that a Job takes.
    pub step: Duration,
    /// Leaves out the status write that says Running.
    pub coarse: bool,
    /// Also makes a Task object for each action, as rufio does.
    pub task_objects: bool,
    /// How many Jobs are worked on at once.
    pub workers: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { step: Duration::from_millis(5), coarse: false, task_objects: false, workers: 16 }
    }
}

/// What the workers share.
struct Bmc {
    options: Options,
    faults: Faults<JobFault>,
    power: PowerStates,
    clock: Clock,
    timers: Timers,
    machines: Arc<Store>,
    jobs: Arc<Store>,
    tasks: Option<Arc<Store>>,
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
        let jobs_queue: Queue<Key> = Queue::new(&tasks);
        let machines_queue: Queue<Key> = Queue::new(&tasks);

        let queue = jobs_queue.clone();
        let jobs = Store::start(&tasks, client, &kinds::BMC_JOB, move |c| queue.add(c.key.clone()));
        let (queue, seen, states) = (machines_queue.clone(), Arc::clone(&jobs), power.clone());
        let wake_jobs = jobs_queue.clone();
        let machines = Store::start(&tasks, client, &kinds::BMC_MACHINE, move |change| {
            if change.before.is_none() {
                machine::learn_power(&states, change);
                wake_jobs_of(&seen, &wake_jobs, change);
            }
            queue.add(change.key.clone());
        });
        let queue = machines_queue.clone();
        power.on_change(move |change| queue.add(Key::new(change.namespace, change.name)));
        let (queue, seen) = (jobs_queue.clone(), Arc::clone(&jobs));
        faults.on_heal(move || seen.select(|_| true).iter().for_each(|job| queue.add(job.key())));

        let bmc = Arc::new(Bmc {
            faults: faults.clone(),
            power: power.clone(),
            clock: Clock::start(),
            timers: Timers::default(),
            tasks: options.task_objects.then(|| Store::start(&tasks, client, &kinds::BMC_TASK, |_| {})),
            options,
            machines,
            jobs,
        });
        let workers = tasks.clone();
        tasks.spawn(async move {
            bmc.machines.wait_synced().await;
            bmc.jobs.wait_synced().await;
            work(&workers, &jobs_queue, &Arc::new(job::Jobs(Arc::clone(&bmc))), bmc.options.workers);
            work(&workers, &machines_queue, &Arc::new(machine::Machines(Arc::clone(&bmc))), 4);
        });
        Self { tasks, power, faults }
    }

    /// The power of the servers.
    pub fn power(&self) -> &PowerStates {
        &self.power
    }

    /// Faults of Jobs.
    pub fn faults(&self) -> &Faults<JobFault> {
        &self.faults
    }

    /// Stops rufio for good; servers stay as they are.
    pub async fn stop(&self) {
        self.tasks.stop().await;
    }
}

/// Jobs may have waited for the BMC Machine they name.
fn wake_jobs_of(jobs: &Store, queue: &Queue<Key>, machine: &Change<'_>) {
    let waits = |job: &crate::engine::Object| job::machine_of(job) == *machine.key;
    jobs.select(waits).iter().for_each(|job| queue.add(job.key()));
}
