//! The life of a TinkerbellCluster, top to bottom.

use crate::observed::cluster_api::Cluster;
use crate::observed::infra::ApiEndpoint;
use capt_api::contract::{
    CLUSTER_API_GROUP, DEFAULT_API_PORT, LEGACY_CLUSTER_FINALIZER, MANAGED_BY_ANNOTATION, PAUSED_ANNOTATION,
};
use capt_api::kube_core::Resource;
use capt_api::meta::Meta;
use serde_json::{Value, json};

use super::World;
use crate::effect::{Kind, Stage, Verb, Write};
use crate::{patch, pause};

/// One step of a cluster's life.
#[derive(Clone, Debug)]
pub enum Step {
    /// Perform this write, then decide again.
    Do(Box<Write>),
    /// Paused: touch nothing.
    Paused,
    /// Nothing to do and nothing to say: externally managed, or on its way out.
    Leave,
    /// No Cluster owns it (yet).
    NoCluster,
    /// Nobody names a control-plane endpoint.
    NoEndpoint,
    /// All is done.
    Ready,
}

/// What pauses the cluster; empty when nothing does.
pub fn pause_causes(world: &World) -> Vec<String> {
    pause::causes("TinkerbellCluster", world.cluster.as_deref(), world.infra.annotation(PAUSED_ANNOTATION).is_some())
}

/// The next step of a cluster. Pure.
pub fn decide(world: &World) -> Step {
    let infra = &world.infra;
    if infra.annotation(MANAGED_BY_ANNOTATION).is_some() {
        return Step::Leave;
    }
    if !infra.is_terminating()
        && !world.is_owned
        && let Some(cluster) = &world.cluster
    {
        return adopt(world, cluster);
    }
    if !pause_causes(world).is_empty() {
        return Step::Paused;
    }
    if infra.is_terminating() {
        return match patch::finalizers(&**infra, &[], &[LEGACY_CLUSTER_FINALIZER]) {
            Some(rest) => merge(world, Stage::Finish, patch::guarded_metadata(&**infra, json!({ "finalizers": rest }))),
            None => Step::Leave,
        };
    }
    let Some(cluster) = &world.cluster else {
        return Step::NoCluster;
    };
    let Some(endpoint) = endpoint(infra.spec.control_plane_endpoint.as_ref(), cluster) else {
        return Step::NoEndpoint;
    };
    if infra.spec.control_plane_endpoint.as_ref() != Some(&endpoint) {
        let body = json!({"metadata": {"uid": infra.uid()}, "spec": {"controlPlaneEndpoint": endpoint}});
        return merge(world, Stage::Adopt, body);
    }
    Step::Ready
}

fn merge(world: &World, stage: Stage, body: Value) -> Step {
    Step::Do(Box::new(Write::new(stage, Kind::TinkerbellCluster, world.infra.key(), Verb::Merge(body))))
}

/// Found by its label only: the Cluster becomes the controller owner (upstream #501).
fn adopt(world: &World, cluster: &Cluster) -> Step {
    let others = world.infra.metadata.owner_references.iter().flatten();
    let mut owners: Vec<Value> = others
        .filter(|owner| !(owner.kind == "Cluster" && capt_api::meta::group_of(&owner.api_version) == CLUSTER_API_GROUP))
        .map(|owner| json!(owner))
        .collect();
    owners.push(json!({
        "apiVersion": Cluster::api_version(&crate::observed::cluster_api::Served::default()),
        "kind": "Cluster",
        "name": cluster.name(),
        "uid": cluster.uid(),
        "controller": true,
        "blockOwnerDeletion": true,
    }));
    merge(world, Stage::Adopt, patch::guarded_metadata(&*world.infra, json!({ "ownerReferences": owners })))
}

/// The endpoint: our own if complete, else the Cluster's if complete, else both merged member by member.
fn endpoint(own: Option<&ApiEndpoint>, cluster: &Cluster) -> Option<ApiEndpoint> {
    let own = own.cloned().unwrap_or_default();
    let given = cluster.spec.control_plane_endpoint.clone().unwrap_or_default();
    if own.is_complete() {
        return Some(own);
    }
    if given.is_complete() {
        return Some(given);
    }
    let host = if given.host.is_empty() { own.host } else { given.host };
    let port = [given.port, own.port].into_iter().find(|port| *port != 0).unwrap_or(DEFAULT_API_PORT);
    (!host.is_empty()).then_some(ApiEndpoint { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(endpoint: Value) -> Cluster {
        serde_json::from_value(json!({"spec": {"controlPlaneEndpoint": endpoint}})).unwrap()
    }

    fn of(host: &str, port: i32) -> ApiEndpoint {
        ApiEndpoint { host: host.to_owned(), port }
    }

    #[test]
    fn an_endpoint_of_our_own_is_never_replaced_by_the_clusters() {
        let given = cluster(json!({"host": "theirs", "port": 1}));
        assert_eq!(endpoint(Some(&of("ours", 2)), &given), Some(of("ours", 2)));
    }

    #[test]
    fn halves_of_an_endpoint_are_put_together_and_the_port_defaults() {
        assert_eq!(endpoint(Some(&of("", 2)), &cluster(json!({"host": "theirs"}))), Some(of("theirs", 2)));
        assert_eq!(endpoint(Some(&of("ours", 0)), &cluster(json!({}))), Some(of("ours", 6443)));
        assert_eq!(endpoint(None, &cluster(json!({"port": 7}))), None, "without a host there is no endpoint");
    }
}
