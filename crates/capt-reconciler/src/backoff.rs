//! Pauses that grow with the number of failures: the one formula for all of them.

use std::time::Duration;

/// A pause that is doubled with every failure in a row, up to a longest one. It knows no chance: who makes many attempts at
/// one server spreads them on top of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Backoff {
    /// From a first pause to a longest one.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The pause after so many failures in a row; none of them counts as one.
    #[must_use]
    pub fn after(self, failures: u32) -> Duration {
        let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_no_count_of_failures_overflows() {
        let backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(300));
        let seconds = [0, 1, 2, 3, 7, 32, 33, u32::MAX].map(|failures| backoff.after(failures).as_secs());
        assert_eq!(seconds, [5, 5, 10, 20, 300, 300, 300, 300]);
    }
}
