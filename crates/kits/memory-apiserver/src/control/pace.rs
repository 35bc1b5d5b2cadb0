//! How late the controllers are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long after a change each controller takes it up. On a real cluster that is never at once: the garbage collector
/// needs its watches and its queue, the namespace controller looks again every few seconds.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    garbage_collector: AtomicU64,
    namespace_controller: AtomicU64,
}

impl Pace {
    pub(crate) fn garbage_collector(&self) -> Duration {
        Duration::from_nanos(self.garbage_collector.load(Ordering::Relaxed))
    }

    pub(crate) fn namespace_controller(&self) -> Duration {
        Duration::from_nanos(self.namespace_controller.load(Ordering::Relaxed))
    }

    pub(crate) fn set_garbage_collector(&self, delay: Duration) {
        self.garbage_collector.store(nanos(delay), Ordering::Relaxed);
    }

    pub(crate) fn set_namespace_controller(&self, delay: Duration) {
        self.namespace_controller.store(nanos(delay), Ordering::Relaxed);
    }
}

fn nanos(delay: Duration) -> u64 {
    u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX)
}
