//! The work queue of a controller.
//!
//! A key is in it at most once and never worked on twice at a time; keys are served first come, first served, but those
//! that got what they waited for come before those that begin. A key that changes while it is worked on is served again.
//! Time is tokio's, so that tests can pause it.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use ahash::{AHashMap, RandomState};
use capt_api::meta::ObjectKey;
use capt_reconciler::backoff::Backoff;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::chance::{self, A_FIFTH};
use crate::metrics;

/// Pauses after failures.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(60));

/// After so many keys that go ahead, one of the others is served, if there is one: nobody starves.
const AHEAD_IN_A_ROW: u32 = 8;

/// The queue of one controller.
pub struct Queue {
    inner: Mutex<Inner>,
    wake: Notify,
    jitter: RandomState,
    metrics: metrics::Queue,
}

#[derive(Default)]
struct Inner {
    /// First come, first served. A key that was moved ahead leaves its place here, which no longer counts.
    ordinary: VecDeque<ObjectKey>,
    ahead: VecDeque<ObjectKey>,
    /// Keys that went ahead since the last one that did not.
    in_a_row: u32,
    /// How many keys wait for a worker.
    ready: usize,
    keys: AHashMap<ObjectKey, State>,
    timers: BTreeSet<(Instant, ObjectKey)>,
    running: usize,
    closed: bool,
}

/// Where a key waits for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Ordinary,
    Ahead,
}

#[derive(Default)]
struct State {
    queued: Option<Lane>,
    running: bool,
    /// Changed while it is worked on: it will wait here then.
    dirty: Option<Lane>,
    timer: Option<Instant>,
    /// Since when it waits for a worker, also while it is still worked on.
    waits_since: Option<Instant>,
    /// Since when it is worked on.
    runs_since: Option<Instant>,
    failures: u32,
    /// Served before the pause after its last failure was over.
    early: bool,
}

/// How the work on a key ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Well; look again after this time in any case.
    Settled(Option<Duration>),
    /// Badly: try again, later each time.
    Retry,
}

/// Sizes, for diagnostics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting for a worker.
    pub ready: usize,
    /// Being worked on.
    pub running: usize,
    /// Waiting for a time.
    pub delayed: usize,
    /// How long the work under way takes so far, all keys together.
    pub unfinished: Duration,
    /// The same for the key with most of it.
    pub longest: Duration,
}

impl Default for Queue {
    fn default() -> Self {
        Self::counted(metrics::Queue::default())
    }
}

impl Queue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty queue that is counted.
    pub fn counted(metrics: metrics::Queue) -> Self {
        Self { inner: Mutex::default(), wake: Notify::new(), jitter: chance::fresh(), metrics }
    }

    /// Serve this key as soon as there is a worker.
    pub fn add(&self, key: &ObjectKey) {
        self.inner.lock().make_ready(key, Lane::Ordinary, &self.metrics);
        self.wake.notify_one();
    }

    /// Serve this key before those that were only [added](Self::add): what it waited for is there. In a crowd, who has
    /// little left to do is not kept waiting by all who begin.
    pub fn add_ahead(&self, key: &ObjectKey) {
        self.inner.lock().make_ready(key, Lane::Ahead, &self.metrics);
        self.wake.notify_one();
    }

    /// The next key; waits for one. Nothing once the queue is closed. Every key handed out must be given to
    /// [`finish`](Self::finish).
    pub async fn next(&self) -> Option<ObjectKey> {
        loop {
            let next_timer = {
                let mut inner = self.inner.lock();
                if inner.closed {
                    self.wake.notify_one();
                    return None;
                }
                inner.fire_timers(Instant::now(), &self.metrics);
                if let Some((key, waited)) = inner.take() {
                    self.metrics.taken(waited);
                    // A notice wakes one worker: it hands the rest on.
                    if inner.ready > 0 || !inner.timers.is_empty() {
                        self.wake.notify_one();
                    }
                    return Some(key);
                }
                inner.timers.first().map(|(at, _)| *at)
            };
            match next_timer {
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = self.wake.notified() => {}
                        () = sleep_until(at) => {}
                    }
                }
                None => self.wake.notified().await,
            }
        }
    }

    /// The work on a key is over.
    pub fn finish(&self, key: &ObjectKey, how: Finish) {
        let mut inner = self.inner.lock();
        inner.running = inner.running.saturating_sub(1);
        let Some(state) = inner.keys.get_mut(key) else {
            return;
        };
        state.running = false;
        if let Some(since) = state.runs_since.take() {
            self.metrics.finished(since.elapsed());
        }
        let dirty = state.dirty.take();
        let pause = match how {
            Finish::Settled(pause) => {
                state.failures = 0;
                pause
            }
            Finish::Retry => {
                // What happens around an object must not make its pauses longer, only its own failures.
                if !state.early || state.failures == 0 {
                    state.failures = state.failures.saturating_add(1);
                }
                Some(self.pause(key, state.failures))
            }
        };
        if let Some(pause) = pause {
            inner.set_timer(key, Instant::now() + pause);
            self.metrics.retried();
        }
        if let Some(lane) = dirty {
            inner.enqueue(key, lane);
        }
        let is_idle = |state: &State| state.timer.is_none() && state.queued.is_none() && state.failures == 0;
        if inner.keys.get(key).is_some_and(is_idle) {
            inner.keys.remove(key);
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// Hands out no more keys.
    pub fn close(&self) {
        self.inner.lock().closed = true;
        self.wake.notify_one();
    }

    /// How many keys it holds.
    pub fn depth(&self) -> Depth {
        let inner = self.inner.lock();
        let since = inner.keys.values().filter_map(|state| state.runs_since);
        let (unfinished, longest) = since
            .map(|since| since.elapsed())
            .fold((Duration::ZERO, Duration::ZERO), |(all, most), work| (all + work, most.max(work)));
        let (ready, running, delayed) = (inner.ready, inner.running, inner.timers.len());
        Depth { ready, running, delayed, unfinished, longest }
    }

    /// The pause after this many failures in a row.
    fn pause(&self, key: &ObjectKey, failures: u32) -> Duration {
        chance::spread(&self.jitter, (key, failures), PAUSES.after(failures), A_FIFTH)
    }
}

impl Inner {
    fn make_ready(&mut self, key: &ObjectKey, lane: Lane, metrics: &metrics::Queue) {
        let state = match self.keys.get_mut(key) {
            Some(state) => state,
            None => self.keys.entry(key.clone()).or_default(),
        };
        let place = if state.running { &mut state.dirty } else { &mut state.queued };
        if *place >= Some(lane) {
            return;
        }
        let was_waiting = place.is_some();
        if !was_waiting {
            metrics.added();
            state.waits_since = Some(Instant::now());
        }
        if state.running {
            state.dirty = Some(lane);
        } else {
            self.ready -= usize::from(was_waiting);
            self.enqueue(key, lane);
        }
    }

    /// A key that changed while it was worked on has waited for its worker all the time.
    fn enqueue(&mut self, key: &ObjectKey, lane: Lane) {
        let Some(state) = self.keys.get_mut(key) else {
            return;
        };
        state.queued = Some(lane);
        self.ready += 1;
        match lane {
            Lane::Ordinary => self.ordinary.push_back(key.clone()),
            Lane::Ahead => self.ahead.push_back(key.clone()),
        }
    }

    /// The key whose turn it is.
    fn first(&mut self) -> Option<ObjectKey> {
        loop {
            let (key, lane) = self.pop()?;
            // A place that was left for one ahead is nobody's.
            if self.keys.get(&key).is_some_and(|state| state.queued == Some(lane)) {
                self.in_a_row = if lane == Lane::Ahead { self.in_a_row.saturating_add(1) } else { 0 };
                return Some(key);
            }
        }
    }

    fn pop(&mut self) -> Option<(ObjectKey, Lane)> {
        let ahead = |inner: &mut Self| inner.ahead.pop_front().map(|key| (key, Lane::Ahead));
        let ordinary = |inner: &mut Self| inner.ordinary.pop_front().map(|key| (key, Lane::Ordinary));
        if self.in_a_row < AHEAD_IN_A_ROW {
            ahead(self).or_else(|| ordinary(self))
        } else {
            ordinary(self).or_else(|| ahead(self))
        }
    }

    fn set_timer(&mut self, key: &ObjectKey, at: Instant) {
        let Some(state) = self.keys.get_mut(key) else {
            return;
        };
        if let Some(earlier) = state.timer {
            if earlier <= at {
                return;
            }
            self.timers.remove(&(earlier, key.clone()));
        }
        state.timer = Some(at);
        self.timers.insert((at, key.clone()));
    }

    fn fire_timers(&mut self, now: Instant, metrics: &metrics::Queue) {
        while let Some((at, _)) = self.timers.first()
            && *at <= now
        {
            let Some((_, key)) = self.timers.pop_first() else { break };
            if let Some(state) = self.keys.get_mut(&key) {
                state.timer = None;
            }
            self.make_ready(&key, Lane::Ordinary, metrics);
        }
    }

    /// The next key, and how long it waited.
    fn take(&mut self) -> Option<(ObjectKey, Duration)> {
        let key = self.first()?;
        let state = self.keys.get_mut(&key)?;
        state.queued = None;
        state.running = true;
        self.ready -= 1;
        let now = Instant::now();
        state.runs_since = Some(now);
        let waited = state.waits_since.take().map_or(Duration::ZERO, |since| now.duration_since(since));
        // The work that begins now decides when to look again.
        let pending = state.timer.take();
        state.early = pending.is_some();
        if let Some(at) = pending {
            self.timers.remove(&(at, key.clone()));
        }
        self.running += 1;
        Some((key, waited))
    }
}
