//! Our answers beside what Go CAPT v0.7.0 answered to the same 30 admission calls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use capt_reconciler::admission::answer;

#[path = "golden/calls.rs"]
mod golden;
use golden::{calls, decoded};

#[test]
fn every_recorded_call_is_answered_as_go_capt_did_but_for_the_wanted_differences() {
    for call in calls() {
        let answer = answer(&call.path, &call.body);
        assert_eq!(u64::from(answer.http), call.http, "{}", call.name);
        assert_eq!(decoded(answer.body), call.answer, "{}", call.name);
    }
}
