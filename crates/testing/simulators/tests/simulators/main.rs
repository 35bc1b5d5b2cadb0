//! The stand-ins on an API server, with time paused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod bmc;
mod bmc_power;
mod bmc_tasks;
mod boot_jobs;
mod cluster_api;
mod ipam;
mod recorded;
mod scale;
mod support;
mod tinkerbell;
