//! What every stand-in is made of: a cache per kind that also writes, a queue of keys, and workers that empty it.

mod clock;
mod error;
mod object;
mod queue;
mod store;
mod tasks;
mod timers;

pub(crate) use crate::kinds::{self, Kind};
pub(crate) use clock::Clock;
pub(crate) use error::{Error, answer};
pub(crate) use object::{Key, Object, controller_reference, is_paused, owner_reference};
pub(crate) use queue::{Next, Queue, Reconcile, work};
pub(crate) use store::{Change, Store, delete_labelled};
pub(crate) use tasks::Tasks;
pub(crate) use timers::Timers;
