//! The time: the wall clock at the start, moved on by tokio's clock, so that tests can pause it.

use capt_reconciler::ports::Clock;
use jiff::Timestamp;
use tokio::time::Instant;

/// Wall time that never jumps.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    wall: Timestamp,
    since: Instant,
}

impl TokioClock {
    /// A clock that shows the wall time now.
    pub fn new() -> Self {
        Self { wall: Timestamp::now(), since: Instant::now() }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let elapsed = jiff::SignedDuration::try_from(self.since.elapsed()).unwrap_or(jiff::SignedDuration::MAX);
        self.wall.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}
