//! The manager's decisions under an exhaustive explorer.
//!
//! A small world of two machines, two servers and two addresses; in it the shipped `observe` and `decide`, and actors
//! that behave as the real neighbours do: rufio, Tinkerbell, an IPAM provider, the garbage collector, a person, and bad
//! luck. Every order in which they may act is tried, up to a bound; in every state the rules of the manager must hold,
//! and from every state every deletion must be able to end.
//!
//! Never ships.
#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a checker that makes a mistake of its own has to stop, or its figures would be lies"
)]

pub mod collector;
pub mod event;
pub mod explore;
pub mod faults;
pub mod manager;
pub mod object;
pub mod person;
pub mod provider;
pub mod rufio;
pub mod rules;
pub mod scenario;
pub mod server;
pub mod state;
pub mod stores;
pub mod tink;
