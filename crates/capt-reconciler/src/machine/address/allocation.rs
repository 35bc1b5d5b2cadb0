//! The allocation: what the machine's claim, its IPAddress and its Hardware say together. It is
//! [evaluated](super::evaluate()) once after each look at the World; the address stage acts on it and the report tells it
//! (decisions 9, 10, 13 and 17).

use std::sync::Arc;

use crate::machine::step::Wait;
use crate::observed::cluster_api::IPAddressClaim;
use crate::observed::tinkerbell::ReservationRecord;
use capt_ipam_core::Reservation;

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

/// What the machine's claim, its IPAddress and its Hardware say together.
#[derive(Clone, Debug)]
pub enum Allocation {
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
    Blocked(Wait),
    /// To be written to the Hardware.
    ToPlace(Box<Placement>),
    /// On the Hardware, as it should be.
    Placed(String),
    /// The server uses an address whose allocation is in trouble: told, not acted on (decision 10).
    Troubled(Wait),
    /// The server uses an address, and its claims are still being read.
    Unread,
}
