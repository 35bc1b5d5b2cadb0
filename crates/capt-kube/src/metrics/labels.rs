//! Label sets, and families of metrics that have them.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

/// Labels whose values are known when the program is written: names and values in turn.
pub(super) type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Histograms that differ in these labels.
pub(super) type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The one label of what belongs to a controller.
pub(super) fn controller(name: &'static str) -> Labels<1> {
    [("controller", name)]
}
