//! The machine's address, from the pool to who uses it.

use crate::effect::Kind;
use crate::machine::address::claimant::{Claimant, address_of, claimant};
use crate::machine::address::orphan;
use crate::machine::world::AddressFacts;
use crate::observed::infra::TinkerbellMachine;
use crate::ports::{AddressUse, PoolView, Presence, Stores};
use capt_api::contract::claim_name;
use capt_api::meta::{Meta, ObjectKey};

use super::Subject;

pub(super) fn facts<S: Stores>(subject: &Subject<'_, S>) -> AddressFacts {
    let Subject { stores, machine, .. } = subject;
    let presence = stores.ipam();
    let is_ready = presence == Presence::Ready;
    let claim =
        is_ready.then(|| stores.claim(&ObjectKey::new(machine.namespace(), claim_name(machine.name())))).flatten();
    let ip_address = claim.as_ref().and_then(|claim| address_of(*stores, claim));
    let dying = claim.as_ref().filter(|claim| claim.is_terminating() && claimant(claim, machine) == Claimant::Stale);
    let mine = subject.hardware().map(|hardware| hardware.key());
    let carrier = dying.and_then(|claim| orphan::carrier(*stores, claim));
    let canonical = ip_address.as_ref().and_then(|address| capt_ipam_core::canonical(&address.spec.address));
    let users = match (&mine, canonical) {
        (Some(mine), Some(address)) => stores.address_users(address, mine),
        _ => Vec::new(),
    };
    AddressFacts {
        presence,
        trouble: (presence == Presence::Syncing).then(|| stores.trouble_with(Kind::IPAddressClaim)).flatten(),
        pool: match &machine.spec.ipam_pool_ref {
            Some(reference) if is_ready => stores.pool(machine.namespace(), reference),
            _ => PoolView::Unknown,
        },
        claims: if is_ready { stores.claims_of(machine.uid()) } else { Vec::new() },
        carrier: carrier.filter(|(hardware, _)| Some(hardware) != mine.as_ref()),
        users: users.into_iter().filter(|user| is_in_the_way(*stores, machine, user)).collect(),
        ip_address,
        claim,
    }
}

/// Anybody may write an endpoint into a cluster of his own. In another namespace than ours that alone takes no address away.
fn is_in_the_way(stores: &impl Stores, machine: &TinkerbellMachine, user: &AddressUse) -> bool {
    user.key.namespace == machine.namespace() || stores.is_in_earnest(user)
}
