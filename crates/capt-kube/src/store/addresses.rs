//! Who uses which address, over several kinds, with the addresses that are just being written.

use std::net::IpAddr;
use std::sync::Arc;

use ahash::AHashMap;
use capt_api::meta::ObjectKey;
use capt_ipam_core::{AddressIndex, Role, canonical};
use capt_reconciler::observed::cluster_api::Cluster;
use capt_reconciler::observed::infra::{ApiEndpoint, TinkerbellCluster};
use capt_reconciler::observed::tinkerbell::Hardware;
use capt_reconciler::ports::AddressUse;
use parking_lot::Mutex;

use super::Index;

/// Of so many Hardware with one address it is told who they are.
const FEW: usize = 8;

/// An object that uses addresses. Hardware is the least of them, so that it stands first where they are ordered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A server, by its interfaces.
    Hardware(Arc<ObjectKey>),
    /// Our cluster, by its endpoint.
    TinkerbellCluster(Arc<ObjectKey>),
    /// Cluster API's cluster, by its endpoint.
    Cluster(Arc<ObjectKey>),
}

/// The addresses in use.
#[derive(Default)]
pub struct Addresses {
    index: AddressIndex<Owner>,
    held: AHashMap<IpAddr, ObjectKey>,
}

impl Addresses {
    /// Who uses the address, but for the Hardware it is meant for: first who is about to get it, then up to `FEW` Hardware,
    /// then all endpoints. A gateway may have tens of thousands of users, and nobody needs to know them all.
    pub fn users(&self, address: IpAddr, except: &ObjectKey) -> Vec<AddressUse> {
        let except = Arc::new(except.clone());
        let held = self.held.get(&address).filter(|holder| **holder != *except);
        let mut users: Vec<_> = held.map(|holder| in_use("Hardware", holder, "address")).into_iter().collect();
        let except = Owner::Hardware(except);
        let is_hardware = |(owner, _): &(&Owner, Role)| matches!(owner, Owner::Hardware(_));
        let conflicts = || self.index.conflicts(address, &except);
        let hardware = conflicts().take_while(is_hardware).take(FEW);
        // Ordered by owner: Hardware comes before clusters, and so last when read from the end.
        let endpoints = conflicts().rev().take_while(|user| !is_hardware(user));
        for (owner, role) in hardware.chain(endpoints) {
            let (kind, key) = match owner {
                Owner::Hardware(key) => ("Hardware", key),
                Owner::TinkerbellCluster(key) => ("TinkerbellCluster", key),
                Owner::Cluster(key) => ("Cluster", key),
            };
            let role = match role {
                Role::HardwareAddress => "address",
                Role::Gateway => "gateway",
                Role::Endpoint => "control-plane endpoint",
            };
            let user = in_use(kind, key, role);
            // Whoever is about to get it may have it by now.
            if users.first() != Some(&user) {
                users.push(user);
            }
        }
        users
    }

    /// Keeps the address for a Hardware while it is written there.
    ///
    /// # Errors
    /// The Hardware that has it or is about to get it.
    pub fn hold(&mut self, address: IpAddr, hardware: &ObjectKey) -> Result<(), ObjectKey> {
        if let Some(holder) = self.held.get(&address) {
            return Err(holder.clone());
        }
        let me = Owner::Hardware(Arc::new(hardware.clone()));
        for (owner, role) in self.index.conflicts(address, &me) {
            if let (Owner::Hardware(other), Role::HardwareAddress) = (owner, role) {
                return Err((**other).clone());
            }
        }
        self.held.insert(address, hardware.clone());
        Ok(())
    }

    /// Ends [`hold`](Self::hold).
    pub fn release(&mut self, address: IpAddr) {
        self.held.remove(&address);
    }
}

fn in_use(kind: &'static str, key: &ObjectKey, role: &'static str) -> AddressUse {
    AddressUse { kind, key: key.clone(), role }
}

/// The addresses that an object uses.
pub fn of_hardware(hardware: &Hardware) -> impl Iterator<Item = (Role, IpAddr)> {
    let addresses = hardware.addresses().filter_map(canonical).map(|address| (Role::HardwareAddress, address));
    addresses.chain(hardware.gateways().filter_map(canonical).map(|address| (Role::Gateway, address)))
}

/// The address of an endpoint, if it is one and no host name.
pub fn of_endpoint(endpoint: Option<&ApiEndpoint>) -> Option<IpAddr> {
    canonical(&endpoint?.host)
}

/// Puts the addresses of an object into the common index.
pub struct AddressesOf(pub Arc<Mutex<Addresses>>);

impl AddressesOf {
    fn replace(&self, owner: Owner, old: Vec<(Role, IpAddr)>, new: Vec<(Role, IpAddr)>) {
        if old != new {
            self.0.lock().index.replace(&owner, old, new);
        }
    }
}

impl Index<Hardware> for AddressesOf {
    fn update(&mut self, key: &Arc<ObjectKey>, old: Option<&Hardware>, new: Option<&Hardware>) {
        let all = |hardware: Option<&Hardware>| hardware.into_iter().flat_map(of_hardware).collect();
        self.replace(Owner::Hardware(key.clone()), all(old), all(new));
    }
}

impl Index<TinkerbellCluster> for AddressesOf {
    fn update(&mut self, key: &Arc<ObjectKey>, old: Option<&TinkerbellCluster>, new: Option<&TinkerbellCluster>) {
        let all = |cluster: Option<&TinkerbellCluster>| {
            endpoint(cluster.and_then(|cluster| cluster.spec.control_plane_endpoint.as_ref()))
        };
        self.replace(Owner::TinkerbellCluster(key.clone()), all(old), all(new));
    }
}

impl Index<Cluster> for AddressesOf {
    fn update(&mut self, key: &Arc<ObjectKey>, old: Option<&Cluster>, new: Option<&Cluster>) {
        let all = |cluster: Option<&Cluster>| {
            endpoint(cluster.and_then(|cluster| cluster.spec.control_plane_endpoint.as_ref()))
        };
        self.replace(Owner::Cluster(key.clone()), all(old), all(new));
    }
}

fn endpoint(endpoint: Option<&ApiEndpoint>) -> Vec<(Role, IpAddr)> {
    of_endpoint(endpoint).map(|address| (Role::Endpoint, address)).into_iter().collect()
}
