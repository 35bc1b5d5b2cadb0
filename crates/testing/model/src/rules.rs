//! The rules, checked in every state and on every write.

use capt_api::contract::{OWNER_NAME_LABEL, claim_name};
use capt_api::meta::{Meta, ObjectKey};
use capt_reconciler::effect::{Stage, Write};
use serde_json::Value;

use crate::object::{Id, Kind, Object, Typed, Uid, Universe};
use crate::person::LET_GO;
use crate::rufio;
use crate::scenario::{BY_HAND, Scenario};
use crate::state::{Holder, State};
use crate::tink;

/// The rule that is broken in this state, if one is. Whoever deletes the namespace of everything deletes the addresses of
/// servers that run.
pub fn broken(universe: &Universe, state: &State, scenario: &Scenario) -> Option<&'static str> {
    if state.namespace_ends {
        return None;
    }
    let address_on = |id: Id| universe.get(id).text("/spec/interfaces/0/dhcp/ip/address");
    for (place, server) in state.servers.iter().enumerate() {
        let Some((last, claim)) = server.uses.filter(|_| server.on && !server.let_go) else { continue };
        let text = format!("10.0.0.{last}");
        if text == BY_HAND {
            continue;
        }
        let holder =
            state.of_kind(universe, Kind::IPAddress).find(|(_, address)| address.text("/spec/address") == text);
        match holder {
            None => return Some("rule 1: an address is free in its pool while a server that is on uses it"),
            Some((_, address)) if address.controller != Some(claim) => {
                return Some("rule 1: an address is another machine's while a server that is on uses it");
            }
            Some(_) => {}
        }
        let here = scenario.servers.get(place).map(|server| &server.hardware);
        for (id, hardware) in state.of_kind(universe, Kind::Hardware) {
            if Some(&hardware.key) != here && address_on(id) == text {
                return Some("rule 1: an address is on another Hardware while a server that is on uses it");
            }
        }
    }
    let hardware: Vec<Id> = state.of_kind(universe, Kind::Hardware).map(|(id, _)| id).collect();
    for (n, one) in hardware.iter().enumerate() {
        for other in hardware.iter().skip(n + 1) {
            let address = address_on(*one);
            if !address.is_empty() && address == address_on(*other) && address != BY_HAND {
                return Some("rule 1: two Hardware carry one address that we wrote");
            }
        }
    }
    None
}

/// The rule that an installation breaks which begins on this server for this machine.
pub fn installs(universe: &Universe, state: &State, place: usize, machine: Option<Uid>) -> Option<&'static str> {
    let machine = machine?;
    let others = state.holders.iter().filter(|holder| usize::from(holder.server) == place && holder.machine != machine);
    if others.map(|holder| holder.machine).any(|other| state.machine_exists(universe, other)) {
        return Some("rule 1: a server that another machine holds is installed");
    }
    let object = state.by_uid(universe, machine)?;
    object
        .json
        .pointer("/status/ready")
        .is_some_and(|ready| ready == true)
        .then_some("rule 8: a machine that was ready is installed again")
}

/// Notes what a write of the manager did, and tells the rule that it breaks.
pub fn written(
    universe: &Universe,
    before: &State,
    after: &mut State,
    scenario: &Scenario,
    machine: &ObjectKey,
    write: &Write,
) -> Option<&'static str> {
    let id = before.find(universe, Kind::TinkerbellMachine, machine)?;
    let machine = universe.get(id);
    let place = scenario.servers.iter().position(|server| server.hardware == write.key);
    let find = |state: &State| {
        let kind = crate::server::kind(write.kind);
        state.find(universe, kind, &write.key).map(|id| universe.get(id))
    };
    let (old, new) = (find(before), find(after));
    let broken = match (write.stage, place) {
        (Stage::Record, _) => {
            holds(after, scenario, machine.uid, new);
            None
        }
        (Stage::ReleaseHardware, Some(place)) => release(universe, before, after, place, machine, old?),
        (_, Some(place)) => changed(universe, before, place, machine, write, old?, new?),
        (Stage::Boot, None) if write.kind == capt_reconciler::effect::Kind::Workflow && old.is_none() => {
            let ready = machine.json.pointer("/status/ready").is_some_and(|ready| ready == true);
            ready.then_some("rule 8: a machine that was ready is booted into an installation again")
        }
        _ => None,
    };
    let objects = &after.objects;
    after.holders.retain(|holder| objects.iter().any(|id| universe.get(*id).uid == holder.machine));
    broken
}

/// The machine has recorded its Hardware: from now on it holds that server.
fn holds(state: &mut State, scenario: &Scenario, uid: Uid, machine: Option<&Object>) {
    let Some(provider_id) = machine.map(|machine| machine.text("/spec/providerID")) else { return };
    let named = capt_api::contract::hardware_of_provider_id(provider_id);
    let Some(place) = scenario.servers.iter().position(|server| Some(&server.hardware) == named.as_ref()) else {
        return;
    };
    let holder = Holder { machine: uid, server: u8::try_from(place).unwrap_or(u8::MAX) };
    if !state.holders.contains(&holder) {
        state.holders.push(holder);
        state.holders.sort_unstable();
    }
}

fn release(
    universe: &Universe,
    before: &State,
    after: &mut State,
    place: usize,
    machine: &Object,
    hardware: &Object,
) -> Option<&'static str> {
    after.holders.retain(|holder| holder.machine != machine.uid || usize::from(holder.server) != place);
    let let_go = machine.json.pointer("/metadata/annotations").is_some_and(|all| all.get(LET_GO).is_some());
    if let_go || before.namespace_ends || hardware.text("/spec/bmcRef/name").is_empty() {
        after.servers[place].let_go = true;
        return None;
    }
    if before.servers[place].on {
        return Some("rule 9: Hardware is released while its server is on");
    }
    let bmc = ObjectKey::new(&hardware.key.namespace, hardware.text("/spec/bmcRef/name"));
    let boots =
        |job: &Object| rufio::bmc_of(job) == bmc && !rufio::has_ended(job) && rufio::power_actions(job).contains(&"on");
    if before.of_kind(universe, Kind::Job).any(|(_, job)| !job.is_terminating() && boots(job)) {
        return Some("rule 9: Hardware is released while a Job may switch its server on");
    }
    let on = |task: &Object| {
        task.text("/spec/bmc") == bmc.name && !rufio::has_ended(task) && task.text("/spec/task/powerAction") == "on"
    };
    if before.of_kind(universe, Kind::Task).any(|(_, task)| on(task)) {
        return Some("rule 9: Hardware is released while a Task may switch its server on");
    }
    let boots = |workflow: &Object| {
        tink::hardware_of(workflow) == hardware.key && tink::machine_of(workflow) == Some(machine.uid)
    };
    if before.tink.iter().any(|id| boots(universe.get(*id))) {
        return Some("rule 9: Hardware is released while Tinkerbell may still boot its server");
    }
    None
}

/// A write to Hardware other than its release.
fn changed(
    universe: &Universe,
    before: &State,
    place: usize,
    machine: &Object,
    write: &Write,
    old: &Object,
    new: &Object,
) -> Option<&'static str> {
    let address = |hardware: &Object| hardware.text("/spec/interfaces/0/dhcp/ip/address").to_owned();
    let label = |hardware: &Object| {
        let labels = hardware.json.pointer("/metadata/labels");
        labels.and_then(|labels| labels.get(OWNER_NAME_LABEL)).and_then(Value::as_str).map(str::to_owned)
    };
    if address(old) == BY_HAND && address(new) != BY_HAND {
        return Some("rule 3: an address that a person wrote is changed");
    }
    if label(old) != label(new) && label(new).is_some() {
        if old.is_terminating() {
            return Some("rule 2: Hardware that is being deleted is taken");
        }
        let others =
            before.holders.iter().filter(|holder| usize::from(holder.server) == place && holder.machine != machine.uid);
        if others.map(|holder| holder.machine).any(|other| before.machine_exists(universe, other)) {
            return Some("rule 1: two machines hold one Hardware");
        }
    }
    if address(old) != address(new) {
        let server = before.servers[place];
        let ready = machine.json.pointer("/status/ready").is_some_and(|ready| ready == true);
        let runs_with = server.uses.filter(|_| server.on && ready).map(|(last, _)| format!("10.0.0.{last}"));
        if runs_with.is_some_and(|runs_with| runs_with != address(new)) {
            return Some("rule 4: the address of a provisioned server is changed");
        }
        if write.stage == Stage::Address && !address(new).is_empty() {
            return lease(universe, before, machine);
        }
    }
    None
}

/// The claim and the address that the manager acts on, as its stores show them.
fn lease(universe: &Universe, state: &State, machine: &Object) -> Option<&'static str> {
    let key = ObjectKey::new(&machine.key.namespace, claim_name(&machine.key.name));
    let seen = |kind| state.seen(universe, universe.known_key(kind, &key)?).map(|id| universe.get(id));
    let (claim, address) = (seen(Kind::IPAddressClaim), seen(Kind::IPAddress));
    let fine = claim.is_some_and(|claim| {
        !claim.is_terminating()
            && claim.controller == Some(machine.uid)
            && address.is_some_and(|address| !address.is_terminating() && address.controller == Some(claim.uid))
    });
    (!fine).then_some("rule 2: an address is written that is no longer this machine's")
}

/// Whether this machine is being deleted.
pub fn is_going(universe: &Universe, state: &State, machine: &ObjectKey) -> bool {
    let found = state.find(universe, Kind::TinkerbellMachine, machine).map(|id| &universe.get(id).typed);
    matches!(found, Some(Typed::TinkerbellMachine(machine)) if machine.is_terminating())
}
