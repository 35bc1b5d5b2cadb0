//! A little of the model check, in seconds; `cargo xtask check-model` tries the rest.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::time::Duration;

use capt_model::explore::{Found, Limits, explore};
use capt_model::faults::Fault;
use capt_model::scenario::Scenario;

fn limits(states: usize) -> Limits {
    Limits { depth: usize::MAX, states, time: Duration::from_secs(60) }
}

fn told(found: &Found) -> String {
    let one =
        |broken: &capt_model::explore::Counterexample| format!("{}\n  {}", broken.rule, broken.events.join("\n  "));
    found.broken.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[test]
fn no_order_of_the_first_events_breaks_a_rule_in_any_of_the_small_worlds() {
    for world in Scenario::all() {
        let found = explore(&world, limits(400), false, |_, _| {});
        assert!(found.broken.is_empty(), "{}: {}", world.name, told(&found));
        assert!(found.states > 100, "{}: too small to prove anything: {} states", world.name, found.states);
    }
}

#[test]
fn a_fault_of_the_past_put_back_does_not_pass_unseen() {
    for fault in Fault::ALL {
        let found = explore(&Scenario::of(fault), limits(20_000), true, |_, _| {});
        assert!(!found.broken.is_empty(), "{fault:?} was not found among {} states", found.states);
    }
}

#[test]
fn a_counterexample_is_told_event_by_event() {
    let found = explore(&Scenario::of(Fault::NoPowerOff), limits(20_000), true, |_, _| {});
    let broken = found.broken.first().unwrap();
    assert_eq!(broken.rule, "rule 9: Hardware is released while its server is on");
    assert_eq!(broken.events.last().map(String::as_str), Some("manager: releases Hardware metal/a"));
}
