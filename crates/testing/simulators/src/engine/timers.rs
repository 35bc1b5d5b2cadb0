use std::time::Duration;

use ahash::AHashMap;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Spans of time that begin when they are first asked for, by the object's UID.
#[derive(Default)]
pub(crate) struct Timers {
    starts: Mutex<AHashMap<String, AHashMap<&'static str, Instant>>>,
}

impl Timers {
    /// How long is left of the span of this name.
    pub(crate) fn time_left(&self, uid: &str, timer: &'static str, span: Duration) -> Duration {
        if span.is_zero() {
            return span;
        }
        let mut starts = self.starts.lock();
        let start = starts.entry(uid.to_owned()).or_default().entry(timer).or_insert_with(Instant::now);
        span.saturating_sub(start.elapsed())
    }

    /// The object is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.starts.lock().remove(uid);
    }
}
