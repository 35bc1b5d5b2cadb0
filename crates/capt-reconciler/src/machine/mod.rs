//! TinkerbellMachine: one file a stage. [`decide`](decide::decide) holds their order.

pub mod address;
pub mod adopt;
pub mod belonging;
pub mod boot;
pub mod claim;
pub mod decide;
mod driver;
pub mod fitness;
pub mod lease;
pub mod memory;
pub mod names;
mod orphan;
pub mod ownership;
pub mod pause;
pub mod pending;
pub mod record;
pub mod reinstall;
pub mod release;
pub mod report;
pub mod reserve;
pub mod select;
mod size;
pub mod step;
mod story;
pub mod track;
pub mod watch;
pub mod world;

pub use driver::MachineReconciler;
