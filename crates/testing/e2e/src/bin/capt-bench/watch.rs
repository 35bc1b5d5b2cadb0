//! How many TinkerbellMachines there are, and how many are ready, as a watch tells.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::bail;
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt as _};
use real_control_plane::process::Process;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::objects::{NAMESPACE, TINKERBELL_MACHINE};

/// Time between two looks at the program.
const LOOK: Duration = Duration::from_secs(1);

/// Nothing more is waited for when no machine becomes ready, or goes, for this long, and a bit more for each machine.
const STALL: Duration = Duration::from_secs(40);
/// The bit.
const STALL_PER_MACHINE: Duration = Duration::from_millis(160);

/// How many machines there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All of them.
    pub machines: usize,
    /// Those whose status says ready.
    pub ready: usize,
}

/// Counts machines until it is dropped.
pub struct Board {
    counts: watch::Receiver<(Count, Instant)>,
    task: JoinHandle<()>,
}

impl Board {
    /// Begins to count.
    pub fn start(client: Client) -> Self {
        let (sender, counts) = watch::channel((Count::default(), Instant::now()));
        Self { counts, task: tokio::spawn(count(client, sender)) }
    }

    /// When it became so; fails when it does not within `patience`, or when the program ends.
    ///
    /// # Errors
    /// As told.
    pub async fn until(
        &mut self,
        is: impl Fn(Count) -> bool,
        process: &mut Process,
        patience: Duration,
    ) -> anyhow::Result<Instant> {
        let begin = Instant::now();
        loop {
            let (count, when) = *self.counts.borrow_and_update();
            if is(count) {
                return Ok(when);
            }
            process.must_run()?;
            let Count { machines, ready } = count;
            let stall = STALL + STALL_PER_MACHINE * u32::try_from(machines).unwrap_or(u32::MAX);
            if begin.elapsed() > patience || begin.max(when).elapsed() > stall {
                bail!(
                    "{ready} of {machines} machines are ready after {} s, and no more become so",
                    begin.elapsed().as_secs()
                );
            }
            // A change, or time for another look at the program.
            let _ = tokio::time::timeout(LOOK, self.counts.changed()).await;
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn count(client: Client, sender: watch::Sender<(Count, Instant)>) {
    let api: Api<DynamicObject> = Api::namespaced_with(client, NAMESPACE, &TINKERBELL_MACHINE.resource());
    let mut events = watcher::watcher(api, watcher::Config::default()).boxed();
    let mut ready: BTreeMap<String, bool> = BTreeMap::new();
    loop {
        match events.try_next().await {
            Ok(Some(Event::Apply(object) | Event::InitApply(object))) => {
                let is_ready = object.data.pointer("/status/ready").and_then(Value::as_bool).unwrap_or_default();
                ready.insert(object.name_any(), is_ready);
            }
            Ok(Some(Event::Delete(object))) => {
                ready.remove(&object.name_any());
            }
            Ok(Some(Event::Init)) => ready.clear(),
            Ok(Some(Event::InitDone)) => {}
            Ok(None) => return,
            Err(_) => tokio::time::sleep(LOOK).await,
        }
        let count = Count { machines: ready.len(), ready: ready.values().filter(|ready| **ready).count() };
        // The time is the one at which it became so.
        sender.send_if_modified(|last| {
            let differs = last.0 != count;
            if differs {
                *last = (count, Instant::now());
            }
            differs
        });
    }
}
