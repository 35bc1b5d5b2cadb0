//! Ends a program whose threads all wait for each other: then no timer fires any more, and no deadline is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Watches the runtime it is called in from a thread of its own, and calls `hung` if it shows no sign of life for as
/// long as `patience`; one is due every `beat`.
pub fn watch(beat: Duration, patience: Duration, hung: impl FnOnce() + Send + 'static) {
    let beats = Arc::new(AtomicU64::new(0));
    let seen = beats.clone();
    tokio::spawn(async move {
        loop {
            beats.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(beat).await;
        }
    });
    std::thread::spawn(move || {
        let mut last = (seen.load(Ordering::Relaxed), Instant::now());
        while last.1.elapsed() < patience {
            std::thread::sleep(beat);
            let now = seen.load(Ordering::Relaxed);
            if now != last.0 {
                last = (now, Instant::now());
            }
        }
        hung();
    });
}
