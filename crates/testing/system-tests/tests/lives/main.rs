//! Whole lives of machines on the embedded control plane: the manager's own controllers, the stand-ins, and the
//! observer who checks the rules at every write. Time is paused, so that minutes pass in a moment.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used, missing_docs)]

mod addresses;
mod behaviour;
mod budget;
mod crashes;
mod external;
mod faults;
mod idle;
mod lab;
mod metrics;
#[path = "../../../../capt-reconciler/tests/odd/mod.rs"]
mod odd;
mod odd_objects;
mod races;
mod rights;
mod scope;
mod silence;
mod trouble;
mod whose;
