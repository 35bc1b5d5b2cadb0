//! Report: what a machine says about itself. Pure; conditions say what is, one reason a cause.

use crate::observed::infra::{Initialization, MachineAddress, TinkerbellMachineStatus};
use crate::observed::tinkerbell::{Interface, WorkflowProgress};
use capt_api::conditions::{
    DELETING, HARDWARE_RESERVED, IP_ADDRESS_CLAIMS_FULFILLED, READY, Reason, WORKFLOW_SUCCEEDED,
};
use capt_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use capt_api::meta::Meta;
use jiff::Timestamp;

use super::address::Allocation;
use super::address::interface::{current_address, interface_of};
use super::pause::causes;
use super::step::{Concern, Step, Wait};
use super::world::World;
use crate::conditions::Conditions;
use crate::notice::Notice;
use crate::pause;

/// The status that fits what is and what is waited for.
pub fn report(world: &World, allocation: &Allocation, step: &Step, now: Timestamp) -> TinkerbellMachineStatus {
    let before = world.machine.status.clone().unwrap_or_default();
    let mut conditions = Conditions::new(before.conditions.clone(), world.machine.metadata.generation, now);
    pause::set_condition(&mut conditions, &causes(world));
    if matches!(step, Step::Paused) {
        note_paused_claim(world, allocation, &mut conditions);
        pause::set_ready(&mut conditions, before.ready, &causes(world));
        return TinkerbellMachineStatus { conditions: conditions.into_list(), ..before };
    }
    let wait = match step {
        Step::Wait(wait) => Some(&**wait),
        _ => None,
    };
    if world.machine.is_terminating() {
        deleting(world, wait, &mut conditions);
        return TinkerbellMachineStatus { conditions: conditions.into_list(), ..before };
    }

    let bound = machine_address(world, &before, allocation);
    hardware(world, wait, &edits(world, allocation, bound.as_deref()), &mut conditions);
    address(allocation, wait, world, &mut conditions);
    workflow(world, wait, &mut conditions);
    let ready = before.ready || world.is_provisioned();
    summary(ready, allocation, wait, &mut conditions);

    let mut status = TinkerbellMachineStatus { ready, conditions: conditions.into_list(), ..before };
    if ready {
        status.initialization = Some(Initialization { provisioned: Some(true) });
    }
    if let Some(address) = bound {
        status.addresses = vec![MachineAddress { type_: "InternalIP".to_owned(), address }];
    }
    if let Some(hardware) = world.reserved()
        && status.target_namespace.is_empty()
    {
        status.target_namespace = hardware.namespace().to_owned();
    }
    if let Some(state) = instance_status(world) {
        status.instance_status = Some(state);
    }
    status
}

/// What somebody did to the Hardware of an installed server, with its reason: told, and not fought over.
fn edits(world: &World, allocation: &Allocation, bound: Option<&str>) -> Vec<Notice> {
    let Some(hardware) = world.reserved().filter(|hardware| hardware.is_provisioned()) else {
        return Vec::new();
    };
    let mut edits = Vec::new();
    let netboots =
        |interface: &Interface| interface.netboot.as_ref().and_then(|netboot| netboot.allow_pxe) == Some(true);
    if hardware.spec.interfaces.iter().any(netboots) {
        let message = "its server is installed, and netboot.allowPXE is true: at its next start it may boot from the \
                       network again. Set it to false";
        edits.push(Notice::warning(Reason::NetbootAllowed, message));
    }
    let current = current_address(interface_of(world, hardware).and_then(|i| hardware.spec.interfaces.get(i)));
    // With a pool the address's own condition tells.
    let tells = matches!(allocation, Allocation::Troubled(_) | Allocation::Blocked(_) | Allocation::ToPlace(_));
    if let Some(bound) = bound
        && current != Some(bound)
        && !tells
    {
        let carries = current.map_or_else(|| "no address".to_owned(), |address| format!("address {address}"));
        let message = format!(
            "it carries {carries} now; its server was installed with {bound}, which the machine goes on to show"
        );
        edits.push(Notice::warning(Reason::HardwareEdited, message));
    }
    edits
}

fn hardware(world: &World, wait: Option<&Wait>, edits: &[Notice], conditions: &mut Conditions) {
    match (world.reserved(), wait) {
        (_, Some(wait)) if wait.concern == Concern::Hardware && !starts_later(world, wait) => {
            conditions.set(HARDWARE_RESERVED, false, wait.reason, &wait.message);
        }
        (Some(hardware), _) => {
            let message = edits
                .iter()
                .fold(format!("Hardware {}", hardware.key()), |all, edit| format!("{all}; {}", edit.message));
            let reason = edits.first().map_or(Reason::Reserved, |edit| edit.reason);
            conditions.set(HARDWARE_RESERVED, true, reason, &message);
        }
        (None, _) => {}
    }
}

/// Whether a wait before the boot is about something else than the Hardware, which is ours already.
fn starts_later(world: &World, wait: &Wait) -> bool {
    let about_hardware =
        [Reason::HardwareUnfit, Reason::HardwareTerminating, Reason::MacDuplicate, Reason::AddressDuplicate];
    world.reserved().is_some() && !about_hardware.contains(&wait.reason)
}

fn address(allocation: &Allocation, wait: Option<&Wait>, world: &World, conditions: &mut Conditions) {
    if world.machine.spec.ipam_pool_ref.is_none() {
        conditions.remove(IP_ADDRESS_CLAIMS_FULFILLED);
        return;
    }
    let mut set = |status, reason, message: &str| conditions.set(IP_ADDRESS_CLAIMS_FULFILLED, status, reason, message);
    match allocation {
        Allocation::Placed(address) => set(true, Reason::Fulfilled, &format!("1/1 addresses: {address}")),
        Allocation::Static(address) => {
            let key = world.server.hardware().map(|hardware| hardware.key().to_string()).unwrap_or_default();
            let message =
                format!("Hardware {key} carries address {address}, which a person wrote; the pool is not asked");
            set(true, Reason::StaticAddress, &message);
        }
        Allocation::Blocked(Wait { reason, message, .. }) | Allocation::Troubled(Wait { reason, message, .. }) => {
            set(false, *reason, message);
        }
        Allocation::Missing | Allocation::Damaged(_) | Allocation::GivenUp(_) | Allocation::ToPlace(_) => {
            // Only seen when the write that would change it fails.
            match wait.filter(|wait| wait.concern == Concern::Address) {
                Some(wait) => set(false, wait.reason, &wait.message),
                None => set(false, Reason::ClaimsBeingCreated, ""),
            }
        }
        Allocation::NotWanted | Allocation::Unread => {}
    }
}

fn workflow(world: &World, wait: Option<&Wait>, conditions: &mut Conditions) {
    if let Some(wait) = wait.filter(|wait| wait.concern == Concern::Workflow) {
        conditions.set(WORKFLOW_SUCCEEDED, false, wait.reason, &wait.message);
    } else if world.is_provisioned() {
        match &world.boot.workflow.own {
            Some(workflow) if workflow.progress() == WorkflowProgress::Succeeded => {
                conditions.set(WORKFLOW_SUCCEEDED, true, Reason::Succeeded, &format!("Workflow {}", workflow.key()));
            }
            // A Workflow that ended and was removed later succeeded all the same.
            _ if conditions.get(WORKFLOW_SUCCEEDED).is_some_and(|condition| condition.status == "True") => {}
            _ => conditions.set(
                WORKFLOW_SUCCEEDED,
                true,
                Reason::AlreadyProvisioned,
                "the Hardware was provisioned before",
            ),
        }
    }
}

fn summary(ready: bool, allocation: &Allocation, wait: Option<&Wait>, conditions: &mut Conditions) {
    let blocking = match (wait, allocation) {
        (Some(wait), _) => Some((wait.reason, wait.message.as_str())),
        (None, Allocation::Troubled(trouble)) => Some((trouble.reason, trouble.message.as_str())),
        (None, _) => None,
    };
    match blocking {
        Some((reason, message)) => conditions.set(READY, false, reason, message),
        None if ready => conditions.set(READY, true, Reason::Ready, ""),
        None => {}
    }
}

fn deleting(world: &World, wait: Option<&Wait>, conditions: &mut Conditions) {
    let Some(wait) = wait else { return };
    conditions.set(DELETING, true, wait.reason, &wait.message);
    conditions.set(READY, false, wait.reason, &wait.message);
    // Whatever holds a deletion up holds the address.
    let tells_of_address = wait.reason != Reason::StoppingWorkflow;
    if world.machine.spec.ipam_pool_ref.is_some() && tells_of_address {
        conditions.set(IP_ADDRESS_CLAIMS_FULFILLED, false, wait.reason, &wait.message);
    }
}

/// While the Cluster is paused no provider answers; a machine that waits for an address says so.
fn note_paused_claim(world: &World, allocation: &Allocation, conditions: &mut Conditions) {
    let Some(cluster) = world.cluster.capi.as_ref().filter(|cluster| cluster.is_paused()) else {
        return;
    };
    if world.machine.is_terminating() || !matches!(allocation, Allocation::Blocked(_)) {
        return;
    }
    let message = format!("Cluster {} is paused; IPAM providers skip its claims", cluster.key());
    conditions.set(IP_ADDRESS_CLAIMS_FULFILLED, false, Reason::ClusterPaused, &message);
}

/// The machine's address: the reserved one, or what stands on the first interface where no pool is used. The address that
/// a server was installed with is its address, whatever somebody writes to the Hardware later.
fn machine_address(world: &World, before: &TinkerbellMachineStatus, allocation: &Allocation) -> Option<String> {
    let hardware = world.reserved()?;
    if world.is_provisioned()
        && before.ready
        && let Some(bound) = before.addresses.first()
    {
        return Some(bound.address.clone());
    }
    match allocation {
        Allocation::Placed(address) | Allocation::Static(address) => Some(address.clone()),
        Allocation::NotWanted => current_address(hardware.spec.interfaces.first()).map(str::to_owned),
        Allocation::Troubled(_) | Allocation::Unread => {
            let recorded = hardware.reservations().into_iter().find(|entry| entry.machine_uid == world.machine.uid());
            if let Some(entry) = recorded {
                return Some(entry.address);
            }
            let index = interface_of(world, hardware)?;
            current_address(hardware.spec.interfaces.get(index)).map(str::to_owned)
        }
        Allocation::Missing
        | Allocation::Damaged(_)
        | Allocation::GivenUp(_)
        | Allocation::Blocked(_)
        | Allocation::ToPlace(_) => None,
    }
}

fn instance_status(world: &World) -> Option<i64> {
    if world.is_provisioned() {
        return Some(4);
    }
    world.boot.workflow.own.as_ref().map(|workflow| match workflow.progress() {
        WorkflowProgress::Pending => 0,
        WorkflowProgress::Running => 1,
        WorkflowProgress::Failed => 2,
        WorkflowProgress::TimedOut => 3,
        WorkflowProgress::Succeeded => 4,
    })
}

/// What a new status tells for the first time: one notice for each change.
pub fn news(before: &TinkerbellMachineStatus, after: &TinkerbellMachineStatus, step: &Step) -> Vec<Notice> {
    let changed = |type_: &str| changed(before, after, type_);
    let mut news = Vec::new();
    let problem = matches!(step, Step::Wait(wait) if !wait.expected);
    for type_ in [HARDWARE_RESERVED, IP_ADDRESS_CLAIMS_FULFILLED, WORKFLOW_SUCCEEDED, DELETING] {
        let Some(Change { reason, condition }) = changed(type_) else { continue };
        let blames = matches!(step, Step::Wait(wait) if wait.concern.condition() == type_ && problem);
        let trouble = type_ == IP_ADDRESS_CLAIMS_FULFILLED
            && (reason == Reason::StaticAddress || (condition.status == "False" && matches!(step, Step::Done)));
        let edited = [Reason::NetbootAllowed, Reason::HardwareEdited].contains(&reason);
        if blames || trouble || edited {
            news.push(Notice::warning(reason, condition.message));
        }
    }
    let ready = changed(READY);
    if let (Step::Wait(wait), Some(Change { reason, condition })) = (step, &ready)
        && problem
        && *reason == wait.reason
        && !news.iter().any(|notice| notice.reason == wait.reason)
    {
        // No other condition tells of it.
        news.push(Notice::warning(*reason, condition.message.clone()));
    }
    let was_ready = before.conditions.iter().any(|c| c.type_ == READY && c.status == "True");
    if let Some(Change { condition, .. }) = ready
        && condition.status == "True"
        && !was_ready
    {
        let address = after.addresses.first().map_or("", |address| address.address.as_str());
        let message = format!("the machine is provisioned, with address {address}");
        news.push(Notice::normal(Reason::Provisioned, message));
    }
    news.extend(pause::news(&before.conditions, &after.conditions));
    news
}

/// A condition that says something new, and why.
struct Change {
    reason: Reason,
    condition: Condition,
}

fn changed(before: &TinkerbellMachineStatus, after: &TinkerbellMachineStatus, type_: &str) -> Option<Change> {
    let find = |status: &TinkerbellMachineStatus| status.conditions.iter().find(|c| c.type_ == type_).cloned();
    let (old, condition) = (find(before), find(after)?);
    let reason = Reason::parse(&condition.reason)?;
    // Each failure to switch a server off is worth a word of its own; its message counts them.
    let counts = [Reason::PowerOffFailed, Reason::BmcNotFound, Reason::BmcNotContactable].contains(&reason);
    let same = old.is_some_and(|old| {
        old.status == condition.status
            && old.reason == condition.reason
            && (!counts || old.message == condition.message)
    });
    (!same).then_some(Change { reason, condition })
}
