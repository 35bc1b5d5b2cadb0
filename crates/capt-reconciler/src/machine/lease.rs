//! The lease: what the machine's claim, its address and its Hardware say together. Pure; the claim and address stages
//! act on it and the report tells it (decisions 9, 10, 13 and 17).

use std::sync::Arc;
use std::time::Duration;

use crate::observed::cluster_api::{IPAddress, IPAddressClaim};
use crate::observed::infra::TinkerbellMachine;
use crate::observed::tinkerbell::{Hardware, Interface, ReservationRecord};
use capt_api::conditions::reasons;
use capt_api::contract::{CLAIM_FINALIZER, GATEWAY_ANNOTATION, MAC_ADDRESS_ANNOTATION, claim_name};
use capt_api::meta::{Meta, ObjectKey};
use capt_ipam_core::{AddressError, Family, Reservation};
use jiff::Timestamp;

use super::pending;
use super::world::World;
use crate::outcome::Interest;
use crate::ports::{PoolView, Presence};

/// What helps a server that has another address than its claim.
const REPLACE: &str = "replace the Machine to use the new one";

/// A reason and the words for it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// One of [`reasons`].
    pub reason: &'static str,
    /// Text for a person; names the objects.
    pub message: String,
    /// Whether it is a normal part of the machine's life.
    pub expected: bool,
    /// When to look again in any case.
    pub requeue: Option<Duration>,
    /// What else wakes the machine.
    pub interest: Interest,
}

impl Finding {
    pub(super) fn problem(reason: &'static str, message: String) -> Self {
        Self { reason, message, expected: false, requeue: None, interest: Interest::default() }
    }

    pub(super) fn expected(reason: &'static str, message: String) -> Self {
        Self { expected: true, ..Self::problem(reason, message) }
    }
}

/// What is to be written to an interface.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Index of the interface.
    pub interface: usize,
    /// The validated address.
    pub reservation: Reservation,
    /// The record that goes with it.
    pub record: ReservationRecord,
    /// Whether this puts back what somebody wiped.
    pub restores: bool,
}

/// State of a machine's lease.
#[derive(Clone, Debug)]
pub enum Lease {
    /// The machine names no pool, or has no Hardware yet.
    NotWanted,
    /// A person wrote this address; IPAM is skipped (decision 9).
    Static(String),
    /// The claim has to be made.
    Missing,
    /// The claim has to be put right: owner, finalizer, labels (after a move or a restore).
    Damaged(Arc<IPAddressClaim>),
    /// Our claim is being deleted and nothing uses its address: let it go, a new one follows.
    GivenUp(Arc<IPAddressClaim>),
    /// Not there yet, or unusable.
    Blocked(Finding),
    /// To be written to the Hardware.
    ToPlace(Box<Placement>),
    /// On the Hardware, as it should be.
    Placed(String),
    /// The server uses an address whose lease is in trouble: told, not acted on (decision 10).
    Troubled(Finding),
    /// The server uses an address, and its claims are still being read.
    Unread,
}

/// Whose a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimant {
    /// This machine's, by UID.
    Ours,
    /// Nobody's, but with our finalizer: a restore stripped its owner (decision 13).
    Orphaned,
    /// An earlier machine's of this name, which is gone: a restore gave the machine a new UID, or somebody took the
    /// earlier one's finalizer off.
    Stale,
    /// Somebody else's.
    Foreign,
}

/// Whose this claim is.
pub fn claimant(claim: &IPAddressClaim, machine: &TinkerbellMachine) -> Claimant {
    match claim.controller() {
        Some(owner) if owner.uid == machine.uid() => Claimant::Ours,
        Some(owner)
            if owner.kind == "TinkerbellMachine"
                && owner.name == machine.name()
                && claim.has_finalizer(CLAIM_FINALIZER) =>
        {
            Claimant::Stale
        }
        Some(_) => Claimant::Foreign,
        None if claim.has_finalizer(CLAIM_FINALIZER) => Claimant::Orphaned,
        None => Claimant::Foreign,
    }
}

/// Looks at claim, address and Hardware together. Nothing blocks a server that is in use any more: what would is told
/// as trouble.
pub fn evaluate(world: &World, now: Timestamp) -> Lease {
    match look(world, now) {
        Lease::Blocked(finding) if world.is_in_use() => Lease::Troubled(finding),
        lease => lease,
    }
}

fn look(world: &World, now: Timestamp) -> Lease {
    let (Some(pool), Some(hardware)) = (&world.machine.spec.ipam_pool_ref, world.reserved()) else {
        return Lease::NotWanted;
    };
    let name = ObjectKey::new(world.machine.namespace(), claim_name(world.machine.name()));
    let Some(claim) = &world.claim else {
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
        return Lease::Blocked(Finding::problem(reasons::CLAIM_CONFLICT, message));
    }
    if who == Claimant::Foreign {
        let owner = claim.controller().map_or_else(
            || "has no owner and does not carry our finalizer".to_owned(),
            |owner| format!("belongs to {} {} (UID {})", owner.kind, owner.name, owner.uid),
        );
        let message = format!("IPAddressClaim {name} {owner}, not to this machine: delete it if nobody needs it");
        return Lease::Blocked(Finding::problem(reasons::CLAIM_CONFLICT, message));
    }
    if claim.spec.pool_ref != *pool {
        let message = format!(
            "IPAddressClaim {name} asks {} for an address, the machine names {pool}: delete the Machine, so that \
                 another one asks the right pool",
            claim.spec.pool_ref
        );
        return Lease::Blocked(Finding::problem(reasons::CLAIM_CONFLICT, message));
    }
    if super::claim::damage(world, claim).is_some() {
        return Lease::Damaged(Arc::clone(claim));
    }
    resolve(world, hardware, claim, now)
}

/// There is no claim of the machine's name.
fn without_claim(world: &World, hardware: &Hardware, name: &ObjectKey) -> Lease {
    let address = current_address(interface_of(world, hardware).and_then(|index| hardware.spec.interfaces.get(index)));
    if let Some(address) = address
        && !is_recorded(hardware, address)
        && world.ipam != Presence::Syncing
    {
        return Lease::Static(address.to_owned());
    }
    match world.ipam {
        Presence::Absent => {
            let message =
                "the server does not serve IPAddressClaim and IPAddress (ipam.cluster.x-k8s.io): install Cluster API \
                           and an IPAM provider"
                    .to_owned();
            let interest = Interest { ipam_kinds: true, ..Interest::default() };
            Lease::Blocked(Finding { interest, ..Finding::problem(reasons::IPAM_NOT_INSTALLED, message) })
        }
        Presence::Syncing if world.is_in_use() => Lease::Unread,
        Presence::Syncing => {
            let interest = Interest { ipam_kinds: true, ..Interest::default() };
            let requeue = Some(world.settings.safety_net);
            let message = reading_claims(world);
            Lease::Blocked(Finding { interest, requeue, ..Finding::expected(reasons::CLAIMS_BEING_CREATED, message) })
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
            Lease::Blocked(Finding::problem(reasons::ADDRESS_RELEASED_IN_USE, message))
        }
        Presence::Ready if interface_of(world, hardware).is_none() => Lease::Blocked(no_interface(world, hardware)),
        Presence::Ready => Lease::Missing,
    }
}

/// What is said while the claims are not known, with the reason if there is one.
pub fn reading_claims(world: &World) -> String {
    let words = world.ipam_trouble.as_ref().map_or_else(String::new, |words| {
        format!("; the server says: {words}. See that we may list and watch ipaddressclaims and ipaddresses")
    });
    format!("reading the address claims that exist{words}")
}

/// The claim of the machine's name is being deleted.
fn terminating(world: &World, claim: &Arc<IPAddressClaim>, who: Claimant) -> Lease {
    if who != Claimant::Foreign && world.is_in_use() {
        let message = format!("IPAddressClaim {} is being deleted while the server uses its address", claim.key());
        return Lease::Blocked(Finding::problem(reasons::ADDRESS_RELEASED_IN_USE, message));
    }
    let waits_for_us = who != Claimant::Foreign && claim.has_finalizer(CLAIM_FINALIZER);
    if let Some((hardware, address)) = &world.carrier
        && waits_for_us
    {
        let message = super::orphan::held(claim, hardware, *address);
        let interest = Interest { address: Some(*address), ..Interest::default() };
        return Lease::Blocked(Finding { interest, ..Finding::problem(reasons::CLAIM_TERMINATING, message) });
    }
    if waits_for_us {
        return Lease::GivenUp(Arc::clone(claim));
    }
    let finalizers = claim.metadata.finalizers.clone().unwrap_or_default().join(", ");
    let message = format!("IPAddressClaim {} is being deleted; it waits for: {finalizers}", claim.key());
    Lease::Blocked(Finding::expected(reasons::CLAIM_TERMINATING, message))
}

/// The claim is ours and in order: what about its address?
fn resolve(world: &World, hardware: &Arc<Hardware>, claim: &IPAddressClaim, now: Timestamp) -> Lease {
    let in_use = world.is_in_use();
    if claim.status.address_name().is_none() && !in_use {
        return Lease::Blocked(pending::why(world, claim, now));
    }
    let Some(address) = &world.address else {
        if in_use {
            let message = format!("the IPAddress of IPAddressClaim {} is gone while the server uses it", claim.key());
            return Lease::Blocked(Finding::problem(reasons::ADDRESS_RELEASED_IN_USE, message));
        }
        let message = format!(
            "0/1 addresses: IPAddress {} of IPAddressClaim {} is not there yet",
            claim.status.address_ref.name,
            claim.key()
        );
        return Lease::Blocked(Finding::expected(reasons::WAITING_FOR_IP_ADDRESS, message));
    };
    if let Some(message) = mismatch(claim, address) {
        let reason =
            if in_use && address.is_terminating() { reasons::ADDRESS_RELEASED_IN_USE } else { reasons::CLAIM_CONFLICT };
        return Lease::Blocked(Finding::problem(reason, message));
    }
    let Some(index) = interface_of(world, hardware) else {
        return Lease::Blocked(no_interface(world, hardware));
    };
    let Some(interface) = hardware.spec.interfaces.get(index) else {
        return Lease::Blocked(no_interface(world, hardware));
    };
    let reservation = match reservation(world, address, interface) {
        Ok(reservation) => reservation,
        Err(message) => {
            let interest = Interest { pool: Some(claim.spec.pool_ref.clone()), ..Interest::default() };
            return Lease::Blocked(Finding { interest, ..Finding::problem(reasons::ADDRESS_INVALID, message) });
        }
    };
    place(world, hardware, claim, index, interface, reservation)
}

/// The address is good: is it on the Hardware, and may it be written there?
fn place(
    world: &World,
    hardware: &Arc<Hardware>,
    claim: &IPAddressClaim,
    index: usize,
    interface: &Interface,
    reservation: Reservation,
) -> Lease {
    let wanted = reservation.address_text();
    let mac = interface.mac().to_lowercase();
    let record = ReservationRecord {
        claim_namespace: claim.namespace().to_owned(),
        claim_name: claim.name().to_owned(),
        claim_uid: claim.uid().to_owned(),
        machine_uid: world.machine.uid().to_owned(),
        mac: mac.clone(),
        address: wanted.clone(),
        netmask: reservation.netmask_text().unwrap_or_default(),
        gateway: reservation.gateway_text().unwrap_or_default(),
    };
    let current = current_address(Some(interface));
    let recorded = hardware.reservations().into_iter().find(|entry| entry.mac == mac && belongs(entry, claim));
    let to_place = |record: ReservationRecord, reservation: Reservation, restores: bool| {
        Lease::ToPlace(Box::new(Placement { interface: index, reservation, record, restores }))
    };

    if current == Some(wanted.as_str()) {
        let complete = recorded.is_some_and(|entry| entry.address == wanted) && carries(interface, &record);
        // What runs is left alone, whatever the record says.
        return if complete || world.is_provisioned() {
            Lease::Placed(wanted)
        } else {
            to_place(record, reservation, false)
        };
    }
    if world.is_provisioned() {
        return match (current, recorded) {
            (None, Some(entry)) if entry.address == wanted && carried(world).is_some() => {
                let other = carried(world).map_or_else(String::new, |user| user.key.to_string());
                let message = format!(
                    "the server runs with {wanted}, which somebody took off Hardware {}; it is not put back, for Hardware \
                     {other} carries it now: take it off there",
                    hardware.key()
                );
                let interest = Interest { address: Some(reservation.address()), ..Interest::default() };
                Lease::Blocked(Finding { interest, ..Finding::problem(reasons::ADDRESS_DUPLICATE, message) })
            }
            (None, Some(entry)) if entry.address == wanted => to_place(
                ReservationRecord { claim_uid: record.claim_uid, machine_uid: record.machine_uid, ..entry },
                reservation,
                true,
            ),
            (Some(address), Some(entry)) if entry.address == address => {
                let message = format!(
                    "IPAddressClaim {} now holds {wanted}; the server runs with {address} on Hardware {}: {REPLACE}",
                    claim.key(),
                    hardware.key()
                );
                Lease::Blocked(Finding::problem(reasons::ADDRESS_CHANGED, message))
            }
            (None, Some(entry)) => {
                let message = format!(
                    "IPAddressClaim {} now holds {wanted}; the server was installed with {}, which is no longer on Hardware {}: \
                     {REPLACE}",
                    claim.key(),
                    entry.address,
                    hardware.key()
                );
                Lease::Blocked(Finding::problem(reasons::ADDRESS_CHANGED, message))
            }
            // The whole Hardware went and came back. What the server runs with, the machine remembers.
            (None, None) if world.bound_address() == Some(wanted.as_str()) => to_place(record, reservation, true),
            (current, None) | (current, Some(_)) => Lease::Blocked(foreign_address(hardware, claim, current, &wanted)),
        };
    }
    match current {
        Some(address) if !is_recorded(hardware, address) => {
            Lease::Blocked(foreign_address(hardware, claim, Some(address), &wanted))
        }
        Some(address) if world.workflow.is_some() => {
            let message = format!(
                "IPAddressClaim {} now holds {wanted}; the server is being installed with {address} on Hardware {}: {REPLACE}",
                claim.key(),
                hardware.key()
            );
            Lease::Blocked(Finding::problem(reasons::ADDRESS_CHANGED, message))
        }
        _ => match world.address_users.first() {
            Some(user) => {
                let message = format!(
                    "address {wanted} of IPAddressClaim {} is in use: {} {} has it as {}; take it off there, or exclude it \
                     from the pool and delete the claim",
                    claim.key(),
                    user.kind,
                    user.key,
                    user.role
                );
                let interest = Interest { address: Some(reservation.address()), ..Interest::default() };
                let requeue = Some(world.settings.safety_net);
                Lease::Blocked(Finding { interest, requeue, ..Finding::problem(reasons::ADDRESS_DUPLICATE, message) })
            }
            None => to_place(record, reservation, false),
        },
    }
}

/// Another Hardware that carries the machine's address.
fn carried(world: &World) -> Option<&crate::ports::AddressUse> {
    world.address_users.iter().find(|user| user.kind == "Hardware" && user.role == "address")
}

fn foreign_address(hardware: &Hardware, claim: &IPAddressClaim, current: Option<&str>, wanted: &str) -> Finding {
    let carries = current
        .map_or_else(|| "no address and no record of one".to_owned(), |a| format!("{a}, which we did not write"));
    let message = format!(
        "Hardware {} carries {carries}; IPAddressClaim {} holds {wanted}: write that to the Hardware, or replace the \
             Machine",
        hardware.key(),
        claim.key()
    );
    Finding::problem(reasons::HARDWARE_ADDRESS_CONFLICT, message)
}

/// Whether a record is of this claim: by UID, or after a move or restore by namespace and name.
fn belongs(entry: &ReservationRecord, claim: &IPAddressClaim) -> bool {
    entry.claim_uid == claim.uid() || (entry.claim_namespace == claim.namespace() && entry.claim_name == claim.name())
}

/// Whether the interface carries the recorded address whole.
fn carries(interface: &Interface, record: &ReservationRecord) -> bool {
    let ip = interface.dhcp.as_ref().and_then(|dhcp| dhcp.ip.as_ref());
    ip.is_some_and(|ip| ip.address == record.address && ip.netmask == record.netmask && ip.gateway == record.gateway)
}

/// Whether we (for this machine or another) once wrote this address to the Hardware.
pub fn is_recorded(hardware: &Hardware, address: &str) -> bool {
    hardware.reservations().iter().any(|entry| entry.address == address)
}

/// The address that stands on an interface.
pub fn current_address(interface: Option<&Interface>) -> Option<&str> {
    let ip = interface?.dhcp.as_ref()?.ip.as_ref()?;
    Some(ip.address.as_str()).filter(|address| !address.is_empty())
}

/// The interface that the address is for: by the MAC that the claim or the record remembers, whatever its index; the
/// first one while nothing is remembered.
pub fn interface_of(world: &World, hardware: &Hardware) -> Option<usize> {
    let remembered = remembered_mac(world, hardware);
    match remembered {
        Some(mac) => hardware.interface_with_mac(&mac),
        None => hardware.spec.interfaces.first().and_then(|first| first.dhcp.as_ref()).map(|_| 0),
    }
}

fn remembered_mac(world: &World, hardware: &Hardware) -> Option<String> {
    let of_claim = world
        .claim
        .as_ref()
        .filter(|claim| claimant(claim, &world.machine) != Claimant::Foreign)
        .and_then(|claim| claim.annotation(MAC_ADDRESS_ANNOTATION).map(str::to_owned));
    of_claim
        .or_else(|| {
            hardware
                .reservations()
                .into_iter()
                .find(|entry| entry.machine_uid == world.machine.uid())
                .map(|entry| entry.mac)
        })
        .filter(|mac| !mac.is_empty())
}

fn no_interface(world: &World, hardware: &Hardware) -> Finding {
    let which = remembered_mac(world, hardware).map_or_else(
        || "no first interface with spec.interfaces[0].dhcp".to_owned(),
        |mac| format!("no interface with MAC {mac}"),
    );
    Finding::problem(reasons::INTERFACE_NOT_FOUND, format!("Hardware {} has {which}", hardware.key()))
}

/// Why an IPAddress is not the answer to this claim, if it is not.
fn mismatch(claim: &IPAddressClaim, address: &IPAddress) -> Option<String> {
    let (address_key, claim_key) = (address.key(), claim.key());
    if address.is_terminating() {
        return Some(format!("IPAddress {address_key} of IPAddressClaim {claim_key} is being deleted"));
    }
    if address.spec.claim_ref.name != claim.name() {
        let other = &address.spec.claim_ref.name;
        return Some(format!("IPAddress {address_key} belongs to IPAddressClaim {other}, not to {claim_key}"));
    }
    if address.spec.pool_ref != claim.spec.pool_ref {
        let (theirs, ours) = (&address.spec.pool_ref, &claim.spec.pool_ref);
        return Some(format!("IPAddress {address_key} is from {theirs}, IPAddressClaim {claim_key} asks {ours}"));
    }
    let owner = address.controller().filter(|owner| owner.kind == "IPAddressClaim" && owner.uid != claim.uid())?;
    Some(format!("IPAddress {address_key} belongs to an earlier IPAddressClaim {} (UID {})", owner.name, owner.uid))
}

/// The validated address, with the gateway that the machine names where the provider gives none (decision 16).
fn reservation(world: &World, address: &IPAddress, interface: &Interface) -> Result<Reservation, String> {
    let spec = &address.spec;
    let given = spec.gateway.as_deref().filter(|gateway| !gateway.is_empty());
    let fallback = world.machine.annotation(GATEWAY_ANNOTATION).filter(|gateway| !gateway.is_empty());
    let prefix = spec.prefix.ok_or_else(|| format!("IPAddress {}: spec.prefix is missing", address.key()))?;
    let reserved = matches!(&world.pool, PoolView::Found(pool) if pool.spec.allocate_reserved_ip_addresses);
    let parse = if reserved { Reservation::parse_with_reserved } else { Reservation::parse };
    let pool = &spec.pool_ref;
    let reservation = parse(&spec.address, prefix, given.or(fallback)).map_err(|error| {
        let source = if given.is_none() && fallback.is_some() {
            format!(" (gateway from the machine's annotation {GATEWAY_ANNOTATION})")
        } else {
            String::new()
        };
        let field = match &error {
            AddressError::PrefixOutOfRange { .. } => format!("; put spec.prefix of {pool} right"),
            AddressError::NetworkAddress { .. }
            | AddressError::BroadcastAddress { .. }
            | AddressError::SubnetRouterAnycast { .. } => {
                format!("; keep it out of {pool} (spec.excludedAddresses, or spec.allocateReservedIPAddresses: true to use it)")
            }
            _ => String::new(),
        };
        format!("IPAddress {}: {error}{source}{field}", address.key())
    })?;
    let served = interface.disable_dhcp != Some(true);
    if reservation.family() == Family::V6 && served && !world.settings.ipv6_reservations {
        return Err(format!(
            "IPAddress {}: {} is an IPv6 address, which Tinkerbell's DHCP cannot serve safely; set disableDhcp on the interface",
            address.key(),
            reservation.address_text()
        ));
    }
    Ok(reservation)
}
