//! Many seeds on a few threads.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::figures::Figures;
use crate::plan::Plan;
use crate::report::Report;
use crate::stage::play;

/// Plays `count` seeds from `from` on `threads` threads. `tell` hears of each run that failed, in no order, and `played`
/// after each run how many there were so far.
pub fn crowd(
    from: u64,
    count: u64,
    threads: usize,
    tell: impl Fn(u64, &Report) + Sync,
    played: impl Fn(u64) + Sync,
) -> Figures {
    let next = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let worker = || {
        let mut figures = Figures::default();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return figures;
            }
            let seed = from.wrapping_add(n);
            let report = play(&Plan::of(seed));
            if !report.failures.is_empty() {
                tell(seed, &report);
            }
            figures.add(&report);
            played(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    let mut all = Figures::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            match worker.join() {
                Ok(figures) => all.join(&figures),
                Err(fault) => std::panic::resume_unwind(fault),
            }
        }
    });
    all
}
