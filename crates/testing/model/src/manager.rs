//! The manager: the shipped `observe` and `decide`, one write at a time, on stores that may be behind.

use std::sync::Arc;
use std::time::Duration;

use ahash::AHashMap;
use capt_api::contract::power_off_job_name;
use capt_api::meta::ObjectKey;
use capt_reconciler::Settings;
use capt_reconciler::effect::{Kind as Written, Stage, Verb, Write};
use capt_reconciler::machine::address::{Allocation, evaluate};
use capt_reconciler::machine::decide::decide;
use capt_reconciler::machine::memory::Memory as Remembered;
use capt_reconciler::machine::observe::observe;
use capt_reconciler::machine::report::report;
use capt_reconciler::machine::step::Step;
use capt_reconciler::machine::world::{Pass, World};
use capt_reconciler::observed::infra::TinkerbellMachineStatus;
use capt_reconciler::ports::{BmcQuestion, BmcState, BmcView, BootstrapData, BootstrapSecret};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::event::{Event, Heard, Next};
use crate::faults::{self, Fault};
use crate::object::{Id, KeyId, Kind, Object, Uid, Universe, uid_number, uid_text};
use crate::scenario::Scenario;
use crate::server::{self, Answer, THEN};
use crate::state::{Memory, State};
use crate::stores::View;
use crate::{rufio, rules, stores};

const WHO: &str = "manager";
/// What stands in a BMC Machine until rufio has read the power state.
pub const UNKNOWN: &str = "unknown";
/// While tink-controller may still work on a Workflow that is gone, this much time has passed; else as much as anybody
/// waits for.
const SOON: Duration = Duration::from_secs(2);
const LATER: Duration = Duration::from_secs(24 * 3600);

/// What the manager wants of one machine.
#[derive(Clone, Debug)]
enum Wish {
    /// This write.
    Write(Arc<Write>),
    /// That rufio reads the power state of this BMC anew.
    Ask(KeyId),
    /// What the server itself says of this object.
    Look(Kind, ObjectKey),
    /// Nothing, for now.
    Rest,
}

/// What was decided, and what is remembered from then on.
#[derive(Clone, Debug)]
struct Decision {
    wish: Wish,
    memory: Memory,
}

/// All that a decision depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    machine: KeyId,
    soon: bool,
    namespace_ends: bool,
    memory: Memory,
    view: Vec<Id>,
    looked_at: Vec<KeyId>,
}

/// The manager, which remembers what it decided: the same stores, the same decision.
pub struct Manager {
    settings: Arc<Settings>,
    decided: AHashMap<Question, Decision>,
    then: Timestamp,
}

impl Default for Manager {
    fn default() -> Self {
        let then = THEN.parse().expect("a time");
        Self { settings: Arc::new(Settings::default()), decided: AHashMap::default(), then }
    }
}

impl Manager {
    /// Everything that the manager may do next.
    pub fn moves(&mut self, universe: &mut Universe, state: &State, scenario: &Scenario, next: &mut Vec<Next>) {
        for (n, key) in scenario.machines.iter().enumerate() {
            let Some(id) = universe.known_key(Kind::TinkerbellMachine, key) else { continue };
            let Decision { wish, memory } = self.decision(universe, state, scenario, id, n);
            let mut after = state.clone();
            after.memories[n] = memory;
            match wish {
                Wish::Look(kind, key) => {
                    let key = universe.key_id(kind, &key);
                    after.hear(key);
                    let event = Event::work(WHO, "asks the server for", key);
                    next.push(Next { event, state: after, broken: None });
                }
                Wish::Write(write) => apply(universe, state, after, scenario, n, &write, next),
                Wish::Ask(bmc) => {
                    if let Some(found) = state.at(universe, bmc) {
                        server::change_always(universe, &mut after, found, UNKNOWN, |bmc| {
                            bmc["status"]["powerState"] = json!(UNKNOWN);
                        });
                    }
                    let event = Event::work(WHO, "has rufio read the power state anew of", bmc);
                    next.push(Next { event, state: after, broken: None });
                }
                Wish::Rest if after != *state => {
                    next.push(Next {
                        event: Event::work(WHO, "waits, and notes it, for", id).quickly(),
                        state: after,
                        broken: None,
                    });
                }
                Wish::Rest => {}
            }
        }
        if state.memories.iter().any(|memory| *memory != Memory::default()) {
            let mut after = state.clone();
            after.memories.fill(Memory::default());
            after.late.clear();
            next.push(Next { event: Event::mishap(WHO, "crashes and starts again", None), state: after, broken: None });
        }
        for (key, _) in state.late.clone() {
            let mut after = state.clone();
            after.hear(key);
            next.push(Next { event: Event::work(WHO, "hears of what became of", key), state: after, broken: None });
        }
    }

    /// What is done next. A look that tells nothing new is no event of its own.
    fn decision(
        &mut self,
        universe: &mut Universe,
        state: &State,
        scenario: &Scenario,
        machine: KeyId,
        n: usize,
    ) -> Decision {
        let mut looked_at = Vec::new();
        loop {
            let decision = self.after_looks(universe, state, scenario, (machine, n), &looked_at);
            let Wish::Look(kind, key) = &decision.wish else { return decision };
            let key = universe.key_id(*kind, key);
            if state.late.iter().any(|(late, _)| *late == key) {
                return decision;
            }
            looked_at.push(key);
        }
    }

    fn after_looks(
        &mut self,
        universe: &Universe,
        state: &State,
        scenario: &Scenario,
        (machine, n): (KeyId, usize),
        looked_at: &[KeyId],
    ) -> Decision {
        let mut view = state.view(universe);
        let of = &universe.key(machine).1;
        let uid = state.at(universe, machine).map_or(0, |id| universe.get(id).uid);
        view.retain(|id| concerns(universe.get(*id), of, uid));
        let question = Question {
            machine,
            soon: !state.tink.is_empty() || has_orphaned_task(universe, state),
            namespace_ends: state.namespace_ends,
            memory: state.memories[n],
            view,
            looked_at: looked_at.to_vec(),
        };
        if let Some(decision) = self.decided.get(&question) {
            return decision.clone();
        }
        let decision = self.decide(universe, &question, scenario);
        self.decided.insert(question, decision.clone());
        decision
    }

    /// As the driver does it, up to the next write.
    fn decide(&self, universe: &Universe, question: &Question, scenario: &Scenario) -> Decision {
        let stores = View { universe, ids: &question.view, fault: scenario.fault };
        let key = &universe.key(question.machine).1;
        let now = self.then + if question.soon { SOON } else { LATER };
        let secret = BootstrapSecret::Found(BootstrapData::new("join PROVIDER_ID".to_owned()));
        let memory = self.recall(question, scenario, key, now);
        let mut pass = Pass { bootstrap: Some(secret), memory, ..Pass::default() };
        loop {
            let Some(mut world) = observe(&stores, key, &pass, &self.settings) else {
                return Decision { wish: Wish::Rest, memory: Memory::default() };
            };
            pass.memory.observe(&world, now);
            world.pass.memory = pass.memory.clone();
            faults::bend_world(scenario.fault, &stores, &mut world);
            let memory = keep(&pass.memory, scenario);
            let allocation = evaluate(&world, now);
            let wish = match decide(&world, &allocation, now) {
                Step::Do(write) => {
                    let refused = matches!(write.verb, Verb::Create(_)) && question.namespace_ends;
                    if refused && pass.ending_namespaces.insert(write.key.namespace.clone()) {
                        if world.machine.metadata.deletion_timestamp.is_some() {
                            continue;
                        }
                        return Decision { wish: Wish::Rest, memory };
                    }
                    let mut write = *write;
                    faults::bend_write(scenario.fault, &world, &mut write);
                    Wish::Write(Arc::new(write))
                }
                Step::AskBmc(asked) if pass.bmc.is_none() => {
                    let view = answer(&stores, &asked);
                    pass.memory.learn(&world, &view);
                    if asked.anew && view != BmcView::Missing {
                        let bmc = universe.known_key(Kind::BmcMachine, &asked.key).unwrap_or_default();
                        return Decision { wish: Wish::Ask(bmc), memory: keep(&pass.memory, scenario) };
                    }
                    pass.bmc = Some(view);
                    continue;
                }
                Step::Look(looked, key) => {
                    let kind = server::kind(looked);
                    let known = universe.known_key(kind, &key);
                    if !known.is_some_and(|known| question.looked_at.contains(&known)) {
                        return Decision { wish: Wish::Look(kind, key), memory };
                    }
                    pass.looked_at.push((looked, key));
                    continue;
                }
                step => told(&world, &allocation, &step, now).map_or(Wish::Rest, |write| Wish::Write(Arc::new(write))),
            };
            return Decision { wish, memory };
        }
    }

    /// The memory as the reconciler has it. What stirred has done so just now, as long as Tinkerbell may still act on
    /// what it has seen; else long ago.
    fn recall(&self, question: &Question, scenario: &Scenario, key: &ObjectKey, now: Timestamp) -> Remembered {
        let memory = &question.memory;
        if *memory == Memory::default() {
            return Remembered::default();
        }
        let when = if question.soon { now } else { self.then };
        let servers = || scenario.servers.iter().map(|server| &server.hardware).enumerate();
        let unconfirmed = servers().filter_map(|(n, hardware)| {
            Some((hardware.clone(), power_off_job_name(&key.name, u64::from(memory.unconfirmed[n]?))))
        });
        Remembered {
            uid: uid_text(memory.machine),
            unconfirmed_jobs: unconfirmed.collect(),
            confirmed: 0,
            asked: servers()
                .filter_map(|(n, key_of)| {
                    Some((key_of.clone(), power_off_job_name(&key.name, u64::from(memory.asked[n]?))))
                })
                .collect(),
            stirred: servers().filter(|(n, _)| memory.stirred[*n]).map(|(_, key)| (key.clone(), when)).collect(),
        }
    }
}

/// What the BMC's Machine says.
fn answer(stores: &View<'_>, asked: &BmcQuestion) -> BmcView {
    let Some(bmc) = stores.bmc_machine(&asked.key) else { return BmcView::Missing };
    let stands = bmc.text("/status/powerState");
    let power_state = if asked.anew { UNKNOWN } else { stands }.to_owned();
    BmcView::Found(BmcState { power_state, anew: asked.anew, ..BmcState::default() })
}

/// What there is to remember.
fn keep(memory: &Remembered, scenario: &Scenario) -> Memory {
    let mut kept = Memory::default();
    for (n, server) in scenario.servers.iter().enumerate() {
        let name = memory.unconfirmed_jobs.get(&server.hardware);
        kept.unconfirmed[n] = name.and_then(|name| number_of(name));
        kept.asked[n] = memory.asked.get(&server.hardware).and_then(|name| number_of(name));
        kept.stirred[n] = memory.stirred.contains_key(&server.hardware);
    }
    if kept != Memory::default() {
        kept.machine = uid_number(&memory.uid).unwrap_or_default();
    }
    kept
}

/// Whether a decision about this machine may depend on the object: by its name or because it names the machine's UID,
/// where other machines have such objects, too.
fn concerns(object: &Object, machine: &ObjectKey, uid: Uid) -> bool {
    match object.kind {
        Kind::Task => false,
        Kind::Template | Kind::Workflow | Kind::IPAddressClaim | Kind::IPAddress => {
            object.key.name.starts_with(&machine.name)
                || object.mentions.contains(&uid)
                || stores::owning_machine(object).as_ref() == Some(machine)
        }
        _ => true,
    }
}

/// Whether a Task whose Job is gone has not run yet. It does so before anybody has waited for long.
fn has_orphaned_task(universe: &Universe, state: &State) -> bool {
    let orphaned = |owner| state.by_uid(universe, owner).is_none();
    state
        .of_kind(universe, Kind::Task)
        .any(|(_, task)| !rufio::has_ended(task) && task.controller.is_some_and(orphaned))
}

/// The number in the name of a power-off Job.
fn number_of(name: &str) -> Option<u8> {
    u8::from_str_radix(name.rsplit('-').next()?, 16).ok()
}

/// A number that no power-off Job of this machine's name has which anything still knows of. The names that the reconciler
/// makes up are never used twice; here they are counted, so that equal states are equal.
fn fresh_number(universe: &Universe, state: &State, machine: &str) -> u8 {
    let known = |name: &str| {
        let is_known = |id: Id| {
            let object = universe.get(id);
            object.key.name.starts_with(name) || object.controller_name == name
        };
        state.everything().any(is_known)
    };
    let remembered = |n: u8| {
        state.memories.iter().any(|memory| memory.unconfirmed.contains(&Some(n)) || memory.asked.contains(&Some(n)))
    };
    let is_free = |n: &u8| !remembered(*n) && !known(&power_off_job_name(machine, u64::from(*n)));
    (0..u8::MAX).find(is_free).unwrap_or(u8::MAX)
}

/// The status that is written when nothing else can be done. Conditions are words for a person and left out.
fn told(world: &World, allocation: &Allocation, step: &Step, now: Timestamp) -> Option<Write> {
    let lasting = |status: &TinkerbellMachineStatus| {
        let mut status = json!(status);
        if let Value::Object(members) = &mut status {
            members.retain(|name, _| name != "conditions" && name != "instanceStatus");
        }
        status
    };
    let before = lasting(&world.machine.status.clone().unwrap_or_default());
    let after = lasting(&report(world, allocation, step, now));
    if before == after {
        return None;
    }
    let body = json!({"metadata": {"uid": world.machine.metadata.uid}, "status": after});
    Some(Write::new(Stage::Report, Written::TinkerbellMachine, world.key(), Verb::Status(body)))
}

fn words(write: &Write) -> &'static str {
    match (write.stage, &write.verb) {
        (Stage::Adopt, _) => "puts its finalizer on",
        (Stage::Reserve, _) => "reserves",
        (Stage::Record, _) => "records the Hardware in",
        (Stage::Claim, Verb::Create(_)) => "makes",
        (Stage::Claim, _) => "mends or lets go",
        (Stage::Address, _) => "writes the address to",
        (Stage::Boot, Verb::Create(_)) => "boots: makes",
        (Stage::Boot, _) => "boots: clears away",
        (Stage::Provisioned, _) => "marks as provisioned",
        (Stage::Stop, _) => "stops: deletes",
        (Stage::PowerOff, Verb::Create(_)) => "switches off: makes",
        (Stage::PowerOff, Verb::Delete { .. }) => "switches off: deletes",
        (Stage::PowerOff, _) => "switches off: changes",
        (Stage::ReleaseHardware, _) => "releases",
        (Stage::ReleaseClaims, _) => "releases the claim",
        (Stage::Finish, _) => "takes its finalizer off",
        (Stage::Report, _) => "writes the status of",
    }
}

fn apply(
    universe: &mut Universe,
    state: &State,
    mut after: State,
    scenario: &Scenario,
    n: usize,
    write: &Write,
    next: &mut Vec<Next>,
) {
    let machine = &scenario.machines[n];
    let decided = std::ptr::from_ref(write).addr();
    let mut write = std::borrow::Cow::Borrowed(write);
    if write.kind == Written::Job && matches!(write.verb, Verb::Create(_)) && scenario.fault != Some(Fault::OneJobName)
    {
        let place = write_place(scenario, &write).unwrap_or_default();
        let number =
            after.memories[n].unconfirmed[place].unwrap_or_else(|| fresh_number(universe, state, &machine.name));
        write.to_mut().key.name = power_off_job_name(&machine.name, u64::from(number));
        after.memories[n].unconfirmed[place] = Some(number);
        after.memories[n].machine = state
            .find(universe, Kind::TinkerbellMachine, machine)
            .map_or(after.memories[n].machine, |id| universe.get(id).uid);
    }
    let key = universe.key_id(server::kind(write.kind), &write.key);
    let held = state.seen(universe, key);
    let event = Event { is_quick: is_quick(&write), ..Event::work(WHO, words(&write), key) };
    let before = after.clone();
    match server::write(universe, &mut after, &write, decided) {
        Answer::Done => {
            let broken = rules::written(universe, state, &mut after, scenario, machine, &write);
            if let Some(left) = state.budget.lost.checked_sub(1) {
                let mut after = after.clone();
                after.budget.lost = left;
                after.miss(universe, key, held);
                let event = Event { heard: Heard::Lost, is_fair: false, ..event };
                next.push(Next { event, state: after, broken });
            }
            after.hear(key);
            let broken = broken.or((after == *state).then_some("rule 10: a write that changes nothing, for ever"));
            next.push(Next { event, state: after, broken });
        }
        Answer::Conflict => {
            let mut after = before;
            after.hear(key);
            let event = Event { heard: Heard::Conflict, ..event };
            let broken = (after == *state).then_some("rule 10: a conflict that reading again does not end");
            next.push(Next { event, state: after, broken });
        }
        // Told in the condition and tried again later.
        Answer::Refused => {}
    }
}

/// Whether nobody else looks at what is written.
fn is_quick(write: &Write) -> bool {
    match write.stage {
        Stage::Adopt | Stage::Record | Stage::Report => true,
        Stage::Boot | Stage::Stop => write.kind == Written::Template,
        Stage::Claim => matches!(write.verb, Verb::Create(_)),
        _ => false,
    }
}

/// The server whose BMC a Job is for.
fn write_place(scenario: &Scenario, write: &Write) -> Option<usize> {
    let Verb::Create(body) = &write.verb else { return None };
    let bmc = body.pointer("/spec/machineRef/name").and_then(Value::as_str)?;
    scenario.servers.iter().position(|server| server.bmc.name == bmc)
}
