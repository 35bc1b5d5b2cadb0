use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Wall-clock time that follows tokio's clock, so that a test with paused time sees consistent timestamps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    start: Instant,
}

impl Clock {
    /// A clock that agrees with the wall now.
    pub(crate) fn start() -> Self {
        Self { wall: Timestamp::now(), start: Instant::now() }
    }

    /// The time now, in whole seconds as Kubernetes writes it (RFC 3339).
    pub(crate) fn timestamp(&self) -> String {
        let elapsed = SignedDuration::try_from(self.start.elapsed()).unwrap_or(SignedDuration::ZERO);
        let now = self.wall.checked_add(elapsed).unwrap_or(self.wall);
        now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}
