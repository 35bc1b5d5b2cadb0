//! What the manager's stores hold in one state, behind the port through which the reconciler reads.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use capt_api::contract::{MACHINE_NAME_LABEL, MACHINE_NAMESPACE_LABEL, hardware_of_provider_id};
use capt_api::kube_core::{Selector, SelectorExt as _};
use capt_api::meta::{Meta, ObjectKey};
use capt_reconciler::machine::ownership::is_free;
use capt_reconciler::observed::bmc::Job;
use capt_reconciler::observed::cluster_api::{Cluster, IPAddress, IPAddressClaim, Machine};
use capt_reconciler::observed::infra::{PoolReference, TinkerbellCluster, TinkerbellMachine};
use capt_reconciler::observed::tinkerbell::{Hardware, Template, Workflow};
use capt_reconciler::ports::{AddressUse, PoolView, Presence, Stores};
use serde_json::Value;

use crate::faults::Fault;
use crate::object::{Id, Kind, Object, Typed, Universe};

/// The stores' objects, by kind, namespace and name.
pub struct View<'a> {
    /// All objects.
    pub universe: &'a Universe,
    /// Those that the stores hold.
    pub ids: &'a [Id],
    /// A fault put back.
    pub fault: Option<Fault>,
}

macro_rules! one {
    ($name:ident, $kind:ident) => {
        fn $name(&self, key: &ObjectKey) -> Option<Arc<$kind>> {
            self.objects().find_map(|object| match &object.typed {
                Typed::$kind(found) if object.key == *key => Some(Arc::clone(found)),
                _ => None,
            })
        }
    };
}

impl View<'_> {
    fn objects(&self) -> impl Iterator<Item = &Object> {
        self.ids.iter().map(|id| self.universe.get(*id))
    }

    /// A BMC Machine, which is read and never watched.
    pub fn bmc_machine(&self, key: &ObjectKey) -> Option<&Object> {
        self.objects().find(|object| object.kind == Kind::BmcMachine && object.key == *key)
    }

    /// All Jobs.
    pub fn all_jobs(&self) -> impl Iterator<Item = &Arc<Job>> {
        self.objects().filter_map(|object| match &object.typed {
            Typed::Job(job) => Some(job),
            _ => None,
        })
    }

    fn made_for<K: Clone>(&self, machine: &ObjectKey, of: impl Fn(&Typed) -> Option<&Arc<K>>) -> Vec<Arc<K>> {
        let objects = self.objects().filter(|object| owning_machine(object).as_ref() == Some(machine));
        objects.filter_map(|object| of(&object.typed).cloned()).collect()
    }

    fn all_machines(&self) -> impl Iterator<Item = &Arc<TinkerbellMachine>> {
        self.objects().filter_map(|object| match &object.typed {
            Typed::TinkerbellMachine(machine) => Some(machine),
            _ => None,
        })
    }

    fn all_hardware(&self) -> impl Iterator<Item = &Arc<Hardware>> {
        self.objects().filter_map(|object| match &object.typed {
            Typed::Hardware(hardware) => Some(hardware),
            _ => None,
        })
    }
}

/// The Hardware without anything that tells whose it is.
fn unmarked(hardware: &Hardware) -> Arc<Hardware> {
    let mut hardware = hardware.clone();
    (hardware.metadata.annotations, hardware.metadata.finalizers) = (None, None);
    Arc::new(hardware)
}

/// The machine that an object is for, as the manager's index has it: its controller, else the one of its labels.
pub fn owning_machine(object: &Object) -> Option<ObjectKey> {
    let owners = object.json.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let controls = |owner: &&Value| {
        owner.get("controller") == Some(&Value::Bool(true)) && owner.get("kind") == Some(&"TinkerbellMachine".into())
    };
    if owners.into_iter().flatten().any(|owner| controls(&owner)) {
        return Some(ObjectKey::new(&object.key.namespace, &object.controller_name));
    }
    let labels = object.json.pointer("/metadata/labels")?;
    let label = |name: &str| labels.get(name).and_then(Value::as_str);
    Some(ObjectKey::new(label(MACHINE_NAMESPACE_LABEL)?, label(MACHINE_NAME_LABEL)?))
}

impl Stores for View<'_> {
    one!(tinkerbell_machine, TinkerbellMachine);
    one!(tinkerbell_cluster, TinkerbellCluster);
    one!(machine, Machine);
    one!(cluster, Cluster);
    one!(hardware, Hardware);
    one!(template, Template);
    one!(workflow, Workflow);
    one!(job, Job);
    one!(claim, IPAddressClaim);
    one!(address, IPAddress);

    fn hardware_of(&self, machine: &ObjectKey) -> Vec<Arc<Hardware>> {
        self.all_hardware().filter(|hardware| hardware.reserved_for().as_ref() == Some(machine)).cloned().collect()
    }

    fn visit_free_hardware(&self, selector: &Selector, visit: &mut dyn FnMut(&Arc<Hardware>) -> ControlFlow<()>) {
        for hardware in self.all_hardware() {
            let labels = hardware.metadata.labels.clone().unwrap_or_default();
            let hardware = match self.fault {
                Some(Fault::LabelsAlone) if !hardware.is_reserved() => &unmarked(hardware),
                _ => hardware,
            };
            if is_free(hardware) && selector.matches(&labels) && visit(hardware).is_break() {
                return;
            }
        }
    }

    fn visit_parked_hardware(&self, _: &Selector, _: &mut dyn FnMut(&Arc<Hardware>) -> ControlFlow<()>) {
        // Only words for a person come of it.
    }

    fn hardware_with_mac(&self, mac: &str) -> Vec<ObjectKey> {
        let with = self.all_hardware().filter(|hardware| hardware.interface_with_mac(mac).is_some());
        with.map(|hardware| hardware.key()).collect()
    }

    fn machines_on(&self, hardware: &ObjectKey) -> Vec<Arc<TinkerbellMachine>> {
        if self.fault == Some(Fault::LabelsAlone) {
            return Vec::new();
        }
        let names = |machine: &TinkerbellMachine| {
            let named = hardware_of_provider_id(&machine.spec.provider_id);
            let recorded = machine.status.as_ref().map(|status| status.target_namespace.clone());
            let namespace = recorded.filter(|namespace| !namespace.is_empty());
            let namespace = namespace.or_else(|| named.as_ref().map(|key| key.namespace.clone()));
            let by_name = ObjectKey::new(
                namespace.unwrap_or_else(|| machine.namespace().to_owned()),
                machine.spec.hardware_name.clone(),
            );
            named.as_ref() == Some(hardware) || (!machine.spec.hardware_name.is_empty() && by_name == *hardware)
        };
        self.all_machines().filter(|machine| names(machine)).cloned().collect()
    }

    fn machine_with_uid(&self, uid: &str) -> Option<ObjectKey> {
        let found = self.all_machines().find(|machine| machine.uid() == uid)?;
        (self.fault != Some(Fault::LabelsAlone)).then(|| found.key())
    }

    fn templates_of(&self, machine: &ObjectKey) -> Vec<Arc<Template>> {
        self.made_for(machine, |typed| match typed {
            Typed::Template(template) => Some(template),
            _ => None,
        })
    }

    fn workflows_of(&self, machine: &ObjectKey) -> Vec<Arc<Workflow>> {
        self.made_for(machine, |typed| match typed {
            Typed::Workflow(workflow) => Some(workflow),
            _ => None,
        })
    }

    fn jobs_of(&self, machine: &ObjectKey) -> Vec<Arc<Job>> {
        self.made_for(machine, |typed| match typed {
            Typed::Job(job) => Some(job),
            _ => None,
        })
    }

    fn jobs_of_bmc(&self, bmc: &ObjectKey) -> Vec<Arc<Job>> {
        let of = |job: &Job| ObjectKey::new(&job.spec.machine_ref.namespace, &job.spec.machine_ref.name);
        self.all_jobs().filter(|job| of(job) == *bmc).cloned().collect()
    }

    fn bmc(&self) -> Presence {
        Presence::Ready
    }

    fn ipam(&self) -> Presence {
        Presence::Ready
    }

    fn claims_of(&self, owner_uid: &str) -> Vec<Arc<IPAddressClaim>> {
        let claims = self.objects().filter_map(|object| match &object.typed {
            Typed::IPAddressClaim(claim) => Some(claim),
            _ => None,
        });
        claims.filter(|claim| claim.controller().is_some_and(|owner| owner.uid == owner_uid)).cloned().collect()
    }

    fn pool(&self, _: &str, _: &PoolReference) -> PoolView {
        PoolView::Unknown
    }

    fn address_users(&self, address: IpAddr, except: &ObjectKey) -> Vec<AddressUse> {
        let text = address.to_string();
        let others = self.all_hardware().filter(|hardware| hardware.key() != *except);
        others
            .filter(|hardware| hardware.addresses().any(|other| other == text))
            .map(|hardware| AddressUse { kind: "Hardware", key: hardware.key(), role: "address" })
            .collect()
    }
}
