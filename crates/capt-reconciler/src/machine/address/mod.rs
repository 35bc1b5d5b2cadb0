//! Address: the machine's IPAddressClaim is made, put right, or let go to be made anew; the address that answers it goes to
//! the Hardware.
//!
//! | module | what it holds |
//! |---|---|
//! | `allocation` | what claim, IPAddress and Hardware say together |
//! | [`evaluate`](evaluate()) | how that is found out, once after each look at the World |
//! | `claimant` | whose a claim is |
//! | `claim` | the claim as it is made and put right |
//! | `pending` | why a claim has no address yet |
//! | `reservation` | the address, validated |
//! | `interface` | which interface it is for |
//! | `placing` | whether it may be written there |
//! | `write` | the patch that writes it, and the one that takes it off |
//! | `orphan` | claims whose machine is gone |

pub mod allocation;
pub mod claim;
pub mod claimant;
mod evaluate;
pub mod interface;
pub(crate) mod orphan;
mod pending;
mod placing;
mod reservation;
pub mod write;

pub use allocation::{Allocation, Placement};
pub use evaluate::{evaluate, reading_claims};

use capt_api::conditions::Reason;

use super::step::{Concern, Step, Wait};
use super::world::World;

/// The next step of this stage, or nothing when it is done.
pub fn step(world: &World, allocation: &Allocation) -> Option<Step> {
    let hardware = || world.reserved();
    match allocation {
        Allocation::NotWanted | Allocation::Static(_) | Allocation::Placed(_) => None,
        Allocation::Troubled(_) | Allocation::Unread => None,
        Allocation::Missing => Some(claim::create(world, hardware()?).into()),
        Allocation::Damaged(claim) => Some(claim::repair_metadata(world, claim)?.into()),
        Allocation::GivenUp(claim) => Some(claim::let_go(world, claim)),
        Allocation::Blocked(wait) => Some(wait.clone().into()),
        Allocation::ToPlace(placement) => Some(write::write(hardware()?, placement).into()),
    }
}

/// A wait for an address that a person may have to end.
fn problem(reason: Reason, message: String) -> Wait {
    Wait::problem(Concern::Address, reason, message)
}

/// A wait for an address that is a normal part of the machine's life.
fn expected(reason: Reason, message: String) -> Wait {
    Wait::expected(Concern::Address, reason, message)
}
