//! A MachineDeployment: all its Machines at once, and a rollout with one more Machine than wanted.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::engine::{Error, Key, Next, Object, Reconcile, controller_reference, owner_reference};

use super::ClusterApi;
use super::availability::{available, is_ready, selector};
use super::cluster::delete_all;
use super::control_plane::{metadata, replicas, sort_by_age};
use super::machine::is_provisioned;
use super::make::NewMachine;
use super::names::{CLUSTER_NAME, DEPLOYMENT_FINALIZER, DEPLOYMENT_NAME, SET_NAME, TEMPLATE_HASH, generated, hash};
use super::status::{report, specify};

/// How many writes of one deployment are under way at once.
const AT_ONCE: usize = 16;

pub(super) struct Deployments(pub(super) Arc<ClusterApi>);

impl Reconcile for Deployments {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let api = &self.0;
        let Some(deployment) = api.deployments.get(key) else {
            return Ok(Next::Wait);
        };
        if !api.is_active(&deployment) {
            return Ok(Next::Wait);
        }
        let Some(cluster) = api.cluster_of(&deployment) else {
            return Ok(Next::Wait);
        };
        if deployment.is_terminating() {
            return api.remove_deployment(&deployment).await;
        }
        let deployment = api.adopt_deployment(&cluster, deployment).await?;
        let template = Key::new(&key.namespace, template_of(&deployment));
        api.own_template(&cluster, &template).await?;
        let set = api.current_set(&deployment).await?;
        api.scale_deployment(&cluster, &deployment, &set).await?;
        api.remove_empty_sets(&deployment, &set).await?;
        api.report_deployment(&deployment, &set).await?;
        Ok(Next::Wait)
    }
}

fn template_of(deployment: &Object) -> &str {
    deployment.spec_text("/template/spec/infrastructureRef/name")
}

fn version_of(deployment: &Object) -> &str {
    deployment.spec_text("/template/spec/version")
}

/// How many Machines may be missing: none, unless the strategy gives a number. Percentages are not known here.
fn max_unavailable(deployment: &Object) -> usize {
    let pointers = ["/rollout/strategy/rollingUpdate/maxUnavailable", "/strategy/rollingUpdate/maxUnavailable"];
    let number = pointers.iter().find_map(|pointer| deployment.spec.pointer(pointer).and_then(Value::as_u64));
    number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

fn is_of(deployment: &Object, object: &Object) -> bool {
    object.namespace() == deployment.namespace() && object.label(DEPLOYMENT_NAME) == Some(deployment.name())
}

impl ClusterApi {
    /// Every Machine of a deployment that is not being deleted, oldest first.
    fn workers_of(&self, deployment: &Object) -> Vec<Arc<Object>> {
        let mut machines = self.machines.select(|m| is_of(deployment, m) && !m.is_terminating());
        sort_by_age(&mut machines);
        machines
    }

    async fn adopt_deployment(&self, cluster: &Object, deployment: Arc<Object>) -> Result<Arc<Object>, Error> {
        let mut deployment = deployment;
        if !deployment.has_finalizer(DEPLOYMENT_FINALIZER) {
            let patch = deployment.add_finalizer(DEPLOYMENT_FINALIZER);
            deployment = self.deployments.patch(&deployment.key(), &patch).await?;
        }
        if !deployment.is_owned_by(cluster.uid()) {
            let patch = deployment.add_owner(&owner_reference(cluster, self.clusters.resource()?));
            deployment = self.deployments.patch(&deployment.key(), &patch).await?;
        }
        Ok(deployment)
    }

    /// The MachineSet of the deployment's present template; made if there is none.
    async fn current_set(&self, deployment: &Object) -> Result<Arc<Object>, Error> {
        let hash = hash(&[template_of(deployment), version_of(deployment)]);
        let key = Key::new(deployment.namespace(), format!("{}-{hash}", deployment.name()));
        let spec_replicas = json!({ "replicas": replicas(deployment) });
        if let Some(set) = self.sets.get(&key) {
            specify(&self.sets, &set, spec_replicas).await?;
            return Ok(set);
        }
        let cluster = deployment.spec_text("/clusterName");
        let labels = json!({ CLUSTER_NAME: cluster, DEPLOYMENT_NAME: deployment.name(), TEMPLATE_HASH: hash });
        let mut template = deployment.spec.get("template").cloned().unwrap_or_else(|| json!({}));
        if let Some(template) = template.as_object_mut() {
            let metadata = template.entry("metadata").or_insert_with(|| json!({}));
            if let Some(metadata) = metadata.as_object_mut() {
                metadata.insert("labels".to_owned(), labels.clone());
            }
        }
        let body = json!({
            "metadata": {
                "name": key.name, "namespace": key.namespace, "labels": labels,
                "ownerReferences": [controller_reference(deployment, self.deployments.resource()?)],
            },
            "spec": {
                "clusterName": cluster,
                "replicas": spec_replicas.get("replicas"),
                "selector": { "matchLabels": labels },
                "template": template,
            },
        });
        self.sets.create(body).await
    }

    async fn scale_deployment(&self, cluster: &Object, deployment: &Object, set: &Object) -> Result<(), Error> {
        let wanted = replicas(deployment);
        let (current, old): (Vec<_>, Vec<_>) =
            self.workers_of(deployment).into_iter().partition(|m| m.is_owned_by(set.uid()));
        let surge = usize::from(!old.is_empty());
        let room = (wanted + surge).saturating_sub(current.len() + old.len());
        let missing = wanted.saturating_sub(current.len()).min(room);
        self.add_workers(cluster, deployment, set, missing).await?;

        let newest_first = current.iter().rev();
        let too_many = newest_first.take(current.len().saturating_sub(wanted));
        // An old Machine that never came up serves nobody; of the others as many may go as there are more than wanted.
        let (up, never_up): (Vec<_>, Vec<_>) = old.iter().partition(|m| is_provisioned(m));
        let available = current.iter().filter(|m| is_provisioned(m)).count() + up.len();
        let replaced = up.into_iter().take(available.saturating_sub(wanted));
        let going = too_many.chain(never_up).chain(replaced).cloned();
        self.delete_machines(going).await
    }

    async fn add_workers(
        &self,
        cluster: &Object,
        deployment: &Object,
        set: &Object,
        count: usize,
    ) -> Result<(), Error> {
        let owner = controller_reference(set, self.sets.resource()?);
        let mut labels = metadata(&deployment.spec, "/template/metadata/labels");
        labels.insert(DEPLOYMENT_NAME.to_owned(), deployment.name().into());
        labels.insert(SET_NAME.to_owned(), set.name().into());
        labels.insert(TEMPLATE_HASH.to_owned(), set.label(TEMPLATE_HASH).unwrap_or_default().into());
        let new = |_| {
            self.create_machine(NewMachine {
                name: generated(set.name()),
                cluster,
                owner: owner.clone(),
                version: version_of(deployment),
                template: template_of(deployment),
                labels: labels.clone(),
                annotations: metadata(&deployment.spec, "/template/metadata/annotations"),
            })
        };
        stream::iter(0..count).map(new).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    async fn delete_machines(&self, machines: impl Iterator<Item = Arc<Object>>) -> Result<(), Error> {
        let machines: Vec<_> = machines.collect();
        stream::iter(machines)
            .map(|machine| async move { self.machines.delete(&machine).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }

    /// MachineSets of earlier templates go with their last Machine.
    async fn remove_empty_sets(&self, deployment: &Object, current: &Object) -> Result<(), Error> {
        let is_old = |set: &Object| is_of(deployment, set) && set.uid() != current.uid() && !set.is_terminating();
        for set in self.sets.select(is_old) {
            if self.machines.select(|m| m.is_owned_by(set.uid())).is_empty() {
                self.sets.delete(&set).await?;
            }
        }
        Ok(())
    }

    async fn remove_deployment(&self, deployment: &Object) -> Result<Next, Error> {
        self.delete_machines(self.workers_of(deployment).into_iter()).await?;
        if !self.machines.select(|m| is_of(deployment, m)).is_empty() {
            return Ok(Next::Wait);
        }
        delete_all(&self.sets, |set| is_of(deployment, set)).await?;
        if deployment.has_finalizer(DEPLOYMENT_FINALIZER) {
            let patch = deployment.remove_finalizer(DEPLOYMENT_FINALIZER);
            self.deployments.patch(&deployment.key(), &patch).await?;
        }
        Ok(Next::Wait)
    }

    async fn report_deployment(&self, deployment: &Object, set: &Object) -> Result<(), Error> {
        self.report_sets(&self.sets.select(|set| is_of(deployment, set)), set).await?;
        let machines = self.workers_of(deployment);
        let ready = machines.iter().filter(|m| is_ready(m)).count();
        let current = machines.iter().filter(|m| m.is_owned_by(set.uid())).count();
        let wanted = replicas(deployment);
        let phase = match machines.len() {
            count if count > wanted => "ScalingDown",
            _ if ready < wanted => "ScalingUp",
            _ => "Running",
        };
        let mut status = json!({
            "selector": selector(deployment), "replicas": machines.len(), "readyReplicas": ready,
            "availableReplicas": ready, "phase": phase,
        });
        let needed = wanted.saturating_sub(max_unavailable(deployment));
        let why_not = format!("{ready} available replicas, at least {needed} required");
        if let Some(fields) = status.as_object_mut() {
            let name = if self.is_v1beta2() { "upToDateReplicas" } else { "updatedReplicas" };
            fields.insert(name.to_owned(), Value::from(current));
            self.tell(deployment, &[available(ready >= needed, &why_not)], fields);
        }
        report(&self.deployments, deployment, status).await
    }
}
