//! Puts objects on a control plane, as `kubectl create --validate=strict` would.

use std::collections::HashMap;

use anyhow::Context;
use http::Request;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::Client;
use serde_json::{Value, json};

use crate::manifests::{BadInput, Document};

/// Name of the sandbox, for field managers and journals.
pub const SANDBOX: &str = "capt-sandbox";

/// Where the objects of a kind are.
#[derive(Clone, Debug)]
struct Resource {
    plural: String,
    namespaced: bool,
}

/// Creates and deletes objects of any kind.
pub struct Installer {
    client: Client,
    /// By `apiVersion` and kind.
    known: HashMap<(String, String), Resource>,
}

impl Installer {
    /// An installer that works with this client.
    pub fn new(client: Client) -> Self {
        Self { client, known: HashMap::new() }
    }

    /// Creates an object.
    ///
    /// # Errors
    /// [`BadInput`], if the object is at fault; any other error otherwise.
    pub async fn create(&mut self, document: &Document) -> anyhow::Result<()> {
        let path = self.path(document).await?;
        let uri = format!("{path}?fieldManager={SANDBOX}&fieldValidation=Strict");
        let request = Request::post(uri)
            .header("content-type", "application/json")
            .body(serde_json::to_vec(&document.object).context("an object")?)?;
        match self.client.request::<Value>(request).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code < 500 && status.code != 429 => {
                let causes = status.details.iter().flat_map(|details| &details.causes);
                let fields: Vec<&str> =
                    causes.map(|cause| cause.field.as_str()).filter(|field| !field.is_empty()).collect();
                let fields = if fields.is_empty() { String::new() } else { format!(" in {}", fields.join(", ")) };
                Err(BadInput::Refused { document: document.describe(), fields, message: status.message.clone() }.into())
            }
            Err(error) => Err(error).with_context(|| format!("cannot create {}", document.describe())),
        }
    }

    /// Changes an object by a merge patch.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn merge(&mut self, document: &Document, patch: &Value) -> anyhow::Result<()> {
        let path = format!("{}/{}?fieldManager={SANDBOX}", self.path(document).await?, document.key().name);
        let request = Request::patch(path)
            .header("content-type", "application/merge-patch+json")
            .body(serde_json::to_vec(patch).context("a patch")?)?;
        let changed = self.client.request::<Value>(request).await;
        changed.map(drop).with_context(|| format!("cannot change {}", document.describe()))
    }

    /// Deletes an object and does not wait for its end. One that is gone already is fine.
    ///
    /// # Errors
    /// When the server does not do it.
    pub async fn delete(&mut self, document: &Document) -> anyhow::Result<()> {
        let path = format!("{}/{}", self.path(document).await?, document.key().name);
        let body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
        let request = Request::delete(path)
            .header("content-type", "application/json")
            .body(serde_json::to_vec(&body).context("options")?)?;
        match self.client.request::<Value>(request).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot delete {}", document.describe())),
        }
    }

    /// Whether an object is there.
    ///
    /// # Errors
    /// When the server does not tell.
    pub async fn exists(&mut self, document: &Document) -> anyhow::Result<bool> {
        let path = format!("{}/{}", self.path(document).await?, document.key().name);
        match self.client.request::<Value>(Request::get(path).body(Vec::new())?).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", document.describe())),
        }
    }

    /// The path of the collection that an object belongs to.
    async fn path(&mut self, document: &Document) -> anyhow::Result<String> {
        let resource = self.resource(document).await?;
        let version = document.api_version();
        let root = if version.contains('/') { "apis" } else { "api" };
        let namespace = match resource.namespaced {
            true => format!("namespaces/{}/", document.key().namespace),
            false => String::new(),
        };
        Ok(format!("/{root}/{version}/{namespace}{}", resource.plural))
    }

    async fn resource(&mut self, document: &Document) -> anyhow::Result<Resource> {
        let at = (document.api_version().to_owned(), document.kind().to_owned());
        if let Some(resource) = self.known.get(&at) {
            return Ok(resource.clone());
        }
        let unknown = || BadInput::UnknownKind {
            document: document.describe(),
            kind: document.kind().to_owned(),
            version: document.api_version().to_owned(),
        };
        let version = document.api_version();
        let listed: Result<APIResourceList, kube::Error> = match version.contains('/') {
            true => self.client.list_api_group_resources(version).await,
            false => self.client.list_core_api_resources(version).await,
        };
        let listed = match listed {
            Ok(listed) => listed,
            Err(kube::Error::Api(status)) if status.code == 404 => return Err(unknown().into()),
            Err(error) => return Err(error).with_context(|| format!("cannot find out what {version} holds")),
        };
        let of_kind = |resource: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResource| {
            resource.kind == document.kind() && !resource.name.contains('/')
        };
        let found = listed.resources.iter().find(of_kind).ok_or_else(unknown)?;
        let resource = Resource { plural: found.name.clone(), namespaced: found.namespaced };
        self.known.insert(at, resource.clone());
        Ok(resource)
    }
}

/// How many machines the objects ask for.
pub fn machines_wanted(documents: &[Document]) -> usize {
    let wanted = |document: &Document| match (document.group(), document.kind()) {
        ("controlplane.cluster.x-k8s.io", "KubeadmControlPlane") | ("cluster.x-k8s.io", "MachineDeployment") => {
            let replicas = document.object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
            usize::try_from(replicas).unwrap_or(usize::MAX)
        }
        ("infrastructure.cluster.x-k8s.io", "TinkerbellMachine") => 1,
        _ => 0,
    };
    documents.iter().map(wanted).sum()
}

/// The CustomResourceDefinitions of CAPT and of all its neighbours, as documents.
///
/// # Errors
/// When one of them is broken.
pub fn crds() -> anyhow::Result<Vec<Document>> {
    let mut all = Vec::new();
    for crd in capt_api::crds()? {
        let object = serde_json::to_value(&crd).context("a CRD of CAPT")?;
        all.push(Document { file: "CRDs of CAPT".to_owned(), number: all.len() + 1, object });
    }
    for text in capt_simulators::crds::crds() {
        all.extend(crate::manifests::parse("CRDs of the neighbours", text)?);
    }
    Ok(all)
}
