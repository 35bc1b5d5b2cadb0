//! What the observer knows of the objects, put together from the writes alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use serde_json::Value;

use super::write::{Key, controller_uid, is_terminating, meta, text};

const OWNER_NAME: &str = "v1alpha1.tinkerbell.org/ownerName";
const OWNER_NAMESPACE: &str = "v1alpha1.tinkerbell.org/ownerNamespace";
const PROVISIONED: &str = "v1alpha1.tinkerbell.org/provisioned";
const RESERVATION: &str = "capt.tinkerbell.org/ipam-reservation";

/// A Hardware.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hardware {
    /// The machine whose labels it carries.
    pub(crate) owner: Option<Key>,
    pub(crate) terminating: bool,
    pub(crate) provisioned: bool,
    pub(crate) has_user_data: bool,
    pub(crate) has_record: bool,
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
    pub(crate) has_pool: bool,
    pub(crate) terminating: bool,
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
            self.running.insert(bmc);
        } else {
            self.running.remove(&bmc);
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
        self.hardware.insert(key.clone(), after);
    }

    /// Keeps up what the manager wrote. What somebody else wiped is kept, for it may be put back; what somebody else
    /// replaced is theirs.
    fn remember_written(&mut self, key: &Key, after: Option<&Hardware>, by_manager: bool) {
        let Some(after) = after else {
            self.written.remove(key);
            return;
        };
        let before = self.hardware.get(key);
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
            Some(ip) => *ip == written.ip,
            None => !by_manager && after.owner.is_some(),
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
        if let Some(before) = old.and_then(address)
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
        }
        if let Some(machine) = new.map(Machine::read) {
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
        Self {
            uid: text(object, "/metadata/uid").to_owned(),
            hardware: id.map(|(namespace, name)| Key::new(namespace, name)).or(named),
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
