//! Everything that installs the manager: `deploy/`, as files for `kubectl apply -k`, and in order for one file.
//!
//! ```text
//! deploy/crds         definitions (cargo xtask crds)
//! deploy/rbac         what the manager may do (crate::rbac)
//! deploy/roles        what people may do with our kinds
//! deploy/manager      Namespace, Deployment
//! deploy/webhook      Service, certificate, registrations
//! deploy/components   what one may add or leave out, as kustomize components
//! ```

pub mod components;
pub mod deployment;
mod objects;
pub mod roles;
pub mod webhook;

use anyhow::Context;
use serde_json::{Value, json};

use crate::generated::{Files, Folder};
use crate::names::{NAMESPACE, PROVIDER, PROVIDER_LABEL};
use crate::{crds, rbac};

pub use objects::{Document, labelled};

/// Where the files lie.
pub const FOLDER: Folder = Folder { path: "deploy", command: "manifests" };

/// Which way the variables of an installation are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variables {
    /// With their defaults filled in: the ConfigMap changes them.
    Filled,
    /// As clusterctl and the operator fill them in.
    Clusterctl,
}

/// A file below `deploy/`, and what it holds.
pub struct File {
    /// Its path from there.
    pub path: &'static str,
    /// Its objects.
    pub documents: Vec<Document>,
}

/// The files of the installation, in an order in which each object finds what it needs.
#[must_use]
pub fn files(variables: Variables) -> Vec<File> {
    let file = |path, documents| File { path, documents };
    vec![
        file("manager/namespace.yaml", vec![namespace()]),
        file("rbac/service_account.yaml", rbac::service_account()),
        file("rbac/manager_role.yaml", rbac::manager_role()),
        file("rbac/leader_election_role.yaml", rbac::leader_election_role()),
        file("roles/viewer_role.yaml", vec![roles::viewer()]),
        file("roles/editor_role.yaml", vec![roles::editor()]),
        file("webhook/certificate.yaml", vec![webhook::issuer(), webhook::certificate()]),
        file("webhook/service.yaml", vec![webhook::service()]),
        file("manager/deployment.yaml", vec![deployment::deployment(variables)]),
        file("webhook/configurations.yaml", vec![webhook::mutating(), webhook::validating()]),
    ]
}

/// The Namespace. What runs in it must not need any privilege.
fn namespace() -> Document {
    let labels = json!({
        PROVIDER_LABEL: PROVIDER,
        "control-plane": "controller-manager",
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    });
    Document::new(json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": { "name": NAMESPACE, "labels": labels },
    }))
}

/// All files of `deploy/` but the definitions, which [`crds::render`] has.
///
/// # Errors
/// When something cannot be written as YAML.
pub fn render() -> anyhow::Result<Files> {
    let files = files(Variables::Filled);
    let mut rendered = Files::new();
    let resources = files.iter().map(|file| file.path.to_owned());
    let definitions = crds::render()?.into_keys().map(|name| format!("crds/{name}"));
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources.chain(definitions).collect::<Vec<_>>(),
    });
    rendered.insert("kustomization.yaml".to_owned(), content(&[Document::new(kustomization)])?);
    for file in &files {
        rendered.insert(file.path.to_owned(), content(&file.documents)?);
    }
    for component in components::all() {
        for (name, documents) in component.files() {
            rendered.insert(format!("components/{}/{name}", component.name), content(&documents)?);
        }
    }
    Ok(rendered)
}

/// The whole installation as one text, in order: definitions before the program that needs them.
///
/// # Errors
/// When something cannot be written as YAML.
pub fn installation(variables: Variables) -> anyhow::Result<String> {
    let mut text = String::new();
    for file in files(variables) {
        if file.path == "manager/deployment.yaml" {
            for crd in capt_api::crds()? {
                text.push_str(&Document::new(serde_json::to_value(crd).context("a definition")?).yaml()?);
            }
        }
        for document in &file.documents {
            text.push_str(&document.yaml()?);
        }
    }
    Ok(deployment::with_variables(&text))
}

fn content(documents: &[Document]) -> anyhow::Result<String> {
    let texts = documents.iter().map(Document::yaml).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(format!("{}\n{}", FOLDER.header(), texts.concat()))
}

/// The objects of a YAML text.
///
/// # Errors
/// When it is no YAML.
pub fn parse(text: &str) -> anyhow::Result<Vec<Value>> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(text)?;
    Ok(objects.into_iter().filter(|object| !object.is_null()).collect())
}
