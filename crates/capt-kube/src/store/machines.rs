//! The index over TinkerbellMachines: by the Hardware they name, and by UID.

use std::collections::BTreeSet;
use std::sync::Arc;

use ahash::AHashMap;
use capt_api::contract::hardware_of_provider_id;
use capt_api::meta::{Meta, ObjectKey};
use capt_reconciler::observed::infra::TinkerbellMachine;

use super::Index;
use super::indexes::remove_member;

/// TinkerbellMachines by what they name, and by UID.
#[derive(Default)]
pub struct MachineIndex {
    by_hardware: AHashMap<ObjectKey, BTreeSet<Arc<ObjectKey>>>,
    by_uid: AHashMap<Box<str>, Arc<ObjectKey>>,
}

/// The Hardware that a machine names: by its provider ID, and by `hardwareName` where that looks for it.
pub fn named_hardware(machine: &TinkerbellMachine) -> impl Iterator<Item = ObjectKey> {
    let by_provider_id = hardware_of_provider_id(&machine.spec.provider_id);
    let by_name = (!machine.spec.hardware_name.is_empty()).then(|| {
        let recorded = machine.status.as_ref().map(|status| status.target_namespace.as_str());
        let namespace = recorded
            .filter(|namespace| !namespace.is_empty())
            .or_else(|| by_provider_id.as_ref().map(|key| key.namespace.as_str()))
            .unwrap_or_else(|| machine.namespace());
        ObjectKey::new(namespace, &machine.spec.hardware_name)
    });
    let by_name = by_name.filter(|key| Some(key) != by_provider_id.as_ref());
    by_provider_id.into_iter().chain(by_name)
}

impl MachineIndex {
    /// The machines that name this Hardware, by namespace and name.
    pub fn on(&self, hardware: &ObjectKey) -> Vec<Arc<ObjectKey>> {
        self.by_hardware.get(hardware).map(|all| all.iter().cloned().collect()).unwrap_or_default()
    }

    /// The machine of this UID.
    pub fn with_uid(&self, uid: &str) -> Option<ObjectKey> {
        self.by_uid.get(uid).map(|key| (**key).clone())
    }
}

impl Index<TinkerbellMachine> for MachineIndex {
    fn update(&mut self, key: &Arc<ObjectKey>, old: Option<&TinkerbellMachine>, new: Option<&TinkerbellMachine>) {
        let named =
            |machine: Option<&TinkerbellMachine>| machine.into_iter().flat_map(named_hardware).collect::<Vec<_>>();
        let (before, after) = (named(old), named(new));
        if before != after {
            for hardware in &before {
                remove_member(&mut self.by_hardware, hardware, key);
            }
            for hardware in after {
                self.by_hardware.entry(hardware).or_default().insert(key.clone());
            }
        }
        let uid = |machine: Option<&TinkerbellMachine>| machine.map(|machine| machine.uid().to_owned());
        let (before, after) = (uid(old), uid(new));
        if before != after {
            if let Some(uid) = before
                && self.by_uid.get(&*uid) == Some(key)
            {
                self.by_uid.remove(&*uid);
            }
            if let Some(uid) = after.filter(|uid| !uid.is_empty()) {
                self.by_uid.insert(uid.into(), key.clone());
            }
        }
    }
}
