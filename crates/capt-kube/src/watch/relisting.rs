//! What to do about a kind that we may list and not watch, as with a kubeconfig made for upstream.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing::warn;

use crate::chance::{self, A_FIFTH};

/// Time between two lists, a fifth longer or shorter by chance.
const PERIOD: Duration = Duration::from_secs(30);

/// Lists the kind again and again while somebody waits for news of it. Each time the watch is tried as well, so that a
/// right that was given later is used.
pub struct Relisting {
    is_wanted: Box<dyn Fn() -> bool + Send + Sync>,
    random: ahash::RandomState,
    said: AtomicBool,
}

impl Relisting {
    /// Lists while `is_wanted` says so.
    pub fn new(is_wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { is_wanted: Box::new(is_wanted), random: crate::chance::fresh(), said: AtomicBool::new(false) }
    }

    /// Waits until the next list is due.
    pub(super) async fn due(&self, kind: &str) {
        if !self.said.swap(true, Ordering::Relaxed) {
            warn!(kind, "no right to watch this kind, listing it every {} s while a machine waits", PERIOD.as_secs());
        }
        for round in 0_u32.. {
            tokio::time::sleep(chance::spread(&self.random, round, PERIOD, A_FIFTH)).await;
            if (self.is_wanted)() {
                return;
            }
        }
    }
}
