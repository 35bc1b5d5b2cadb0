//! The driver: observe, decide, apply, until the step is a wait or the end; then report, once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::observed::infra::TinkerbellMachineStatus;
use crate::observed::tinkerbell::UserData;
use capt_api::conditions::Reason;
use capt_api::meta::{Meta, ObjectKey};
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::{debug, info, warn};

use super::address::orphan::{self, Orphan};
use super::address::{Allocation, evaluate};
use super::decide::decide;
use super::memory::Memory;
use super::observe::observe;
use super::report::{news, report};
use super::reserve;
use super::step::{Concern, Step, Wait};
use super::story::{Stories, Story};
use super::world::{Pass, World};
use crate::conditions::equal_but_for_times;
use crate::effect::{Kind, Stage, Verb, Write};
use crate::notice::Notice;
use crate::outcome::{Interest, Outcome, REFUSED_PAUSE, Waiting};
use crate::ports::{Clock, Event, Stores, WriteError, Writer};
use crate::settings::Settings;
use crate::trouble::{Fault, Troubles, elapsed, likeness};

/// Steps in one pass. A whole life takes about ten, and a crowd of machines may pass over each other's Hardware; more
/// than this is a fault of ours, and must not spin.
const MAX_STEPS: usize = 256;
/// Conflicts in one pass before the machine goes back into the queue.
const MAX_CONFLICTS: usize = 8;
/// Pause after that.
const CONTENTION_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause between two looks at something that nobody watches.
const LONGEST_LOOK: Duration = Duration::from_secs(60);

/// Reconciles TinkerbellMachines.
pub struct MachineReconciler<P> {
    ports: P,
    settings: Arc<Settings>,
    waits: Mutex<HashMap<ObjectKey, Since>>,
    memories: Mutex<HashMap<ObjectKey, Memory>>,
    reserving: Mutex<HashSet<ObjectKey>>,
    stories: Stories,
    /// The bootstrap data, as a fingerprint, that is known to stand rightly on the Hardware of a machine (by UID).
    user_data: Mutex<HashMap<ObjectKey, (String, UserData)>>,
    troubles: Troubles,
    /// Claims of machines that are gone and that cannot be let go.
    held: Troubles,
}

/// A machine's word that it is about to reserve a Hardware, good until dropped. It spares all others that wait for
/// the same Hardware a look at their bootstrap data.
struct ReservationIntent<'a> {
    all: &'a Mutex<HashSet<ObjectKey>>,
    hardware: ObjectKey,
}

impl Drop for ReservationIntent<'_> {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.hardware);
    }
}

/// One look at a machine: the World, what it says of the address, and when.
struct Look {
    world: World,
    allocation: Allocation,
    now: Timestamp,
}

impl Look {
    fn step(&self) -> Step {
        decide(&self.world, &self.allocation, self.now)
    }

    fn report(&self, step: &Step) -> TinkerbellMachineStatus {
        report(&self.world, &self.allocation, step, self.now)
    }
}

/// Since when a machine waits for what.
struct Since {
    reason: Reason,
    at: Timestamp,
}

impl<P: Stores + Writer + Clock> MachineReconciler<P> {
    /// A reconciler that works through these ports.
    pub fn new(ports: P, settings: Settings) -> Self {
        Self {
            ports,
            settings: Arc::new(settings),
            waits: Mutex::default(),
            memories: Mutex::default(),
            reserving: Mutex::default(),
            stories: Stories::default(),
            user_data: Mutex::default(),
            troubles: Troubles::default(),
            held: Troubles::default(),
        }
    }

    /// Forgets what it remembers of a machine that is gone.
    pub fn forget(&self, key: &ObjectKey) {
        self.tell_story(key);
        self.troubles.over(key);
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.user_data.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Remembers what is known to be right on the machine's Hardware, until its server is provisioned.
    fn remember_user_data(&self, world: &World) {
        let mut all = self.user_data.lock().unwrap_or_else(PoisonError::into_inner);
        if world.is_provisioned() || world.machine.is_terminating() {
            all.remove(&world.key());
        } else if let Some(right) = reserve::verified_user_data(world) {
            all.insert(world.key(), (world.machine.uid().to_owned(), right));
        }
    }

    fn known_user_data(&self, world: &World) -> Option<UserData> {
        let all = self.user_data.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&world.key()).filter(|(uid, _)| uid == world.machine.uid()).map(|(_, known)| *known)
    }

    fn remembered(&self, key: &ObjectKey) -> Memory {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default()
    }

    /// Keeps what is worth it: a machine of which nothing is known needs no place.
    fn remember(&self, key: &ObjectKey, memory: &Memory) {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.is_empty() {
            memories.remove(key);
        } else {
            memories.insert(key.clone(), memory.clone());
        }
    }

    /// Takes one machine as far as it gets.
    pub async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let mut pass = Pass { memory: self.remembered(key), ..Pass::default() };
        let mut intents = Vec::new();
        let mut conflicts = 0;
        let mut done = HashSet::new();
        if let Some(rest) = self.troubles.rest(key, self.ports.now()) {
            return settled(Some(rest), Interest::default());
        }
        for _ in 0..MAX_STEPS {
            let Some(look) = self.look(key, &mut pass) else {
                self.forget(key);
                return self.let_go_of_claim(key).await;
            };
            let step = look.step();
            if let (Step::ReadBootstrapData(_), Some(hardware)) = (&step, look.world.server.candidate()) {
                match self.intend(hardware.key()) {
                    Some(intent) => intents.push(intent),
                    None => {
                        pass.avoid.insert(hardware.key());
                        continue;
                    }
                }
            }
            match &step {
                Step::Do(write) if done.contains(&likeness(write)) => return self.undone(&look, write).await,
                Step::Wait(_) | Step::Paused | Step::Done => return self.settle(&look, &step, false).await,
                _ => {}
            }
            match (self.perform(&look, &step, &mut pass).await, &step) {
                (Ok(()), Step::Do(write)) => {
                    done.insert(likeness(write));
                    self.troubles.progressed(key);
                }
                (Ok(()), _) => {}
                (Err(error), _) => {
                    conflicts += usize::from(matches!(error, WriteError::Conflict(_)));
                    if let Some(outcome) = self.not_performed(&look, &step, error, &mut pass, conflicts).await {
                        return outcome;
                    }
                }
            }
        }
        warn!(steps = MAX_STEPS, "reconcile did not settle, requeued");
        settled(Some(REFUSED_PAUSE), Interest::default())
    }

    /// Looks at the machine; nothing if there is none.
    fn look(&self, key: &ObjectKey, pass: &mut Pass) -> Option<Look> {
        let now = self.ports.now();
        let mut world = observe(&self.ports, key, pass, &self.settings)?;
        world.pass.known_user_data = self.known_user_data(&world);
        pass.memory.observe(&world, now);
        self.remember(key, &pass.memory);
        world.pass.memory = pass.memory.clone();
        Some(Look { allocation: evaluate(&world, now), world, now })
    }

    /// Does what a step asks for.
    async fn perform(&self, look: &Look, step: &Step, pass: &mut Pass) -> Result<(), WriteError> {
        match step {
            Step::Do(write) => self.apply(&look.world, write, pass).await?,
            Step::ReadBootstrapData(secret) => pass.bootstrap = Some(self.ports.bootstrap_secret(secret).await?),
            Step::Watch(namespace) => {
                // Whether it is needed is the decision's business.
                pass.unwatchable = self.ports.watch_namespace(namespace).await.err().map(|error| error.to_string());
            }
            Step::Look(kind, object) => {
                self.ports.look(*kind, object).await?;
                pass.looked_at.push((*kind, object.clone()));
            }
            Step::AskBmc(question) => {
                let view = self.ports.ask_bmc(question).await;
                pass.memory.learn(&look.world, &view);
                self.remember(&look.world.key(), &pass.memory);
                pass.bmc = Some(view);
            }
            Step::Wait(_) | Step::Paused | Step::Done => {}
        }
        Ok(())
    }

    /// What comes of a step that failed; nothing if the machine is looked at again at once.
    async fn not_performed(
        &self,
        look: &Look,
        step: &Step,
        error: WriteError,
        pass: &mut Pass,
        conflicts: usize,
    ) -> Option<Outcome> {
        match error {
            WriteError::Conflict(message) => {
                debug!(%message, "conflict: the object has changed, retrying with its current state");
                if conflicts <= MAX_CONFLICTS {
                    return None;
                }
                Some(self.overtaken(look, step, &message).await)
            }
            WriteError::NamespaceEnds(message) => {
                let Step::Do(write) = step else { return Some(settled(Some(REFUSED_PAUSE), Interest::default())) };
                let is_terminating = look.world.machine.is_terminating();
                if is_terminating && pass.ending_namespaces.insert(write.key.namespace.clone()) {
                    return None;
                }
                Some(self.refused(look, step, &message).await)
            }
            WriteError::Rejected(_) if look.world.power.may_delete_jobs && !self.ports.may_delete_jobs() => {
                debug!("no right to delete Jobs of bmc.tinkerbell.org, going on without");
                None
            }
            WriteError::Rejected(message) => {
                warn!(?step, %message, "write refused by the API server");
                Some(self.refused(look, step, &message).await)
            }
            WriteError::Transient(_) => {
                warn!(?step, %error, "request to the API server failed, retrying");
                let wait = trouble(&look.world, step, Reason::WriteFailed, &error.to_string());
                let key = look.world.key();
                let advice = self.troubles.failed(&key, Fault::Failed, wait.message.clone(), look.now);
                if let Some(message) = advice.tell {
                    self.publish(look, &Wait { message, ..wait }.into()).await;
                }
                Some(Outcome::Retry(error))
            }
        }
    }

    /// Others write what the machine needs, again and again: it goes back into the queue.
    async fn overtaken(&self, look: &Look, step: &Step, message: &str) -> Outcome {
        let wait = trouble(&look.world, step, Reason::WriteFailed, message);
        let advice = self.troubles.failed(&look.world.key(), Fault::Overtaken, wait.message.clone(), look.now);
        let Some(message) = advice.tell else {
            return settled(Some(CONTENTION_PAUSE), Interest::default());
        };
        self.publish(look, &Wait { message, ..wait }.into()).await;
        settled(Some(advice.pause), Interest::default())
    }

    /// Says that the caller is about to reserve this Hardware, unless another one said so before.
    fn intend(&self, hardware: ObjectKey) -> Option<ReservationIntent<'_>> {
        let mut all = self.reserving.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(hardware.clone()).then(|| ReservationIntent { all: &self.reserving, hardware })
    }

    async fn apply(&self, world: &World, write: &Write, pass: &mut Pass) -> Result<(), WriteError> {
        if write.kind == Kind::Job && matches!(write.verb, Verb::Create(_)) {
            // Before it is sent: if the answer is lost, this very Job is asked for again.
            if let Some(hardware) = world.to_release.first() {
                pass.memory.unconfirmed_jobs.insert(hardware.key(), write.key.name.clone());
                self.remember(&world.key(), &pass.memory);
            }
        }
        self.ports.write(write).await?;
        let told = write.notices.first().map(|notice| notice.message.as_str());
        info!(stage = write.stage.as_str(), kind = write.kind.as_str(), object = %write.key, event = told, "{}", write.verb.done());
        for notice in &write.notices {
            self.tell(world, notice.clone());
        }
        Ok(())
    }

    /// Tells a warning at once, anything else as part of the machine's story.
    fn tell(&self, world: &World, notice: Notice) {
        let (key, uid) = (world.key(), world.machine.uid());
        if !notice.warning {
            self.stories.add(key, uid, notice);
            return;
        }
        self.tell_story(&key);
        self.ports.event(Event { kind: Kind::TinkerbellMachine, key, uid: uid.to_owned(), notice });
    }

    fn tell_story(&self, machine: &ObjectKey) {
        if let Some(Story { uid, notice }) = self.stories.take(machine) {
            let key = machine.clone();
            self.ports.event(Event { kind: Kind::TinkerbellMachine, key, uid, notice });
        }
    }

    /// The server refuses a step: told in its words, and tried again less and less often.
    async fn refused(&self, look: &Look, step: &Step, message: &str) -> Outcome {
        let world = &look.world;
        let wait = trouble(world, step, Reason::WriteRejected, message);
        let advice = self.troubles.failed(&world.key(), Fault::Refused, wait.message.clone(), look.now);
        let message = advice.tell.unwrap_or_else(|| wait.message.clone());
        let step = Wait { message, ..wait }.again_after(advice.pause).into();
        self.settle(look, &step, true).await
    }

    /// A write that was made in this pass is wanted again: somebody undoes what we write.
    async fn undone(&self, look: &Look, write: &Write) -> Outcome {
        let message = format!(
            "{} {} was written ({}) and does not keep it: another controller or a mutating webhook undoes it. Find out \
             which one, and stop it",
            write.kind,
            write.key,
            write.stage.as_str()
        );
        warn!(?write, "write is undone by another controller or a mutating webhook");
        let advice = self.troubles.failed(&look.world.key(), Fault::Undone, message.clone(), look.now);
        let wait = Wait::problem(concern(write.stage), Reason::WriteUndone, message).again_after(advice.pause);
        self.settle(look, &wait.into(), true).await
    }

    /// The claim of a machine that is gone: our finalizer comes off once no Hardware carries its address.
    async fn let_go_of_claim(&self, machine: &ObjectKey) -> Outcome {
        for _ in 0..MAX_CONFLICTS {
            match orphan::claim_of_nobody(&self.ports, machine) {
                Orphan::None => break,
                Orphan::LetGo(write) => match self.ports.write(&write).await {
                    Ok(()) => info!(claim = %write.key, "released IPAddressClaim of a deleted TinkerbellMachine"),
                    Err(WriteError::Conflict(_)) => {}
                    Err(WriteError::Rejected(message) | WriteError::NamespaceEnds(message)) => {
                        warn!(claim = %write.key, %message, "write refused by the API server");
                        return settled(Some(REFUSED_PAUSE), Interest::default());
                    }
                    Err(error @ WriteError::Transient(_)) => return Outcome::Retry(error),
                },
                Orphan::Held { claim, message, interest } => {
                    if self.held.is_news(machine, &message, self.ports.now()) {
                        let (key, uid) = (claim.key(), claim.uid().to_owned());
                        let notice = Notice::warning(Reason::AddressReleasedInUse, message);
                        let kind = Kind::IPAddressClaim;
                        self.ports.event(Event { kind, key, uid, notice });
                    }
                    return settled(None, *interest);
                }
            }
        }
        self.held.over(machine);
        settled(None, Interest::default())
    }

    /// Nothing more can be done now; `troubled` if something went wrong.
    async fn settle(&self, look: &Look, step: &Step, troubled: bool) -> Outcome {
        self.remember_user_data(&look.world);
        self.tell_news(look, step, troubled).await.waiting_for(waiting(&look.world, step))
    }

    /// Reports what is, once, and only if it says something new.
    async fn tell_news(&self, look: &Look, step: &Step, troubled: bool) -> Outcome {
        let (world, now) = (&look.world, look.now);
        let waited = self.waited(world, step, now);
        let patience = self.patience_left(step, waited);
        let (requeue, interest) = match step {
            Step::Wait(wait) if wait.unwatched => {
                (wait.requeue.map(|first| waited.clamp(first, LONGEST_LOOK)), wait.interest.clone())
            }
            Step::Wait(wait) => (wait.requeue, wait.interest.clone()),
            Step::Done => (None, watch_over(&look.allocation)),
            _ => (None, Interest::default()),
        };
        if gone(world) {
            self.forget(&world.key());
            return settled(None, interest);
        }
        let before = world.machine.status.clone().unwrap_or_default();
        let after = look.report(step);
        let over = || {
            if !troubled {
                self.troubles.over(&world.key());
            }
        };
        if same(&before, &after) {
            over();
            self.tell_story(&world.key());
            return settled(requeue, interest);
        }
        if let Some(left) = patience {
            over();
            let requeue = requeue.map_or(left, |requeue| requeue.min(left));
            return settled(Some(requeue), interest);
        }
        match self.write_status(world, step, &before, &after).await {
            Ok(()) => {
                over();
                settled(requeue, interest)
            }
            Err(error) => {
                self.status_not_taken(world, &error, now);
                Outcome::status_not_written(error, &world.key(), interest)
            }
        }
    }

    /// Tells at once what goes wrong, whatever is done about it.
    async fn publish(&self, look: &Look, step: &Step) {
        let (world, now) = (&look.world, look.now);
        let before = world.machine.status.clone().unwrap_or_default();
        let after = look.report(step);
        if gone(world) || same(&before, &after) {
            return;
        }
        if let Err(error) = self.write_status(world, step, &before, &after).await {
            self.status_not_taken(world, &error, now);
        }
    }

    async fn write_status(
        &self,
        world: &World,
        step: &Step,
        before: &TinkerbellMachineStatus,
        after: &TinkerbellMachineStatus,
    ) -> Result<(), WriteError> {
        let body = json!({"metadata": {"uid": world.machine.uid()}, "status": difference(before, after)});
        let write = Write::new(Stage::Report, Kind::TinkerbellMachine, world.key(), Verb::Status(body));
        self.ports.write(&write).await?;
        for notice in news(before, after, step) {
            self.tell(world, notice);
        }
        self.tell_story(&world.key());
        Ok(())
    }

    /// Where the status cannot tell, an event does.
    fn status_not_taken(&self, world: &World, error: &WriteError, now: Timestamp) {
        let (fault, reason) = match error {
            // Somebody else wrote the object; the next pass tells.
            WriteError::Conflict(_) => return,
            WriteError::Rejected(_) | WriteError::NamespaceEnds(_) => (Fault::Refused, Reason::WriteRejected),
            WriteError::Transient(_) => (Fault::Failed, Reason::WriteFailed),
        };
        let message = format!("the status of TinkerbellMachine {} cannot be written: {error}", world.key());
        if self.troubles.cries(&world.key(), fault, &message, now) {
            self.tell(world, Notice::warning(reason, message));
        }
    }

    /// How long the machine has waited for this reason.
    fn waited(&self, world: &World, step: &Step, now: Timestamp) -> Duration {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let Step::Wait(wait) = step else {
            waits.remove(&world.key());
            return Duration::ZERO;
        };
        let since = waits.entry(world.key()).or_insert(Since { reason: wait.reason, at: now });
        if since.reason != wait.reason {
            *since = Since { reason: wait.reason, at: now };
        }
        elapsed(since.at, now)
    }

    /// How long a wait still has to last before it is worth a status write, or nothing if it is (or is no wait).
    fn patience_left(&self, step: &Step, waited: Duration) -> Option<Duration> {
        let Step::Wait(wait) = step else { return None };
        let patience = if wait.expected { self.settings.patience } else { self.settings.flicker };
        patience.checked_sub(waited).filter(|left| !left.is_zero())
    }
}

fn settled(requeue: Option<Duration>, interest: Interest) -> Outcome {
    Outcome::settled(requeue, interest)
}

/// What a settled machine waits for.
fn waiting(world: &World, step: &Step) -> Option<Waiting> {
    let Step::Wait(wait) = step else {
        return None;
    };
    Some(Waiting { reason: wait.reason, releases: world.machine.is_terminating() })
}

/// Whether the machine is on its way out with nothing of ours left on it: its status is nobody's business any more.
fn gone(world: &World) -> bool {
    use capt_api::contract::{LEGACY_MACHINE_FINALIZER, MACHINE_FINALIZER};
    world.machine.is_terminating()
        && !world.machine.has_finalizer(MACHINE_FINALIZER)
        && !world.machine.has_finalizer(LEGACY_MACHINE_FINALIZER)
}

/// A machine that is done still wants to know when its address is out of trouble.
fn watch_over(allocation: &Allocation) -> Interest {
    match allocation {
        Allocation::Troubled(wait) => wait.interest.clone(),
        Allocation::Unread => Interest { ipam_kinds: true, ..Interest::default() },
        _ => Interest::default(),
    }
}

/// The wait for a step that the server refuses or does not answer.
fn trouble(world: &World, step: &Step, reason: Reason, message: &str) -> Wait {
    match step {
        Step::Look(kind, key) => {
            let concern = if world.machine.is_terminating() { Concern::Deleting } else { Concern::Workflow };
            Wait::problem(concern, reason, format!("{kind} {key} cannot be read: {message}"))
        }
        Step::Do(write) => {
            let concern = if world.machine.is_terminating() { Concern::Deleting } else { concern(write.stage) };
            let (kind, key, stage) = (write.kind, &write.key, write.stage.as_str());
            Wait::problem(concern, reason, format!("{kind} {key} cannot be written ({stage}): {message}"))
        }
        _ => {
            let message = format!("the bootstrap data Secret cannot be read: {message}");
            Wait::problem(Concern::Hardware, Reason::WaitingForBootstrapData, message)
        }
    }
}

/// Whose condition tells of a write of this stage.
fn concern(stage: Stage) -> Concern {
    match stage {
        Stage::Adopt | Stage::Reserve | Stage::Record => Concern::Hardware,
        Stage::Claim | Stage::Address => Concern::Address,
        Stage::Boot | Stage::Provisioned | Stage::Report => Concern::Workflow,
        Stage::Stop | Stage::PowerOff | Stage::ReleaseHardware | Stage::ReleaseClaims | Stage::Finish => {
            Concern::Deleting
        }
    }
}

/// Whether two statuses say the same, whatever the times they give.
fn same(before: &TinkerbellMachineStatus, after: &TinkerbellMachineStatus) -> bool {
    let without =
        |status: &TinkerbellMachineStatus| TinkerbellMachineStatus { conditions: Vec::new(), ..status.clone() };
    without(before) == without(after) && equal_but_for_times(&before.conditions, &after.conditions)
}

/// The merge patch from one status to the other: only members that differ.
fn difference(before: &TinkerbellMachineStatus, after: &TinkerbellMachineStatus) -> Value {
    let (Value::Object(before), Value::Object(mut after)) = (json!(before), json!(after)) else {
        return json!({});
    };
    after.retain(|name, value| before.get(name) != Some(value));
    Value::Object(after)
}
