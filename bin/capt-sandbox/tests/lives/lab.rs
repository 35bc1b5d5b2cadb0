//! A control plane in memory with everything around a machine, and the questions that tests ask of it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use capt_kube::{Manager, Settings};
use capt_neighbours::bmc::JobFault;
use capt_neighbours::ipam::{Family, Options as IpamOptions};
use capt_neighbours::tinkerbell::{Options as TinkerbellOptions, WorkflowFault};
use capt_neighbours::{Neighbours, Running, crds::Group, fixtures};
use capt_sandbox::observer::Observer;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use memory_apiserver::{Fault, MemoryApiServer, Stopped};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

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
            settings: Settings::default(),
        }
    }
}

pub struct Lab {
    pub server: MemoryApiServer,
    operator: kube::Client,
    neighbours: Running,
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
        for crd in capt_api::crds() {
            server.apply_manifest(&serde_json::to_string(&crd).unwrap()).unwrap();
        }
        for group in Group::ALL {
            if group != Group::Ipam || options.ipam_kinds {
                group.crds().iter().for_each(|crd| server.apply_manifest(crd).unwrap());
            }
        }
        let family = if options.metal3 { Family::Metal3 } else { Family::InCluster };
        let clients = server.clone();
        let neighbours = Neighbours::builder(move |user| clients.client(user))
            .ipam([IpamOptions::of(family)])
            .tinkerbell(TinkerbellOptions { step: options.workflow_step, ..TinkerbellOptions::default() })
            .cluster_api(None)
            .start();
        let observer = Observer::new(MANAGER);
        observer.attach(&server.journal(), neighbours.power());
        let operator = server.client(OPERATOR);
        let lab = Self { server, operator, neighbours, observer, managers: Vec::new(), options, by_hand: false };
        lab.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "metal"}})).await;
        let labels = lab.options.labels.clone();
        lab.create(json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": {"namespace": "default", "name": "c", "labels": labels},
            "spec": {"infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TinkerbellCluster", "name": "c"}}})).await;
        lab.create(json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellCluster",
            "metadata": {"namespace": "default", "name": "c", "labels": lab.labels()},
            "spec": {"controlPlaneEndpoint": {"host": "10.0.0.50", "port": 6443}}}))
            .await;
        if lab.options.pool {
            lab.pool().await;
        }
        lab
    }

    /// The labels of what belongs to the cluster.
    fn labels(&self) -> Value {
        let mut labels = self.options.labels.clone();
        labels["cluster.x-k8s.io/cluster-name"] = json!("c");
        labels
    }

    // === who acts ===

    pub async fn start_manager(&mut self) {
        let cancel = CancellationToken::new();
        let manager = Arc::new(Manager::new(self.server.client(MANAGER), self.options.settings.clone()));
        let (token, running) = (cancel.clone(), manager.clone());
        let task = tokio::spawn(async move { running.run(token).await });
        self.managers.push((cancel, manager, task));
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
        self.neighbours.ipam().iter().for_each(|provider| provider.pause());
    }

    pub fn resume_provider(&self) {
        self.neighbours.ipam().iter().for_each(|provider| provider.resume());
    }

    pub fn fail_power_off(&self, hardware: &str, times: u32) {
        let bmc = format!("bmc-{hardware}");
        self.neighbours.job_faults().unwrap().inject_times(&bmc, JobFault::Fails, times);
    }

    pub fn fail_workflow(&self, name: &str) {
        self.neighbours.workflow_faults().unwrap().inject(name, WorkflowFault::AgentFails);
    }

    // === what is there ===

    pub async fn pool(&self) {
        let (first, last) = self.options.addresses.split_once('-').unwrap();
        let pool = if self.options.metal3 {
            json!({"apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "metadata": {"namespace": "default", "name": "my-ip-pool"},
                "spec": {"namePrefix": "pool", "prefix": 24, "gateway": "10.0.0.1", "pools": [{"start": first, "end": last}]}})
        } else {
            json!({"apiVersion": "ipam.cluster.x-k8s.io/v1alpha2", "kind": "InClusterIPPool", "metadata": {"namespace": "default", "name": "my-ip-pool"},
                "spec": {"addresses": [self.options.addresses], "prefix": 24, "gateway": "10.0.0.1"}})
        };
        self.create(pool).await;
    }

    pub async fn hardware(&self, count: u32) {
        self.hardware_range(0..count).await;
    }

    pub async fn hardware_range(&self, range: Range<u32>) {
        for n in range {
            let (name, labels) = (format!("hw-{n:03}"), [("type".to_owned(), "worker".to_owned())].into());
            let bmc = format!("bmc-{name}");
            self.create(fixtures::bmc_machine(self.options.metal, &bmc)).await;
            let mac = format!("02:00:00:00:{:02x}:{:02x}", n / 256, n % 256);
            self.create(fixtures::hardware(self.options.metal, &name, &mac, &labels, Some(&bmc))).await;
        }
    }

    pub async fn machine(&self, name: &str) {
        self.machine_with(name, json!({})).await;
    }

    /// A Machine with its bootstrap data and TinkerbellMachine; `spec` is merged over a reference to the pool.
    pub async fn machine_with(&self, name: &str, spec: Value) {
        let label = self.labels();
        let infra = json!({"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TinkerbellMachine", "name": name});
        let owner = self
            .create(json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine", "metadata": {"namespace": "default", "name": name, "labels": label},
                "spec": {"clusterName": "c", "version": "v1.31.0", "bootstrap": {"dataSecretName": format!("{name}-bootstrap")}, "infrastructureRef": infra}}))
            .await;
        self.create(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "default", "name": format!("{name}-bootstrap")},
            "stringData": {"value": format!("#cloud-config\n# join {name} as PROVIDER_ID\n")}})).await;
        let (kind, group) = if self.options.metal3 {
            ("IPPool", "ipam.metal3.io")
        } else {
            ("InClusterIPPool", "ipam.cluster.x-k8s.io")
        };
        let mut wanted = json!({"ipamPoolRef": {"apiGroup": group, "kind": kind, "name": "my-ip-pool"}});
        for (key, value) in spec.as_object().unwrap() {
            match value {
                Value::Null => drop(wanted.as_object_mut().unwrap().remove(key)),
                value => wanted[key] = value.clone(),
            }
        }
        self.create(json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellMachine",
            "metadata": {"namespace": "default", "name": name, "labels": label, "ownerReferences": [{
                "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine", "name": name, "controller": true, "blockOwnerDeletion": true,
                "uid": owner["metadata"]["uid"]}]},
            "spec": wanted})).await;
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
        let api = self.api("ipam.cluster.x-k8s.io", "ipaddressclaims", "default");
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(json!({ "status": status }))).await.unwrap();
    }

    // === what is asked ===

    /// The manager that was started last.
    pub fn manager(&self) -> &Manager {
        &self.managers.last().unwrap().1
    }

    pub async fn until(&self, what: &str, limit: Duration, holds: impl Fn(&Self) -> bool) {
        let end = tokio::time::Instant::now() + limit;
        while !holds(self) {
            if tokio::time::Instant::now() >= end {
                panic!("not reached: {what}\n{}", self.describe());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn until_provisioned(&self, name: &str) {
        self.until(&format!("{name} is provisioned"), LONG, |lab| lab.is_provisioned(name)).await;
    }

    /// The machine is gone, its server off, its Hardware clean and free, its address back in the pool.
    pub async fn until_released(&self, name: &str) {
        let hardware =
            self.tinkerbell_machine(name).and_then(|m| m["spec"]["hardwareName"].as_str().map(str::to_owned));
        self.until_gone(name).await;
        let claim = format!("{name}-0");
        assert!(self.get("ipam.cluster.x-k8s.io", "ipaddressclaims", "default", &claim).is_none(), "{claim} is left");
        let Some(hardware) = hardware.and_then(|h| self.get("tinkerbell.org", "hardware", "metal", &h)) else { return };
        let owner = &hardware["metadata"]["labels"]["v1alpha1.tinkerbell.org/ownerName"];
        if owner.is_null() {
            assert!(hardware["spec"]["userData"].is_null(), "bootstrap data is left: {hardware:#}");
            assert!(hardware["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty), "{hardware:#}");
            assert!(
                hardware["metadata"]["annotations"]["v1alpha1.tinkerbell.org/provisioned"].is_null(),
                "{hardware:#}"
            );
            assert!(hardware["spec"]["interfaces"][0]["dhcp"]["ip"].is_null(), "the address is left: {hardware:#}");
        } else {
            assert_ne!(owner, name, "released");
        }
    }

    pub async fn until_gone(&self, name: &str) {
        self.until(&format!("{name} is gone"), LONG, |lab| lab.tinkerbell_machine(name).is_none()).await;
    }

    pub async fn until_condition(&self, machine: &str, type_: &str, status: &str, reason: &str) {
        let wanted = (status.to_owned(), reason.to_owned());
        let what = format!("{machine}: {type_} is {status} with reason {reason}");
        self.until(&what, Duration::from_secs(120), |lab| lab.condition(machine, type_).as_ref() == Some(&wanted))
            .await;
    }

    pub fn condition(&self, machine: &str, type_: &str) -> Option<(String, String)> {
        let condition = self.find_condition(machine, type_)?;
        Some((condition["status"].as_str()?.to_owned(), condition["reason"].as_str()?.to_owned()))
    }

    pub fn message(&self, machine: &str, type_: &str) -> String {
        self.find_condition(machine, type_)
            .map(|c| c["message"].as_str().unwrap_or_default().to_owned())
            .unwrap_or_default()
    }

    fn find_condition(&self, machine: &str, type_: &str) -> Option<Value> {
        let machine = self.tinkerbell_machine(machine)?;
        machine["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == type_).cloned()
    }

    pub fn with_condition(&self, type_: &str, status: &str, reason: &str) -> Vec<String> {
        let wanted = Some((status.to_owned(), reason.to_owned()));
        self.machines().into_iter().filter(|name| self.condition(name, type_) == wanted).collect()
    }

    fn machines(&self) -> Vec<String> {
        let all = self.server.list("infrastructure.cluster.x-k8s.io", "tinkerbellmachines");
        let mut names: Vec<String> = all.iter().map(|m| m["metadata"]["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    pub fn is_provisioned(&self, name: &str) -> bool {
        self.tinkerbell_machine(name)
            .is_some_and(|m| m["status"]["ready"] == true && m["status"]["initialization"]["provisioned"] == true)
    }

    pub fn provisioned(&self) -> Vec<String> {
        self.machines().into_iter().filter(|name| self.is_provisioned(name)).collect()
    }

    fn tinkerbell_machine(&self, name: &str) -> Option<Value> {
        self.get("infrastructure.cluster.x-k8s.io", "tinkerbellmachines", "default", name)
    }

    pub fn machine_address(&self, name: &str) -> Option<String> {
        Some(self.tinkerbell_machine(name)?["status"]["addresses"][0]["address"].as_str()?.to_owned())
    }

    pub fn ip_of(&self, hardware: &str) -> Value {
        self.get("tinkerbell.org", "hardware", "metal", hardware)
            .map(|h| h["spec"]["interfaces"][0]["dhcp"]["ip"].clone())
            .unwrap_or_default()
    }

    pub fn address_of(&self, hardware: &str) -> Option<String> {
        self.ip_of(hardware)["address"].as_str().map(str::to_owned)
    }

    pub fn reserved_hardware(&self) -> usize {
        let all = self.server.list("tinkerbell.org", "hardware");
        all.iter().filter(|h| h["metadata"]["labels"]["v1alpha1.tinkerbell.org/ownerName"].is_string()).count()
    }

    pub fn claims(&self) -> usize {
        self.server.list("ipam.cluster.x-k8s.io", "ipaddressclaims").len()
    }

    pub fn claim_uid(&self, name: &str) -> Option<String> {
        let claim = self.get("ipam.cluster.x-k8s.io", "ipaddressclaims", "default", name)?;
        Some(claim["metadata"]["uid"].as_str()?.to_owned())
    }

    pub fn ip_addresses(&self) -> usize {
        self.server.list("ipam.cluster.x-k8s.io", "ipaddresses").len()
    }

    /// Events with this reason.
    pub fn events(&self, reason: &str) -> usize {
        let all = [self.server.list("", "events"), self.server.list("events.k8s.io", "events")];
        all.iter()
            .map(|events| events.iter().filter(|event| event["reason"] == reason).count())
            .max()
            .unwrap_or_default()
    }

    /// Writes of this user that took effect, events included.
    pub fn writes(&self, user: &str) -> u64 {
        self.server.journal().count(Some(user), None)
    }

    pub fn writes_without_events(&self, user: &str) -> u64 {
        self.writes(user) - self.server.journal().count(Some(user), Some("events")) - self.cluster_writes(user)
    }

    /// Writes to the TinkerbellCluster are not of a machine.
    fn cluster_writes(&self, user: &str) -> u64 {
        self.server.journal().count(Some(user), Some("tinkerbellclusters"))
    }

    pub fn machine_writes(&self, user: &str) -> u64 {
        self.writes(user) - self.cluster_writes(user)
    }

    pub fn hardware_writes(&self, user: &str) -> u64 {
        self.server.journal().count(Some(user), Some("hardware"))
    }

    pub fn write_list(&self, user: &str) -> Vec<String> {
        let records = self.server.journal().records();
        let of_user = records.iter().filter(|record| &*record.user == user);
        of_user.map(|r| format!("{} {}/{} {}", r.verb, r.resource, r.subresource, r.name)).collect()
    }

    /// Write requests of this user that had no effect: refused, or without a change.
    pub fn refused_writes(&self, user: &str) -> u64 {
        let requests = self.server.journal().requests();
        let reads = ["get", "list", "watch"];
        let asked: u64 =
            requests.iter().filter(|r| &*r.user == user && !reads.contains(&r.verb)).map(|r| r.count).sum();
        asked - self.writes(user)
    }

    /// What was done by hand breaks rules that no manager can keep then.
    pub fn expect_violations_by_hand(&mut self) {
        self.by_hand = true;
    }

    pub fn no_violations(&self) {
        assert!(!self.by_hand, "this test breaks rules by hand");
        let violations = self.observer.violations();
        assert!(violations.is_empty(), "{violations:#?}\n{}", self.describe());
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        for name in self.machines() {
            let machine = self.tinkerbell_machine(&name).unwrap_or_default();
            text += &format!("{name}: spec {} status {}\n", machine["spec"], machine["status"]["conditions"]);
        }
        for line in self.write_list(MANAGER).iter().rev().take(30).rev() {
            text += &format!("  {line}\n");
        }
        text
    }

    // === plain requests ===

    pub fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        self.server.get(group, resource, Some(namespace), name).map(|object| (*object).clone())
    }

    pub async fn create(&self, object: Value) -> Value {
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let types = object.types.clone().unwrap();
        let gvk = GroupVersionKind::try_from(&types).unwrap();
        let resource = ApiResource::from_gvk_with_plural(&gvk, &plural(&types.kind));
        let api: Api<DynamicObject> = match &object.metadata.namespace {
            Some(namespace) => Api::namespaced_with(self.operator.clone(), namespace, &resource),
            None => Api::all_with(self.operator.clone(), &resource),
        };
        let made = api.create(&PostParams::default(), &object).await;
        serde_json::to_value(made.unwrap_or_else(|error| panic!("{object:?}: {error}"))).unwrap()
    }

    fn api(&self, group: &str, plural: &str, namespace: &str) -> Api<DynamicObject> {
        let version = match group {
            "cluster.x-k8s.io" => "v1beta2",
            "ipam.cluster.x-k8s.io" if plural == "inclusterippools" => "v1alpha2",
            "ipam.cluster.x-k8s.io" => "v1beta2",
            "infrastructure.cluster.x-k8s.io" => "v1beta1",
            _ => "v1alpha1",
        };
        let gvk = GroupVersionKind::gvk(group, version, "Any");
        Api::namespaced_with(self.operator.clone(), namespace, &ApiResource::from_gvk_with_plural(&gvk, plural))
    }

    pub async fn patch(&self, group: &str, plural: &str, namespace: &str, name: &str, patch: Value) {
        let api = self.api(group, plural, namespace);
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub async fn delete_secret(&self, name: &str) {
        let secrets: Api<k8s_openapi::api::core::v1::Secret> = Api::namespaced(self.operator.clone(), "default");
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
