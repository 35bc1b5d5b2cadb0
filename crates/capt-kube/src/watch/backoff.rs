//! Pauses between attempts.

use std::time::Duration;

use ahash::RandomState;
use capt_reconciler::backoff::Backoff;
use tokio::time::Instant;

use crate::chance::{self, A_FIFTH};

/// Pauses after failures in a row.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
/// After this long without a failure the next one is a first one again.
const QUIET: Duration = Duration::from_secs(60);

/// The pauses of one stream of attempts.
pub struct Pauses {
    failures: u32,
    last: Option<Instant>,
    jitter: RandomState,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { failures: 0, last: None, jitter: chance::fresh() }
    }
}

impl Pauses {
    /// The pause after one more failure: 0.2 s, doubled each time up to 30 s, a fifth longer or shorter by chance.
    pub fn pause(&mut self) -> Duration {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) > QUIET) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        let pause = chance::spread(&self.jitter, self.failures, PAUSES.after(self.failures), A_FIFTH);
        self.last = Some(now + pause);
        pause
    }

    /// Things have changed: the next pause is a first one.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A timeout for one watch, between 200 and 240 s: under the 240 s after which some load balancers drop a quiet
/// connection without a word, and not the same for all, so that watches do not all reconnect together.
pub fn watch_timeout() -> u32 {
    let timeout = chance::spread(&chance::fresh(), "watch", Duration::from_secs(220), 1.0 / 11.0);
    u32::try_from(timeout.as_secs()).unwrap_or(220)
}
