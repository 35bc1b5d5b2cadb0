//! A scene: the objects around one machine, as JSON, and stores that read them. Each test changes what it is about.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use capt_api::kube_core::{Selector, SelectorExt as _};
use capt_api::meta::{Meta, ObjectKey};
use capt_reconciler::Settings;
use capt_reconciler::effect::{Verb, Write};
use capt_reconciler::machine::address::evaluate;
use capt_reconciler::machine::decide;
use capt_reconciler::machine::observe::observe;
use capt_reconciler::machine::ownership::{Obstacle, is_free, obstacle};
use capt_reconciler::machine::report;
use capt_reconciler::machine::step::Step;
use capt_reconciler::machine::world::{Pass, World};
use capt_reconciler::observed::bmc::Job;
use capt_reconciler::observed::cluster_api::{Cluster, IPAddress, IPAddressClaim, Machine, Pool};
use capt_reconciler::observed::infra::{PoolReference, TinkerbellCluster, TinkerbellMachine, TinkerbellMachineStatus};
use capt_reconciler::observed::tinkerbell::{Hardware, Template, Workflow};
use capt_reconciler::ports::{AddressUse, BootstrapData, BootstrapSecret, PoolView, Presence, Stores};
use jiff::Timestamp;
use serde_json::{Value, json};

pub const NOW: &str = "2026-01-01T12:00:00Z";

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// The objects, by kind and `namespace/name`.
#[derive(Clone, Debug)]
pub struct Scene {
    pub objects: BTreeMap<(&'static str, String), Value>,
    pub ipam: Presence,
    pub bmc: Presence,
    pub pool: PoolView,
    pub users: Vec<AddressUse>,
    pub pass: Pass,
}

/// The next step in a world.
pub fn decide(world: &World, now: Timestamp) -> Step {
    decide::decide(world, &evaluate(world, now), now)
}

/// The status that is reported of a world.
pub fn report(world: &World, step: &Step, now: Timestamp) -> TinkerbellMachineStatus {
    report::report(world, &evaluate(world, now), step, now)
}

impl Scene {
    /// Machine `default/m` of Cluster `default/c`, with a pool and free Hardware `metal/hw-1`; nothing done yet.
    pub fn new() -> Self {
        let mut scene = Self {
            objects: BTreeMap::new(),
            ipam: Presence::Ready,
            bmc: Presence::Ready,
            pool: PoolView::Unknown,
            users: Vec::new(),
            pass: Pass {
                bootstrap: Some(BootstrapSecret::Found(BootstrapData::new("join PROVIDER_ID".to_owned()))),
                ..Pass::default()
            },
        };
        scene.put("Cluster", json!({"metadata": {"namespace": "default", "name": "c", "uid": "c-uid"},
            "spec": {"infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TinkerbellCluster", "name": "c"}}}));
        scene.put(
            "TinkerbellCluster",
            json!({"metadata": {"namespace": "default", "name": "c", "uid": "tc-uid"}, "status": {"ready": true}}),
        );
        scene.put("Machine", json!({"metadata": {"namespace": "default", "name": "owner", "uid": "owner-uid", "labels": {"cluster.x-k8s.io/cluster-name": "c"}},
            "spec": {"clusterName": "c", "version": "v1.31.0", "bootstrap": {"dataSecretName": "boot"}}}));
        scene.put("TinkerbellMachine", json!({
            "metadata": {"namespace": "default", "name": "m", "uid": "m-uid", "resourceVersion": "5", "generation": 1,
                "ownerReferences": [{"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine", "name": "owner", "uid": "owner-uid"}]},
            "spec": {"ipamPoolRef": {"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "pool"}}}));
        scene.put("Hardware", hardware("hw-1"));
        scene
    }

    pub fn put(&mut self, kind: &'static str, object: Value) {
        let key = format!(
            "{}/{}",
            object["metadata"]["namespace"].as_str().unwrap(),
            object["metadata"]["name"].as_str().unwrap()
        );
        self.objects.insert((kind, key), object);
    }

    /// Changes one object by a merge patch.
    pub fn change(&mut self, kind: &'static str, key: &str, patch: Value) -> &mut Self {
        let object = self.objects.get_mut(&(kind, key.to_owned())).unwrap_or_else(|| panic!("no {kind} {key}"));
        merge(object, &patch);
        self
    }

    pub fn remove(&mut self, kind: &'static str, key: &str) -> &mut Self {
        self.objects.remove(&(kind, key.to_owned())).unwrap_or_else(|| panic!("no {kind} {key}"));
        self
    }

    /// The machine has its finalizer.
    pub fn adopted(mut self) -> Self {
        self.change(
            "TinkerbellMachine",
            "default/m",
            json!({"metadata": {"finalizers": ["infrastructure.cluster.x-k8s.io/tinkerbellmachine"]}}),
        );
        self
    }

    /// …and has reserved and recorded its Hardware.
    pub fn reserved(self) -> Self {
        let mut scene = self.adopted();
        scene.change("Hardware", "metal/hw-1", json!({
            "metadata": {"labels": {"v1alpha1.tinkerbell.org/ownerName": "m", "v1alpha1.tinkerbell.org/ownerNamespace": "default"},
                "annotations": {"capt.tinkerbell.org/machine-uid": "m-uid"},
                "finalizers": ["infrastructure.cluster.x-k8s.io/tinkerbellmachine"]},
            "spec": {"userData": "join tinkerbell://metal/hw-1"}}));
        scene.change(
            "TinkerbellMachine",
            "default/m",
            json!({"spec": {"hardwareName": "hw-1", "providerID": "tinkerbell://metal/hw-1"}}),
        );
        scene
    }

    /// …and has made its claim, which the provider has taken up.
    pub fn claimed(self) -> Self {
        let mut scene = self.reserved();
        scene.put("IPAddressClaim", json!({
            "metadata": {"namespace": "default", "name": "m-0", "uid": "claim-uid", "resourceVersion": "7",
                "creationTimestamp": "2026-01-01T11:59:59Z",
                "labels": {"cluster.x-k8s.io/cluster-name": "c", "capt.tinkerbell.org/machine-name": "m", "capt.tinkerbell.org/machine-namespace": "default"},
                "annotations": {"capt.tinkerbell.org/mac-address": "00:00:00:00:00:01"},
                "finalizers": ["tinkerbellmachine.infrastructure.cluster.x-k8s.io/ipam-claim", "ipam.cluster.x-k8s.io/ReleaseAddress"],
                "ownerReferences": [{"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellMachine", "name": "m", "uid": "m-uid", "controller": true, "blockOwnerDeletion": true}]},
            "spec": {"clusterName": "c", "poolRef": {"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "pool"}}}));
        scene
    }

    /// …and the claim has its address.
    pub fn fulfilled(self) -> Self {
        let mut scene = self.claimed();
        scene.change("IPAddressClaim", "default/m-0", json!({"status": {"addressRef": {"name": "m-0"}}}));
        scene.put("IPAddress", json!({
            "metadata": {"namespace": "default", "name": "m-0", "uid": "address-uid",
                "ownerReferences": [{"apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": "IPAddressClaim", "name": "m-0", "uid": "claim-uid", "controller": true}]},
            "spec": {"claimRef": {"name": "m-0"}, "poolRef": {"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "pool"},
                "address": "10.0.0.5", "prefix": 24, "gateway": "10.0.0.1"}}));
        scene
    }

    /// …and the address is on the Hardware.
    pub fn addressed(self) -> Self {
        let mut scene = self.fulfilled();
        let record = json!([{"claimNamespace": "default", "claimName": "m-0", "claimUID": "claim-uid", "machineUID": "m-uid",
            "mac": "00:00:00:00:00:01", "address": "10.0.0.5", "netmask": "255.255.255.0", "gateway": "10.0.0.1"}]);
        scene.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"annotations": {"capt.tinkerbell.org/ipam-reservation": record.to_string()}}}),
        );
        scene.set_ip(json!({"address": "10.0.0.5", "netmask": "255.255.255.0", "gateway": "10.0.0.1", "family": 4}));
        scene
    }

    /// …and the Workflow is there, in this state.
    pub fn booted(self, state: &str) -> Self {
        let mut scene = self.addressed();
        let metadata = json!({"namespace": "metal", "name": "m", "uid": "wf-uid",
            "labels": {"capt.tinkerbell.org/machine-name": "m", "capt.tinkerbell.org/machine-namespace": "default"},
            "annotations": {"capt.tinkerbell.org/machine-uid": "m-uid"}});
        scene.put("Template", json!({"metadata": metadata, "spec": {"data": "x"}}));
        scene.put("Workflow", json!({"metadata": metadata, "spec": {}, "status": {"state": state}}));
        scene
    }

    /// …and it has ended well.
    pub fn provisioned(self) -> Self {
        let mut scene = self.booted("SUCCESS");
        scene.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"annotations": {"v1alpha1.tinkerbell.org/provisioned": "true"}}}),
        );
        scene
    }

    /// The machine is being deleted.
    pub fn deleting(mut self) -> Self {
        self.change(
            "TinkerbellMachine",
            "default/m",
            json!({"metadata": {"deletionTimestamp": "2026-01-01T11:59:00Z"}}),
        );
        self
    }

    /// The address on the first interface of `metal/hw-1`; null for none.
    pub fn set_ip(&mut self, ip: Value) -> &mut Self {
        let hardware = self.objects.get_mut(&("Hardware", "metal/hw-1".to_owned())).unwrap();
        hardware["spec"]["interfaces"][0]["dhcp"]["ip"] = ip;
        self
    }

    pub fn without_pool(mut self) -> Self {
        self.change("TinkerbellMachine", "default/m", json!({"spec": {"ipamPoolRef": null}}));
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn world(&self) -> World {
        let key = ObjectKey::new("default", "m");
        let mut world = observe(self, &key, &self.pass, &Arc::new(Settings::default())).unwrap();
        let mut memory = self.pass.memory.clone();
        memory.observe(&world, now());
        world.pass.memory = memory;
        world
    }

    /// The next step. What is asked of the server before it is as the scene has it.
    pub fn step(&self) -> Step {
        self.step_and_looks().0
    }

    /// The next step, and what the server was asked for before.
    pub fn step_and_looks(&self) -> (Step, Vec<String>) {
        let mut scene = self.clone();
        let mut looks = Vec::new();
        loop {
            match decide(&scene.world(), now()) {
                Step::Look(kind, key) => {
                    looks.push(format!("{kind:?} {key}"));
                    assert!(looks.len() < 20, "asks for ever: {looks:?}");
                    scene.pass.looked_at.push((kind, key));
                }
                step => return (step, looks),
            }
        }
    }

    /// The conditions after this step, as `type: status reason`.
    pub fn conditions(&self) -> Vec<String> {
        let status = report(&self.world(), &self.step(), now());
        status.conditions.iter().map(|c| format!("{}: {} {}", c.type_, c.status, c.reason)).collect()
    }

    fn typed<K: serde::de::DeserializeOwned>(&self, kind: &'static str, key: &ObjectKey) -> Option<Arc<K>> {
        let object = self.objects.get(&(kind, key.to_string()))?;
        Some(Arc::new(serde_json::from_value(object.clone()).unwrap()))
    }

    /// As the index of the real stores does: by controller, else by labels.
    fn made_for<K: Meta + serde::de::DeserializeOwned>(&self, kind: &str, machine: &ObjectKey) -> Vec<Arc<K>> {
        let mut all = self.all::<K>(kind);
        all.retain(|object| {
            let owner = object.controller().filter(|owner| owner.kind == "TinkerbellMachine");
            match owner {
                Some(owner) => ObjectKey::new(object.namespace(), &owner.name) == *machine,
                None => {
                    object.label("capt.tinkerbell.org/machine-name") == Some(&machine.name)
                        && object.label("capt.tinkerbell.org/machine-namespace") == Some(&machine.namespace)
                }
            }
        });
        all
    }

    fn all<K: serde::de::DeserializeOwned>(&self, kind: &str) -> Vec<Arc<K>> {
        let of_kind = self.objects.iter().filter(|((k, _), _)| *k == kind);
        of_kind.map(|(_, object)| Arc::new(serde_json::from_value(object.clone()).unwrap())).collect()
    }
}

/// Free Hardware that fits any machine.
pub fn hardware(name: &str) -> Value {
    let mac = format!("00:00:00:00:00:0{}", name.rsplit('-').next().unwrap());
    json!({"metadata": {"namespace": "metal", "name": name, "uid": format!("{name}-uid"), "resourceVersion": "3"},
        "spec": {"bmcRef": {"name": format!("bmc-{name}")}, "disks": [{"device": "/dev/sda"}],
            "metadata": {"instance": {"id": mac}},
            "interfaces": [{"netboot": {"allowPXE": true}, "dhcp": {"mac": mac}}]}})
}

fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    target.remove(key);
                } else {
                    merge(target.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => {
            *target = patch.clone();
            if let Value::Object(_) = patch {
                *target = json!({});
                merge(target, patch);
            }
        }
    }
}

impl Stores for Scene {
    fn tinkerbell_machine(&self, key: &ObjectKey) -> Option<Arc<TinkerbellMachine>> {
        self.typed("TinkerbellMachine", key)
    }
    fn tinkerbell_cluster(&self, key: &ObjectKey) -> Option<Arc<TinkerbellCluster>> {
        self.typed("TinkerbellCluster", key)
    }
    fn machine(&self, key: &ObjectKey) -> Option<Arc<Machine>> {
        self.typed("Machine", key)
    }
    fn cluster(&self, key: &ObjectKey) -> Option<Arc<Cluster>> {
        self.typed("Cluster", key)
    }
    fn hardware(&self, key: &ObjectKey) -> Option<Arc<Hardware>> {
        self.typed("Hardware", key)
    }
    fn hardware_of(&self, machine: &ObjectKey) -> Vec<Arc<Hardware>> {
        let mut all = self.all::<Hardware>("Hardware");
        all.retain(|hardware| hardware.reserved_for().as_ref() == Some(machine));
        all
    }
    fn visit_free_hardware(&self, selector: &Selector, visit: &mut dyn FnMut(&Arc<Hardware>) -> ControlFlow<()>) {
        for hardware in self.all::<Hardware>("Hardware") {
            let labels = hardware.metadata.labels.clone().unwrap_or_default();
            if is_free(&hardware) && selector.matches(&labels) && visit(&hardware).is_break() {
                return;
            }
        }
    }
    fn visit_parked_hardware(&self, selector: &Selector, visit: &mut dyn FnMut(&Arc<Hardware>) -> ControlFlow<()>) {
        for hardware in self.all::<Hardware>("Hardware") {
            let labels = hardware.metadata.labels.clone().unwrap_or_default();
            let is_parked = match obstacle(&hardware) {
                None | Some(Obstacle::Terminating) => false,
                Some(Obstacle::Labelled(machine)) => self.tinkerbell_machine(&machine).is_none(),
                Some(_) => true,
            };
            if is_parked && selector.matches(&labels) && visit(&hardware).is_break() {
                return;
            }
        }
    }
    fn hardware_with_mac(&self, mac: &str) -> Vec<ObjectKey> {
        let all = self.all::<Hardware>("Hardware");
        all.iter().filter(|hardware| hardware.macs().any(|other| other == mac)).map(|hardware| hardware.key()).collect()
    }
    fn machines_on(&self, hardware: &ObjectKey) -> Vec<Arc<TinkerbellMachine>> {
        let mut all = self.all::<TinkerbellMachine>("TinkerbellMachine");
        all.retain(|machine| {
            let namespace = machine.status.as_ref().map_or("", |status| status.target_namespace.as_str());
            let named = ObjectKey::new(
                if namespace.is_empty() { machine.namespace() } else { namespace },
                &machine.spec.hardware_name,
            );
            named == *hardware || machine.spec.provider_id == format!("tinkerbell://{hardware}")
        });
        all
    }
    fn machine_with_uid(&self, uid: &str) -> Option<ObjectKey> {
        let all = self.all::<TinkerbellMachine>("TinkerbellMachine");
        all.iter().find(|machine| machine.uid() == uid).map(|machine| machine.key())
    }
    fn template(&self, key: &ObjectKey) -> Option<Arc<Template>> {
        self.typed("Template", key)
    }
    fn workflow(&self, key: &ObjectKey) -> Option<Arc<Workflow>> {
        self.typed("Workflow", key)
    }
    fn job(&self, key: &ObjectKey) -> Option<Arc<Job>> {
        self.typed("Job", key)
    }
    fn templates_of(&self, machine: &ObjectKey) -> Vec<Arc<Template>> {
        self.made_for("Template", machine)
    }
    fn workflows_of(&self, machine: &ObjectKey) -> Vec<Arc<Workflow>> {
        self.made_for("Workflow", machine)
    }
    fn jobs_of(&self, machine: &ObjectKey) -> Vec<Arc<Job>> {
        self.made_for("Job", machine)
    }
    fn jobs_of_bmc(&self, bmc: &ObjectKey) -> Vec<Arc<Job>> {
        let mut all = self.all::<Job>("Job");
        all.retain(|job| job.spec.machine_ref.name == bmc.name && job.spec.machine_ref.namespace == bmc.namespace);
        all
    }
    fn bmc(&self) -> Presence {
        self.bmc
    }
    fn ipam(&self) -> Presence {
        self.ipam
    }
    fn claim(&self, key: &ObjectKey) -> Option<Arc<IPAddressClaim>> {
        self.typed("IPAddressClaim", key)
    }
    fn claims_of(&self, owner_uid: &str) -> Vec<Arc<IPAddressClaim>> {
        let mut all = self.all::<IPAddressClaim>("IPAddressClaim");
        all.retain(|claim| claim.controller().is_some_and(|owner| owner.uid == owner_uid));
        all
    }
    fn address(&self, key: &ObjectKey) -> Option<Arc<IPAddress>> {
        self.typed("IPAddress", key)
    }
    fn pool(&self, _: &str, _: &PoolReference) -> PoolView {
        self.pool.clone()
    }
    fn address_users(&self, _: IpAddr, _: &ObjectKey) -> Vec<AddressUse> {
        self.users.clone()
    }
}

pub fn write(scene: &Scene) -> Write {
    match scene.step() {
        Step::Do(write) => *write,
        other => panic!("expected a write, got {other:?}"),
    }
}

pub fn body(write: &Write) -> Value {
    match &write.verb {
        Verb::Create(body) | Verb::Merge(body) | Verb::Json(body) | Verb::Status(body) => body.clone(),
        Verb::Delete { uid } => json!({ "uid": uid }),
    }
}

/// The reason the machine waits for, and its words.
pub fn wait(scene: &Scene) -> (&'static str, String) {
    match scene.step() {
        Step::Wait(wait) => (wait.reason.as_str(), wait.message),
        other => panic!("expected a wait, got {other:?}"),
    }
}

pub fn pool(object: Value) -> PoolView {
    PoolView::Found(Arc::new(serde_json::from_value::<Pool>(object).unwrap()))
}
