//! A stand-in for Cluster API: the cluster, its kubeadm control plane, its MachineDeployments and Machines.
//!
//! The infrastructure is CAPT's: TinkerbellCluster, TinkerbellMachine, TinkerbellMachineTemplate. No node is ever asked
//! anything; bootstrap data is a text with a token that tests can look for.

mod availability;
mod cluster;
mod conditions;
mod control_plane;
mod deployment;
mod machine;
mod make;
mod names;
mod options;
mod status;

use std::sync::Arc;
use std::time::Duration;

use ahash::AHashSet;
use kube::Client;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::engine::{Change, Clock, Key, Object, Queue, Store, Tasks, Timers, kinds, work};

pub use make::bootstrap_token;
pub use options::Options;

/// Changes of many Machines come to their owner as one.
const GATHER: Duration = Duration::from_millis(50);

/// What the workers share.
struct ClusterApi {
    options: Options,
    client: Client,
    clock: Clock,
    timers: Timers,
    clusters: Arc<Store>,
    machines: Arc<Store>,
    deployments: Arc<Store>,
    sets: Arc<Store>,
    control_planes: Arc<Store>,
    infra_clusters: Arc<Store>,
    infra_machines: Arc<Store>,
    infra_templates: Arc<Store>,
    /// UIDs of Machines that have their infrastructure object: it is made once only.
    equipped: Arc<Mutex<AHashSet<String>>>,
}

/// Who is to be looked at.
#[derive(Clone)]
struct Queues {
    clusters: Queue<Key>,
    machines: Queue<Key>,
    deployments: Queue<Key>,
    control_planes: Queue<Key>,
}

/// A running Cluster API.
pub struct ClusterApiControllers {
    tasks: Tasks,
}

impl ClusterApiControllers {
    /// Starts Cluster API on a client of its own. It stops when `token` is cancelled, or by [`Self::stop`].
    pub fn start(client: &Client, options: Options, token: &CancellationToken) -> Self {
        let tasks = Tasks::under(token);
        let queues = Queues {
            clusters: Queue::new(&tasks),
            machines: Queue::new(&tasks),
            deployments: Queue::new(&tasks),
            control_planes: Queue::new(&tasks),
        };
        let equipped: Arc<Mutex<AHashSet<String>>> = Arc::default();
        let api = Arc::new(ClusterApi::watch(&tasks, client, options, &queues, &equipped));
        let workers = tasks.clone();
        tasks.spawn(async move {
            api.wait_synced().await;
            work(&workers, &queues.clusters, &Arc::new(cluster::Clusters(Arc::clone(&api))), 4);
            work(&workers, &queues.control_planes, &Arc::new(control_plane::ControlPlanes(Arc::clone(&api))), 4);
            work(&workers, &queues.deployments, &Arc::new(deployment::Deployments(Arc::clone(&api))), 4);
            work(&workers, &queues.machines, &Arc::new(machine::Machines(Arc::clone(&api))), api.options.workers);
        });
        Self { tasks }
    }

    /// Stops Cluster API for good.
    pub async fn stop(&self) {
        self.tasks.stop().await;
    }
}

impl ClusterApi {
    fn watch(
        tasks: &Tasks,
        client: &Client,
        options: Options,
        queues: &Queues,
        equipped: &Arc<Mutex<AHashSet<String>>>,
    ) -> Self {
        let q = queues.clone();
        let own = move |change: &Change<'_>| q.machine_changed(change);
        let forgotten = Arc::clone(equipped);
        let machines = Store::start(tasks, client, &kinds::MACHINE, move |change| {
            if let (Some(gone), None) = (change.before, change.after) {
                forgotten.lock().remove(gone.uid());
            }
            own(change);
        });
        let (q, all_machines) = (queues.clone(), Arc::clone(&machines));
        let deployments = Store::start(tasks, client, &kinds::MACHINE_DEPLOYMENT, {
            let q = queues.clone();
            move |c| {
                q.deployments.add(c.key.clone());
                q.wake_cluster(c);
            }
        });
        let control_planes = Store::start(tasks, client, &kinds::KUBEADM_CONTROL_PLANE, {
            let q = queues.clone();
            move |c| {
                q.control_planes.add(c.key.clone());
                q.wake_cluster(c);
            }
        });
        let (all_deployments, all_control_planes) = (Arc::clone(&deployments), Arc::clone(&control_planes));
        let clusters = Store::start(tasks, client, &kinds::CLUSTER, move |change| {
            q.clusters.add(change.key.clone());
            let of_cluster = |object: &Object| cluster_key(object).as_ref() == Some(change.key);
            let keys = |store: &Store| store.select(of_cluster).into_iter().map(|object| object.key());
            keys(&all_deployments).for_each(|key| q.deployments.add(key));
            keys(&all_control_planes).for_each(|key| q.control_planes.add(key));
            if change.differs_in(crate::engine::is_paused) {
                keys(&all_machines).for_each(|key| q.machines.add(key));
            }
        });
        let (q, all_clusters) = (queues.clone(), Arc::clone(&clusters));
        let infra_clusters = Store::start(tasks, client, &kinds::TINKERBELL_CLUSTER, move |change| {
            let refers = |cluster: &Object| {
                cluster.namespace() == change.key.namespace
                    && cluster.spec_text("/infrastructureRef/name") == change.key.name
            };
            all_clusters.select(refers).iter().for_each(|cluster| q.clusters.add(cluster.key()));
        });
        let q = queues.clone();
        let infra_machines = Store::start(tasks, client, &kinds::TINKERBELL_MACHINE, move |change| {
            let owner = change.after.or(change.before).and_then(|object| object.controller());
            let machine = owner.map_or(change.key.name.clone(), |owner| owner.name.clone());
            q.machines.add(Key::new(&change.key.namespace, machine));
        });
        Self {
            clock: Clock::start(options.start_time),
            options,
            client: client.clone(),
            timers: Timers::default(),
            clusters,
            machines,
            deployments,
            sets: Store::start(tasks, client, &kinds::MACHINE_SET, |_| {}),
            control_planes,
            infra_clusters,
            infra_machines,
            infra_templates: Store::start(tasks, client, &kinds::TINKERBELL_MACHINE_TEMPLATE, |_| {}),
            equipped: Arc::clone(equipped),
        }
    }

    async fn wait_synced(&self) {
        for store in [
            &self.clusters,
            &self.machines,
            &self.deployments,
            &self.sets,
            &self.control_planes,
            &self.infra_clusters,
            &self.infra_machines,
            &self.infra_templates,
        ] {
            store.wait_synced().await;
        }
    }

    /// The Cluster an object belongs to.
    fn cluster_of(&self, object: &Object) -> Option<Arc<Object>> {
        self.clusters.get(&cluster_key(object)?)
    }

    /// Whether this object's Cluster is there and neither it nor the object is paused.
    fn is_active(&self, object: &Object) -> bool {
        let paused = |o: &Object| crate::engine::is_paused(o);
        !paused(object) && self.cluster_of(object).is_some_and(|cluster| !paused(&cluster))
    }

    /// Whether objects have the shape of contract v1beta2.
    fn is_v1beta2(&self) -> bool {
        self.machines.is_version("v1beta2")
    }
}

impl Queues {
    fn machine_changed(&self, change: &Change<'_>) {
        self.machines.add(change.key.clone());
        let Some(machine) = change.after.or(change.before) else {
            return;
        };
        let namespace = machine.namespace();
        if let Some(deployment) = machine.label(names::DEPLOYMENT_NAME) {
            self.deployments.add_soon(Key::new(namespace, deployment), GATHER);
        } else if let Some(owner) = machine.controller() {
            self.control_planes.add_soon(Key::new(namespace, &owner.name), GATHER);
        }
        if change.after.is_none() {
            self.wake_cluster(change);
        }
    }

    fn wake_cluster(&self, change: &Change<'_>) {
        if let Some(cluster) = change.after.or(change.before).and_then(|object| cluster_key(object)) {
            self.clusters.add(cluster);
        }
    }
}

/// The Cluster an object belongs to: by its field, its label, or its owner.
fn cluster_key(object: &Object) -> Option<Key> {
    let field = object.spec_text("/clusterName");
    let owner = || object.owners().iter().find(|owner| owner.kind == "Cluster");
    let name = match field {
        "" => object.label(names::CLUSTER_NAME).or_else(|| owner().map(|owner| owner.name.as_str()))?,
        field => field,
    };
    Some(Key::new(object.namespace(), name))
}
