//! What a person does with kubectl. Nothing of it fails the run: an object may be gone, or changed meanwhile.

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use super::Stage;

/// Who persons are to the server.
pub(super) const PERSON: &str = "person";

/// Where objects of a kind are: group, version and plural.
pub(super) type Kind = (&'static str, &'static str, &'static str);

pub(super) const MACHINES: Kind = ("infrastructure.cluster.x-k8s.io", "v1beta1", "tinkerbellmachines");
pub(super) const OWNERS: Kind = ("cluster.x-k8s.io", "v1beta2", "machines");
pub(super) const CLUSTERS: Kind = ("cluster.x-k8s.io", "v1beta2", "clusters");
pub(super) const HARDWARE: Kind = ("tinkerbell.org", "v1alpha1", "hardware");
pub(super) const WORKFLOWS: Kind = ("tinkerbell.org", "v1alpha1", "workflows");
pub(super) const TEMPLATES: Kind = ("tinkerbell.org", "v1alpha1", "templates");
pub(super) const JOBS: Kind = ("bmc.tinkerbell.org", "v1alpha1", "jobs");
pub(super) const BMC_MACHINES: Kind = ("bmc.tinkerbell.org", "v1alpha1", "machines");
pub(super) const SECRETS: Kind = ("", "v1", "secrets");
pub(super) const CLAIMS: Kind = ("ipam.cluster.x-k8s.io", "v1beta2", "ipaddressclaims");
pub(super) const POOLS: Kind = ("ipam.cluster.x-k8s.io", "v1alpha2", "inclusterippools");

impl Stage {
    fn api(&self, (group, version, plural): Kind, namespace: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, "Any"), plural);
        Api::namespaced_with(self.person.clone(), namespace, &resource)
    }

    /// Creates an object of that kind; returns its UID, or nothing if there is one of its name already.
    pub(super) async fn create(&self, kind: Kind, object: &Value) -> Option<String> {
        let object: DynamicObject = serde_json::from_value(object.clone()).ok()?;
        let namespace = object.metadata.namespace.clone().unwrap_or_default();
        self.api(kind, &namespace).create(&PostParams::default(), &object).await.ok()?.metadata.uid
    }

    pub(super) async fn patch(&self, kind: Kind, namespace: &str, name: &str, patch: &Value) {
        let patched = self.api(kind, namespace).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        // It may be gone.
        drop(patched);
    }

    pub(super) async fn delete(&self, kind: Kind, namespace: &str, name: &str) {
        let deleted = self.api(kind, namespace).delete(name, &DeleteParams::background()).await;
        // It may be gone.
        drop(deleted);
    }

    /// Deletes a namespace with everything in it.
    pub(super) async fn delete_namespace(&self, name: &str) {
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "Namespace"), "namespaces");
        let namespaces: Api<DynamicObject> = Api::all_with(self.person.clone(), &resource);
        // It may be gone.
        drop(namespaces.delete(name, &DeleteParams::background()).await);
    }

    /// As `kubectl replace`: the object is what the manifest says.
    pub(super) async fn replace(&self, kind: Kind, namespace: &str, name: &str, manifest: &Value) {
        let Ok(mut object) = serde_json::from_value::<DynamicObject>(manifest.clone()) else {
            return;
        };
        let api = self.api(kind, namespace);
        if let Ok(now) = api.get(name).await {
            object.metadata.resource_version = now.metadata.resource_version;
            drop(api.replace(name, &PostParams::default(), &object).await);
        }
    }

    pub(super) fn get(&self, (group, _, plural): Kind, namespace: &str, name: &str) -> Option<Value> {
        self.server.get(group, plural, Some(namespace), name).map(|object| (*object).clone())
    }

    /// Names of the objects of a kind in a namespace.
    pub(super) fn names(&self, kind: Kind, namespace: &str) -> Vec<String> {
        let all = self.server.list(kind.0, kind.2);
        let here = all.iter().filter(|object| capt_invariants::text(object, "/metadata/namespace") == namespace);
        here.map(|object| capt_invariants::text(object, "/metadata/name").to_owned()).collect()
    }
}
