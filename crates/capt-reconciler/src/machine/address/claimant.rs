//! Whose a claim is, and which IPAddress answers it.

use std::sync::Arc;

use crate::observed::cluster_api::{IPAddress, IPAddressClaim};
use crate::observed::infra::TinkerbellMachine;
use crate::ports::Stores;
use capt_api::contract::CLAIM_FINALIZER;
use capt_api::meta::{Meta, ObjectKey};

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

/// The address that the claim names. Status does not travel with `clusterctl move`: until the provider has filled it in
/// again, the address of the claim's own name that names the claim is its address. A server that does not use it yet waits
/// for the claim all the same.
pub fn address_of(stores: &impl Stores, claim: &IPAddressClaim) -> Option<Arc<IPAddress>> {
    let named = |name: &str| stores.address(&ObjectKey::new(claim.namespace(), name));
    match claim.status.address_name() {
        Some(name) => named(name),
        None => named(claim.name()).filter(|address| address.spec.claim_ref.name == claim.name()),
    }
}
