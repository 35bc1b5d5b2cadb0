//! Stores: every object of a kind in memory, with indexes, written through by our own writes.
//!
//! One rule keeps them right whatever the order in which answers and watch events arrive: a resourceVersion never goes
//! back. resourceVersions compare as integers, and what is deleted leaves a tombstone that a late event cannot pass.

mod addresses;
mod hardware;
mod indexes;
mod machines;
mod objects;
mod relist;

pub use addresses::{Addresses, AddressesOf, Owner, of_endpoint, of_hardware};
pub use capt_reconciler::machine::ownership::is_free;
pub use hardware::HardwareIndex;
pub use indexes::{Grouped, Index};
pub use machines::{MachineIndex, named_hardware};
pub use objects::{Change, Counts, Store};
