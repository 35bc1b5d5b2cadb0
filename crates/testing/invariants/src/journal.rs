//! The observer on an embedded server: every write, in order, as it takes effect.

use capt_simulators::bmc::PowerStates;
use memory_apiserver::{Journal, WriteRecord};

use super::{Observer, Write};

impl Observer {
    /// Sees every write of an embedded server, in order, and every change of power.
    pub fn attach(&self, journal: &Journal, power: &PowerStates) {
        let observer = self.clone();
        journal.on_write(move |record| observer.see(&Write::from(record)));
        self.listen(power);
    }
}

impl<'a> From<&'a WriteRecord> for Write<'a> {
    fn from(record: &'a WriteRecord) -> Self {
        Self {
            sequence: record.sequence,
            user: &record.user,
            verb: record.verb,
            group: &record.group,
            resource: &record.resource,
            namespace: &record.namespace,
            name: &record.name,
            old: record.old.as_deref(),
            new: record.new.as_deref(),
        }
    }
}
