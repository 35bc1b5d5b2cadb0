//! Release claims: our finalizer comes off and the claim is deleted, both in one go; then we wait until it is gone.
//! The IPAddress is never waited for: some providers wait for our finalizer in turn (decision 14).

use std::sync::Arc;

use crate::observed::cluster_api::IPAddressClaim;
use capt_api::conditions::Reason;
use capt_api::contract::CLAIM_FINALIZER;
use capt_api::meta::Meta;

use crate::effect::{Kind, Stage, Verb, Write};
use crate::machine::address::claim::release_finalizer;
use crate::machine::address::claimant::{Claimant, claimant};
use crate::machine::address::reading_claims;
use crate::machine::step::{Concern, Step, Wait};
use crate::machine::world::World;
use crate::outcome::Interest;
use crate::ports::{PoolView, Presence};

/// The next step of this stage, or nothing when the last claim is gone.
pub(super) fn step(world: &World) -> Option<Step> {
    match world.address.presence {
        Presence::Absent => return None,
        // It has no claim, or one that is let go once it can be seen: nobody waits for that.
        Presence::Syncing if world.machine.spec.ipam_pool_ref.is_none() => return None,
        Presence::Syncing => {
            let message = reading_claims(world);
            let interest = Interest { ipam_kinds: true, ..Interest::default() };
            let wait = Wait::expected(Concern::Deleting, Reason::WaitingForAddressRelease, message);
            return Some(wait.woken_by(interest).again_after(world.settings.safety_net).into());
        }
        Presence::Ready => {}
    }
    let claims = all(world);
    let work = claims.iter().find_map(|claim| {
        if claim.has_finalizer(CLAIM_FINALIZER) {
            return Some(release_finalizer(claim, Stage::ReleaseClaims));
        }
        (!claim.is_terminating()).then(|| {
            let verb = Verb::Delete { uid: claim.uid().to_owned() };
            Write::new(Stage::ReleaseClaims, Kind::IPAddressClaim, claim.key(), verb)
        })
    });
    if let Some(write) = work {
        return Some(write.into());
    }
    let waiting = claims.first()?;
    let finalizers = waiting.metadata.finalizers.clone().unwrap_or_default().join(", ");
    let pool = &waiting.spec.pool_ref;
    let paused = match &world.address.pool {
        PoolView::Found(found) if found.is_paused() => format!("; {pool} is paused"),
        _ => String::new(),
    };
    let message = format!("IPAddressClaim {} is being deleted; it waits for: {finalizers}{paused}", waiting.key());
    let interest = Interest { pool: Some(pool.clone()), ipam_kinds: true, ..Interest::default() };
    Some(wait(message, interest))
}

fn wait(message: String, interest: Interest) -> Step {
    Wait::expected(Concern::Deleting, Reason::WaitingForAddressRelease, message).woken_by(interest).into()
}

/// The machine's claims: found by owner, not by what the spec says now; and the one whose owner a restore stripped.
fn all(world: &World) -> Vec<Arc<IPAddressClaim>> {
    let mut claims = world.address.claims.clone();
    if let Some(orphan) = &world.address.claim
        && match claimant(orphan, &world.machine) {
            Claimant::Orphaned => true,
            // Else it is kept for the server that still carries its address.
            Claimant::Stale => world.address.carrier.is_none(),
            Claimant::Ours | Claimant::Foreign => false,
        }
    {
        claims.push(Arc::clone(orphan));
    }
    claims
}
