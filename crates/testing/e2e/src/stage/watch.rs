//! The observer on a real server: the rules of `docs/ARCHITECTURE.md`, checked at every write, in the order of etcd.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use capt_invariants::{Key, Observer, Write, writer};
use capt_simulators::bmc::Power;
use futures::StreamExt as _;
use parking_lot::Mutex;
use real_control_plane::history::{Change, Changes, History};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Stage;
use super::holding::Holding;
use capt_simulators::kinds::{ADDRESS, CLAIM, HARDWARE, Kind, TEMPLATE, TINKERBELL_MACHINE, WORKFLOW};

/// The manager's field manager.
const MANAGER: &str = "capt-manager";
/// What the observer looks at.
const SEEN: [Kind; 6] = [TINKERBELL_MACHINE, HARDWARE, TEMPLATE, WORKFLOW, CLAIM, ADDRESS];
/// Where kube-apiserver keeps objects in etcd.
const PREFIX: &str = "/registry/";
/// How long the observer may take to see what has happened.
const CATCH_UP: Duration = Duration::from_secs(60);

/// The observer at work.
pub struct Watch {
    observer: Observer,
    holding: Arc<Mutex<Holding>>,
    history: History,
    /// The revision up to which everything was seen.
    seen: watch::Receiver<u64>,
    task: JoinHandle<anyhow::Result<()>>,
}

/// A server was switched, after the write with this revision.
struct Switched {
    after: u64,
    bmc: Key,
    on: bool,
}

impl Stage {
    /// Checks the rules for all that has happened and will happen.
    ///
    /// # Errors
    /// When etcd does not tell.
    pub async fn observe(&self) -> anyhow::Result<Watch> {
        let observer = Observer::new(MANAGER);
        let history = self.plane.history()?;
        let (seen_up_to, seen) = watch::channel(0);
        let (power, switched) = unbounded_channel();
        self.tell_power(&history, seen.clone(), power);
        let changes = history.changes().await?;
        let holding = Arc::<Mutex<Holding>>::default();
        let task = tokio::spawn(see_all(observer.clone(), holding.clone(), changes, switched, seen_up_to));
        Ok(Watch { observer, holding, history, seen, task })
    }

    /// Finds out after which write a server was switched.
    ///
    /// Off counts from the last write that was seen: whoever is told that it is off writes later. On counts from the
    /// latest write there is: whoever switches it on may have read that.
    fn tell_power(&self, history: &History, seen: watch::Receiver<u64>, told: UnboundedSender<Switched>) {
        let (sender, mut changes) = unbounded_channel();
        self.power.on_change(move |change| {
            let switched = Switched {
                after: *seen.borrow(),
                bmc: Key::new(change.namespace, change.name),
                on: change.power == Power::On,
            };
            // Nobody listens any more once everything stops.
            let _ = sender.send(switched);
        });
        let history = history.clone();
        tokio::spawn(async move {
            while let Some(mut switched) = changes.recv().await {
                if switched.on {
                    let Ok(latest) = history.revision().await else { return };
                    switched.after = latest;
                }
                if told.send(switched).is_err() {
                    return;
                }
            }
        });
    }
}

impl Watch {
    /// Stops watching, once all that has happened was seen.
    ///
    /// # Errors
    /// When a rule was broken.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        let last = self.history.revision().await?;
        let caught_up = tokio::time::timeout(CATCH_UP, self.seen.wait_for(|seen| *seen >= last)).await;
        match caught_up.map(|seen| seen.map(drop)) {
            Ok(Ok(())) => self.task.abort(),
            // The task has ended, and says why.
            Ok(Err(_)) => return self.task.await.context("the observer")?.and_then(|()| bail!("etcd's history ends")),
            Err(_) => bail!("the observer saw writes up to {} of {last}", *self.seen.borrow()),
        }
        let holding = self.holding.lock().broken().to_vec();
        if !holding.is_empty() {
            bail!("{}", holding.join("\n"));
        }
        let violations = self.observer.violations();
        if self.observer.writes() == 0 {
            bail!("the observer saw no write of {MANAGER}: it proves nothing");
        }
        if !violations.is_empty() {
            let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
            bail!("{} rules were broken:\n{}", told.len(), told.join("\n"));
        }
        Ok(())
    }
}

async fn see_all(
    observer: Observer,
    holding: Arc<Mutex<Holding>>,
    mut changes: Changes,
    mut switched: UnboundedReceiver<Switched>,
    seen_up_to: watch::Sender<u64>,
) -> anyhow::Result<()> {
    let mut waiting = VecDeque::new();
    let mut seen = 0;
    loop {
        tokio::select! {
            told = changes.next() => {
                let Some(changes) = told else { return Ok(()) };
                for change in changes? {
                    seen = change.revision;
                    see(&observer, &holding, &change)?;
                }
            }
            Some(switch) = switched.recv() => waiting.push_back(switch),
        }
        while let Some(Switched { bmc, on, .. }) = waiting.pop_front_if(|switch: &mut Switched| switch.after <= seen) {
            holding.lock().switched(&bmc, on);
            observer.power(bmc, on);
        }
        seen_up_to.send_replace(seen);
    }
}

/// Tells the observer of a write to an object that it looks at.
fn see(observer: &Observer, holding: &Mutex<Holding>, change: &Change) -> anyhow::Result<()> {
    let Some((kind, key)) = change.key.strip_prefix(PREFIX).and_then(object) else {
        return Ok(());
    };
    let read = |bytes: &Vec<u8>| serde_json::from_slice(bytes).with_context(|| format!("{} in etcd", change.key));
    let old: Option<Value> = change.old.as_ref().map(read).transpose()?;
    let new: Option<Value> = change.new.as_ref().map(read).transpose()?;
    let user = new.as_ref().map(|new| writer(old.as_ref(), new)).unwrap_or_default();
    let verb = match (&old, &new) {
        (None, _) => "create",
        (_, None) => "delete",
        _ => "update",
    };
    if kind == HARDWARE {
        holding.lock().see(&key, new.as_ref(), user == MANAGER);
    }
    observer.see(&Write {
        sequence: change.revision,
        user: &user,
        verb,
        group: kind.group,
        resource: kind.plural,
        namespace: &key.namespace,
        name: &key.name,
        old: old.as_ref(),
        new: new.as_ref(),
    });
    Ok(())
}

/// The object that lies at `group/plural/namespace/name`, if the observer looks at its kind.
fn object(path: &str) -> Option<(Kind, Key)> {
    let mut parts = path.splitn(4, '/');
    let (group, plural, namespace, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let kind = SEEN.into_iter().find(|kind| kind.group == group && kind.plural == plural)?;
    Some((kind, Key::new(namespace, name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_object_that_the_observer_looks_at_is_overlooked() {
        let found = object("tinkerbell.org/hardware/default/server-001");
        assert_eq!(found, Some((HARDWARE, Key::new("default", "server-001"))));
        for other in ["secrets/default/name", "tinkerbell.org/hardware", "events/default/x/y"] {
            assert_eq!(object(other), None, "{other}");
        }
    }
}
