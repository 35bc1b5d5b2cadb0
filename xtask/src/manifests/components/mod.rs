//! Kustomize components: what one may add to the installation, or leave out.

mod ha;
pub mod monitoring;
mod network_policy;
mod without_webhooks;

use serde_json::{Value, json};

use super::Document;

/// One component.
pub struct Component {
    /// Its folder below `deploy/components`.
    pub name: &'static str,
    /// What it is for; becomes the comment of its kustomization.
    pub purpose: &'static str,
    /// Its objects, by file.
    pub resources: Vec<(&'static str, Vec<Document>)>,
    /// Its changes of the installation's objects.
    pub patches: Vec<Patch>,
}

/// A change of objects of the installation.
pub struct Patch {
    /// Which objects, as kustomize selects them; the object itself names it where this is null.
    pub target: Value,
    /// The file, if it has one of its own.
    pub path: &'static str,
    /// A strategic merge patch (an object), or a JSON patch (a list).
    pub change: Value,
}

impl Component {
    /// Its files.
    #[must_use]
    pub fn files(&self) -> Vec<(&'static str, Vec<Document>)> {
        let reference = |patch: &Patch| match &patch.target {
            Value::Null => json!({ "path": patch.path }),
            target => json!({ "path": patch.path, "target": target }),
        };
        let mut kustomization = json!({ "apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component" });
        if let Value::Object(members) = &mut kustomization {
            let names: Vec<&str> = self.resources.iter().map(|(name, _)| *name).collect();
            if !names.is_empty() {
                members.insert("resources".to_owned(), json!(names));
            }
            if !self.patches.is_empty() {
                members.insert("patches".to_owned(), self.patches.iter().map(reference).collect());
            }
        }
        let mut files = vec![("kustomization.yaml", vec![Document::new(kustomization).because(self.purpose)])];
        files.extend(self.resources.iter().cloned());
        files.extend(self.patches.iter().map(|patch| (patch.path, vec![Document::new(patch.change.clone())])));
        files
    }
}

/// All components.
#[must_use]
pub fn all() -> Vec<Component> {
    vec![ha::component(), monitoring::component(), network_policy::component(), without_webhooks::component()]
}
