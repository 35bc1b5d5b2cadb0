//! Pauses between attempts.

use std::time::Duration;

use ahash::RandomState;
use tokio::time::Instant;

use crate::chance;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);
/// After this long without a failure the next one is a first one again.
const QUIET: Duration = Duration::from_secs(60);

/// Exponential pauses with jitter, for one stream of attempts.
pub struct Backoff {
    failures: u32,
    last: Option<Instant>,
    jitter: RandomState,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { failures: 0, last: None, jitter: chance::fresh() }
    }
}

impl Backoff {
    /// The pause after one more failure: 0.2 s, doubled each time up to 30 s, a fifth longer or shorter by chance.
    pub fn pause(&mut self) -> Duration {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) > QUIET) {
            self.failures = 0;
        }
        let pause = FIRST.saturating_mul(1_u32 << self.failures.min(16)).min(LONGEST);
        let pause = jittered(&self.jitter, self.failures, pause);
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now + pause);
        pause
    }

    /// Things have changed: the next pause is a first one.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Between four and six fifths of a duration.
pub(super) fn jittered(random: &RandomState, salt: u32, base: Duration) -> Duration {
    let chance = u32::try_from(random.hash_one(salt) % 401).unwrap_or(0);
    base.mul_f64(0.8 + f64::from(chance) / 1000.0)
}

/// A timeout for one watch, between 200 and 240 s: under the 240 s after which some load balancers drop a quiet
/// connection without a word, and not the same for all, so that watches do not all reconnect together.
pub fn watch_timeout() -> u32 {
    let chance = u32::try_from(chance::fresh().hash_one("watch") % 41).unwrap_or(0);
    200 + chance
}
