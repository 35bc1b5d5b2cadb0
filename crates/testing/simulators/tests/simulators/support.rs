//! A world for the stand-ins: an API server with their CRDs, and short ways to write and read objects.

use std::sync::Arc;
use std::time::Duration;

use capt_simulators::crds::Group;
use kube::Client;
use memory_apiserver::MemoryApiServer;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Namespace of every object, unless a test has its own.
pub const NS: &str = "default";

/// Longest time, on the paused clock, that anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub struct World {
    pub server: MemoryApiServer,
    client: Client,
    /// Version of Cluster API's kinds.
    contract: &'static str,
    namespace: String,
    pub token: CancellationToken,
}

/// Where an object lives; `kind` as it is used in tests, `contract` is the version of Cluster API's kinds.
fn path(contract: &str, namespace: &str, kind: &str, name: &str) -> String {
    let (group_version, plural) = match kind {
        "Cluster" => ("cluster.x-k8s.io/v1beta2", "clusters"),
        "Machine" => ("cluster.x-k8s.io/v1beta2", "machines"),
        "MachineSet" => ("cluster.x-k8s.io/v1beta2", "machinesets"),
        "MachineDeployment" => ("cluster.x-k8s.io/v1beta2", "machinedeployments"),
        "KubeadmControlPlane" => ("controlplane.cluster.x-k8s.io/v1beta2", "kubeadmcontrolplanes"),
        "TinkerbellCluster" => ("infrastructure.cluster.x-k8s.io/v1beta1", "tinkerbellclusters"),
        "TinkerbellMachine" => ("infrastructure.cluster.x-k8s.io/v1beta1", "tinkerbellmachines"),
        "TinkerbellMachineTemplate" => ("infrastructure.cluster.x-k8s.io/v1beta1", "tinkerbellmachinetemplates"),
        "IPAddressClaim" => ("ipam.cluster.x-k8s.io/v1beta2", "ipaddressclaims"),
        "IPAddress" => ("ipam.cluster.x-k8s.io/v1beta2", "ipaddresses"),
        "InClusterIPPool" => ("ipam.cluster.x-k8s.io/v1alpha2", "inclusterippools"),
        "GlobalInClusterIPPool" => ("ipam.cluster.x-k8s.io/v1alpha2", "globalinclusterippools"),
        "IPPool" => ("ipam.metal3.io/v1alpha1", "ippools"),
        "Hardware" => ("tinkerbell.org/v1alpha1", "hardware"),
        "Template" => ("tinkerbell.org/v1alpha1", "templates"),
        "Workflow" => ("tinkerbell.org/v1alpha1", "workflows"),
        "BMC" => ("bmc.tinkerbell.org/v1alpha1", "machines"),
        "Job" => ("bmc.tinkerbell.org/v1alpha1", "jobs"),
        "Task" => ("bmc.tinkerbell.org/v1alpha1", "tasks"),
        "Secret" => return format!("/api/v1/namespaces/{namespace}/secrets/{name}"),
        other => panic!("unknown kind {other}"),
    };
    let namespace = if kind.starts_with("Global") { String::new() } else { format!("namespaces/{namespace}/") };
    let group_version = group_version.replace("v1beta2", contract);
    format!("/apis/{group_version}/{namespace}{plural}/{name}")
}

impl World {
    /// A server with these definitions and those of the infrastructure.
    pub async fn new(groups: &[Group]) -> Self {
        Self::with_contract(groups, "v1beta2").await
    }

    /// As [`Self::new`], but what has lost its owner stays.
    pub async fn without_collector(groups: &[Group]) -> Self {
        Self::on(MemoryApiServer::builder().garbage_collection(false).build(), groups, "v1beta2")
    }

    /// A server whose Cluster API kinds have no version newer than `contract`.
    pub async fn with_contract(groups: &[Group], contract: &'static str) -> Self {
        Self::on(MemoryApiServer::new(), groups, contract)
    }

    /// A world on this server.
    pub fn on(server: MemoryApiServer, groups: &[Group], contract: &'static str) -> Self {
        server.apply_manifest(include_str!("infrastructure.yaml")).unwrap();
        for text in groups.iter().flat_map(|group| group.crds()) {
            server.apply_manifest(&up_to(contract, text)).unwrap();
        }
        let client = server.client("test");
        Self { server, client, contract, namespace: NS.to_owned(), token: CancellationToken::new() }
    }

    /// The same world, seen from another namespace, which is made.
    pub async fn in_namespace(&self, namespace: &str) -> Self {
        let body = json!({ "metadata": { "name": namespace } });
        self.send("POST", "/api/v1/namespaces", "application/json", &body).await.unwrap();
        Self { namespace: namespace.to_owned(), ..self.clone() }
    }

    fn path(&self, kind: &str, name: &str) -> String {
        path(self.contract, &self.namespace, kind, name)
    }

    /// The client of a stand-in.
    pub fn client_for(&self, user: &str) -> Client {
        self.server.client(user)
    }

    /// What a stand-in has written: verb and resource.
    pub fn writes_by(&self, user: &str) -> Vec<(String, String)> {
        let records = self.server.journal().records();
        let own = records.iter().filter(|record| &*record.user == user);
        own.map(|record| (record.verb.to_owned(), record.resource.to_string())).collect()
    }

    /// Sends a request; `Err` is the HTTP status of a refusal.
    async fn send(&self, method: &str, path: &str, content: &str, body: &Value) -> Result<Value, u16> {
        let request = http::Request::builder()
            .method(method)
            .uri(path.trim_end_matches('/'))
            .header("content-type", content)
            .body(if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() })
            .unwrap();
        match self.client.request::<Value>(request).await {
            Ok(value) => Ok(value),
            Err(kube::Error::Api(status)) => Err(status.code),
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    pub async fn create(&self, kind: &str, name: &str, mut body: Value) -> Value {
        let path = self.path(kind, "");
        let mut segments = path.trim_start_matches("/apis/").split('/');
        let api_version = format!("{}/{}", segments.next().unwrap(), segments.next().unwrap());
        body["apiVersion"] = json!(api_version);
        body["kind"] = json!(if kind == "BMC" { "Machine" } else { kind });
        body["metadata"]["name"] = json!(name);
        let created = self.send("POST", &path, "application/json", &body).await;
        created.unwrap_or_else(|code| panic!("create {kind} {name}: {code}"))
    }

    pub async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        match self.send("GET", &self.path(kind, name), "application/json", &Value::Null).await {
            Ok(value) => Some(value),
            Err(404) => None,
            Err(code) => panic!("get {kind} {name}: {code}"),
        }
    }

    pub async fn list(&self, kind: &str) -> Vec<Value> {
        let list = self.send("GET", &self.path(kind, ""), "application/json", &Value::Null).await.unwrap();
        list["items"].as_array().cloned().unwrap()
    }

    pub async fn patch(&self, kind: &str, name: &str, patch: Value) -> Value {
        let path = self.path(kind, name);
        let patched = self.send("PATCH", &path, "application/merge-patch+json", &patch).await;
        patched.unwrap_or_else(|code| panic!("patch {kind} {name}: {code}"))
    }

    pub async fn patch_status(&self, kind: &str, name: &str, status: Value) -> Value {
        let path = format!("{}/status", self.path(kind, name));
        let patch = json!({ "status": status });
        let patched = self.send("PATCH", &path, "application/merge-patch+json", &patch).await;
        patched.unwrap_or_else(|code| panic!("patch status of {kind} {name}: {code}"))
    }

    pub async fn delete(&self, kind: &str, name: &str) {
        let deleted = self.send("DELETE", &self.path(kind, name), "application/json", &Value::Null).await;
        deleted.unwrap_or_else(|code| panic!("delete {kind} {name}: {code}"));
    }

    /// Waits until the object exists and `holds`.
    pub async fn until(&self, kind: &str, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let look = async || match self.get(kind, name).await {
            Some(object) if holds(&object) => Ok(object),
            object => Err(format!("{object:#?}")),
        };
        reached(&format!("{kind} {name} has come to it"), look).await
    }

    /// Waits until the object is gone.
    pub async fn until_gone(&self, kind: &str, name: &str) {
        let look = async || self.get(kind, name).await.map_or(Ok(()), |object| Err(format!("{object:#?}")));
        reached(&format!("{kind} {name} is gone"), look).await
    }

    /// Waits until the list of all objects of a kind `holds`.
    pub async fn until_all(&self, kind: &str, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let look = async || {
            let all = self.list(kind).await;
            if holds(&all) { Ok(all) } else { Err(format!("{all:#?}")) }
        };
        reached(&format!("all {kind} have come to it"), look).await
    }

    /// Lets everything that is going to happen happen.
    pub async fn settle(&self) {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }

    /// Every value that a text in an object takes from now on, repeats left out.
    pub fn trace(&self, kind: &str, name: &str, pointer: &'static str) -> Arc<Mutex<Vec<String>>> {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (world, kind, name, trace) = (self.clone(), kind.to_owned(), name.to_owned(), Arc::clone(&seen));
        tokio::spawn(async move {
            let take_in = move |_: &str, object: Value| {
                if object["metadata"]["name"] == json!(name) {
                    let value = object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                    let mut trace = trace.lock();
                    if trace.last().map(String::as_str) != Some(value) {
                        trace.push(value.to_owned());
                    }
                }
            };
            world.watch(&kind, take_in).await;
        });
        seen
    }

    /// Hands out every event of a kind from now on; returns when the watch is open.
    pub async fn watch(&self, kind: &str, mut take_in: impl FnMut(&str, Value) + Send + 'static) {
        use futures::{AsyncBufReadExt, TryStreamExt};
        let url = format!("{}?watch=true", self.path(kind, "").trim_end_matches('/'));
        let request = http::Request::get(url).body(Vec::new()).unwrap();
        let lines = self.client.request_stream(request).await.unwrap().lines();
        tokio::spawn(async move {
            futures::pin_mut!(lines);
            while let Some(line) = lines.try_next().await.unwrap() {
                let mut event: Value = serde_json::from_str(&line).unwrap();
                let object = event["object"].take();
                take_in(event["type"].as_str().unwrap(), object);
            }
        });
    }
}

/// The definition without versions newer than `contract`.
fn up_to(contract: &str, text: &str) -> String {
    let mut crd: Value = serde_saphyr::from_str(text).unwrap();
    let versions = crd["spec"]["versions"].as_array_mut().unwrap();
    versions.retain(|version| contract == "v1beta2" || version["name"] != "v1beta2");
    if versions.iter().all(|version| version["storage"] == false) {
        versions.last_mut().unwrap()["storage"] = json!(true);
    }
    crd.to_string()
}

/// Names of the finalizers of an object.
pub fn finalizers(object: &Value) -> Vec<&str> {
    let list = object["metadata"]["finalizers"].as_array().map(Vec::as_slice);
    list.unwrap_or_default().iter().filter_map(Value::as_str).collect()
}

pub fn is_terminating(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

async fn reached<T, F: Future<Output = Result<T, String>>>(what: &str, look: impl FnMut() -> F) -> T {
    let found = capt_simulators::until(what, PATIENCE, Duration::from_millis(20), look).await;
    found.unwrap_or_else(|error| panic!("{error}"))
}
