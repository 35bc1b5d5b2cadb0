//! Placing: is the address on the Hardware, and may it be written there?

use std::sync::Arc;

use crate::machine::step::Wait;
use crate::machine::world::World;
use crate::observed::cluster_api::IPAddressClaim;
use crate::observed::tinkerbell::{Hardware, Interface, ReservationRecord};
use crate::outcome::Interest;
use crate::ports::AddressUse;
use capt_api::conditions::Reason;
use capt_api::meta::Meta;
use capt_ipam_core::Reservation;

use super::allocation::{Allocation, Placement};
use super::interface::{carries, current_address, is_recorded};
use super::problem;

/// What helps a server that has another address than its claim.
const REPLACE: &str = "replace the Machine to use the new one";

/// A good address, and the interface that it is for.
pub(super) struct Site<'a> {
    pub(super) world: &'a World,
    pub(super) hardware: &'a Arc<Hardware>,
    pub(super) claim: &'a IPAddressClaim,
    /// Index of the interface.
    pub(super) index: usize,
    pub(super) interface: &'a Interface,
    pub(super) reservation: Reservation,
}

impl Site<'_> {
    /// Whether the address is there, may be written, or must not be.
    pub(super) fn allocation(self) -> Allocation {
        let wanted = self.reservation.address_text();
        let record = self.record();
        let current = current_address(Some(self.interface));
        let is_of_claim = |entry: &ReservationRecord| entry.mac == record.mac && belongs(entry, self.claim);
        let recorded = self.hardware.reservations().into_iter().find(is_of_claim);
        let runs = self.world.is_provisioned();
        if current == Some(wanted.as_str()) {
            let is_recorded = recorded.is_some_and(|entry| entry.address == wanted);
            // What runs is left alone, whatever the record says.
            return if runs || is_recorded && carries(self.interface, &record) {
                Allocation::Placed(wanted)
            } else {
                self.write_it(record, false)
            };
        }
        if runs { self.while_it_runs(&wanted, record, current, recorded) } else { self.before_it_runs(record, current) }
    }

    /// The record that goes with the address.
    fn record(&self) -> ReservationRecord {
        ReservationRecord {
            claim_namespace: self.claim.namespace().to_owned(),
            claim_name: self.claim.name().to_owned(),
            claim_uid: self.claim.uid().to_owned(),
            machine_uid: self.world.machine.uid().to_owned(),
            mac: self.interface.mac().to_lowercase(),
            address: self.reservation.address_text(),
            netmask: self.reservation.netmask_text().unwrap_or_default(),
            gateway: self.reservation.gateway_text().unwrap_or_default(),
        }
    }

    fn write_it(self, record: ReservationRecord, restores: bool) -> Allocation {
        Allocation::ToPlace(Box::new(Placement {
            interface: self.index,
            reservation: self.reservation,
            record,
            restores,
        }))
    }

    /// The server runs, and its Hardware does not carry the address: only what somebody wiped is put back.
    fn while_it_runs(
        self,
        wanted: &str,
        record: ReservationRecord,
        current: Option<&str>,
        recorded: Option<ReservationRecord>,
    ) -> Allocation {
        match (current, recorded) {
            (None, Some(entry)) if entry.address == wanted => match carried(self.world) {
                Some(user) => Allocation::Blocked(self.carried_elsewhere(wanted, user)),
                None => {
                    let ReservationRecord { claim_uid, machine_uid, .. } = record;
                    self.write_it(ReservationRecord { claim_uid, machine_uid, ..entry }, true)
                }
            },
            (Some(address), Some(entry)) if entry.address == address => {
                Allocation::Blocked(self.changed(wanted, &format!("runs with {address} on")))
            }
            (None, Some(entry)) => {
                let how = format!("was installed with {}, which is no longer on", entry.address);
                Allocation::Blocked(self.changed(wanted, &how))
            }
            // The whole Hardware went and came back. What the server runs with, the machine remembers.
            (None, None) if self.world.bound_address() == Some(wanted) => self.write_it(record, true),
            (current, None) | (current, Some(_)) => Allocation::Blocked(self.foreign(wanted, current)),
        }
    }

    /// The server is not installed yet, and its Hardware does not carry the address.
    fn before_it_runs(self, record: ReservationRecord, current: Option<&str>) -> Allocation {
        match current {
            Some(address) if !is_recorded(self.hardware, address) => {
                Allocation::Blocked(self.foreign(&record.address, current))
            }
            Some(address) if self.world.boot.workflow.own.is_some() => {
                let how = format!("is being installed with {address} on");
                Allocation::Blocked(self.changed(&record.address, &how))
            }
            _ => match self.world.address.users.first() {
                Some(user) => Allocation::Blocked(self.in_use(&record.address, user)),
                None => self.write_it(record, false),
            },
        }
    }

    fn carried_elsewhere(&self, wanted: &str, user: &AddressUse) -> Wait {
        let message = format!(
            "the server runs with {wanted}, which somebody took off Hardware {}; it is not put back, for Hardware {} \
             carries it now: take it off there",
            self.hardware.key(),
            user.key
        );
        problem(Reason::AddressDuplicate, message).woken_by(self.freed())
    }

    fn changed(&self, wanted: &str, how: &str) -> Wait {
        let message = format!(
            "IPAddressClaim {} now holds {wanted}; the server {how} Hardware {}: {REPLACE}",
            self.claim.key(),
            self.hardware.key()
        );
        problem(Reason::AddressChanged, message)
    }

    fn in_use(&self, wanted: &str, user: &AddressUse) -> Wait {
        let message = format!(
            "address {wanted} of IPAddressClaim {} is in use: {} {} has it as {}; take it off there, or exclude it from the \
             pool and delete the claim",
            self.claim.key(),
            user.kind,
            user.key,
            user.role
        );
        let wait = problem(Reason::AddressDuplicate, message).woken_by(self.freed());
        wait.again_after(self.world.settings.safety_net)
    }

    fn foreign(&self, wanted: &str, current: Option<&str>) -> Wait {
        let carries = current.map_or_else(
            || "no address and no record of one".to_owned(),
            |a| format!("address {a}, not assigned by CAPT"),
        );
        let message = format!(
            "Hardware {} has {carries}; IPAddressClaim {} holds {wanted}: write that to the Hardware, or replace the \
             Machine",
            self.hardware.key(),
            self.claim.key()
        );
        problem(Reason::HardwareAddressConflict, message)
    }

    /// What wakes the machine when somebody gives the address up.
    fn freed(&self) -> Interest {
        Interest { address: Some(self.reservation.address()), ..Interest::default() }
    }
}

/// Another Hardware that carries the machine's address.
fn carried(world: &World) -> Option<&AddressUse> {
    world.address.users.iter().find(|user| user.kind == "Hardware" && user.role == "address")
}

/// Whether a record is of this claim: by UID, or after a move or restore by namespace and name.
fn belongs(entry: &ReservationRecord, claim: &IPAddressClaim) -> bool {
    entry.claim_uid == claim.uid() || (entry.claim_namespace == claim.namespace() && entry.claim_name == claim.name())
}
