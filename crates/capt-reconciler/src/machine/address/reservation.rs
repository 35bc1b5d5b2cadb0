//! The reservation: the IPAddress that answers the claim, validated.

use crate::machine::world::World;
use crate::observed::cluster_api::{IPAddress, IPAddressClaim};
use crate::observed::infra::PoolReference;
use crate::observed::tinkerbell::Interface;
use crate::ports::PoolView;
use capt_api::contract::GATEWAY_ANNOTATION;
use capt_api::meta::Meta;
use capt_ipam_core::{AddressError, Family, Reservation};

/// Why an IPAddress is not the answer to this claim, if it is not.
pub(super) fn mismatch(claim: &IPAddressClaim, address: &IPAddress) -> Option<String> {
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
pub(super) fn reservation(world: &World, address: &IPAddress, interface: &Interface) -> Result<Reservation, String> {
    let spec = &address.spec;
    let given = spec.gateway.as_deref().filter(|gateway| !gateway.is_empty());
    let fallback = world.machine.annotation(GATEWAY_ANNOTATION).filter(|gateway| !gateway.is_empty());
    let prefix = spec.prefix.ok_or_else(|| format!("IPAddress {}: spec.prefix is missing", address.key()))?;
    let reserved = matches!(&world.address.pool, PoolView::Found(pool) if pool.spec.allocate_reserved_ip_addresses);
    let parse = if reserved { Reservation::parse_with_reserved } else { Reservation::parse };
    let from_machine = given.is_none() && fallback.is_some();
    let reservation = parse(&spec.address, prefix, given.or(fallback))
        .map_err(|error| format!("IPAddress {}: {}", address.key(), words(&error, from_machine, &spec.pool_ref)))?;
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

/// What is wrong with an address, where the gateway came from, and what to do about it.
fn words(error: &AddressError, gateway_from_machine: bool, pool: &PoolReference) -> String {
    let source = if gateway_from_machine {
        format!(" (gateway from the machine's annotation {GATEWAY_ANNOTATION})")
    } else {
        String::new()
    };
    let field = match error {
        AddressError::PrefixOutOfRange { .. } => format!("; put spec.prefix of {pool} right"),
        AddressError::NetworkAddress { .. }
        | AddressError::BroadcastAddress { .. }
        | AddressError::SubnetRouterAnycast { .. } => {
            format!(
                "; keep it out of {pool} (spec.excludedAddresses, or spec.allocateReservedIPAddresses: true to use it)"
            )
        }
        _ => String::new(),
    };
    format!("{error}{source}{field}")
}
