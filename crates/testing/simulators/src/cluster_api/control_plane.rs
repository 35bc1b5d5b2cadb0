//! The kubeadm control plane: one Machine after the other.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::engine::{Error, Key, Next, Object, Reconcile, controller_reference};

use super::ClusterApi;
use super::availability::{available, is_ready, selector_of_control_plane};
use super::cluster::{delete_all, is_true};
use super::machine::is_provisioned;
use super::make::NewMachine;
use super::names::{CLONED_FROM_NAME, CONTROL_PLANE, CONTROL_PLANE_FINALIZER, CONTROL_PLANE_NAME, generated};
use super::status::report;

pub(super) struct ControlPlanes(pub(super) Arc<ClusterApi>);

impl Reconcile for ControlPlanes {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let api = &self.0;
        let Some(control_plane) = api.control_planes.get(key) else {
            return Ok(Next::Wait);
        };
        if !api.is_active(&control_plane) {
            return Ok(Next::Wait);
        }
        let owned = |machine: &Object| machine.is_owned_by(control_plane.uid());
        if control_plane.is_terminating() {
            let left = delete_all(&api.machines, owned).await?;
            if left == 0 && control_plane.has_finalizer(CONTROL_PLANE_FINALIZER) {
                let patch = control_plane.remove_finalizer(CONTROL_PLANE_FINALIZER);
                api.control_planes.patch(key, &patch).await?;
            }
            return Ok(Next::Wait);
        }
        if !control_plane.has_finalizer(CONTROL_PLANE_FINALIZER) {
            let patch = control_plane.add_finalizer(CONTROL_PLANE_FINALIZER);
            api.control_planes.patch(key, &patch).await?;
        }
        let Some(cluster) = api.cluster_of(&control_plane) else {
            return Ok(Next::Wait);
        };
        let template = Key::new(&key.namespace, api.template_of_control_plane(&control_plane));
        api.own_template(&cluster, &template).await?;
        if api.is_cluster_provisioned(&cluster) {
            api.scale_control_plane(&cluster, &control_plane, &template.name).await?;
        }
        api.report_control_plane(&control_plane, &template.name).await?;
        Ok(Next::Wait)
    }
}

/// Machines of a control plane, oldest first, and which of them are of an older template or version.
struct Members {
    current: Vec<Arc<Object>>,
    outdated: Vec<Arc<Object>>,
    deleting: usize,
}

impl Members {
    fn len(&self) -> usize {
        self.current.len() + self.outdated.len()
    }

    fn all_provisioned(&self) -> bool {
        self.current.iter().chain(&self.outdated).all(|machine| is_provisioned(machine))
    }
}

impl ClusterApi {
    /// Contract v1beta2 has the reference one level deeper.
    fn template_of_control_plane<'a>(&self, control_plane: &'a Object) -> &'a str {
        match control_plane.spec_text("/machineTemplate/spec/infrastructureRef/name") {
            "" => control_plane.spec_text("/machineTemplate/infrastructureRef/name"),
            name => name,
        }
    }

    pub(super) fn is_control_plane_initialized(&self, control_plane: &Object) -> bool {
        is_true(&control_plane.status, "/initialization/controlPlaneInitialized")
            || is_true(&control_plane.status, "/initialized")
    }

    fn members(&self, control_plane: &Object, template: &str) -> Members {
        let mut machines = self.machines.select(|machine| machine.is_owned_by(control_plane.uid()));
        let before = machines.len();
        machines.retain(|machine| !machine.is_terminating());
        let deleting = before - machines.len();
        sort_by_age(&mut machines);
        let version = control_plane.spec_text("/version");
        let (current, outdated) = machines.into_iter().partition(|machine| {
            machine.annotation(CLONED_FROM_NAME) == Some(template) && machine.spec_text("/version") == version
        });
        Members { current, outdated, deleting }
    }

    /// At most one step: a Machine more, or one fewer. The next comes when this one is done.
    async fn scale_control_plane(&self, cluster: &Object, control_plane: &Object, template: &str) -> Result<(), Error> {
        let members = self.members(control_plane, template);
        let replicas = replicas(control_plane);
        let surge = usize::from(!members.outdated.is_empty() && replicas > 0);
        let settled = members.all_provisioned();
        if members.len() < replicas + surge {
            let missing = replicas + surge - members.len();
            let at_once = match (self.options.parallel_control_plane, settled) {
                (true, _) => missing,
                (false, true) => 1,
                (false, false) => 0,
            };
            for _ in 0..at_once {
                self.add_control_plane_machine(cluster, control_plane, template).await?;
            }
            return Ok(());
        }
        let surplus = match members.outdated.first() {
            Some(oldest) if members.len() > replicas && settled => Some(oldest),
            Some(_) => None,
            None if members.len() > replicas => members.current.last(),
            None => None,
        };
        if let (Some(machine), 0) = (surplus, members.deleting) {
            self.machines.delete(machine).await?;
        }
        Ok(())
    }

    async fn add_control_plane_machine(
        &self,
        cluster: &Object,
        control_plane: &Object,
        template: &str,
    ) -> Result<(), Error> {
        let mut labels = metadata(&control_plane.spec, "/machineTemplate/metadata/labels");
        labels.insert(CONTROL_PLANE.to_owned(), "".into());
        labels.insert(CONTROL_PLANE_NAME.to_owned(), control_plane.name().into());
        self.create_machine(NewMachine {
            name: generated(control_plane.name()),
            cluster,
            owner: controller_reference(control_plane, self.control_planes.resource()?),
            version: control_plane.spec_text("/version"),
            template,
            labels,
            annotations: metadata(&control_plane.spec, "/machineTemplate/metadata/annotations"),
        })
        .await
    }

    async fn report_control_plane(&self, control_plane: &Object, template: &str) -> Result<(), Error> {
        let members = self.members(control_plane, template);
        let machines = members.current.iter().chain(&members.outdated);
        let ready = machines.filter(|machine| is_ready(machine)).count();
        let initialized = ready > 0 || self.is_control_plane_initialized(control_plane);
        let replicas = members.len() + members.deleting;
        let current = members.current.len();
        let version = control_plane.spec_text("/version");
        let mut status = if self.is_v1beta2() {
            let mut status = json!({
                "replicas": replicas, "readyReplicas": ready, "availableReplicas": ready,
                "upToDateReplicas": current, "version": version,
            });
            if let (true, Some(fields)) = (initialized, status.as_object_mut()) {
                fields.insert("initialization".to_owned(), json!({ "controlPlaneInitialized": true }));
            }
            status
        } else {
            json!({
                "replicas": replicas, "readyReplicas": ready, "unavailableReplicas": members.len() - ready,
                "updatedReplicas": current, "version": version, "initialized": initialized, "ready": initialized,
            })
        };
        if let Some(fields) = status.as_object_mut() {
            let cluster = super::cluster_key(control_plane).map(|key| key.name).unwrap_or_default();
            fields.insert("selector".to_owned(), selector_of_control_plane(&cluster).into());
            let why_not = if initialized { "No machine is ready" } else { "Control plane not yet initialized" };
            self.tell(control_plane, &[available(initialized && ready > 0, why_not)], fields);
        }
        report(&self.control_planes, control_plane, status).await
    }
}

/// `spec.replicas`, by default 1.
pub(super) fn replicas(object: &Object) -> usize {
    let replicas = object.spec.get("replicas").and_then(Value::as_u64).unwrap_or(1);
    usize::try_from(replicas).unwrap_or(usize::MAX)
}

/// Oldest first; Machines of the same second by name.
pub(super) fn sort_by_age(machines: &mut [Arc<Object>]) {
    machines.sort_by_cached_key(|machine| {
        let created = machine.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (created, machine.name().to_owned())
    });
}

/// A map of texts in a spec.
pub(super) fn metadata(spec: &Value, pointer: &str) -> Map<String, Value> {
    spec.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_default()
}
