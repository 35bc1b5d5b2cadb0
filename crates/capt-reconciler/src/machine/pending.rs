//! Why a claim has no address yet: the provider's own words, what the pool shows, or silence.

use std::time::Duration;

use crate::observed::cluster_api::IPAddressClaim;
use capt_api::conditions::reasons;
use capt_api::contract::CLAIM_FINALIZER;
use capt_api::meta::Meta;
use jiff::Timestamp;

use super::lease::Finding;
use super::world::World;
use crate::outcome::Interest;
use crate::ports::PoolView;

/// Shortest pause before we look again.
const SOON: Duration = Duration::from_millis(100);

/// The reason for which this claim has no address yet.
pub fn why(world: &World, claim: &IPAddressClaim, now: Timestamp) -> Finding {
    let pool = &claim.spec.pool_ref;
    let key = claim.key();
    let interest = Interest { pool: Some(pool.clone()), ipam_kinds: true, ..Interest::default() };
    let net = Some(world.settings.safety_net);
    let problem =
        |reason, message| Finding { interest: interest.clone(), requeue: net, ..Finding::problem(reason, message) };

    let said = claim.status.ready().filter(|ready| ready.status != "True");
    let known = said.and_then(|ready| {
        [reasons::ALLOCATION_FAILED, reasons::POOL_NOT_READY, reasons::POOL_EXHAUSTED]
            .into_iter()
            .find(|reason| *reason == ready.reason)
            .map(|reason| (reason, ready))
    });
    if let Some((reason, ready)) = known {
        return problem(reason, format!("IPAddressClaim {key}, {pool}: {}", ready.message));
    }
    match &world.pool {
        PoolView::KindNotServed => {
            let message = format!(
                "the server knows no kind {}.{}; IPAddressClaim {key} names it: install the IPAM provider that has it",
                pool.kind, pool.api_group
            );
            return problem(reasons::POOL_KIND_NOT_SERVED, message);
        }
        PoolView::NotFound => {
            let message = format!("{pool} does not exist; IPAddressClaim {key} names it: create it");
            return problem(reasons::POOL_NOT_FOUND, message);
        }
        PoolView::Found(found) if found.is_paused() => {
            let message = format!("{pool} is paused; IPAddressClaim {key} waits until somebody ends that");
            return problem(reasons::POOL_PAUSED, message);
        }
        PoolView::Found(found) => {
            if let Some(counts) = found.exhausted() {
                let message = format!(
                    "{pool} has no free address ({} of {} used); IPAddressClaim {key} waits for one: enlarge the pool, or delete \
                     a machine",
                    counts.used, counts.total
                );
                return problem(reasons::POOL_EXHAUSTED, message);
            }
        }
        PoolView::Unknown => {}
    }
    let taken_up = claim.metadata.finalizers.iter().flatten().any(|finalizer| finalizer != CLAIM_FINALIZER);
    // The server's clock and ours may disagree: what was made in our future is new.
    let age = |created: Timestamp| Duration::try_from(now.duration_since(created)).unwrap_or_default();
    let age = claim.metadata.creation_timestamp.as_ref().map(|created| age(created.0));
    let silence = world.settings.provider_silence;
    if !taken_up && said.is_none() && age.is_some_and(|age| age >= silence) {
        let message = format!("no IPAM provider has taken up IPAddressClaim {key} for {pool}: is it running?");
        return problem(reasons::NO_PROVIDER_RESPONDED, message);
    }
    let words = said
        .filter(|ready| !ready.message.is_empty() || !ready.reason.is_empty())
        .map_or_else(String::new, |ready| format!("; the provider says {}: \"{}\"", ready.reason, ready.message));
    let message = format!("0/1 addresses: IPAddressClaim {key} waits for an address from {pool}{words}");
    let until_silence = age.filter(|_| !taken_up).map(|age| silence.saturating_sub(age));
    let requeue = until_silence.map_or(world.settings.safety_net, |rest| rest.clamp(SOON, world.settings.safety_net));
    Finding { interest, requeue: Some(requeue), ..Finding::expected(reasons::WAITING_FOR_IP_ADDRESS, message) }
}
