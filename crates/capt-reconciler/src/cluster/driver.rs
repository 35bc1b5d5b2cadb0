//! The driver of TinkerbellClusters: observe, decide, apply; then report, once.

use std::time::Duration;

use crate::observed::infra::TinkerbellClusterStatus;
use capt_api::conditions::Reason;
use capt_api::contract::MANAGED_BY_ANNOTATION;
use capt_api::meta::{Meta, ObjectKey};
use serde_json::json;
use tracing::warn;

use super::decide::{Step, decide};
use super::report::{news, report, trouble};
use super::{World, observe};
use crate::conditions::equal_but_for_times;
use crate::effect::{Kind, Stage, Verb, Write};
use crate::notice::Notice;
use crate::outcome::{Interest, Outcome, Waiting};
use crate::ports::{Clock, Event, Stores, WriteError, Writer};
use crate::trouble::{Fault, Troubles};

/// Steps in one pass; a whole life takes three.
const MAX_STEPS: usize = 16;

/// Reconciles TinkerbellClusters.
pub struct ClusterReconciler<P> {
    ports: P,
    troubles: Troubles,
}

impl<P: Stores + Writer + Clock> ClusterReconciler<P> {
    /// A reconciler that works through these ports.
    pub fn new(ports: P) -> Self {
        Self { ports, troubles: Troubles::default() }
    }

    /// Takes one cluster as far as it gets.
    pub async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        for _ in 0..MAX_STEPS {
            let Some(world) = observe(&self.ports, key) else {
                self.troubles.over(key);
                return settled(None);
            };
            let step = decide(&world);
            let Step::Do(write) = &step else {
                return self.settle(&world, &step).await;
            };
            match self.ports.write(write).await {
                Ok(()) => self.troubles.over(key),
                Err(WriteError::Conflict(_)) => {}
                Err(WriteError::Rejected(message) | WriteError::NamespaceEnds(message)) => {
                    warn!(?write, %message, "write refused by the API server");
                    let pause = self.trouble(&world, write, Fault::Refused, &message).await;
                    let releases = world.infra.is_terminating();
                    let waiting = Waiting { reason: Reason::WriteRejected, releases };
                    return settled(Some(pause)).waiting_for(Some(waiting));
                }
                Err(error @ WriteError::Transient(_)) => {
                    self.trouble(&world, write, Fault::Failed, &error.to_string()).await;
                    return Outcome::Retry(error);
                }
            }
        }
        settled(Some(Duration::from_secs(1)))
    }

    /// Tells what goes wrong, once it has lasted. Returns when to try again.
    async fn trouble(&self, world: &World, write: &Write, fault: Fault, message: &str) -> Duration {
        let now = self.ports.now();
        let words = format!("TinkerbellCluster {} cannot be written ({}): {message}", write.key, write.stage.as_str());
        let reason = if fault == Fault::Refused { Reason::WriteRejected } else { Reason::WriteFailed };
        let advice = self.troubles.failed(&write.key, fault, words, now);
        if let Some(words) = advice.tell {
            let after = trouble(world, reason, &words, now);
            if let Err(error) = self.report(world, &after).await {
                self.not_taken(world, &error);
            }
        }
        advice.pause
    }

    /// Where the status cannot tell, an event does.
    fn not_taken(&self, world: &World, error: &WriteError) {
        let (fault, reason) = match error {
            WriteError::Conflict(_) => return,
            WriteError::Rejected(_) | WriteError::NamespaceEnds(_) => (Fault::Refused, Reason::WriteRejected),
            WriteError::Transient(_) => (Fault::Failed, Reason::WriteFailed),
        };
        let message = format!("the status of TinkerbellCluster {} cannot be written: {error}", world.infra.key());
        if self.troubles.cries(&world.infra.key(), fault, &message, self.ports.now()) {
            self.tell(world, Notice::warning(reason, message));
        }
    }

    /// Writes a status, if it says anything new.
    async fn report(&self, world: &World, after: &TinkerbellClusterStatus) -> Result<(), WriteError> {
        let before = world.infra.status.clone().unwrap_or_default();
        let same = before.ready == after.ready
            && before.initialization == after.initialization
            && equal_but_for_times(&before.conditions, &after.conditions);
        if same {
            return Ok(());
        }
        let body = json!({"metadata": {"uid": world.infra.uid()}, "status": after});
        let write = Write::new(Stage::Report, Kind::TinkerbellCluster, world.infra.key(), Verb::Status(body));
        self.ports.write(&write).await?;
        for notice in news(&before.conditions, after, world) {
            self.tell(world, notice);
        }
        Ok(())
    }

    async fn settle(&self, world: &World, step: &Step) -> Outcome {
        // An externally managed cluster is not ours to speak for, and one on its way out needs no word.
        if world.infra.is_terminating() || world.infra.annotation(MANAGED_BY_ANNOTATION).is_some() {
            return settled(None);
        }
        let after = report(world, step, self.ports.now());
        match self.report(world, &after).await {
            Ok(()) => {
                self.troubles.over(&world.infra.key());
                settled(None)
            }
            Err(error) => {
                self.not_taken(world, &error);
                Outcome::status_not_written(error, &world.infra.key(), Interest::default())
            }
        }
    }

    fn tell(&self, world: &World, notice: Notice) {
        self.ports.event(Event {
            kind: Kind::TinkerbellCluster,
            key: world.infra.key(),
            uid: world.infra.uid().to_owned(),
            notice,
        });
    }
}

fn settled(requeue: Option<Duration>) -> Outcome {
    Outcome::settled(requeue, Interest::default())
}
