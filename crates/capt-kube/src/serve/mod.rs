//! What the manager answers over HTTP.

pub mod diagnostics;
pub mod health;
pub mod metrics;
mod page;
