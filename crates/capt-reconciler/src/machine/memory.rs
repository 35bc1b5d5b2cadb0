//! What the reconciler remembers of one machine from pass to pass. All of it may be lost at any moment: it only spares
//! writes and shortens waits, and what is not remembered is assumed to be at its worst.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use capt_api::contract::power_off_job_name;
use capt_api::meta::{Meta, ObjectKey};
use jiff::Timestamp;

use crate::observed::infra::TinkerbellMachine;

/// Memory of one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// The machine that it is about.
    pub uid: String,
    /// Names given to power-off Jobs that the server has not confirmed yet, by Hardware: after a lost answer the same
    /// Job is asked for again, and not a second one.
    pub unconfirmed_jobs: BTreeMap<ObjectKey, String>,
    /// How many such names were confirmed.
    pub confirmed: u64,
    /// Failed Jobs because of which rufio was made to read the power state anew, by Hardware.
    pub asked: BTreeMap<ObjectKey, String>,
    /// When something was last seen, by Hardware, that may still switch the server on, or when we first looked at a
    /// server of which nobody knows.
    pub stirred: BTreeMap<ObjectKey, Timestamp>,
}

impl Memory {
    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.unconfirmed_jobs.is_empty() && self.confirmed == 0 && self.asked.is_empty() && self.stirred.is_empty()
    }

    /// The name for a power-off Job of this Hardware: the one that was asked for and not confirmed, or one that no
    /// earlier Job had. The moment is part of it, since a name may be used up by Jobs that nobody remembers.
    pub fn power_off_job(&self, machine: &TinkerbellMachine, hardware: &ObjectKey, now: Timestamp) -> String {
        self.unconfirmed_jobs.get(hardware).cloned().unwrap_or_else(|| {
            let mut hasher = DefaultHasher::new();
            (machine.uid(), hardware, now.as_nanosecond(), self.confirmed).hash(&mut hasher);
            power_off_job_name(machine.name(), hasher.finish())
        })
    }
}
