//! Flags of the Go manager, and of Cluster API's other managers, that have nothing to act on.

use clap::Args;

/// Taken, so that a Deployment written for the Go manager works unchanged, and so that the Cluster API operator can set up
/// this provider as it does any other.
#[derive(Debug, Args)]
#[command(next_help_heading = "Accepted for compatibility, without effect")]
pub struct Accepted {
    /// There is no controller for Hardware.
    #[arg(long, hide_short_help = true, default_value_t = 10)]
    tinkerbell_hardware_concurrency: usize,

    /// There is no controller for Templates.
    #[arg(long, hide_short_help = true, default_value_t = 10)]
    tinkerbell_template_concurrency: usize,

    /// There is no controller for Workflows.
    #[arg(long, hide_short_help = true, default_value_t = 10)]
    tinkerbell_workflow_concurrency: usize,

    /// There is no profiler of Go's here.
    #[arg(long, hide_short_help = true, default_value = "")]
    profiler_address: String,
}
