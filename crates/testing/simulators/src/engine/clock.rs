use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Wall-clock time that follows tokio's clock, so that a test with paused time sees consistent timestamps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    start: Instant,
}

impl Clock {
    /// A clock that shows this time now; without one it agrees with the wall.
    pub(crate) fn start(time: Option<Timestamp>) -> Self {
        Self { wall: time.unwrap_or_else(Timestamp::now), start: Instant::now() }
    }

    /// How long a time in Kubernetes' spelling is ago; nothing for one to come, or for text that is none.
    pub(crate) fn since(&self, timestamp: &str) -> Duration {
        let Ok(then) = timestamp.parse::<Timestamp>() else {
            return Duration::ZERO;
        };
        Duration::try_from(self.now().duration_since(then)).unwrap_or(Duration::ZERO)
    }

    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.start.elapsed()).unwrap_or(SignedDuration::ZERO);
        self.wall.checked_add(elapsed).unwrap_or(self.wall)
    }

    /// The time now, in whole seconds as Kubernetes writes it (RFC 3339).
    pub(crate) fn timestamp(&self) -> String {
        self.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}
