//! The observer: checks the rules of `docs/ARCHITECTURE.md` at every write.
//!
//! It reads nothing but recorded writes and the power of the servers, so that it cannot share a mistake with the
//! manager. Each rule is a file of its own under `rules`.

mod journal;
mod rules;
mod world;
mod write;
mod writer;

use std::fmt;
use std::sync::Arc;

use capt_simulators::bmc::{Power, PowerStates};
use parking_lot::Mutex;

pub use write::{Key, Write};
pub use write::{meta, text};
pub use writer::writer;

use world::{Hardware, World};

/// A rule of `docs/ARCHITECTURE.md`, by its number there, or one that follows from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// 1: no address is free in its pool while a server that runs carries it.
    AddressFreeInUse,
    /// 1: no two Hardware carry one address that the manager wrote.
    AddressTwice,
    /// 1: no two machines hold one Hardware.
    HardwareShared,
    /// 1: no claim serves two machines.
    ClaimShared,
    /// 2: nothing that is being deleted is adopted, and nothing of another UID.
    WrongObject,
    /// 3: what a person wrote stays.
    ManualAddress,
    /// 4: the address of provisioned Hardware does not change.
    ProvisionedAddress,
    /// Nothing boots before its address stands on the Hardware.
    BootWithoutAddress,
    /// Released Hardware carries nothing of its machine.
    Leftovers,
    /// 8: a machine that was ready is not installed again, unless a person asks for it.
    InstalledAgain,
    /// 9: nothing is left that switches a released server on again.
    OnAfterRelease,
}

impl Rule {
    fn text(self) -> &'static str {
        match self {
            Self::AddressFreeInUse => "rule 1: an address is free while a running server carries it",
            Self::AddressTwice => "rule 1: one address on two Hardware",
            Self::HardwareShared => "rule 1: two machines hold one Hardware",
            Self::ClaimShared => "rule 1: one claim serves two machines",
            Self::WrongObject => "rule 2: what is terminating or another's is adopted",
            Self::ManualAddress => "rule 3: a manual address is changed",
            Self::ProvisionedAddress => "rule 4: the address of provisioned Hardware is changed",
            Self::BootWithoutAddress => "a machine boots before its address is on the Hardware",
            Self::Leftovers => "released Hardware carries something of its machine",
            Self::InstalledAgain => "rule 8: a machine that was ready is installed again",
            Self::OnAfterRelease => "rule 9: a server is switched on after its release",
        }
    }
}

/// A rule was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What is wrong, with names.
    pub what: String,
    /// The write or the change of power at which it was seen.
    pub at: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (at {})", self.rule.text(), self.what, self.at)
    }
}

/// Where rules leave what they find.
pub(crate) struct Report<'a> {
    at: &'a dyn Fn() -> String,
    found: &'a mut Vec<Violation>,
}

impl Report<'_> {
    pub(crate) fn add(&mut self, rule: Rule, what: String) {
        self.found.push(Violation { rule, what, at: (self.at)() });
    }
}

/// A write to a Hardware, between the world before and after it.
pub(crate) struct HardwareWrite<'a> {
    pub(crate) key: &'a Key,
    pub(crate) before: Option<&'a Hardware>,
    pub(crate) after: Option<&'a Hardware>,
    pub(crate) by_manager: bool,
}

/// Checks the rules. Cheap to clone; all clones are one observer.
#[derive(Clone)]
pub struct Observer {
    manager: Arc<str>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    world: World,
    violations: Vec<Violation>,
    writes: u64,
}

impl Observer {
    /// An observer of the manager that writes as this user.
    pub fn new(manager: &str) -> Self {
        Self { manager: manager.into(), state: Arc::default() }
    }

    /// Sees every change of power.
    pub fn listen(&self, power: &PowerStates) {
        let observer = self.clone();
        power.on_change(move |change| {
            observer.power(Key::new(change.namespace, change.name), change.power == Power::On);
        });
    }

    /// Sees a write.
    pub fn see(&self, write: &Write<'_>) {
        let by_manager = write.user == &*self.manager;
        let at =
            || format!("write {}: {} {} {} {}", write.sequence, write.user, write.verb, write.resource, write.key());
        let State { world, violations, writes } = &mut *self.state.lock();
        *writes += u64::from(by_manager);
        let mut report = Report { at: &at, found: violations };
        match (write.group, write.resource) {
            ("tinkerbell.org", "hardware") => see_hardware(world, write, by_manager, &mut report),
            ("tinkerbell.org", "templates" | "workflows") if by_manager && write.old.is_none() => {
                if let Some(new) = write.new {
                    rules::boot::check(world, write, new, &mut report);
                }
            }
            ("ipam.cluster.x-k8s.io", "ipaddresses") => {
                world.put_address(&write.key(), write.old, write.new);
                if let Some(address) = write.old.and_then(|old| text(old, "/spec/address").parse().ok()) {
                    rules::allocation::address_changed(world, address, &mut report);
                }
            }
            ("ipam.cluster.x-k8s.io", "ipaddressclaims") => {
                if let (Some(old), Some(new)) = (write.old, write.new) {
                    rules::claim::check(world, &write.key(), (old, new), by_manager, &mut report);
                }
                world.put_claim(&write.key(), write.new);
            }
            ("infrastructure.cluster.x-k8s.io", "tinkerbellmachines") => {
                world.put_machine(&write.key(), write.new);
                if let Some(new) = write.new
                    && by_manager
                {
                    rules::holding::machine_written(world, &write.key(), write.old, new, &mut report);
                }
            }
            ("", "namespaces") => world.put_namespace(write.name, write.new),
            _ => {}
        }
    }

    /// Sees a server being switched on or off.
    pub fn power(&self, bmc: Key, on: bool) {
        let at = || format!("power {} of BMC Machine {bmc}", if on { "on" } else { "off" });
        let State { world, violations, .. } = &mut *self.state.lock();
        world.set_power(bmc.clone(), on);
        let mut report = Report { at: &at, found: violations };
        if on {
            rules::allocation::switched_on(world, &bmc, &mut report);
            rules::holding::switched_on(world, &bmc, &mut report);
        }
    }

    /// What was found so far, in order.
    pub fn violations(&self) -> Vec<Violation> {
        self.state.lock().violations.clone()
    }

    /// Number of the manager's writes so far.
    pub fn writes(&self) -> u64 {
        self.state.lock().writes
    }
}

fn see_hardware(world: &mut World, write: &Write<'_>, by_manager: bool, report: &mut Report<'_>) {
    let key = write.key();
    let after = write.new.map(Hardware::read);
    let change = HardwareWrite { key: &key, before: world.hardware.get(&key), after: after.as_ref(), by_manager };
    rules::allocation::check(world, &change, report);
    rules::holding::check(world, &change, report);
    rules::matching::check(world, &change, report);
    rules::manual::check(world, &change, report);
    rules::provisioned::check(world, &change, report);
    rules::leftovers::check(world, &change, report);
    world.put_hardware(&key, after, by_manager);
}

#[cfg(test)]
mod tests;
