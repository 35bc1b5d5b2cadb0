//! Reconciles, counted as controller-runtime counts them.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::labels::{Histograms, Labels, controller};

/// Seconds, from a pass that writes nothing to one that hangs; controller-runtime's.
const SECONDS: [f64; 40] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5,
    1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0,
];

/// Reconciles of all controllers.
#[derive(Clone, Debug)]
pub struct Reconciles {
    total: Family<Labels<2>, Counter>,
    errors: Family<Labels<1>, Counter>,
    terminal_errors: Family<Labels<1>, Counter>,
    panics: Family<Labels<1>, Counter>,
    timeouts: Family<Labels<1>, Counter>,
    seconds: Histograms<Labels<1>>,
    active: Family<Labels<1>, Gauge>,
    max: Family<Labels<1>, Gauge>,
}

impl Default for Reconciles {
    fn default() -> Self {
        Self {
            total: Family::default(),
            errors: Family::default(),
            terminal_errors: Family::default(),
            panics: Family::default(),
            timeouts: Family::default(),
            seconds: Histograms::new_with_constructor(|| Histogram::new(SECONDS)),
            active: Family::default(),
            max: Family::default(),
        }
    }
}

impl Reconciles {
    /// Those of one controller, all at zero.
    pub fn of(&self, name: &'static str) -> Reconcile {
        let labels = controller(name);
        let result = |result| self.total.get_or_create_owned(&[("controller", name), ("result", result)]);
        // We always say when to look again.
        drop(result("requeue"));
        // We set a reconcile no time limit of its own: each of its requests has one.
        drop(self.timeouts.get_or_create(&labels));
        Reconcile {
            success: result("success"),
            error: result("error"),
            requeue_after: result("requeue_after"),
            errors: self.errors.get_or_create_owned(&labels),
            terminal_errors: self.terminal_errors.get_or_create_owned(&labels),
            panics: self.panics.get_or_create_owned(&labels),
            seconds: self.seconds.get_or_create_owned(&labels),
            active: self.active.get_or_create_owned(&labels),
            max: self.max.get_or_create_owned(&labels),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let mut counter = |name, help, family: &Family<Labels<1>, Counter>| {
            registry.register(format!("controller_runtime_{name}"), help, family.clone());
        };
        counter("reconcile_errors", "Reconciles that failed", &self.errors);
        counter(
            "terminal_reconcile_errors",
            "Reconciles that the server refused a write of, so that it is of no use to try again soon",
            &self.terminal_errors,
        );
        counter("reconcile_panics", "Reconciles that met a fault of ours", &self.panics);
        counter("reconcile_timeouts", "Reconciles that ran out of time; always 0", &self.timeouts);
        let name = |name| format!("controller_runtime_{name}");
        registry.register(name("reconcile"), "Reconciles, by how they ended", self.total.clone());
        registry.register(name("reconcile_time_seconds"), "How long a reconcile takes", self.seconds.clone());
        registry.register(name("active_workers"), "Workers that reconcile right now", self.active.clone());
        registry.register(name("max_concurrent_reconciles"), "Workers at most", self.max.clone());
    }
}

/// Reconciles of one controller.
#[derive(Clone, Debug)]
pub struct Reconcile {
    success: Counter,
    error: Counter,
    requeue_after: Counter,
    errors: Counter,
    terminal_errors: Counter,
    panics: Counter,
    seconds: Histogram,
    active: Gauge,
    max: Gauge,
}

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Well.
    Settled,
    /// Well, and looks again after a time.
    Requeued,
    /// Badly; tried again soon.
    Failed,
    /// The server refuses a write; it is of no use to try again soon.
    Refused,
    /// With a fault of ours.
    Panicked,
}

/// A reconcile under way.
pub struct Running<'a> {
    of: &'a Reconcile,
    since: Instant,
}

impl Reconcile {
    /// So many reconciles run at once at most.
    pub fn workers(&self, workers: usize) {
        self.max.set(i64::try_from(workers).unwrap_or(i64::MAX));
    }

    /// A reconcile begins.
    pub fn begin(&self) -> Running<'_> {
        self.active.inc();
        Running { of: self, since: Instant::now() }
    }
}

impl Running<'_> {
    /// It is over.
    pub fn end(self, how: Ended) {
        let of = self.of;
        of.seconds.observe(self.since.elapsed().as_secs_f64());
        match how {
            Ended::Settled => of.success.inc(),
            Ended::Requeued => of.requeue_after.inc(),
            Ended::Failed | Ended::Refused | Ended::Panicked => {
                of.errors.inc();
                of.error.inc()
            }
        };
        match how {
            Ended::Refused => drop(of.terminal_errors.inc()),
            Ended::Panicked => drop(of.panics.inc()),
            Ended::Settled | Ended::Requeued | Ended::Failed => {}
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.of.active.dec();
    }
}
