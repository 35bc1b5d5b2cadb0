//! CAPT on an embedded control plane, with live progress and a watchful observer.
//!
//! | module | what it holds |
//! |---|---|
//! | [`run`] | a run, from the first object to the last: start here |
//! | [`environment`] | where it runs: the embedded control plane, or somebody's own |
//! | [`control_plane`] | the embedded API server, the simulators and the manager, each started on its own |
//! | [`capt_invariants`] | a crate of its own: checks the rules at every write |
//! | [`remote`] | the writes on somebody's own control plane, as watches tell them |
//! | [`board`] | how far each machine is |
//! | [`example`], [`manifests`], [`install`] | what is put there, from the built-in example or from files |
//! | [`watchdog`] | ends a program that hangs |
//! | [`flags`], [`screen`], [`summary`] | what the user says, and what the user sees |

pub mod board;
pub mod control_plane;
pub mod environment;
pub mod example;
pub mod faults;
pub mod flags;
pub mod install;
pub mod manifests;
pub mod remote;
pub mod run;
pub mod screen;
pub mod summary;
pub mod watchdog;
