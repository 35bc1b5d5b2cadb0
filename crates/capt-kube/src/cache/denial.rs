//! A right that we turned out not to have: kubeconfigs and roles made for upstream do not let us delete Jobs.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a refusal is believed. Then one more attempt shows whether somebody gave us the right.
const BELIEVED: Duration = Duration::from_secs(600);

/// Whether the server refused something, and when.
#[derive(Debug, Default)]
pub struct Denial(Mutex<Option<Instant>>);

impl Denial {
    /// The server refused. True the first time.
    pub fn refused(&self) -> bool {
        self.0.lock().replace(Instant::now()).is_none()
    }

    /// Whether it is not worth another attempt now.
    pub fn stands(&self) -> bool {
        self.0.lock().is_some_and(|at| at.elapsed() < BELIEVED)
    }
}
