//! The Cluster: owns its infrastructure and control plane, shows their state, and takes everything down in order.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use crate::engine::{Error, Key, Next, Object, Reconcile, Store, controller_reference, is_paused, owner_reference};

use super::names::{CLUSTER_FINALIZER, CLUSTER_NAME};
use super::status::{report, specify};
use super::{ClusterApi, cluster_key};

pub(super) struct Clusters(pub(super) Arc<ClusterApi>);

impl Reconcile for Clusters {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let api = &self.0;
        let Some(cluster) = api.clusters.get(key) else {
            return Ok(Next::Wait);
        };
        if is_paused(&cluster) {
            return Ok(Next::Wait);
        }
        if cluster.is_terminating() {
            return api.tear_down(&cluster).await;
        }
        let cluster = if cluster.has_finalizer(CLUSTER_FINALIZER) {
            cluster
        } else {
            api.clusters.patch(key, &cluster.add_finalizer(CLUSTER_FINALIZER)).await?
        };
        api.observe_cluster(&cluster).await
    }
}

impl ClusterApi {
    async fn observe_cluster(&self, cluster: &Object) -> Result<Next, Error> {
        let owner = controller_reference(cluster, self.clusters.resource()?);
        let control_plane = self.referenced(cluster, &self.control_planes, "/controlPlaneRef/name");
        if let Some(control_plane) = &control_plane {
            adopt(&self.control_planes, control_plane, &owner, cluster.name()).await?;
        }
        let infra = self.referenced(cluster, &self.infra_clusters, "/infrastructureRef/name");
        if let Some(infra) = &infra {
            adopt(&self.infra_clusters, infra, &owner, cluster.name()).await?;
        }
        let ready = infra.as_ref().is_some_and(|infra| is_infra_ready(infra));
        let endpoint = infra.as_ref().and_then(|infra| infra.spec.get("controlPlaneEndpoint"));
        if let (true, Some(endpoint)) = (ready, endpoint) {
            specify(&self.clusters, cluster, json!({ "controlPlaneEndpoint": endpoint })).await?;
        }
        // Once true it stays true, as in Cluster API.
        let provisioned = ready || self.is_cluster_provisioned(cluster);
        let initialized = control_plane.as_ref().is_some_and(|c| self.is_control_plane_initialized(c));
        let phase = if provisioned { "Provisioned" } else { "Provisioning" };
        let mut status = json!({ "phase": phase });
        if let Some(status) = status.as_object_mut() {
            status.extend(self.cluster_flags(provisioned, initialized));
            self.tell_cluster(cluster, (provisioned, control_plane.as_deref()), status);
        }
        report(&self.clusters, cluster, status).await?;
        Ok(Next::Wait)
    }

    /// The flags of a Cluster's status that are true, where this contract has them.
    fn cluster_flags(&self, provisioned: bool, initialized: bool) -> serde_json::Map<String, Value> {
        let flags = if self.is_v1beta2() {
            [("infrastructureProvisioned", provisioned), ("controlPlaneInitialized", initialized)]
        } else {
            [("infrastructureReady", provisioned), ("controlPlaneReady", initialized)]
        };
        let set: serde_json::Map<String, Value> =
            flags.into_iter().filter(|(_, flag)| *flag).map(|(name, flag)| (name.to_owned(), flag.into())).collect();
        match self.is_v1beta2() {
            true if !set.is_empty() => serde_json::Map::from_iter([("initialization".to_owned(), set.into())]),
            _ => set,
        }
    }

    /// Whether the Cluster's status says that its infrastructure is there.
    pub(super) fn is_cluster_provisioned(&self, cluster: &Object) -> bool {
        is_true(&cluster.status, "/initialization/infrastructureProvisioned")
            || is_true(&cluster.status, "/infrastructureReady")
    }

    fn referenced(&self, cluster: &Object, store: &Store, pointer: &str) -> Option<Arc<Object>> {
        store.get(&Key::new(cluster.namespace(), cluster.spec_text(pointer)))
    }

    /// Workers, then the control plane, then the infrastructure, then the Cluster itself.
    async fn tear_down(&self, cluster: &Object) -> Result<Next, Error> {
        let key = cluster.key();
        let of_cluster = |object: &Object| cluster_key(object).as_ref() == Some(&key);
        let is_worker = |object: &Object| of_cluster(object) && object.label(super::names::CONTROL_PLANE).is_none();
        let mut left = delete_all(&self.deployments, of_cluster).await?;
        // Their deployments delete their Machines; these are the ones that somebody made by hand.
        left += delete_all(&self.machines, |m| is_worker(m) && m.controller().is_none()).await?;
        left += self.machines.select(is_worker).len();
        if left > 0 {
            return Ok(Next::Wait);
        }
        left += delete_all(&self.control_planes, of_cluster).await?;
        left += delete_all(&self.machines, |m| of_cluster(m) && m.controller().is_none()).await?;
        left += self.machines.select(of_cluster).len();
        if left > 0 {
            return Ok(Next::Wait);
        }
        if let Some(infra) = self.referenced(cluster, &self.infra_clusters, "/infrastructureRef/name") {
            if !infra.is_terminating() {
                self.infra_clusters.delete(&infra).await?;
            }
            // It may be gone already; then its store has told us, and we are looked at once more.
            return Ok(Next::Wait);
        }
        if cluster.has_finalizer(CLUSTER_FINALIZER) {
            self.clusters.patch(&key, &cluster.remove_finalizer(CLUSTER_FINALIZER)).await?;
        }
        Ok(Next::Wait)
    }

    /// Templates belong to their Cluster, so that they go with it.
    pub(super) async fn own_template(&self, cluster: &Object, template: &Key) -> Result<(), Error> {
        if let Some(template) = self.infra_templates.get(template)
            && !template.is_owned_by(cluster.uid())
        {
            let patch = template.add_owner(&owner_reference(cluster, self.clusters.resource()?));
            self.infra_templates.patch(&template.key(), &patch).await?;
        }
        Ok(())
    }
}

/// Whether an infrastructure object says it is ready, in either contract.
pub(super) fn is_infra_ready(infra: &Object) -> bool {
    is_true(&infra.status, "/ready") || is_true(&infra.status, "/initialization/provisioned")
}

pub(super) fn is_true(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

async fn adopt(store: &Store, object: &Object, owner: &OwnerReference, cluster: &str) -> Result<(), Error> {
    if object.is_owned_by(&owner.uid) && object.label(CLUSTER_NAME) == Some(cluster) {
        return Ok(());
    }
    let mut patch = if object.is_owned_by(&owner.uid) { json!({ "metadata": {} }) } else { object.add_owner(owner) };
    if let Some(metadata) = patch.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("labels".to_owned(), json!({ CLUSTER_NAME: cluster }));
    }
    store.patch(&object.key(), &patch).await?;
    Ok(())
}

/// Deletes what is not being deleted yet; counts what was there.
pub(super) async fn delete_all(store: &Store, wanted: impl Fn(&Object) -> bool) -> Result<usize, Error> {
    let objects = store.select(wanted);
    for object in objects.iter().filter(|object| !object.is_terminating()) {
        store.delete(object).await?;
    }
    Ok(objects.len())
}
