//! What the observer knows of the objects, put together from the writes alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use serde_json::Value;

use super::write::{Key, controller_uid, is_terminating, meta, text};

const OWNER_NAME: &str = "v1alpha1.tinkerbell.org/ownerName";
const OWNER_NAMESPACE: &str = "v1alpha1.tinkerbell.org/ownerNamespace";
const PROVISIONED: &str = "v1alpha1.tinkerbell.org/provisioned";
const RESERVATION: &str = "capt.tinkerbell.org/ipam-reservation";
const FINALIZER: &str = "infrastructure.cluster.x-k8s.io/tinkerbellmachine";
/// A person lets a machine's server go without proof that it is off.
const LET_GO: &str = "capt.tinkerbell.org/release-without-power-off";
/// A person asks for a new installation.
const REINSTALL: &str = "capt.tinkerbell.org/reinstall";

/// A Hardware.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hardware {
    /// The machine whose labels it carries.
    pub(crate) owner: Option<Key>,
    pub(crate) terminating: bool,
    pub(crate) provisioned: bool,
    pub(crate) has_user_data: bool,
    pub(crate) has_record: bool,
    /// Whether the manager holds it by its finalizer.
    pub(crate) has_finalizer: bool,
    /// The BMC Machine of the server.
    pub(crate) bmc: Option<Key>,
    /// `dhcp.ip` of each interface that has one, by MAC.
    pub(crate) ips: BTreeMap<String, Value>,
}

impl Hardware {
    pub(crate) fn read(object: &Value) -> Self {
        let namespace = text(object, "/metadata/namespace");
        let owner = meta(object, "labels", OWNER_NAME)
            .map(|name| Key::new(meta(object, "labels", OWNER_NAMESPACE).unwrap_or_default(), name));
        let bmc = text(object, "/spec/bmcRef/name");
        let interfaces = object.pointer("/spec/interfaces").and_then(Value::as_array);
        let ips = interfaces.into_iter().flatten().enumerate().filter_map(|(n, interface)| {
            let ip = interface.pointer("/dhcp/ip").filter(|ip| !ip.is_null())?;
            let mac = text(interface, "/dhcp/mac").to_lowercase();
            Some((if mac.is_empty() { format!("interface {n}") } else { mac }, ip.clone()))
        });
        Self {
            owner,
            terminating: is_terminating(object),
            provisioned: meta(object, "annotations", PROVISIONED) == Some("true"),
            has_user_data: object.pointer("/spec/userData").is_some_and(|data| !data.is_null()),
            has_record: meta(object, "annotations", RESERVATION).is_some(),
            has_finalizer: object
                .pointer("/metadata/finalizers")
                .and_then(Value::as_array)
                .is_some_and(|all| all.iter().any(|finalizer| finalizer == FINALIZER)),
            bmc: (!bmc.is_empty()).then(|| Key::new(namespace, bmc)),
            ips: ips.collect(),
        }
    }

    /// The addresses on its interfaces.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.ips.values().filter_map(address_of)
    }
}

/// The address in a `dhcp.ip`.
pub(crate) fn address_of(ip: &Value) -> Option<IpAddr> {
    text(ip, "/address").parse().ok()
}

/// What the manager wrote to an interface and has not taken off again.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) ip: Value,
    pub(crate) address: IpAddr,
    /// The pool the address came from.
    pub(crate) pool: Option<Pool>,
}

/// A pool, by kind, namespace and name.
pub(crate) type Pool = (String, Key);

/// An IPAddress.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) pool: Pool,
    pub(crate) claim: Key,
    pub(crate) terminating: bool,
}

/// An IPAddressClaim.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// UID of the machine that controls it.
    pub(crate) owner: String,
    pub(crate) terminating: bool,
}

/// A TinkerbellMachine.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) uid: String,
    /// Its Hardware, once it has one.
    pub(crate) hardware: Option<Key>,
    /// The Hardware that its provider ID names.
    pub(crate) provider: Option<Key>,
    pub(crate) has_pool: bool,
    pub(crate) terminating: bool,
    pub(crate) is_ready: bool,
    /// A person lets its server go without proof that it is off.
    pub(crate) let_go: bool,
    /// A person asks for a new installation.
    pub(crate) reinstall: bool,
}

/// All of it.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) hardware: HashMap<Key, Hardware>,
    /// What the manager wrote, by Hardware and MAC.
    pub(crate) written: HashMap<Key, BTreeMap<String, Written>>,
    pub(crate) claims: HashMap<Key, Claim>,
    pub(crate) machines: HashMap<Key, Machine>,
    /// Keys of the machines that live, by UID.
    pub(crate) machine_of_uid: HashMap<String, Key>,
    /// Every IPAddress, by address.
    leases: HashMap<IpAddr, BTreeMap<Key, Lease>>,
    /// Which Hardware carry an address.
    carriers: HashMap<IpAddr, BTreeSet<Key>>,
    /// Hardware of each BMC Machine.
    of_bmc: HashMap<Key, BTreeSet<Key>>,
    /// BMC Machines whose server is on.
    running: BTreeSet<Key>,
    /// Which machine the manager gave a Hardware to, by UID, until the manager itself releases it or the machine is gone.
    /// Labels may be stripped and the object replaced meanwhile.
    holders: HashMap<Key, String>,
    /// Machines whose provider ID names a Hardware.
    named: HashMap<Key, BTreeSet<Key>>,
    /// UIDs of the machines that were ready once.
    was_ready: BTreeSet<String>,
    /// Addresses that servers took while they were on, by BMC Machine; they keep them until they are switched off.
    taken: BTreeMap<Key, BTreeSet<IpAddr>>,
    /// BMC Machines whose server a person let go without proof.
    let_go: BTreeSet<Key>,
    /// Namespaces that are being deleted.
    ending: BTreeSet<String>,
}

impl World {
    /// The IPAddresses that hold an address.
    pub(crate) fn leases(&self, address: IpAddr) -> impl Iterator<Item = (&Key, &Lease)> {
        self.leases.get(&address).into_iter().flatten()
    }

    /// The Hardware that carry an address.
    pub(crate) fn carriers(&self, address: IpAddr) -> impl Iterator<Item = &Key> {
        self.carriers.get(&address).into_iter().flatten()
    }

    /// The Hardware of a BMC Machine.
    pub(crate) fn of_bmc(&self, bmc: &Key) -> impl Iterator<Item = &Key> {
        self.of_bmc.get(bmc).into_iter().flatten()
    }

    /// Whether the server is on, as far as anybody can see.
    pub(crate) fn is_on(&self, hardware: &Hardware) -> bool {
        hardware.bmc.as_ref().is_some_and(|bmc| self.running.contains(bmc))
    }

    /// What the manager wrote to this Hardware and still stands there.
    pub(crate) fn standing(&self, key: &Key) -> impl Iterator<Item = &Written> {
        let now = self.hardware.get(key);
        let stands = move |mac: &String, written: &Written| {
            now.and_then(|hardware| hardware.ips.get(mac)).is_some_and(|ip| *ip == written.ip)
        };
        self.written.get(key).into_iter().flatten().filter(move |(mac, w)| stands(mac, w)).map(|(_, w)| w)
    }

    /// Whether any IPAddress of the pool holds what was written.
    pub(crate) fn is_leased(&self, written: &Written) -> bool {
        self.leases(written.address).any(|(_, lease)| written.pool.as_ref().is_none_or(|pool| *pool == lease.pool))
    }

    pub(crate) fn set_power(&mut self, bmc: Key, on: bool) {
        if on {
            self.running.insert(bmc.clone());
            self.take_addresses(&bmc);
        } else {
            self.running.remove(&bmc);
            self.taken.remove(&bmc);
        }
    }

    /// A server that is on uses what the manager wrote to its Hardware.
    fn take_addresses(&mut self, bmc: &Key) {
        let standing = self.of_bmc(bmc).flat_map(|hardware| self.standing(hardware)).map(|written| written.address);
        let standing: Vec<IpAddr> = standing.collect();
        if !standing.is_empty() {
            self.taken.entry(bmc.clone()).or_default().extend(standing);
        }
    }

    /// The servers that are on with an address, by BMC Machine, whose Hardware is there: who else could know of them?
    pub(crate) fn users(&self, address: IpAddr) -> impl Iterator<Item = &Key> {
        let uses = move |(_, taken): &(&Key, &BTreeSet<IpAddr>)| taken.contains(&address);
        self.taken.iter().filter(uses).map(|(bmc, _)| bmc).filter(|bmc| self.of_bmc(bmc).next().is_some())
    }

    /// The machine that the manager gave a Hardware to, if it still lives.
    pub(crate) fn holder(&self, hardware: &Key) -> Option<(&Key, &Machine)> {
        let key = self.machine_of_uid.get(self.holders.get(hardware)?)?;
        Some((key, self.machines.get(key)?))
    }

    /// The machines whose provider ID names a Hardware.
    pub(crate) fn named(&self, hardware: &Key) -> impl Iterator<Item = (&Key, &Machine)> {
        let machines = self.named.get(hardware).into_iter().flatten();
        machines.filter_map(|key| Some((key, self.machines.get(key)?)))
    }

    /// Whether the machine of this UID was ready once.
    pub(crate) fn was_ready(&self, uid: &str) -> bool {
        self.was_ready.contains(uid)
    }

    /// Whether a person let the server go without proof, so that nobody knows what it does.
    pub(crate) fn is_let_go(&self, bmc: &Key) -> bool {
        self.let_go.contains(bmc)
    }

    /// Whether a person gives a Hardware up without proof that its server is off: by the machine's annotation, or by
    /// deleting the Hardware's namespace, in which no Job can be made any more.
    pub(crate) fn is_given_up(&self, hardware: &Key) -> bool {
        self.ending.contains(&hardware.namespace) || self.holder(hardware).is_some_and(|(_, machine)| machine.let_go)
    }

    /// Whether a namespace is being deleted.
    pub(crate) fn is_ending(&self, namespace: &str) -> bool {
        self.ending.contains(namespace)
    }

    /// A namespace was written.
    pub(crate) fn put_namespace(&mut self, name: &str, object: Option<&Value>) {
        let is_ending = object.is_some_and(|object| object.pointer("/metadata/deletionTimestamp").is_some());
        if is_ending {
            self.ending.insert(name.to_owned());
        } else if object.is_some() {
            self.ending.remove(name);
        }
    }

    /// Keeps up who holds a Hardware.
    fn remember_holder(&mut self, key: &Key, after: &Hardware, by_manager: bool) {
        if !by_manager {
            return;
        }
        let owner = after.owner.as_ref().and_then(|owner| self.machines.get(owner));
        if let Some(owner) = owner {
            self.holders.insert(key.clone(), owner.uid.clone());
            if let Some(bmc) = &after.bmc {
                self.let_go.remove(bmc);
            }
        } else if after.owner.is_none() && !after.has_finalizer {
            let let_go = self.is_given_up(key);
            if let (true, Some(bmc)) = (let_go, &after.bmc) {
                self.taken.remove(bmc);
                self.let_go.insert(bmc.clone());
            }
            self.holders.remove(key);
        }
    }

    pub(crate) fn put_hardware(&mut self, key: &Key, after: Option<Hardware>, by_manager: bool) {
        self.remember_written(key, after.as_ref(), by_manager);
        if let Some(before) = self.hardware.remove(key) {
            for address in before.addresses() {
                remove(&mut self.carriers, &address, key);
            }
            if let Some(bmc) = &before.bmc {
                remove(&mut self.of_bmc, bmc, key);
            }
        }
        let Some(after) = after else {
            return;
        };
        for address in after.addresses() {
            self.carriers.entry(address).or_default().insert(key.clone());
        }
        if let Some(bmc) = &after.bmc {
            self.of_bmc.entry(bmc.clone()).or_default().insert(key.clone());
        }
        self.remember_holder(key, &after, by_manager);
        let bmc = after.bmc.clone();
        self.hardware.insert(key.clone(), after);
        if let Some(bmc) = bmc.filter(|bmc| self.running.contains(bmc)) {
            self.take_addresses(&bmc);
        }
    }

    /// Keeps up what the manager wrote. What somebody else wiped is kept, for it may be put back; so is what somebody else
    /// replaced while the machine holds the Hardware: what stands there now is theirs, but when they set the manager's
    /// address back, with its record still beside it, it is the manager's again.
    fn remember_written(&mut self, key: &Key, after: Option<&Hardware>, by_manager: bool) {
        let is_held = self.holders.contains_key(key);
        let Some(after) = after else {
            if by_manager || !is_held {
                self.written.remove(key);
            }
            return;
        };
        let before = self.hardware.get(key);
        // Labels and marks come back before the address does.
        let owner = after.owner.as_ref().and_then(|owner| self.machines.get(owner)).map(|machine| &machine.uid);
        let is_kept = is_held && owner == self.holders.get(key);
        let old_ip = |mac: &String| before.and_then(|hardware| hardware.ips.get(mac));
        let mut fresh = Vec::new();
        for (mac, ip) in &after.ips {
            let changed = old_ip(mac) != Some(ip);
            if let (true, true, Some(address)) = (changed, by_manager, address_of(ip)) {
                let pool = self.lease_for(after, address).map(|lease| lease.pool.clone());
                fresh.push((mac.clone(), Written { ip: ip.clone(), address, pool }));
            }
        }
        let written = self.written.entry(key.clone()).or_default();
        written.retain(|mac, written| match after.ips.get(mac) {
            Some(ip) => *ip == written.ip || (is_held && !by_manager),
            None if by_manager => is_kept && old_ip(mac).is_none(),
            None => after.owner.is_some() || is_held,
        });
        written.extend(fresh);
        if written.is_empty() {
            self.written.remove(key);
        }
    }

    /// The IPAddress behind an address on this Hardware: that of its own machine's claim, else any.
    fn lease_for(&self, hardware: &Hardware, address: IpAddr) -> Option<&Lease> {
        let uid = hardware.owner.as_ref().and_then(|owner| self.machines.get(owner)).map(|machine| &machine.uid);
        let own = |lease: &&Lease| self.claims.get(&lease.claim).is_some_and(|claim| Some(&claim.owner) == uid);
        let leases = || self.leases(address).map(|(_, lease)| lease);
        leases().find(own).or_else(|| leases().next())
    }

    pub(crate) fn put_address(&mut self, key: &Key, old: Option<&Value>, new: Option<&Value>) {
        let address = |object: &Value| text(object, "/spec/address").parse::<IpAddr>().ok();
        // Who deletes a namespace deletes the addresses in it, or their claims, which some providers take for the same: no
        // manager can keep them.
        if let Some(before) = old.and_then(address)
            && !self.ending.contains(&key.namespace)
            && let Some(leases) = self.leases.get_mut(&before)
        {
            leases.remove(key);
        }
        if let Some((object, after)) = new.and_then(|object| Some((object, address(object)?))) {
            let lease = Lease {
                pool: (
                    text(object, "/spec/poolRef/kind").to_owned(),
                    Key::new(&*key.namespace, text(object, "/spec/poolRef/name")),
                ),
                claim: Key::new(&*key.namespace, text(object, "/spec/claimRef/name")),
                terminating: is_terminating(object),
            };
            self.leases.entry(after).or_default().insert(key.clone(), lease);
        }
    }

    pub(crate) fn put_claim(&mut self, key: &Key, new: Option<&Value>) {
        match new {
            Some(object) => {
                let claim = Claim { owner: controller_uid(object).to_owned(), terminating: is_terminating(object) };
                self.claims.insert(key.clone(), claim);
            }
            None => {
                self.claims.remove(key);
            }
        }
    }

    pub(crate) fn put_machine(&mut self, key: &Key, new: Option<&Value>) {
        if let Some(before) = self.machines.remove(key) {
            self.machine_of_uid.remove(&before.uid);
            if let Some(provider) = &before.provider {
                remove(&mut self.named, provider, key);
            }
        }
        if let Some(machine) = new.map(Machine::read) {
            if let Some(provider) = &machine.provider {
                self.named.entry(provider.clone()).or_default().insert(key.clone());
            }
            if machine.is_ready {
                self.was_ready.insert(machine.uid.clone());
            }
            self.machine_of_uid.insert(machine.uid.clone(), key.clone());
            self.machines.insert(key.clone(), machine);
        }
    }
}

impl Machine {
    pub(crate) fn read(object: &Value) -> Self {
        // The provider ID also tells the namespace.
        let id = text(object, "/spec/providerID").strip_prefix("tinkerbell://").and_then(|id| id.split_once('/'));
        let name = text(object, "/spec/hardwareName");
        let named = (!name.is_empty()).then(|| Key::new(text(object, "/metadata/namespace"), name));
        let provider = id.map(|(namespace, name)| Key::new(namespace, name));
        Self {
            uid: text(object, "/metadata/uid").to_owned(),
            hardware: provider.clone().or(named),
            provider,
            is_ready: object.pointer("/status/ready") == Some(&Value::Bool(true)),
            let_go: meta(object, "annotations", LET_GO).is_some(),
            reinstall: meta(object, "annotations", REINSTALL).is_some(),
            has_pool: object.pointer("/spec/ipamPoolRef").is_some_and(|pool| !pool.is_null()),
            terminating: is_terminating(object),
        }
    }
}

fn remove<K: std::hash::Hash + Eq>(index: &mut HashMap<K, BTreeSet<Key>>, at: &K, key: &Key) {
    if let Some(keys) = index.get_mut(at) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(at);
        }
    }
}
