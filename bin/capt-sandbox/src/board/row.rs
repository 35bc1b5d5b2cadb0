//! What the board shows: machines, addresses, and what is left of them.

use std::fmt;

use serde::Serialize;

use capt_invariants::Key;

/// How far a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It has no Hardware yet.
    Selecting,
    /// Its Hardware has no address yet.
    Addressing,
    /// Its server is about to install, or installs.
    Booting,
    /// It is provisioned.
    Provisioned,
    /// It is being deleted.
    Releasing,
    /// It is gone.
    Released,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 6] =
        [Self::Selecting, Self::Addressing, Self::Booting, Self::Provisioned, Self::Releasing, Self::Released];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Selecting => "selecting",
            Self::Addressing => "addressing",
            Self::Booting => "booting",
            Self::Provisioned => "provisioned",
            Self::Releasing => "releasing",
            Self::Released => "released",
        })
    }
}

/// One machine.
#[derive(Clone, Debug)]
pub struct Row {
    /// Namespace and name of the TinkerbellMachine.
    pub machine: Key,
    /// How far it is.
    pub stage: Stage,
    /// Its Hardware, once it has one.
    pub hardware: Option<Key>,
    /// The address on its Hardware, while it is there.
    pub address: Option<String>,
    /// Why it waits, in its own words; empty if it said nothing.
    pub why: String,
}

impl Row {
    /// Whether it says that a person paused it.
    pub fn is_paused(&self) -> bool {
        self.why.starts_with("Paused") && self.stage != Stage::Released
    }
}

/// An address, as it was on the Hardware of a provisioned machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Address {
    /// The TinkerbellMachine.
    pub machine: String,
    /// Its Hardware.
    pub hardware: String,
    /// The address.
    pub address: String,
    /// Its netmask; empty for IPv6.
    pub netmask: String,
    /// The gateway; empty if there is none.
    pub gateway: String,
}

/// What is left of machines that are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// TinkerbellMachines.
    pub machines: usize,
    /// IPAddressClaims.
    pub claims: usize,
    /// IPAddresses.
    pub addresses: usize,
    /// Hardware that is still somebody's.
    pub held: Vec<Key>,
    /// Hardware that carries an address it did not have before.
    pub addressed: Vec<Key>,
    /// BMC Machines of servers that still run.
    pub running: Vec<Key>,
}

impl Leftovers {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Leftovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (count, name) in
            [(self.machines, "TinkerbellMachines"), (self.claims, "IPAddressClaims"), (self.addresses, "IPAddresses")]
        {
            if count > 0 {
                parts.push(format!("{count} {name}"));
            }
        }
        for (keys, name) in [
            (&self.held, "Hardware that is not free"),
            (&self.addressed, "Hardware with an address"),
            (&self.running, "servers that run"),
        ] {
            if let Some(first) = keys.first() {
                parts.push(format!("{} {name} ({first}{})", keys.len(), if keys.len() > 1 { ", …" } else { "" }));
            }
        }
        f.write_str(&parts.join(", "))
    }
}
