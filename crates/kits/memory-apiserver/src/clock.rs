//! Time as the server sees it: a wall-clock start plus what tokio's clock says has passed, so that a test that pauses
//! or advances tokio's time moves the server's time with it.

use jiff::Timestamp;
use tokio::time::Instant;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    base: Timestamp,
    started: Instant,
}

impl Clock {
    pub(crate) fn starting_at(base: Timestamp) -> Self {
        Self { base, started: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = jiff::SignedDuration::try_from(self.started.elapsed()).unwrap_or(jiff::SignedDuration::MAX);
        self.base.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    /// RFC 3339 in whole seconds, the form of `metav1.Time`.
    pub(crate) fn now_text(&self) -> String {
        seconds_text(self.now())
    }
}

pub(crate) fn seconds_text(time: Timestamp) -> String {
    jiff::fmt::temporal::DateTimePrinter::new().precision(Some(0)).timestamp_to_string(&time)
}
