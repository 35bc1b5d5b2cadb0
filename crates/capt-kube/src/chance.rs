//! Chance: what jitter is made of.
//!
//! Who fails together must not try again together: after a restart of the API server all watches, all keys of the queues and all
//! replicas would come back in the same moment, time and again. So pauses are spread by a part of themselves.
//!
//! It comes from the operating system, unless a thread [fixes](fix) it to play the same again.

use std::cell::Cell;
use std::hash::Hash;
use std::time::Duration;

use ahash::RandomState;

thread_local! {
    static FIXED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From now on all chance in this thread follows from a number; `None` makes it chance again. For simulations, which
/// run a whole manager in one thread.
pub fn fix(seed: Option<u64>) {
    FIXED.set(seed);
}

/// A fresh source of chance.
pub(crate) fn fresh() -> RandomState {
    let Some(seed) = FIXED.get() else {
        return RandomState::new();
    };
    FIXED.set(Some(seed.wrapping_add(1)));
    RandomState::with_seeds(seed, seed.rotate_left(17), seed.rotate_left(31), seed.rotate_left(47))
}

/// By how much most pauses are spread: enough to pull a herd apart, too little to be noticed by whoever waits.
pub(crate) const A_FIFTH: f64 = 0.2;

/// A duration, longer or shorter by up to this part of it, as `salt` has it.
pub(crate) fn spread(random: &RandomState, salt: impl Hash, duration: Duration, part: f64) -> Duration {
    // 53 bits are what an f64 holds exactly.
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let chance = (random.hash_one(salt) >> 11) as f64 / (1_u64 << 53) as f64;
    duration.mul_f64(1.0 - part + 2.0 * part * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_over_the_whole_range_and_never_beyond_it() {
        let random = RandomState::with_seeds(1, 2, 3, 4);
        let pauses: Vec<f64> =
            (0..1000).map(|salt| spread(&random, salt, Duration::from_secs(10), A_FIFTH).as_secs_f64()).collect();
        assert!(pauses.iter().all(|pause| (8.0..=12.0).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause < 8.2) && pauses.iter().any(|pause| *pause > 11.8));
    }
}
