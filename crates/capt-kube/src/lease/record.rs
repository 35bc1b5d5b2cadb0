//! What stands in the Lease.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use super::Election;

/// Who holds the Lease; empty when nobody does.
pub(super) fn holder(lease: &Lease) -> &str {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
}

/// How long the holder trusts in its lead: what the record promises, which is the holder's setting and not ours. Ours,
/// if it promises nothing.
pub(super) fn promised(lease: &Lease, election: &Election) -> Duration {
    let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or_default();
    match u64::try_from(seconds) {
        Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
        _ => election.lease_duration,
    }
}

/// The Lease with us as the holder.
pub(super) fn held(mut lease: Lease, election: &Election, now: Timestamp) -> Lease {
    let new = lease.spec.is_none();
    let ours = holder(&lease) == election.identity;
    // A part of a second is promised as a whole one: others may wait too long, never too short.
    let seconds = election.lease_duration.as_secs() + u64::from(election.lease_duration.subsec_nanos() > 0);
    let spec = lease.spec.get_or_insert_default();
    if !ours {
        let transitions = spec.lease_transitions.unwrap_or_default();
        spec.lease_transitions = Some(if new { 0 } else { transitions.saturating_add(1) });
        spec.holder_identity = Some(election.identity.clone());
        spec.acquire_time = Some(MicroTime(now));
    }
    spec.lease_duration_seconds = Some(i32::try_from(seconds).unwrap_or(i32::MAX));
    spec.renew_time = Some(MicroTime(now));
    lease
}

/// The Lease with no holder, as the Go client leaves it.
pub(super) fn released(mut lease: Lease, now: Timestamp) -> Lease {
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: Some(1),
        acquire_time: Some(MicroTime(now)),
        renew_time: Some(MicroTime(now)),
        ..lease.spec.unwrap_or_default()
    });
    lease
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn transitions_count_takeovers_and_nothing_else() {
        let election = Election::new("n");
        let other = Election::new("n");
        let first = held(Lease::default(), &election, at(1));
        let renewed = held(first.clone(), &election, at(2));
        let (a, b) = (first.spec.unwrap(), renewed.spec.clone().unwrap());
        assert_eq!((a.lease_transitions, b.lease_transitions), (Some(0), Some(0)));
        assert_eq!((b.acquire_time, b.renew_time), (Some(MicroTime(at(1))), Some(MicroTime(at(2)))));
        let taken = held(released(renewed, at(3)), &other, at(4)).spec.unwrap();
        assert_eq!(taken.lease_transitions, Some(1));
        assert_eq!(taken.acquire_time, Some(MicroTime(at(4))));
        assert_eq!(taken.lease_duration_seconds, Some(15));
    }

    #[test]
    fn a_part_of_a_second_is_never_promised_away() {
        let election = Election { lease_duration: Duration::from_millis(10_200), ..Election::new("n") };
        assert_eq!(held(Lease::default(), &election, at(1)).spec.unwrap().lease_duration_seconds, Some(11));
    }

    #[test]
    fn a_record_that_promises_nothing_is_held_for_our_own_time() {
        let election = Election::new("n");
        for seconds in [None, Some(0), Some(-5)] {
            let spec = LeaseSpec { lease_duration_seconds: seconds, ..LeaseSpec::default() };
            let lease = Lease { spec: Some(spec), ..Lease::default() };
            assert_eq!(promised(&lease, &election), election.lease_duration);
        }
    }
}
