//! What never reaches a log.

use tracing::Metadata;
use tracing::level_filters::LevelFilter;

/// What the client and what it stands on may say at most, whatever the filter asks for: at finer levels they log bodies
/// and headers of requests and answers, and secrets are among them.
const QUIET: [(&str, LevelFilter); 7] = [
    // Each failed request, without the server's name. Who made it tells it with the name.
    ("kube_client::client::builder", LevelFilter::OFF),
    ("kube_client", LevelFilter::ERROR),
    ("kube_runtime", LevelFilter::ERROR),
    ("hyper", LevelFilter::INFO),
    ("rustls", LevelFilter::INFO),
    ("tower", LevelFilter::INFO),
    ("h2", LevelFilter::INFO),
];

/// Whether an event or span may be logged at all, whatever filter a user sets beside this one.
pub fn is_enabled(metadata: &Metadata<'_>) -> bool {
    QUIET.iter().all(|(target, most)| !metadata.target().starts_with(target) || metadata.level() <= most)
}
