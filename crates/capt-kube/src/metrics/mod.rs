//! Metrics: one struct for each part of the manager, each registered by value; nothing is global.
//!
//! What upstream has keeps its name, type and labels, so that dashboards made for Cluster API's Go managers go on
//! working; what only we have begins with `capt_`. `docs/metrics.md` lists all. Counters and histograms are kept where
//! things happen; what is a matter of state (depths, sizes, ages) is read when somebody asks.
//!
//! No label holds the name of an object, except that of a pool.

mod labels;
mod machines;
mod process;
mod queues;
mod reconciles;
mod requests;
mod text;
mod webhook;

pub(crate) use machines::Pool;
pub use machines::{Machines, ReleaseWaits};
pub use process::Process;
pub use prometheus_client::registry::Registry;
pub use queues::{Queue, Queues};
pub use reconciles::{Ended, Reconcile, Reconciles, Running};
pub use requests::{CountRequests, Counted, Requests};
pub use text::{CONTENT_TYPE, text};
pub use webhook::{Webhook, WebhookPath};

/// The metrics that are kept where things happen. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Requests to API servers.
    pub requests: Requests,
    /// Work queues.
    pub queues: Queues,
    /// Reconciles.
    pub reconciles: Reconciles,
    /// What happens to machines.
    pub machines: Machines,
    /// The webhook server.
    pub webhook: Webhook,
}

impl Metrics {
    /// Makes them known under their names.
    pub fn register(&self, registry: &mut Registry) {
        self.requests.register(registry);
        self.queues.register(registry);
        self.reconciles.register(registry);
        self.machines.register(registry);
        self.webhook.register(registry);
    }
}
