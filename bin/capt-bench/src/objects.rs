//! The objects of a course, as JSON.

use std::collections::BTreeMap;

use capt_neighbours::fixtures;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::course::Course;

/// Namespace of everything.
pub const NAMESPACE: &str = "bench";
/// Name of the cluster and its TinkerbellCluster.
pub const CLUSTER: &str = "bench";
/// Name of the pool.
const POOL: &str = "bench";

/// Where the objects of a kind are.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// `group/version`, or `v1`.
    pub version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Plural name.
    pub plural: &'static str,
}

impl Kind {
    const fn new(version: &'static str, kind: &'static str, plural: &'static str) -> Self {
        Self { version, kind, plural }
    }

    /// Path of the kind's objects in our namespace.
    pub fn path(self) -> String {
        let root = if self.version.contains('/') { "apis" } else { "api" };
        format!("/{root}/{}/namespaces/{NAMESPACE}/{}", self.version, self.plural)
    }

    /// The kind for clients that take any.
    pub fn resource(self) -> ApiResource {
        let (group, version) = self.version.split_once('/').unwrap_or(("", self.version));
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, self.kind), self.plural)
    }
}

/// Bootstrap Secrets.
pub const SECRET: Kind = Kind::new("v1", "Secret", "secrets");
/// Events.
pub const EVENT: Kind = Kind::new("v1", "Event", "events");
/// Cluster API's Cluster.
pub const CAPI_CLUSTER: Kind = Kind::new("cluster.x-k8s.io/v1beta2", "Cluster", "clusters");
/// Cluster API's Machine.
pub const CAPI_MACHINE: Kind = Kind::new("cluster.x-k8s.io/v1beta2", "Machine", "machines");
/// Our cluster.
pub const TINKERBELL_CLUSTER: Kind =
    Kind::new("infrastructure.cluster.x-k8s.io/v1beta1", "TinkerbellCluster", "tinkerbellclusters");
/// Our machine.
pub const TINKERBELL_MACHINE: Kind =
    Kind::new("infrastructure.cluster.x-k8s.io/v1beta1", "TinkerbellMachine", "tinkerbellmachines");
/// Servers.
pub const HARDWARE: Kind = Kind::new("tinkerbell.org/v1alpha1", "Hardware", "hardware");
/// Templates of Workflows.
pub const TEMPLATE: Kind = Kind::new("tinkerbell.org/v1alpha1", "Template", "templates");
/// Workflows.
pub const WORKFLOW: Kind = Kind::new("tinkerbell.org/v1alpha1", "Workflow", "workflows");
/// BMCs.
pub const BMC_MACHINE: Kind = Kind::new("bmc.tinkerbell.org/v1alpha1", "Machine", "machines");
/// Their Jobs.
pub const BMC_JOB: Kind = Kind::new("bmc.tinkerbell.org/v1alpha1", "Job", "jobs");
/// Claims.
pub const CLAIM: Kind = Kind::new("ipam.cluster.x-k8s.io/v1beta2", "IPAddressClaim", "ipaddressclaims");
/// Pools of the in-cluster provider.
pub const IN_CLUSTER_POOL: Kind = Kind::new("ipam.cluster.x-k8s.io/v1alpha2", "InClusterIPPool", "inclusterippools");

/// The cluster, with its endpoint; complete, since no webhook fills in defaults.
pub fn cluster() -> Value {
    let infrastructure = reference(TINKERBELL_CLUSTER, CLUSTER);
    object(CAPI_CLUSTER, CLUSTER, json!({ "infrastructureRef": infrastructure }))
}

/// The TinkerbellCluster of that cluster.
pub fn tinkerbell_cluster(cluster_uid: &str) -> Value {
    let spec = json!({
        "controlPlaneEndpoint": { "host": "10.255.255.1", "port": 6443 },
        "imageLookupFormat": "{{.BaseRegistry}}/{{.OSDistro}}-{{.OSVersion}}:{{.KubernetesVersion}}.gz",
        "imageLookupOSVersion": "20.04",
    });
    owned(object(TINKERBELL_CLUSTER, CLUSTER, spec), CAPI_CLUSTER, CLUSTER, cluster_uid)
}

/// The pool, with an address for each machine and some more.
pub fn pool() -> Value {
    let spec = json!({ "addresses": ["10.128.0.10-10.128.255.250"], "prefix": 16, "gateway": "10.128.0.1" });
    object(IN_CLUSTER_POOL, POOL, spec)
}

/// Name of the n-th Hardware, and of its BMC.
fn server(n: usize) -> String {
    format!("server-{n:05}")
}

/// The n-th Hardware.
pub fn hardware(course: &Course, n: usize) -> Value {
    let labels =
        BTreeMap::from([("type".to_owned(), "worker".to_owned()), ("rack".to_owned(), format!("rack-{:03}", n / 40))]);
    let mac = fixtures::mac(u32::try_from(n).unwrap_or(u32::MAX));
    let name = server(n);
    let bmc = course.bmc.then_some(name.as_str());
    let mut hardware = fixtures::hardware(NAMESPACE, &name, &mac, &labels, bmc);
    let dhcp = hardware.pointer_mut("/spec/interfaces/0/dhcp").and_then(Value::as_object_mut);
    if let (false, Some(dhcp)) = (course.ipam, dhcp) {
        let address = format!("10.{}.{}.{}", n / 62_500, n / 250 % 250, n % 250 + 2);
        let ip = json!({ "address": address, "netmask": "255.0.0.0", "gateway": "10.0.0.1", "family": 4 });
        dhcp.insert("ip".to_owned(), ip);
    }
    // As `kubectl apply` leaves it.
    let applied = hardware.to_string();
    if let Some(metadata) = hardware.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata
            .insert("annotations".to_owned(), json!({ "kubectl.kubernetes.io/last-applied-configuration": applied }));
    }
    hardware
}

/// The BMC of the n-th Hardware.
pub fn bmc_machine(n: usize) -> Value {
    fixtures::bmc_machine(NAMESPACE, &server(n))
}

/// Name of the n-th machine, and of what belongs to it.
pub fn machine_name(n: usize) -> String {
    format!("machine-{n:05}")
}

/// The bootstrap Secret of the n-th machine.
pub fn secret(n: usize) -> Value {
    let text = format!(
        "#cloud-config\nhostname: {}\nruncmd:\n- kubeadm join 10.255.255.1:6443 --node-labels=id=PROVIDER_ID\n{}",
        machine_name(n),
        // About as long as what kubeadm's provider writes for a worker.
        "# ".repeat(900),
    );
    json!({
        "apiVersion": SECRET.version,
        "kind": SECRET.kind,
        "metadata": { "name": machine_name(n), "namespace": NAMESPACE, "labels": labels() },
        "type": "cluster.x-k8s.io/secret",
        "stringData": { "value": text, "format": "cloud-config" },
    })
}

/// The n-th Machine, with bootstrap data.
pub fn capi_machine(n: usize) -> Value {
    let name = machine_name(n);
    let spec = json!({
        "clusterName": CLUSTER,
        "version": "v1.35.4",
        "bootstrap": { "dataSecretName": name },
        "infrastructureRef": reference(TINKERBELL_MACHINE, &name),
    });
    object(CAPI_MACHINE, &name, spec)
}

/// The n-th TinkerbellMachine.
pub fn tinkerbell_machine(course: &Course, n: usize, machine_uid: &str) -> Value {
    let name = machine_name(n);
    let mut spec = json!({
        "hardwareAffinity": { "required": [{ "labelSelector": { "matchLabels": { "type": "worker" } } }] },
    });
    if let (true, Some(spec)) = (course.ipam, spec.as_object_mut()) {
        spec.insert("ipamPoolRef".to_owned(), reference(IN_CLUSTER_POOL, POOL));
    }
    owned(object(TINKERBELL_MACHINE, &name, spec), CAPI_MACHINE, &name, machine_uid)
}

fn labels() -> Value {
    json!({ "cluster.x-k8s.io/cluster-name": CLUSTER })
}

fn object(kind: Kind, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": kind.version,
        "kind": kind.kind,
        "metadata": { "name": name, "namespace": NAMESPACE, "labels": labels() },
        "spec": spec,
    })
}

fn reference(kind: Kind, name: &str) -> Value {
    let group = kind.version.split_once('/').map_or("", |(group, _)| group);
    json!({ "apiGroup": group, "kind": kind.kind, "name": name })
}

fn owned(mut object: Value, owner: Kind, name: &str, uid: &str) -> Value {
    let reference = json!({
        "apiVersion": owner.version, "kind": owner.kind, "name": name, "uid": uid,
        "controller": true, "blockOwnerDeletion": true,
    });
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("ownerReferences".to_owned(), json!([reference]));
    }
    object
}
