//! The time of day. It is for stamps and for the ages of objects, whose stamps come from other clocks; how long something
//! of ours lasts is measured with [`tokio::time::Instant`], which never jumps.

use capt_reconciler::ports::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The wall clock, moved on by as much as tokio's clock was moved on by hand, so that tests can pause the time.
///
/// It follows the wall clock wherever that goes: to the right time once the machine has learnt it, and over the hours that a
/// machine was suspended, during which monotonic clocks stand still on Linux.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    source: Source,
    since: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    /// The machine's clock.
    Wall { since: std::time::Instant },
    /// What it showed when it was made; only tokio's clock moves it.
    Shown(Timestamp),
}

impl TokioClock {
    /// The machine's clock.
    pub fn new() -> Self {
        Self { source: Source::Wall { since: std::time::Instant::now() }, since: Instant::now() }
    }

    /// A clock that shows this time now, whatever the machine's clock says.
    pub fn showing(wall: Timestamp) -> Self {
        Self { source: Source::Shown(wall), since: Instant::now() }
    }

    fn at(&self, wall: Timestamp) -> Timestamp {
        let signed = |elapsed| SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX);
        let moved = signed(self.since.elapsed());
        let (base, ahead) = match self.source {
            Source::Shown(base) => (base, moved),
            // Both stand still in a suspend, so that nothing is left between them unless tokio's was paused.
            Source::Wall { since } => (wall, moved.saturating_sub(signed(since.elapsed()))),
        };
        base.saturating_add(ahead).unwrap_or(base)
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.at(Timestamp::now())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seconds_between(earlier: Timestamp, later: Timestamp) -> f64 {
        later.duration_since(earlier).as_secs_f64()
    }

    #[test]
    fn a_machine_that_slept_or_learnt_the_time_shows_it_at_once() {
        let clock = TokioClock::new();
        let wall = Timestamp::now();
        for hours in [10, -10] {
            let moved = wall + SignedDuration::from_hours(hours);
            assert!(seconds_between(moved, clock.at(moved)).abs() < 1.0, "the wall clock jumped by {hours} h");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_test_that_pauses_the_time_moves_the_clock() {
        for clock in [TokioClock::new(), TokioClock::showing(Timestamp::now())] {
            let before = clock.now();
            tokio::time::sleep(Duration::from_secs(3600)).await;
            assert!((seconds_between(before, clock.now()) - 3600.0).abs() < 1.0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_set_knows_nothing_of_the_machines_clock() {
        let clock = TokioClock::showing(Timestamp::UNIX_EPOCH);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(clock.now(), Timestamp::from_second(5).unwrap());
    }
}
