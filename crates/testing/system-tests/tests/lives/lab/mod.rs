//! A control plane in memory with everything around a machine.

mod asked;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use capt_invariants::Observer;
use capt_kube::metrics::{Registry, Requests};
use capt_kube::{Clients, Manager, Settings};
use capt_simulators::bmc::{JobFault, PowerStates};
use capt_simulators::ipam::{Family, Options as IpamOptions};
use capt_simulators::tinkerbell::{Options as TinkerbellOptions, WorkflowFault};
use capt_simulators::{RUFIO, Running, Simulators, TINKERBELL, crds::Group, fixtures};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::core::{ApiResource, GroupVersionKind};
use memory_apiserver::{Fault, MemoryApiServer, Stopped};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::Layer;

/// The manager's user.
pub const MANAGER: &str = "capt";
/// The user of whoever runs the test.
const OPERATOR: &str = "operator";
/// How long anything may take, in paused time.
const LONG: Duration = Duration::from_secs(1800);

/// What a lab starts with.
pub struct Options {
    pub addresses: &'static str,
    pub pool: bool,
    pub metal3: bool,
    pub ipam_kinds: bool,
    /// Time between two states of a Workflow.
    pub workflow_step: Duration,
    /// Labels that all Cluster API objects get.
    pub labels: Value,
    /// Namespace of the Hardware.
    pub metal: &'static str,
    /// Whether Tinkerbell is in another cluster.
    pub external: bool,
    /// How managers are set.
    pub settings: Settings,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            addresses: "10.0.0.100-10.0.0.250",
            pool: true,
            metal3: false,
            ipam_kinds: true,
            workflow_step: Duration::from_millis(5),
            labels: json!({}),
            metal: "metal",
            external: false,
            settings: Settings::default(),
        }
    }
}

pub struct Lab {
    pub server: MemoryApiServer,
    /// The server with Tinkerbell's objects: the same one, unless the options say otherwise.
    pub tinkerbell: MemoryApiServer,
    simulators: Running,
    observer: Observer,
    managers: Vec<(CancellationToken, Arc<Manager>, JoinHandle<anyhow::Result<()>>)>,
    options: Options,
    by_hand: bool,
}

impl Lab {
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    /// One server, and on it one provisioned machine.
    pub async fn with_provisioned(machine: &str) -> Self {
        let mut lab = Self::new().await;
        lab.hardware(1).await;
        lab.start_manager().await;
        lab.machine(machine).await;
        lab.until_provisioned(machine).await;
        lab
    }

    /// Every state of a Workflow lasts for many seconds, as on real servers.
    pub async fn slow() -> Self {
        Self::with(Options { workflow_step: Duration::from_secs(20), ..Options::default() }).await
    }

    pub async fn with(options: Options) -> Self {
        let server = MemoryApiServer::builder().journal(100_000).build();
        let tinkerbell =
            if options.external { MemoryApiServer::builder().journal(100_000).build() } else { server.clone() };
        for crd in capt_api::crds().unwrap() {
            server.apply_manifest(&serde_json::to_string(&crd).unwrap()).unwrap();
        }
        for group in Group::ALL {
            let server = if [Group::Tinkerbell, Group::Bmc].contains(&group) { &tinkerbell } else { &server };
            if group != Group::Ipam || options.ipam_kinds {
                group.crds().iter().for_each(|crd| server.apply_manifest(crd).unwrap());
            }
        }
        let family = if options.metal3 { Family::Metal3 } else { Family::InCluster };
        let (management, other) = (server.clone(), tinkerbell.clone());
        let simulators = Simulators::builder(move |user| {
            if [TINKERBELL, RUFIO].contains(&user) { &other } else { &management }.client(user)
        })
        .ipam([IpamOptions::of(family)])
        .tinkerbell(TinkerbellOptions { step: options.workflow_step, ..TinkerbellOptions::default() })
        .cluster_api(None)
        .start();
        let observer = Observer::new(MANAGER);
        observer.attach(&server.journal(), simulators.power());
        if options.external {
            // One look at the power is enough.
            observer.attach(&tinkerbell.journal(), &PowerStates::default());
        }
        let lab = Self { server, tinkerbell, simulators, observer, managers: Vec::new(), options, by_hand: false };
        lab.namespace("metal").await;
        for object in [fixtures::cluster("default", "c"), fixtures::tinkerbell_cluster("default", "c", "10.0.0.50")] {
            lab.create(lab.labelled(object)).await;
        }
        if lab.options.pool {
            lab.pool().await;
        }
        lab
    }

    /// A namespace, in both clusters.
    pub async fn namespace(&self, name: &str) {
        for server in [&self.server, &self.tinkerbell] {
            server.apply_object(fixtures::namespace(name)).unwrap();
        }
    }

    /// Whose pools there are.
    fn family(&self) -> Family {
        if self.options.metal3 { Family::Metal3 } else { Family::InCluster }
    }

    /// The labels that this lab gives to all Cluster API objects, on top of the object's own.
    fn labelled(&self, mut object: Value) -> Value {
        for (name, value) in self.options.labels.as_object().unwrap() {
            object["metadata"]["labels"][name] = value.clone();
        }
        object
    }

    // === who acts ===

    pub async fn start_manager(&mut self) {
        let cancel = CancellationToken::new();
        let requests = Requests::default();
        let client = kube::Client::new(requests.layer("lab").layer(self.server.service(MANAGER)), "default");
        let mut clients = Clients { requests, ..Clients::from(client) };
        if self.options.external {
            clients = clients.with_external(self.tinkerbell.client(MANAGER));
        }
        let manager = Arc::new(Manager::new(clients, self.options.settings.clone()));
        let (token, running) = (cancel.clone(), manager.clone());
        let task = tokio::spawn(async move { running.run(token).await });
        self.managers.push((cancel, manager, task));
    }

    /// What there is to tell Prometheus of the manager that was started last.
    pub fn registry(&self) -> Registry {
        self.managers.last().unwrap().1.registry()
    }

    pub async fn start_second_manager(&mut self) {
        self.start_manager().await;
    }

    /// Ends the manager as `kill -9` does: nothing is finished, nothing is said.
    pub async fn kill_manager(&mut self) {
        for (_, _, task) in self.managers.drain(..) {
            task.abort();
            let _ = task.await;
        }
    }

    pub fn stop_after_write(&self, user: &str, n: usize) {
        self.server.faults().stop_after(user, n as u64, Stopped::Error, false);
    }

    pub fn lose_answer_of_write(&self, user: &str, n: usize) {
        self.server.faults().stop_after(user, n as u64, Stopped::Error, true);
    }

    /// Gives everybody ample time; says whether the user was stopped meanwhile.
    pub async fn settle_or_stopped(&self, user: &str) -> bool {
        tokio::time::sleep(Duration::from_secs(30)).await;
        self.server.faults().is_stopped(user)
    }

    pub fn let_through(&self, user: &str) {
        self.server.faults().resume(user);
    }

    /// A dose of everything a server can do wrong to this user's requests.
    pub fn misbehave(&self, user: &str) {
        let faults = self.server.faults();
        let doses = [
            Fault::conflict().after(1).times(2),
            Fault::status(500, "InternalError", "something broke").after(3).times(2),
            Fault::too_many_requests(1).after(2).times(2),
            Fault::timeout_before().after(4),
            Fault::timeout_after().after(5).times(2),
            Fault::connection_error_after().after(6).times(2),
            Fault::connection_error_before().after(8).times(2),
        ];
        for dose in doses {
            faults.inject(dose.user(user).verb("write"));
        }
        faults.inject(Fault::latency(Duration::from_millis(300)).user(user).times(10));
    }

    pub fn drop_watches(&self) {
        self.server.faults().drop_watches(None);
    }

    pub fn forget_history(&self) {
        self.server.faults().compact();
    }

    pub fn pause_provider(&self) {
        self.simulators.ipam().iter().for_each(|provider| provider.pause());
    }

    pub fn resume_provider(&self) {
        self.simulators.ipam().iter().for_each(|provider| provider.resume());
    }

    pub fn fail_power_off(&self, hardware: &str, times: u32) {
        let bmc = format!("bmc-{hardware}");
        self.simulators.job_faults().unwrap().inject_times(&bmc, JobFault::Fails, times);
    }

    /// The fault strikes Workflows of this name so many times.
    pub fn workflow_fault(&self, name: &str, fault: WorkflowFault, times: u32) {
        self.simulators.workflow_faults().unwrap().inject_times(name, fault, times);
    }

    /// Workflows fail no longer.
    pub fn heal_workflows(&self) {
        self.simulators.workflow_faults().unwrap().heal_all();
    }

    pub fn fail_workflow(&self, name: &str) {
        self.simulators.workflow_faults().unwrap().inject(name, WorkflowFault::AgentFails);
    }

    // === what is there ===

    pub async fn pool(&self) {
        let (first, last) = self.options.addresses.split_once('-').unwrap();
        let spec = fixtures::pool_spec(self.family(), (first, last), "10.0.0.1");
        self.create(fixtures::object(fixtures::pool_kind(self.family()), "default", "my-ip-pool", None, &spec)).await;
    }

    pub async fn hardware(&self, count: u32) {
        self.hardware_range(0..count).await;
    }

    pub async fn hardware_range(&self, range: Range<u32>) {
        for n in range {
            self.bmc(&format!("bmc-hw-{n:03}")).await;
            self.hardware_object(n).await;
        }
    }

    /// The Hardware alone, as in its first manifest.
    pub async fn hardware_object(&self, n: u32) {
        let (name, labels) = (format!("hw-{n:03}"), [("type".to_owned(), "worker".to_owned())].into());
        let (bmc, mac) = (format!("bmc-{name}"), format!("02:00:00:00:{:02x}:{:02x}", n / 256, n % 256));
        self.create(fixtures::hardware(self.options.metal, &name, &mac, &labels, Some(&bmc))).await;
    }

    pub async fn bmc(&self, name: &str) {
        self.create(fixtures::bmc_machine(self.options.metal, name)).await;
    }

    pub async fn machine(&self, name: &str) {
        self.machine_with(name, json!({})).await;
    }

    /// A Machine with its bootstrap data; returns the metadata of the TinkerbellMachine that it names.
    pub async fn owner(&self, name: &str) -> Value {
        let owner = self.create(self.labelled(fixtures::machine("default", name, "c"))).await;
        self.create(fixtures::bootstrap("default", name)).await;
        let uid = owner["metadata"]["uid"].as_str().unwrap();
        self.labelled(fixtures::tinkerbell_machine("default", name, "c", uid, &json!({})))["metadata"].take()
    }

    /// A Machine with its bootstrap data and TinkerbellMachine; `spec` is merged over a reference to the pool.
    pub async fn machine_with(&self, name: &str, spec: Value) {
        let metadata = self.owner(name).await;
        let pool = fixtures::reference(fixtures::pool_kind(self.family()), "my-ip-pool");
        let mut wanted = json!({"ipamPoolRef": pool});
        for (key, value) in spec.as_object().unwrap() {
            match value {
                Value::Null => drop(wanted.as_object_mut().unwrap().remove(key)),
                value => wanted[key] = value.clone(),
            }
        }
        self.create(json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellMachine",
            "metadata": metadata,
            "spec": wanted}))
            .await;
    }

    /// Hardware made from now on lives there.
    pub fn put_hardware_into(&mut self, namespace: &'static str) {
        self.options.metal = namespace;
    }

    pub async fn delete_machine(&self, name: &str) {
        self.delete("infrastructure.cluster.x-k8s.io", "tinkerbellmachines", "default", name).await;
    }

    pub async fn install_ipam_kinds(&self) {
        Group::Ipam.crds().iter().for_each(|crd| self.server.apply_manifest(crd).unwrap());
    }

    pub async fn pause_cluster(&self, paused: bool) {
        self.patch("cluster.x-k8s.io", "clusters", "default", "c", json!({"spec": {"paused": paused}})).await;
    }

    pub async fn annotate_pool(&self, annotations: Value) {
        let patch = json!({"metadata": {"annotations": annotations}});
        self.patch("ipam.cluster.x-k8s.io", "inclusterippools", "default", "my-ip-pool", patch).await;
    }

    pub async fn annotate_hardware(&self, name: &str, annotations: Value) {
        let patch = json!({"metadata": {"annotations": annotations}});
        self.patch("tinkerbell.org", "hardware", "metal", name, patch).await;
    }

    /// Writes the address of the first interface as a person would; null removes it.
    pub async fn set_ip(&self, name: &str, ip: Value) {
        let mut interfaces =
            self.get("tinkerbell.org", "hardware", "metal", name).unwrap()["spec"]["interfaces"].clone();
        match ip {
            Value::Null => drop(interfaces[0]["dhcp"].as_object_mut().unwrap().remove("ip")),
            ip => interfaces[0]["dhcp"]["ip"] = ip,
        }
        self.patch("tinkerbell.org", "hardware", "metal", name, json!({"spec": {"interfaces": interfaces}})).await;
    }

    pub async fn ip_address(&self, name: &str, claim: &str, address: &str) {
        let pool = json!({"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "my-ip-pool"});
        self.create(json!({"apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": "IPAddress", "metadata": {"namespace": "default", "name": name},
            "spec": {"claimRef": {"name": claim}, "poolRef": pool, "address": address, "prefix": 24, "gateway": "10.0.0.1"}})).await;
    }

    pub async fn claim_status(&self, name: &str, status: Value) {
        self.status("ipam.cluster.x-k8s.io", "ipaddressclaims", "default", name, status).await;
    }

    pub async fn status(&self, group: &str, plural: &str, namespace: &str, name: &str, status: Value) {
        let api = self.api(group, plural, namespace);
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(json!({ "status": status }))).await.unwrap();
    }

    /// Deletes the machine, once everything that it belongs to is gone.
    pub async fn delete_machine_without_owner(&self, name: &str) {
        let orphan = DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() };
        self.api("cluster.x-k8s.io", "machines", "default").delete(name, &orphan).await.unwrap();
        self.api("cluster.x-k8s.io", "clusters", "default").delete("c", &orphan).await.unwrap();
        let infra = self.api("infrastructure.cluster.x-k8s.io", "tinkerbellclusters", "default");
        infra.delete("c", &orphan).await.unwrap();
        self.delete_machine(name).await;
    }

    // === plain requests ===

    /// The server that has objects of this group.
    pub fn of(&self, group: &str) -> &MemoryApiServer {
        if group.ends_with("tinkerbell.org") { &self.tinkerbell } else { &self.server }
    }

    fn operator(&self, group: &str) -> kube::Client {
        self.of(group).client(OPERATOR)
    }

    pub fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        self.of(group).get(group, resource, Some(namespace), name).map(|object| (*object).clone())
    }

    pub async fn create(&self, object: Value) -> Value {
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let types = object.types.clone().unwrap();
        let gvk = GroupVersionKind::try_from(&types).unwrap();
        let resource = ApiResource::from_gvk_with_plural(&gvk, &plural(&types.kind));
        let operator = self.operator(&gvk.group);
        let api: Api<DynamicObject> = match &object.metadata.namespace {
            Some(namespace) => Api::namespaced_with(operator, namespace, &resource),
            None => Api::all_with(operator, &resource),
        };
        let made = api.create(&PostParams::default(), &object).await;
        serde_json::to_value(made.unwrap_or_else(|error| panic!("{object:?}: {error}"))).unwrap()
    }

    pub fn api(&self, group: &str, plural: &str, namespace: &str) -> Api<DynamicObject> {
        let version = match group {
            "cluster.x-k8s.io" => "v1beta2",
            "ipam.cluster.x-k8s.io" if plural == "inclusterippools" => "v1alpha2",
            "ipam.cluster.x-k8s.io" => "v1beta2",
            "infrastructure.cluster.x-k8s.io" => "v1beta1",
            _ => "v1alpha1",
        };
        let gvk = GroupVersionKind::gvk(group, version, "Any");
        Api::namespaced_with(self.operator(group), namespace, &ApiResource::from_gvk_with_plural(&gvk, plural))
    }

    pub async fn patch(&self, group: &str, plural: &str, namespace: &str, name: &str, patch: Value) {
        let api = self.api(group, plural, namespace);
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub async fn delete_secret(&self, name: &str) {
        let secrets: Api<k8s_openapi::api::core::v1::Secret> = Api::namespaced(self.operator(""), "default");
        secrets.delete(name, &DeleteParams::default()).await.unwrap();
    }

    pub async fn delete(&self, group: &str, plural: &str, namespace: &str, name: &str) {
        self.api(group, plural, namespace).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Deletes an object and strips its finalizers, as a person in a hurry does.
    pub async fn purge(&self, group: &str, plural: &str, namespace: &str, name: &str) {
        self.delete(group, plural, namespace, name).await;
        self.patch(group, plural, namespace, name, json!({"metadata": {"finalizers": []}})).await;
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for (cancel, _, _) in &self.managers {
            cancel.cancel();
        }
    }
}

fn plural(kind: &str) -> String {
    match kind {
        "Hardware" => "hardware".to_owned(),
        "IPAddress" => "ipaddresses".to_owned(),
        other => format!("{}s", other.to_lowercase()),
    }
}
