//! The driver of TinkerbellClusters: observe, decide, apply; then report, once.

use std::time::Duration;

use capt_api::conditions::reasons;
use capt_api::contract::MANAGED_BY_ANNOTATION;
use capt_api::meta::{Meta, ObjectKey};
use serde_json::json;
use tracing::warn;

use super::decide::{Step, decide};
use super::report::{news, report};
use super::{World, observe};
use crate::conditions::say_the_same;
use crate::effect::{Kind, Stage, Verb, Write};
use crate::outcome::{Interest, Outcome, REFUSED_PAUSE, Waiting};
use crate::ports::{Api, Clock, Event, Stores, WriteError};

/// Steps in one pass; a whole life takes three.
const MAX_STEPS: usize = 16;

/// Reconciles TinkerbellClusters.
pub struct ClusterReconciler<P> {
    ports: P,
}

impl<P: Stores + Api + Clock> ClusterReconciler<P> {
    /// A reconciler that works through these ports.
    pub fn new(ports: P) -> Self {
        Self { ports }
    }

    /// Takes one cluster as far as it gets.
    pub async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        for _ in 0..MAX_STEPS {
            let Some(world) = observe(&self.ports, key) else {
                return settled(None);
            };
            let step = decide(&world);
            let Step::Do(write) = &step else {
                return self.settle(&world, &step).await;
            };
            match self.ports.write(write).await {
                Ok(()) | Err(WriteError::Conflict(_)) => {}
                Err(WriteError::Rejected(message) | WriteError::NamespaceEnds(message)) => {
                    warn!(cluster = %key, ?write, %message, "the server refused a write");
                    self.tell(&world, true, reasons::WRITE_REJECTED.to_owned(), message);
                    let releases = world.infra.is_terminating();
                    let waiting = Waiting { reason: reasons::WRITE_REJECTED, releases };
                    return settled(Some(REFUSED_PAUSE)).waiting_for(Some(waiting));
                }
                Err(error @ WriteError::Transient(_)) => return Outcome::Retry(error),
            }
        }
        settled(Some(Duration::from_secs(1)))
    }

    async fn settle(&self, world: &World, step: &Step) -> Outcome {
        // An externally managed cluster is not ours to speak for, and one on its way out needs no word.
        if world.infra.is_terminating() || world.infra.annotation(MANAGED_BY_ANNOTATION).is_some() {
            return settled(None);
        }
        let before = world.infra.status.clone().unwrap_or_default();
        let after = report(world, step, self.ports.now());
        let same = before.ready == after.ready
            && before.initialization == after.initialization
            && say_the_same(&before.conditions, &after.conditions);
        if same {
            return settled(None);
        }
        let body = json!({"metadata": {"uid": world.infra.uid()}, "status": after});
        let write = Write::new(Stage::Report, Kind::TinkerbellCluster, world.infra.key(), Verb::Status(body));
        match self.ports.write(&write).await {
            Ok(()) => {
                for (warning, reason, message) in news(&before.conditions, &after, world) {
                    self.tell(world, warning, reason, message);
                }
                settled(None)
            }
            Err(error) => Outcome::untold(error, &world.infra.key(), Interest::default()),
        }
    }

    fn tell(&self, world: &World, warning: bool, reason: String, message: String) {
        self.ports.event(Event {
            kind: Kind::TinkerbellCluster,
            key: world.infra.key(),
            uid: world.infra.uid().to_owned(),
            warning,
            reason,
            message,
        });
    }
}

fn settled(requeue: Option<Duration>) -> Outcome {
    Outcome::settled(requeue, Interest::default())
}
