//! Evaluation: from the World to the allocation. Pure.

use std::sync::Arc;

use crate::machine::world::World;
use crate::observed::cluster_api::IPAddressClaim;
use crate::observed::tinkerbell::Hardware;
use crate::outcome::Interest;
use crate::ports::Presence;
use capt_api::conditions::Reason;
use capt_api::contract::{CLAIM_FINALIZER, claim_name};
use capt_api::meta::{Meta, ObjectKey};
use jiff::Timestamp;

use super::allocation::Allocation;
use super::claim;
use super::claimant::{Claimant, claimant};
use super::interface::{current_address, interface_of, is_recorded, no_interface};
use super::placing::Site;
use super::reservation::{mismatch, reservation};
use super::{expected, orphan, pending, problem};

/// Looks at claim, address and Hardware together. Nothing blocks a server that is in use any more: what would is told
/// as trouble.
pub fn evaluate(world: &World, now: Timestamp) -> Allocation {
    match look(world, now) {
        Allocation::Blocked(wait) if world.is_in_use() => Allocation::Troubled(wait),
        allocation => allocation,
    }
}

fn look(world: &World, now: Timestamp) -> Allocation {
    let (Some(pool), Some(hardware)) = (&world.machine.spec.ipam_pool_ref, world.reserved()) else {
        return Allocation::NotWanted;
    };
    let name = ObjectKey::new(world.machine.namespace(), claim_name(world.machine.name()));
    let Some(claim) = &world.address.claim else {
        return without_claim(world, hardware, &name);
    };
    let who = claimant(claim, &world.machine);
    if claim.is_terminating() {
        return terminating(world, claim, who);
    }
    if who == Claimant::Stale && !world.is_in_use() {
        let uid = claim.controller().map_or("unknown", |owner| owner.uid.as_str());
        let message = format!(
            "IPAddressClaim {name} belongs to an earlier TinkerbellMachine of this name (UID {uid}), which is gone: it has \
             to be deleted, as the garbage collector does"
        );
        return Allocation::Blocked(problem(Reason::ClaimConflict, message));
    }
    if who == Claimant::Foreign {
        let owner = claim.controller().map_or_else(
            || "has no owner and does not carry our finalizer".to_owned(),
            |owner| format!("belongs to {} {} (UID {})", owner.kind, owner.name, owner.uid),
        );
        let message = format!("IPAddressClaim {name} {owner}, not to this machine: delete it if it is not needed");
        return Allocation::Blocked(problem(Reason::ClaimConflict, message));
    }
    if claim.spec.pool_ref != *pool {
        let message = format!(
            "IPAddressClaim {name} asks {} for an address, the machine names {pool}: delete the Machine, so that \
                 another one asks the right pool",
            claim.spec.pool_ref
        );
        return Allocation::Blocked(problem(Reason::ClaimConflict, message));
    }
    if claim::missing_metadata(world, claim).is_some() {
        return Allocation::Damaged(Arc::clone(claim));
    }
    resolve(world, hardware, claim, now)
}

/// There is no claim of the machine's name.
fn without_claim(world: &World, hardware: &Hardware, name: &ObjectKey) -> Allocation {
    let address = current_address(interface_of(world, hardware).and_then(|index| hardware.spec.interfaces.get(index)));
    if let Some(address) = address
        && !is_recorded(hardware, address)
        && world.address.presence != Presence::Syncing
    {
        return Allocation::Static(address.to_owned());
    }
    match world.address.presence {
        Presence::Absent => {
            let message =
                "the server does not serve IPAddressClaim and IPAddress (ipam.cluster.x-k8s.io): install Cluster API \
                           and an IPAM provider"
                    .to_owned();
            let interest = Interest { ipam_kinds: true, ..Interest::default() };
            Allocation::Blocked(problem(Reason::IpamNotInstalled, message).woken_by(interest))
        }
        Presence::Syncing if world.is_in_use() => Allocation::Unread,
        Presence::Syncing => {
            let interest = Interest { ipam_kinds: true, ..Interest::default() };
            let message = reading_claims(world);
            Allocation::Blocked(
                expected(Reason::ClaimsBeingCreated, message).woken_by(interest).again_after(world.settings.safety_net),
            )
        }
        Presence::Ready if world.is_in_use() => {
            let key = hardware.key();
            let message = match address {
                Some(address) => format!(
                    "IPAddressClaim {name} is gone while the server uses it: Hardware {key} carries address {address}"
                ),
                // It may have had an address that a person wrote, and wiped since.
                None => format!(
                    "the server is in use, but there is no IPAddressClaim {name}, and Hardware {key} carries no address: \
                     write the address that the server uses back to it"
                ),
            };
            Allocation::Blocked(problem(Reason::AddressReleasedInUse, message))
        }
        Presence::Ready if interface_of(world, hardware).is_none() => {
            Allocation::Blocked(no_interface(world, hardware))
        }
        Presence::Ready => Allocation::Missing,
    }
}

/// What is said while the claims are not known, with the reason if there is one.
pub fn reading_claims(world: &World) -> String {
    let words = world.address.trouble.as_ref().map_or_else(String::new, |words| {
        format!("; the server says: {words}. See that we may list and watch ipaddressclaims and ipaddresses")
    });
    format!("reading the address claims that exist{words}")
}

/// The claim of the machine's name is being deleted.
fn terminating(world: &World, claim: &Arc<IPAddressClaim>, who: Claimant) -> Allocation {
    if who != Claimant::Foreign && world.is_in_use() {
        let message = format!("IPAddressClaim {} is being deleted while the server uses its address", claim.key());
        return Allocation::Blocked(problem(Reason::AddressReleasedInUse, message));
    }
    let waits_for_us = who != Claimant::Foreign && claim.has_finalizer(CLAIM_FINALIZER);
    if let Some((hardware, address)) = &world.address.carrier
        && waits_for_us
    {
        let message = orphan::held(claim, hardware, *address);
        let interest = Interest { address: Some(*address), ..Interest::default() };
        return Allocation::Blocked(problem(Reason::ClaimTerminating, message).woken_by(interest));
    }
    if waits_for_us {
        return Allocation::GivenUp(Arc::clone(claim));
    }
    let finalizers = claim.metadata.finalizers.clone().unwrap_or_default().join(", ");
    let message = format!("IPAddressClaim {} is being deleted; it waits for: {finalizers}", claim.key());
    Allocation::Blocked(expected(Reason::ClaimTerminating, message))
}

/// The claim is ours and in order: what about its address?
fn resolve(world: &World, hardware: &Arc<Hardware>, claim: &IPAddressClaim, now: Timestamp) -> Allocation {
    let in_use = world.is_in_use();
    if claim.status.address_name().is_none() && !in_use {
        return Allocation::Blocked(pending::why(world, claim, now));
    }
    let Some(address) = &world.address.ip_address else {
        if in_use {
            let message = format!("the IPAddress of IPAddressClaim {} is gone while the server uses it", claim.key());
            return Allocation::Blocked(problem(Reason::AddressReleasedInUse, message));
        }
        let message = format!(
            "0/1 addresses: IPAddress {} of IPAddressClaim {} is not there yet",
            claim.status.address_ref.name,
            claim.key()
        );
        return Allocation::Blocked(expected(Reason::WaitingForIpAddress, message));
    };
    if let Some(message) = mismatch(claim, address) {
        let reason =
            if in_use && address.is_terminating() { Reason::AddressReleasedInUse } else { Reason::ClaimConflict };
        return Allocation::Blocked(problem(reason, message));
    }
    let Some(index) = interface_of(world, hardware) else {
        return Allocation::Blocked(no_interface(world, hardware));
    };
    let Some(interface) = hardware.spec.interfaces.get(index) else {
        return Allocation::Blocked(no_interface(world, hardware));
    };
    let reservation = match reservation(world, address, interface) {
        Ok(reservation) => reservation,
        Err(message) => {
            let interest = Interest { pool: Some(claim.spec.pool_ref.clone()), ..Interest::default() };
            return Allocation::Blocked(problem(Reason::AddressInvalid, message).woken_by(interest));
        }
    };
    Site { world, hardware, claim, index, interface, reservation }.allocation()
}
