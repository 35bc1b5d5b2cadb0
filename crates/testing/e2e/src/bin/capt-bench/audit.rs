//! What the audit log tells of a program: its requests, and how long it takes from an event to the write that follows.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use real_control_plane::audit::{Asked, is_write};
use serde::Serialize;

use crate::objects::{CLUSTER, EVENT, Kind, TINKERBELL_CLUSTER, TINKERBELL_MACHINE, WORKFLOW};

/// Requests by verb and resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Requests(pub BTreeMap<String, usize>);

impl Requests {
    /// All requests of a user.
    pub fn of(user: &str, log: &[Asked]) -> Self {
        let mut requests = BTreeMap::new();
        for asked in log.iter().filter(|asked| asked.user == user && !asked.resource.is_empty()) {
            *requests.entry(format!("{} {}", asked.verb, asked.full_resource())).or_insert(0) += 1;
        }
        Self(requests)
    }

    /// All of them.
    pub fn count(&self) -> usize {
        self.0.values().sum()
    }

    /// Those that do not ask for a change.
    pub fn reads(&self) -> usize {
        // "verb resource"
        let is_read = |what: &str| what.split(' ').next().is_some_and(|verb| !is_write(verb));
        self.0.iter().filter(|(what, _)| is_read(what)).map(|(_, count)| count).sum()
    }
}

/// How many writes of a user were for machines: all but those to the one TinkerbellCluster and Events about it.
pub fn machine_writes(user: &str, log: &[Asked]) -> usize {
    let event = format!("{CLUSTER}.");
    let of_cluster = |asked: &Asked| {
        asked.resource == TINKERBELL_CLUSTER.plural
            || (asked.resource == EVENT.plural && asked.name.starts_with(&event))
    };
    log.iter().filter(|asked| asked.user == user && asked.is_write() && !of_cluster(asked)).count()
}

/// How long it took a program to write a machine's status, once that machine's Workflow was written for the last time
/// (its success). Both times are those at which the server got the request, so the server's own work on the
/// Workflow is in it. Sorted.
pub fn latencies(program: &str, tinkerbell: &str, log: &[Asked]) -> Vec<Duration> {
    // A machine and its Workflow have the same name.
    let mut events: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let mut writes: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    for asked in log.iter().filter(|asked| asked.is_write() && asked.code < 300) {
        let Ok(when) = asked.received.parse::<Timestamp>() else {
            continue;
        };
        if asked.user == tinkerbell && is(asked, WORKFLOW) {
            let last = events.entry(&asked.name).or_insert(when);
            *last = when.max(*last);
        } else if asked.user == program && is(asked, TINKERBELL_MACHINE) {
            writes.entry(&asked.name).or_default().push(when);
        }
    }
    let after = |name: &str, event: Timestamp| {
        let next = writes.get(name)?.iter().filter(|write| **write >= event).min()?;
        Duration::try_from(next.duration_since(event)).ok()
    };
    let mut all: Vec<Duration> = events.into_iter().filter_map(|(name, event)| after(name, event)).collect();
    all.sort_unstable();
    all
}

/// The value that this share of all values does not exceed; nothing of nothing.
pub fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

fn is(asked: &Asked, kind: Kind) -> bool {
    asked.resource == kind.plural && asked.subresource == "status"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(user: &str, verb: &str, resource: &str, name: &str, millis: u32) -> Asked {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        Asked {
            user: user.to_owned(),
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            name: name.to_owned(),
            code: 200,
            received: format!("2026-01-01T00:00:00.{millis:03}000Z"),
            ..Asked::default()
        }
    }

    #[test]
    fn requests_of_others_and_reads_are_no_writes_of_ours() {
        let log = [
            asked("capt", "patch", "hardware", "a", 1),
            asked("capt", "patch", "hardware", "b", 2),
            asked("capt", "watch", "hardware", "", 2),
            asked("tink", "patch", "workflows/status", "a", 3),
            asked("capt", "patch", "tinkerbellclusters/status", "c", 3),
            asked("tink", "create", "events", "machine-1.1", 3),
            asked("capt", "create", "events", "bench.1", 3),
            Asked { resource: String::new(), ..asked("capt", "get", "", "", 4) },
        ];
        let requests = Requests::of("capt", &log);
        let expected = [
            ("create events", 1),
            ("patch hardware", 2),
            ("patch tinkerbellclusters/status", 1),
            ("watch hardware", 1),
        ];
        assert_eq!(requests.0, expected.map(|(what, count)| (what.to_owned(), count)).into());
        assert_eq!((machine_writes("capt", &log), requests.reads()), (2, 1));
    }

    #[test]
    fn latency_is_from_the_last_write_of_a_workflow_to_the_next_status_of_its_machine() {
        let log = [
            asked("tink", "patch", "workflows/status", "a", 10),
            asked("capt", "patch", "tinkerbellmachines/status", "a", 15),
            asked("tink", "patch", "workflows/status", "a", 20),
            asked("capt", "patch", "tinkerbellmachines", "a", 21),
            asked("capt", "patch", "tinkerbellmachines/status", "b", 22),
            asked("capt", "patch", "tinkerbellmachines/status", "a", 27),
            asked("capt", "patch", "tinkerbellmachines/status", "a", 40),
            asked("tink", "patch", "workflows/status", "b", 30),
        ];
        assert_eq!(latencies("capt", "tink", &log), [Duration::from_millis(7)]);
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 0.5), Some(Duration::from_millis(100)));
        assert_eq!(percentile(&values, 0.99), Some(Duration::from_millis(198)));
        assert_eq!(percentile(&values[..1], 0.99), Some(Duration::from_millis(1)));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
