//! What is played, a file each.

mod bad_line;
mod conformance;
mod crashes;
mod install;
mod kubectl_install;
mod moves;
mod nothing_silent;
mod one_lease;
mod operator;
mod optional_kinds;
mod proof;
mod seed_example;
mod takeover;
mod two_managers;
mod upgrade;
mod waits;
mod webhooks;
mod whose_server;

use std::future::Future;
use std::pin::Pin;

use real_control_plane::pins;

use crate::stage::Stage;

/// How a scenario goes on.
pub type Play<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;

/// A scenario.
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it shows, in a line.
    pub about: &'static str,
    /// Whether it is played on every set of neighbours, and not on the newest alone.
    pub on_every_set: bool,
    /// Whether Go CAPT takes part: the port of its webhooks is fixed, so these are played one at a time.
    pub go_capt: bool,
    /// Programs that no other scenario needs.
    pub more: &'static [pins::Pin],
    /// Plays it on a fresh stage.
    pub play: for<'a> fn(&'a mut Stage) -> Play<'a>,
}

/// Those that are played by default, in their order.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "seed-example",
        about: "the documented cluster from pool to teardown, with the real Cluster API, kubeadm and IPAM provider",
        on_every_set: true,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(seed_example::play(stage)),
    },
    Scenario {
        name: "conformance",
        about: "kube-apiserver answers as memory-apiserver's recordings say",
        on_every_set: false,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(conformance::play(stage)),
    },
    Scenario {
        name: "optional-kinds",
        about: "IPAM and BMC kinds are missing at the start: a machine waits and says so, and goes on once they are installed",
        on_every_set: false,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(optional_kinds::play(stage)),
    },
    Scenario {
        name: "webhooks",
        about: "what the webhooks refuse, in which words, and what they fill in",
        on_every_set: true,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(webhooks::play(stage)),
    },
    Scenario {
        name: "waits",
        about: "pool missing, exhausted, without provider; Cluster paused: kubectl and clusterctl tell, and it passes",
        on_every_set: false,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(waits::play(stage)),
    },
    Scenario {
        name: "crashes",
        about: "kills at random moments, an API server that restarts, a leader that dies: the rules hold",
        on_every_set: false,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(crashes::play(stage)),
    },
    Scenario {
        name: "bad-line",
        about: "every other answer to a write is lost: nothing is done twice, nothing is left out",
        on_every_set: false,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(bad_line::play(stage)),
    },
    Scenario {
        name: "two-managers",
        about: "two managers at work and no election: nothing goes to two machines, nothing is left behind",
        on_every_set: false,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(two_managers::play(stage)),
    },
    Scenario {
        name: "proof",
        about: "no server is released before it is off: leftovers, slow and missing BMCs, late boot Jobs, namesakes",
        on_every_set: false,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(proof::play(stage)),
    },
    Scenario {
        name: "whose-server",
        about: "stripped labels, servers kept back, lost marks and wiped data: no server is taken or installed twice",
        on_every_set: false,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(whose_server::play(stage)),
    },
    Scenario {
        name: "nothing-silent",
        about: "a webhook that fails is told, a namespace goes with all that is in it, two clusters share a Tinkerbell",
        on_every_set: false,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(nothing_silent::play(stage)),
    },
    Scenario {
        name: "takeover",
        about: "Go CAPT's machines taken over in place, and given back",
        on_every_set: true,
        go_capt: true,
        more: &[],
        play: |stage| Box::pin(takeover::play(stage)),
    },
    Scenario {
        name: "move",
        about: "clusterctl move with addresses in use",
        on_every_set: true,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(moves::play(stage)),
    },
    Scenario {
        name: "one-lease",
        about: "Go CAPT and capt-manager stand for one Lease: each takes over from the other, never do both lead",
        on_every_set: false,
        go_capt: true,
        more: &[],
        play: |stage| Box::pin(one_lease::play(stage)),
    },
    Scenario {
        name: "install",
        about: "clusterctl init, generate, describe and delete with the files of a release; the Deployment as it is written",
        on_every_set: true,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(install::play(stage)),
    },
    Scenario {
        name: "upgrade",
        about: "from Go CAPT 0.7.0 to ours and back, by clusterctl and by manifests, with machines that run",
        on_every_set: true,
        go_capt: true,
        more: &[],
        play: |stage| Box::pin(upgrade::play(stage)),
    },
];

/// Those that are played when they are named: there is no time for them in what is played by default.
pub const ON_DEMAND: &[Scenario] = &[
    Scenario {
        name: "kubectl-install",
        about: "deploy and its components by kubectl kustomize; install.yaml by kubectl, and clusterctl move to another such cluster",
        on_every_set: false,
        go_capt: false,
        more: &[],
        play: |stage| Box::pin(kubectl_install::play(stage)),
    },
    Scenario {
        name: "operator",
        about: "the Cluster API operator installs CAPT from an OCI artefact, with all that it may pass, and takes it away",
        on_every_set: false,
        go_capt: false,
        more: &[pins::OPERATOR],
        play: |stage| Box::pin(operator::play(stage)),
    },
];
