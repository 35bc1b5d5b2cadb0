//! Which addresses are in use, and by whom.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What an address is to the object that uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// An interface of a Hardware carries it.
    HardwareAddress,
    /// It is the gateway of an interface. Many may share one.
    Gateway,
    /// It is the control-plane endpoint of a cluster.
    Endpoint,
}

/// The addresses in use, by address and by owner. `K` names the owner: an object whose addresses are known together.
///
/// Tinkerbell finds a server by its address and wants exactly one hit, so an address may not be given to a second
/// Hardware, nor be that of a gateway or of a control-plane endpoint. Questions and changes cost the logarithm of the
/// number of addresses, however many Hardware there are.
///
/// What an owner used before is for the caller to say, who has the object: a second copy here would cost each Hardware
/// 140 bytes.
#[derive(Clone, Debug)]
pub struct AddressIndex<K> {
    users: BTreeMap<IpAddr, Users<K>>,
}

/// Who uses one address. Nearly every address has one user, so that a set each would mostly hold room for others.
#[derive(Clone, Debug)]
enum Users<K> {
    One((K, Role)),
    Many(BTreeSet<(K, Role)>),
}

impl<K: Ord + Clone> Users<K> {
    fn insert(&mut self, user: (K, Role)) {
        match self {
            Self::One(only) if *only == user => {}
            Self::One(first) => *self = Self::Many(BTreeSet::from([first.clone(), user])),
            Self::Many(all) => {
                all.insert(user);
            }
        }
    }

    /// Removes a user; says whether none is left.
    fn remove(&mut self, user: &(K, Role)) -> bool {
        match self {
            Self::One(only) => only == user,
            Self::Many(all) => {
                all.remove(user);
                all.is_empty()
            }
        }
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &(K, Role)> {
        let (one, many) = match self {
            Self::One(only) => (Some(only), None),
            Self::Many(all) => (None, Some(all.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

impl<K> Default for AddressIndex<K> {
    fn default() -> Self {
        Self { users: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> AddressIndex<K> {
    /// An index that knows no address.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one use of an address. Adding it twice is the same as adding it once.
    pub fn insert(&mut self, owner: K, role: Role, addr: IpAddr) {
        let user = (owner, role);
        match self.users.entry(addr) {
            Entry::Vacant(entry) => {
                entry.insert(Users::One(user));
            }
            Entry::Occupied(entry) => entry.into_mut().insert(user),
        }
    }

    /// Forgets one use of an address. One that is not known is none.
    pub fn remove(&mut self, owner: &K, role: Role, addr: IpAddr) {
        if self.users.get_mut(&addr).is_some_and(|users| users.remove(&(owner.clone(), role))) {
            self.users.remove(&addr);
        }
    }

    /// Makes `new` all that an owner uses, who used all of `old` before.
    pub fn replace(
        &mut self,
        owner: &K,
        old: impl IntoIterator<Item = (Role, IpAddr)>,
        new: impl IntoIterator<Item = (Role, IpAddr)>,
    ) {
        for (role, addr) in old {
            self.remove(owner, role, addr);
        }
        for (role, addr) in new {
            self.insert(owner.clone(), role, addr);
        }
    }

    /// Who stands in the way of giving `addr` to an interface of `except`: every other owner that uses it, in any role,
    /// ordered by owner.
    pub fn conflicts(&self, addr: IpAddr, except: &K) -> impl DoubleEndedIterator<Item = (&K, Role)> {
        self.users
            .get(&addr)
            .into_iter()
            .flat_map(Users::iter)
            .filter(move |(owner, _)| owner != except)
            .map(|(owner, role)| (owner, *role))
    }

    /// Whether no address is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}
