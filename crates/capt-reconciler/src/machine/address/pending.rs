//! Why a claim has no address yet: the provider's own words, what the pool shows, or silence.

use std::time::Duration;

use crate::observed::cluster_api::{ClaimCondition, IPAddressClaim};
use capt_api::conditions::Reason;
use capt_api::contract::CLAIM_FINALIZER;
use capt_api::meta::Meta;
use jiff::Timestamp;

use super::{expected, problem};
use crate::machine::step::Wait;
use crate::machine::world::World;
use crate::outcome::Interest;
use crate::ports::PoolView;

/// Shortest pause before we look again.
const SOON: Duration = Duration::from_millis(100);

/// The reason for which this claim has no address yet.
pub fn why(world: &World, claim: &IPAddressClaim, now: Timestamp) -> Wait {
    let (pool, key) = (&claim.spec.pool_ref, claim.key());
    let interest = Interest { pool: Some(pool.clone()), ipam_kinds: true, ..Interest::default() };
    let said = claim.status.ready().filter(|ready| ready.status != "True");
    if let Some((reason, message)) = said_by_provider(claim, said).or_else(|| shown_by_pool(&world.address.pool, claim))
    {
        return problem(reason, message).woken_by(interest).again_after(world.settings.safety_net);
    }
    let taken_up = claim.metadata.finalizers.iter().flatten().any(|finalizer| finalizer != CLAIM_FINALIZER);
    // The server's clock and ours may disagree: what was made in our future is new.
    let age = |created: Timestamp| Duration::try_from(now.duration_since(created)).unwrap_or_default();
    let age = claim.metadata.creation_timestamp.as_ref().map(|created| age(created.0));
    let silence = world.settings.provider_silence;
    if !taken_up && said.is_none() && age.is_some_and(|age| age >= silence) {
        let message = format!("no IPAM provider has taken up IPAddressClaim {key} for {pool}: is it running?");
        let wait = problem(Reason::NoProviderResponded, message);
        return wait.woken_by(interest).again_after(world.settings.safety_net);
    }
    let words = said
        .filter(|ready| !ready.message.is_empty() || !ready.reason.is_empty())
        .map_or_else(String::new, |ready| format!("; the provider says {}: \"{}\"", ready.reason, ready.message));
    let message = format!("0/1 addresses: IPAddressClaim {key} waits for an address from {pool}{words}");
    let until_silence = age.filter(|_| !taken_up).map(|age| silence.saturating_sub(age));
    let requeue = until_silence.map_or(world.settings.safety_net, |rest| rest.clamp(SOON, world.settings.safety_net));
    expected(Reason::WaitingForIpAddress, message).woken_by(interest).again_after(requeue)
}

/// What the provider says on the claim, where that is a reason that we know.
fn said_by_provider(claim: &IPAddressClaim, said: Option<&ClaimCondition>) -> Option<(Reason, String)> {
    let ready = said?;
    let known = [Reason::AllocationFailed, Reason::PoolNotReady, Reason::PoolExhausted];
    let reason = known.into_iter().find(|reason| Reason::parse(&ready.reason) == Some(*reason))?;
    Some((reason, format!("IPAddressClaim {}, {}: {}", claim.key(), claim.spec.pool_ref, ready.message)))
}

/// What the pool shows.
fn shown_by_pool(view: &PoolView, claim: &IPAddressClaim) -> Option<(Reason, String)> {
    let (pool, key) = (&claim.spec.pool_ref, claim.key());
    match view {
        PoolView::KindNotServed => {
            let message = format!(
                "the server knows no kind {}.{}; IPAddressClaim {key} names it: install the IPAM provider that has it",
                pool.kind, pool.api_group
            );
            Some((Reason::PoolKindNotServed, message))
        }
        PoolView::NotFound => {
            let message = format!("{pool} does not exist; IPAddressClaim {key} names it: create it");
            Some((Reason::PoolNotFound, message))
        }
        PoolView::Found(found) if found.is_paused() => {
            let message = format!("{pool} is paused; IPAddressClaim {key} waits until it is resumed");
            Some((Reason::PoolPaused, message))
        }
        PoolView::Found(found) => found.exhausted().map(|counts| {
            let message = format!(
                "{pool} has no free address ({} of {} used); IPAddressClaim {key} waits for one: enlarge the pool, or delete \
                 a machine",
                counts.used, counts.total
            );
            (Reason::PoolExhausted, message)
        }),
        PoolView::Unknown => None,
    }
}
