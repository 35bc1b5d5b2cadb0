//! The board: how far each machine is, read off the writes.

mod row;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use capt_invariants::{Key, Write, meta, text};

pub use row::{Address, Leftovers, Row, Stage};

/// What a Hardware shows.
#[derive(Clone, Debug, Default)]
struct Server {
    owner: Option<Key>,
    ips: Vec<Value>,
    /// The addresses it had when it was first seen.
    given: Vec<Value>,
}

#[derive(Clone, Debug)]
struct Machine {
    row: Row,
    ready: bool,
    deleting: bool,
    gone: bool,
    was_provisioned: bool,
    /// Stage and reason that were last told.
    told: Option<(Stage, String)>,
}

#[derive(Default)]
struct State {
    machines: BTreeMap<Key, Machine>,
    servers: HashMap<Key, Server>,
    of_server: HashMap<Key, Key>,
    claims: HashSet<Key>,
    addresses: HashSet<Key>,
    running: HashSet<Key>,
    /// Objects of others, by resource; they are left out.
    others: HashSet<(String, Key)>,
    news: Vec<Row>,
}

/// The board. Cheap to clone; all clones are one board.
#[derive(Clone, Default)]
pub struct Board {
    state: Arc<Mutex<State>>,
}

impl Board {
    /// Sees a write.
    pub fn see(&self, write: &Write<'_>) {
        if self.is_of_others(write) {
            return;
        }
        let mut state = self.state.lock();
        let key = write.key();
        match (write.group, write.resource) {
            ("infrastructure.cluster.x-k8s.io", "tinkerbellmachines") => state.machine(key, write.new),
            ("tinkerbell.org", "hardware") => state.server(key, write.new),
            ("ipam.cluster.x-k8s.io", "ipaddressclaims") => keep(&mut state.claims, key, write.new.is_some()),
            ("ipam.cluster.x-k8s.io", "ipaddresses") => keep(&mut state.addresses, key, write.new.is_some()),
            _ => {}
        }
    }

    /// Whether it is about an object that is left out.
    pub fn is_of_others(&self, write: &Write<'_>) -> bool {
        let others = &self.state.lock().others;
        !others.is_empty() && others.contains(&(write.resource.to_owned(), write.key()))
    }

    /// Leaves out everything that was seen so far: it belongs to others, on a control plane that they use too.
    pub fn forget(&self) {
        let mut state = self.state.lock();
        let State { machines, servers, claims, addresses, .. } = std::mem::take(&mut *state);
        let others = [
            ("tinkerbellmachines", machines.into_keys().collect::<Vec<_>>()),
            ("hardware", servers.into_keys().collect()),
            ("ipaddressclaims", claims.into_iter().collect()),
            ("ipaddresses", addresses.into_iter().collect()),
        ];
        let named =
            others.into_iter().flat_map(|(resource, keys)| keys.into_iter().map(move |key| (resource.to_owned(), key)));
        state.others = named.collect();
    }

    /// Sees a server being switched on or off.
    pub fn power(&self, bmc: Key, on: bool) {
        keep(&mut self.state.lock().running, bmc, on);
    }

    /// Every machine that was ever seen, by name.
    pub fn rows(&self) -> Vec<Row> {
        self.state.lock().machines.values().map(|machine| machine.row.clone()).collect()
    }

    /// How many machines are at a stage.
    pub fn count(&self, stage: Stage) -> usize {
        self.state.lock().machines.values().filter(|machine| machine.row.stage == stage).count()
    }

    /// How many machines there ever were, and how many of them were provisioned.
    pub fn ever(&self) -> (usize, usize) {
        let machines = &self.state.lock().machines;
        (machines.len(), machines.values().filter(|machine| machine.was_provisioned).count())
    }

    /// Machines that came to another stage, or wait for another reason, since this was last asked.
    pub fn take_news(&self) -> Vec<Row> {
        std::mem::take(&mut self.state.lock().news)
    }

    /// Every address of a provisioned machine.
    pub fn addresses(&self) -> Vec<Address> {
        let state = self.state.lock();
        let provisioned = state.machines.values().filter(|machine| machine.row.stage == Stage::Provisioned);
        let of_machine = |machine: &Machine| {
            let hardware = machine.row.hardware.as_ref()?;
            let ip = state.servers.get(hardware)?.ips.first()?;
            Some(Address {
                machine: machine.row.machine.name.clone(),
                hardware: hardware.name.clone(),
                address: text(ip, "/address").to_owned(),
                netmask: text(ip, "/netmask").to_owned(),
                gateway: text(ip, "/gateway").to_owned(),
            })
        };
        provisioned.filter_map(of_machine).collect()
    }

    /// What is left of machines.
    pub fn leftovers(&self) -> Leftovers {
        let state = self.state.lock();
        let servers = |of: &dyn Fn(&Server) -> bool| {
            let mut keys: Vec<Key> =
                state.servers.iter().filter(|(_, server)| of(server)).map(|(key, _)| key.clone()).collect();
            keys.sort();
            keys
        };
        let mut running: Vec<Key> = state.running.iter().cloned().collect();
        running.sort();
        Leftovers {
            machines: state.machines.values().filter(|machine| !machine.gone).count(),
            claims: state.claims.len(),
            addresses: state.addresses.len(),
            held: servers(&|server| server.owner.is_some()),
            addressed: servers(&|server| server.ips != server.given),
            running,
        }
    }
}

impl State {
    fn machine(&mut self, key: Key, new: Option<&Value>) {
        if let Some(object) = new {
            let id = text(object, "/spec/providerID").strip_prefix("tinkerbell://").and_then(|id| id.split_once('/'));
            let machine = self.machines.entry(key.clone()).or_insert_with(|| Machine {
                row: Row {
                    machine: key.clone(),
                    stage: Stage::Selecting,
                    hardware: None,
                    address: None,
                    why: String::new(),
                },
                ready: false,
                deleting: false,
                gone: false,
                was_provisioned: false,
                told: None,
            });
            machine.row.hardware = id.map(|(namespace, name)| Key::new(namespace, name));
            machine.ready = is_ready(object);
            machine.deleting = !text(object, "/metadata/deletionTimestamp").is_empty();
            machine.gone = false;
            machine.row.why = why(object, machine.deleting);
            if let Some(server) = machine.row.hardware.clone() {
                self.of_server.insert(server, key.clone());
            }
        } else if let Some(machine) = self.machines.get_mut(&key) {
            machine.gone = true;
            machine.row.why.clear();
        }
        self.advance(&key, false);
    }

    fn server(&mut self, key: Key, new: Option<&Value>) {
        let Some(object) = new else {
            self.servers.remove(&key);
            return;
        };
        let namespace = meta(object, "labels", "v1alpha1.tinkerbell.org/ownerNamespace").unwrap_or_default();
        let owner = meta(object, "labels", "v1alpha1.tinkerbell.org/ownerName");
        let interfaces = object.pointer("/spec/interfaces").and_then(Value::as_array);
        let ips = interfaces.into_iter().flatten().filter_map(|interface| interface.pointer("/dhcp/ip")).cloned();
        let ips: Vec<Value> = ips.filter(|ip| !ip.is_null()).collect();
        let server =
            self.servers.entry(key.clone()).or_insert_with(|| Server { given: ips.clone(), ..Server::default() });
        server.owner = owner.map(|name| Key::new(namespace, name));
        server.ips = ips;
        if let Some(machine) = self.of_server.get(&key).cloned() {
            self.advance(&machine, true);
        }
    }

    /// Puts the machine at the stage that its objects show; `of_server` if its Hardware was written, not itself.
    fn advance(&mut self, key: &Key, of_server: bool) {
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        let server = machine.row.hardware.as_ref().and_then(|hardware| self.servers.get(hardware));
        let own = server.filter(|server| server.owner.as_ref() == Some(key));
        let address = own.and_then(|server| server.ips.first()).map(|ip| text(ip, "/address").to_owned());
        let stage = if machine.gone {
            Stage::Released
        } else if machine.deleting {
            Stage::Releasing
        } else if machine.ready {
            Stage::Provisioned
        } else if own.is_none() {
            Stage::Selecting
        } else if address.is_none() {
            Stage::Addressing
        } else {
            Stage::Booting
        };
        // What the machine said of an earlier stage says nothing of this one; it is about to speak.
        if of_server && stage != machine.row.stage {
            machine.row.why.clear();
        }
        machine.row.stage = stage;
        machine.row.address = address;
        machine.was_provisioned |= stage == Stage::Provisioned;
        let told = (stage, machine.row.why.clone());
        if machine.told.as_ref() != Some(&told) {
            machine.told = Some(told);
            self.news.push(machine.row.clone());
        }
    }
}

fn is_ready(object: &Value) -> bool {
    let is_true = |pointer| object.pointer(pointer) == Some(&Value::Bool(true));
    is_true("/status/ready") || is_true("/status/initialization/provisioned")
}

/// What the machine itself says it waits for. While it is paused its other conditions are of before.
fn why(object: &Value, deleting: bool) -> String {
    let progress = if deleting { ("Deleting", "True") } else { ("Ready", "False") };
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let find = |(type_, status): (&str, &str)| {
        let mut all = conditions.into_iter().flatten();
        all.find(|condition| text(condition, "/type") == type_ && text(condition, "/status") == status)
    };
    let Some(condition) = find(("Paused", "True")).or_else(|| find(progress)) else {
        return String::new();
    };
    let (reason, message) = (text(condition, "/reason"), text(condition, "/message"));
    if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") }
}

fn keep(set: &mut HashSet<Key>, key: Key, there: bool) {
    if there {
        set.insert(key);
    } else {
        set.remove(&key);
    }
}

#[cfg(test)]
mod tests;
