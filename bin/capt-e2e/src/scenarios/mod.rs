//! What is played, a file each.

mod seed_example;

use std::future::Future;
use std::pin::Pin;

use crate::stage::Stage;

/// How a scenario goes on.
pub type Play<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;

/// A scenario.
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it shows, in a line.
    pub about: &'static str,
    /// Plays it on a fresh stage.
    pub play: for<'a> fn(&'a mut Stage) -> Play<'a>,
}

/// All of them, in the order in which they are played.
pub const ALL: &[Scenario] = &[Scenario {
    name: "seed-example",
    about: "the documented cluster from pool to teardown, with the real Cluster API, kubeadm and IPAM provider",
    play: |stage| Box::pin(seed_example::play(stage)),
}];
