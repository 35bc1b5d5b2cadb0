//! The small worlds: what is there at the start, and who may meddle.

use capt_api::meta::ObjectKey;
use serde_json::{Value, json};

use crate::explore;
use crate::faults::Fault;
use crate::object::{Kind, Uid, Universe, uid_text};
use crate::server::THEN;
use crate::state::{Budget, Memory, Server, State};

/// All addresses of the pool.
pub const ADDRESSES: [&str; 2] = ["10.0.0.1", "10.0.0.2"];
/// The address that a person writes to a Hardware by hand.
pub const BY_HAND: &str = "10.0.0.99";

/// What a person may do, but for the deletion of machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Takes the owner labels off a Hardware.
    StripLabels,
    /// Takes the mark `provisioned` off a Hardware.
    DropMark,
    /// Replaces a Hardware by its manifest, which knows nothing of us.
    Blank,
    /// Deletes a Hardware, finalizers or not, and makes it again from its manifest.
    Replace,
    /// Deletes a Workflow.
    DeleteWorkflow,
    /// Deletes a Template.
    DeleteTemplate,
    /// Deletes a Job.
    DeleteJob,
    /// Makes a machine again that is gone.
    Recreate,
    /// Writes an address to a Hardware that has none.
    WriteAddress,
    /// Lets a machine go without proof that its server is off.
    LetGo,
    /// Deletes the namespace of everything.
    DeleteNamespace,
}

/// A server as the objects describe it.
#[derive(Clone, Debug)]
pub struct ServerKeys {
    /// Its Hardware.
    pub hardware: ObjectKey,
    /// Its BMC Machine.
    pub bmc: ObjectKey,
}

/// A small world.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// The machines.
    pub machines: Vec<ObjectKey>,
    /// The servers.
    pub servers: Vec<ServerKeys>,
    /// What a person may do.
    pub acts: &'static [Act],
    /// How often it may happen.
    pub budget: Budget,
    /// Whether the provider frees an address as soon as its claim is being deleted, or waits for others' finalizers.
    pub frees_at_once: bool,
    /// Whether machines take their addresses from a pool.
    pub has_pool: bool,
    /// How many of the machines are ready at the start.
    pub ready: usize,
    /// Whether every order is explored, also of what nobody else looks at.
    pub every_order: bool,
    /// A fault put back.
    pub fault: Option<Fault>,
}

const NOTHING: Budget = Budget { person: 0, deletions: 2, lost: 0, late: 0, bmc: 0, workflow: 0 };

impl Scenario {
    fn new(name: &'static str, about: &'static str) -> Self {
        let server = |name: &str| ServerKeys {
            hardware: ObjectKey::new("metal", name),
            bmc: ObjectKey::new("metal", format!("bmc-{name}")),
        };
        Self {
            name,
            about,
            machines: vec![ObjectKey::new("default", "m1"), ObjectKey::new("default", "m2")],
            servers: vec![server("a"), server("b")],
            acts: &[],
            budget: NOTHING,
            frees_at_once: true,
            has_pool: true,
            ready: 0,
            every_order: false,
            fault: None,
        }
    }

    /// Every small world.
    pub fn all() -> Vec<Self> {
        use Act::{
            Blank, DeleteJob, DeleteNamespace, DeleteTemplate, DeleteWorkflow, DropMark, LetGo, Recreate, Replace,
            StripLabels, WriteAddress,
        };
        let one_namespace = |scenario: Self| {
            let move_to = |key: &ObjectKey| ObjectKey::new("default", &key.name);
            let servers = scenario.servers.iter();
            let servers =
                servers.map(|s| ServerKeys { hardware: move_to(&s.hardware), bmc: move_to(&s.bmc) }).collect();
            Self { servers, ..scenario }
        };
        let namesakes = vec![ObjectKey::new("tenant-a", "m"), ObjectKey::new("tenant-b", "m")];
        vec![
            Self::new("lives", "two machines are made and deleted at any time"),
            Self {
                budget: Budget { bmc: 1, lost: 1, late: 1, ..NOTHING },
                ready: 2,
                ..Self::new(
                    "ends",
                    "two ready machines are deleted; a BMC fails, an answer is lost, a change is heard of late",
                )
            },
            Self {
                budget: Budget { lost: 1, late: 1, ..NOTHING },
                ..Self::new("late", "two machines are made and deleted; an answer is lost, a change is heard of late")
            },
            Self {
                budget: Budget { bmc: 1, deletions: 1, ..NOTHING },
                ready: 1,
                ..Self::new("bmc", "a BMC fails while one machine is there and another one comes")
            },
            Self {
                acts: &[StripLabels, DropMark, Blank, Replace, DeleteWorkflow, DeleteTemplate, DeleteJob],
                budget: Budget { person: 2, ..NOTHING },
                ready: 1,
                ..Self::new(
                    "person",
                    "a person meddles with the objects of a machine that is ready, and of one that comes",
                )
            },
            Self {
                acts: &[Recreate, DeleteJob, DeleteWorkflow, StripLabels, Blank, LetGo, WriteAddress],
                budget: Budget { person: 2, late: 1, deletions: 2, ..NOTHING },
                ready: 1,
                ..Self::new("again", "a machine is made again under its name")
            },
            Self {
                machines: namesakes,
                budget: Budget { bmc: 1, ..NOTHING },
                ..Self::new("namesakes", "two machines of one name in two namespaces, their Hardware in a third")
            },
            one_namespace(Self {
                acts: &[DeleteNamespace],
                budget: Budget { person: 1, deletions: 0, ..NOTHING },
                frees_at_once: false,
                ready: 1,
                ..Self::new("namespace", "the namespace of everything is deleted")
            }),
        ]
    }

    /// A small world with a fault put back, in which it shows after few events.
    pub fn of(fault: Fault) -> Self {
        let (name, _) = fault.about();
        let base = Self {
            budget: Budget { deletions: 1, ..NOTHING },
            ready: 1,
            fault: Some(fault),
            ..Self::new(name, fault.about().1)
        };
        match fault {
            Fault::OneJobName => Self { budget: Budget { bmc: 1, ..base.budget }, ..base },
            Fault::BootJobsIgnored => {
                Self { ready: 0, machines: base.machines.iter().take(1).cloned().collect(), ..base }
            }
            Fault::AnyJobProves => Self { budget: Budget { deletions: 2, ..base.budget }, ready: 2, ..base },
            Fault::LabelsAlone => Self { acts: &[Act::StripLabels], budget: Budget { person: 1, ..NOTHING }, ..base },
            Fault::InstalledAgain => Self {
                acts: &[Act::DropMark, Act::DeleteWorkflow],
                budget: Budget { person: 2, deletions: 0, ..NOTHING },
                ..base
            },
            Fault::NoPowerOff => base,
        }
    }

    /// The state at the start.
    pub fn start(&self, universe: &mut Universe) -> State {
        let mut state = State {
            objects: Vec::new(),
            late: Vec::new(),
            memories: vec![Memory::default(); self.machines.len()],
            servers: vec![Server::default(); self.servers.len()],
            holders: Vec::new(),
            tink: Vec::new(),
            namespace_ends: false,
            next_uid: 64,
            budget: Budget::default(),
        };
        let mut number = 1;
        let mut put = |universe: &mut Universe, state: &mut State, kind, key: &ObjectKey, rest: Value| {
            number += 1;
            make(universe, state, kind, key, number, rest);
        };
        let mut namespaces: Vec<&str> = self.machines.iter().map(|key| key.namespace.as_str()).collect();
        namespaces.dedup();
        for namespace in namespaces {
            let cluster = ObjectKey::new(namespace, "c");
            let reference =
                json!({"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TinkerbellCluster", "name": "c"});
            put(universe, &mut state, Kind::Cluster, &cluster, json!({"spec": {"infrastructureRef": reference}}));
            put(universe, &mut state, Kind::TinkerbellCluster, &cluster, json!({"status": {"ready": true}}));
        }
        for server in &self.servers {
            put(universe, &mut state, Kind::Hardware, &server.hardware, manifest(server));
            put(universe, &mut state, Kind::BmcMachine, &server.bmc, json!({}));
        }
        for (n, machine) in self.machines.iter().enumerate() {
            let owner = owner_of(machine);
            let spec = json!({"clusterName": "c", "version": "v1.31.0", "bootstrap": {"dataSecretName": "boot"}});
            put(universe, &mut state, Kind::Machine, &owner, json!({ "spec": spec }));
            let rest = self.machine(universe, &state, machine);
            put(universe, &mut state, Kind::TinkerbellMachine, machine, rest);
            if n < self.ready {
                state = explore::settled(universe, self, state);
            }
        }
        state.budget = self.budget;
        state
    }

    /// A TinkerbellMachine as Cluster API makes it, without its name.
    pub fn machine(&self, universe: &Universe, state: &State, key: &ObjectKey) -> Value {
        let owner = owner_of(key);
        let uid =
            state.find(universe, Kind::Machine, &owner).map(|id| universe.get(id).text("/metadata/uid").to_owned());
        let pool = json!({"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "pool"});
        let mut spec = json!({"bootOptions": {"bootMode": "netboot"}, "templateOverride": "x"});
        if self.has_pool {
            spec["ipamPoolRef"] = pool;
        }
        json!({"metadata": {"ownerReferences": [
            {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine", "name": owner.name, "uid": uid}]},
            "spec": spec})
    }
}

fn owner_of(machine: &ObjectKey) -> ObjectKey {
    ObjectKey::new(&machine.namespace, format!("owner-of-{}", machine.name))
}

/// What a Hardware's manifest says, without its name.
pub fn manifest(server: &ServerKeys) -> Value {
    let mac = format!("00:00:00:00:00:0{}", server.hardware.name);
    json!({"spec": {"bmcRef": {"name": server.bmc.name}, "disks": [{"device": "/dev/sda"}],
        "metadata": {"instance": {"id": mac}},
        "interfaces": [{"netboot": {"allowPXE": true}, "dhcp": {"mac": mac}}]}})
}

/// Puts an object of this UID on the server.
pub fn make(universe: &mut Universe, state: &mut State, kind: Kind, key: &ObjectKey, uid: Uid, rest: Value) {
    let mut body = rest;
    body["metadata"]["namespace"] = json!(key.namespace);
    body["metadata"]["name"] = json!(key.name);
    body["metadata"]["uid"] = json!(uid_text(uid));
    body["metadata"]["creationTimestamp"] = json!(THEN);
    let id = universe.intern(kind, body);
    state.put(universe, id);
}
