//! Makes the list of what happens short while the run still fails the same way.

use crate::plan::Plan;
use crate::stage::play;

/// The places of the events without which the run does not fail this way, and how many runs it took to find out. At
/// most `runs` runs are made.
#[must_use]
pub fn shrink(plan: &Plan, kind: &str, runs: usize) -> (Vec<usize>, usize) {
    let mut kept: Vec<usize> = (0..plan.events.len()).collect();
    let mut made = 0;
    let mut size = kept.len().div_ceil(2);
    while size > 0 && made < runs {
        let mut at = 0;
        let mut smaller = false;
        while at < kept.len() && made < runs {
            let rest: Vec<usize> =
                kept.iter().enumerate().filter(|(n, _)| *n < at || *n >= at + size).map(|(_, place)| *place).collect();
            made += 1;
            if play(&plan.only(&rest)).fails_like(kind) {
                kept = rest;
                smaller = true;
            } else {
                at += size;
            }
        }
        // One by one until nothing more can go: an event may only be needed for another one.
        if size > 1 {
            size /= 2;
        } else if !smaller {
            break;
        }
    }
    (kept, made)
}
