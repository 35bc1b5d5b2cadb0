//! The server under test: memory-apiserver, or a real one.

use http::Request;
use kube::Client;
use kube::client::Body;
use memory_apiserver::MemoryApiServer;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const DEFINITIONS: &str = include_str!("definitions.yaml");
const DEFINITIONS_PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

pub struct Target {
    pub client: Client,
    real: bool,
    newer: bool,
    run: String,
    cases: AtomicUsize,
}

/// The minor version of a server: `36`, or `36+` of one that was built from something else than a tag.
async fn minor(client: &Client) -> u32 {
    let version = client.apiserver_version().await.unwrap();
    version.minor.trim_end_matches('+').parse().unwrap()
}

impl Target {
    pub async fn from_environment() -> Self {
        let (client, real) = match std::env::var("CONFORMANCE_KUBECONFIG") {
            Ok(file) => {
                let kubeconfig = kube::config::Kubeconfig::read_from(file).unwrap();
                let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.unwrap();
                // 429, 503 and 504 are answers too.
                config.default_retry = false;
                (Client::try_from(config).unwrap(), true)
            }
            Err(_) => {
                let server = MemoryApiServer::new();
                let client = server.client("conformance");
                // A server that has run for a while no longer has its first resource versions.
                server.faults().compact();
                (client, false)
            }
        };
        let newer = real && minor(&client).await >= super::NEWER_MINOR;
        let run = uuid::Uuid::new_v4().simple().to_string()[..6].to_owned();
        let target = Self { client, real, newer, run, cases: AtomicUsize::new(0) };
        target.install().await;
        target
    }

    pub fn is_real(&self) -> bool {
        self.real
    }

    /// Whether it is of a version that answers some cases otherwise than memory-apiserver.
    pub fn is_newer(&self) -> bool {
        self.newer
    }

    /// A word no other case of any run has.
    pub fn unique(&self) -> String {
        format!("{}{:03}", self.run, self.cases.fetch_add(1, Ordering::Relaxed))
    }

    pub async fn send(&self, method: &str, path: &str, body: &str) -> u16 {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(Body::from(body.as_bytes().to_vec()))
            .unwrap();
        self.client.send(request).await.unwrap().status().as_u16()
    }

    async fn install(&self) {
        let documents: Vec<Value> = serde_saphyr::from_multiple(DEFINITIONS).unwrap();
        for document in &documents {
            let code = self.send("POST", DEFINITIONS_PATH, &document.to_string()).await;
            assert!(code == 201 || code == 409, "{code}: {document}");
        }
        for document in &documents {
            for version in document["spec"]["versions"].as_array().unwrap() {
                let names = &document["spec"]["names"];
                let path = format!(
                    "/apis/conformance.example.com/{}/{}?limit=1",
                    version["name"].as_str().unwrap(),
                    names["plural"].as_str().unwrap()
                );
                for _ in 0..200 {
                    if self.send("GET", &path, "").await == 200 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        if self.real {
            // Watch caches and OpenAPI follow a moment later.
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }

    /// Removes a case's namespace. On a real server the suite takes the namespace controller's part: that one needs some
    /// hundred requests for each, and would still be busy when the next case waits for it.
    pub async fn clear(&self, namespace: &str) {
        let path = format!("/api/v1/namespaces/{namespace}");
        if self.real {
            self.remove_finalizers(&format!("namespaces/{namespace}/widgets")).await;
            self.send("DELETE", &format!("/apis/conformance.example.com/v1/namespaces/{namespace}/widgets"), "").await;
            self.send("DELETE", &format!("/apis/conformance.example.com/v1/namespaces/{namespace}/racks"), "").await;
            for kind in ["configmaps", "secrets", "services", "serviceaccounts"] {
                self.send("DELETE", &format!("{path}/{kind}"), "").await;
            }
        }
        self.send("DELETE", &path, "").await;
        if self.real {
            let empty = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}, "spec": {}});
            self.send("PUT", &format!("{path}/finalize"), &empty.to_string()).await;
        }
    }

    /// Objects, and with them their definition or namespace, go only when nothing holds them.
    async fn remove_finalizers(&self, collection: &str) {
        let group = "/apis/conformance.example.com/v1";
        let request = Request::get(format!("{group}/{collection}")).body(Vec::new()).unwrap();
        let Ok(list) = self.client.request::<Value>(request).await else { return };
        let plural = collection.rsplit('/').next().unwrap();
        for item in list["items"].as_array().unwrap() {
            let meta = &item["metadata"];
            if meta["finalizers"].is_null() {
                continue;
            }
            let scope = meta["namespace"].as_str().map(|n| format!("namespaces/{n}/")).unwrap_or_default();
            let path = format!("{group}/{scope}{plural}/{}", meta["name"].as_str().unwrap());
            let request = Request::patch(path)
                .header("content-type", "application/merge-patch+json")
                .body(br#"{"metadata":{"finalizers":null}}"#.to_vec())
                .unwrap();
            self.client.request::<Value>(request).await.ok();
        }
    }

    /// Removes what the suite made for all cases; each case removes its own.
    pub async fn clean_up(&self) {
        if self.real {
            self.remove_finalizers("widgets").await;
            self.remove_finalizers("gadgets").await;
            let documents: Vec<Value> = serde_saphyr::from_multiple(DEFINITIONS).unwrap();
            for document in documents {
                let name = document["metadata"]["name"].as_str().unwrap();
                let path = format!("{DEFINITIONS_PATH}/{name}");
                self.send("DELETE", &path, "").await;
                for _ in 0..100 {
                    if self.send("GET", &path, "").await == 404 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}
