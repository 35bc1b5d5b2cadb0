//! TinkerbellMachine: one file a stage. [`decide`](decide::decide) holds their order.

pub mod address;
pub mod adopt;
pub mod boot;
pub mod decide;
mod driver;
pub mod fitness;
mod learn;
pub mod made_for;
pub mod memory;
pub mod names;
pub mod observe;
pub mod ownership;
pub mod pause;
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
