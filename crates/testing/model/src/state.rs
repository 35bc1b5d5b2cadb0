//! One state of the small world.

use capt_api::meta::ObjectKey;

use crate::object::{Id, KeyId, Kind, Object, Uid, Universe};

/// The first UID that goes to objects that come and go; below are those of servers and machines, each used once.
const FIRST_PASSING: Uid = 256;
/// The first UID of Jobs, whose UIDs also tell which was made later.
const FIRST_JOB: Uid = 2048;

/// A server of iron.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Server {
    /// Whether it is on.
    pub on: bool,
    /// The address with which it runs, and the UID of the claim whose address that is.
    pub uses: Option<(u8, Uid)>,
    /// For which machine its disk was written last.
    pub disk: Option<Uid>,
    /// A person let it go while it was on: what it does is that person's business until it is off.
    pub let_go: bool,
}

/// A machine that holds a server: it says so itself, and has not released it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder {
    /// UID of the machine.
    pub machine: Uid,
    /// The server.
    pub server: u8,
}

/// What may still happen that need not happen: the run ends, for each of these is bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Acts of a person, but for the deletion of machines.
    pub person: u8,
    /// Deletions of machines.
    pub deletions: u8,
    /// Writes whose answer is lost.
    pub lost: u8,
    /// Changes of others of which the stores hear late.
    pub late: u8,
    /// Actions that a BMC refuses.
    pub bmc: u8,
    /// Workflows that fail.
    pub workflow: u8,
}

/// What the manager remembers of a machine from pass to pass, and loses when it crashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// The machine that it is about.
    pub machine: Uid,
    /// Number in the name of a power-off Job that was asked for and not yet seen, for each server.
    pub unconfirmed: [Option<u8>; 2],
    /// Number in the name of the failed Job because of which the power state was read anew, for each server.
    pub asked: [Option<u8>; 2],
    /// For which servers something was seen that might switch them on.
    pub stirred: [bool; 2],
}

/// One state of the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// What the API server holds, by key.
    pub objects: Vec<Id>,
    /// Where the manager's stores are behind: what they hold in its place.
    pub late: Vec<(KeyId, Option<Id>)>,
    /// What the manager remembers of each machine.
    pub memories: Vec<Memory>,
    /// The servers, in the order of their Hardware.
    pub servers: Vec<Server>,
    /// Who holds which server.
    pub holders: Vec<Holder>,
    /// Workflows that were deleted while tink-controller worked on them.
    pub tink: Vec<Id>,
    /// Whether the namespace of everything is being deleted.
    pub namespace_ends: bool,
    /// Next UID of a machine or a Hardware made anew.
    pub next_uid: Uid,
    /// What may still happen.
    pub budget: Budget,
}

impl State {
    /// The object of this key on the server.
    pub fn at(&self, universe: &Universe, key: KeyId) -> Option<Id> {
        self.objects.iter().copied().find(|id| universe.get(*id).key_id == key)
    }

    /// The object of this kind and key on the server.
    pub fn find(&self, universe: &Universe, kind: Kind, key: &ObjectKey) -> Option<Id> {
        self.at(universe, universe.known_key(kind, key)?)
    }

    /// All objects of a kind.
    pub fn of_kind<'a>(&'a self, universe: &'a Universe, kind: Kind) -> impl Iterator<Item = (Id, &'a Object)> {
        self.objects.iter().map(|id| (*id, universe.get(*id))).filter(move |(_, object)| object.kind == kind)
    }

    /// The object with this UID.
    pub fn by_uid<'a>(&'a self, universe: &'a Universe, uid: Uid) -> Option<&'a Object> {
        self.objects.iter().map(|id| universe.get(*id)).find(|object| object.uid == uid)
    }

    /// Puts an object on the server, in the place of what is there.
    pub fn put(&mut self, universe: &Universe, id: Id) {
        let key = universe.get(id).key_id;
        match self.objects.binary_search_by_key(&key, |other| universe.get(*other).key_id) {
            Ok(place) => self.objects[place] = id,
            Err(place) => self.objects.insert(place, id),
        }
    }

    /// Takes an object off the server.
    pub fn remove(&mut self, universe: &Universe, id: Id) {
        let object = universe.get(id);
        // tink-controller works on what its cache holds, for a while.
        if object.kind == Kind::Workflow && matches!(object.text("/status/state"), "" | "PREPARING") {
            let untouched = object.json.pointer("/status/bootOptions").is_none();
            if !object.text("/spec/bootOptions/bootMode").is_empty() && untouched && !self.tink.contains(&id) {
                self.tink.push(id);
                self.tink.sort_unstable();
            }
        }
        self.objects.retain(|other| *other != id);
    }

    /// What the manager's stores hold under this key.
    pub fn seen(&self, universe: &Universe, key: KeyId) -> Option<Id> {
        match self.late.iter().find(|(late, _)| *late == key) {
            Some((_, held)) => *held,
            None => self.at(universe, key),
        }
    }

    /// Everything that the manager's stores hold, by key.
    pub fn view(&self, universe: &Universe) -> Vec<Id> {
        let is_late = |id: &Id| self.late.iter().any(|(key, _)| *key == universe.get(*id).key_id);
        let mut view: Vec<Id> = self.objects.iter().copied().filter(|id| !is_late(id)).collect();
        view.extend(self.late.iter().filter_map(|(_, held)| *held));
        view.sort_unstable_by_key(|id| universe.get(*id).key_id);
        view
    }

    /// The stores hear of what is under this key now.
    pub fn hear(&mut self, key: KeyId) {
        self.late.retain(|(late, _)| *late != key);
    }

    /// The stores still hold this, whatever the server has.
    pub fn miss(&mut self, universe: &Universe, key: KeyId, held: Option<Id>) {
        if self.late.iter().any(|(late, _)| *late == key) {
            return;
        }
        if self.at(universe, key) != held {
            self.late.push((key, held));
            self.late.sort_unstable();
        }
    }

    /// A UID that stands nowhere: objects that are gone and forgotten are one and the same, so that the world is finite.
    pub fn fresh_uid(&self, universe: &Universe, kind: Kind) -> Uid {
        let mut used: Vec<Uid> = Vec::new();
        for id in self.everything() {
            used.extend(&universe.get(id).mentions);
        }
        used.extend(self.servers.iter().filter_map(|server| server.uses).map(|(_, claim)| claim));
        if kind == Kind::Job {
            return used.iter().copied().filter(|uid| *uid >= FIRST_JOB).max().map_or(FIRST_JOB, |last| last + 1);
        }
        (FIRST_PASSING..).find(|uid| !used.contains(uid)).unwrap_or(FIRST_PASSING)
    }

    /// Every object that stands anywhere, also where it only is remembered.
    pub fn everything(&self) -> impl Iterator<Item = Id> {
        let late = self.late.iter().filter_map(|(_, held)| *held);
        self.objects.iter().copied().chain(late).chain(self.tink.iter().copied())
    }

    /// The machine with this UID, if it still exists.
    pub fn machine_exists(&self, universe: &Universe, uid: Uid) -> bool {
        self.by_uid(universe, uid).is_some_and(|object| object.kind == Kind::TinkerbellMachine)
    }
}
