//! Chance: what jitter is made of.
//!
//! It comes from the operating system, unless a thread [fixes](fix) it to play the same again.

use std::cell::Cell;

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
