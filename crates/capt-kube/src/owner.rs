//! Whose an object is, by what the object itself says.

use capt_api::contract::{
    CLUSTER_API_GROUP, CLUSTER_NAME_LABEL, INFRASTRUCTURE_GROUP, MACHINE_NAME_LABEL, MACHINE_NAMESPACE_LABEL,
};
use capt_api::meta::{Meta, ObjectKey};
use kube::Resource;

/// The Cluster that an object belongs to: by owner, else by label.
pub fn cluster_of<K: Resource>(object: &K) -> Option<ObjectKey> {
    let owner = object.owner(CLUSTER_API_GROUP, "Cluster").map(|owner| owner.name.as_str());
    let name = owner.or_else(|| object.label(CLUSTER_NAME_LABEL))?;
    Some(ObjectKey::new(object.namespace(), name))
}

/// The TinkerbellMachine that an object is for: its controller, else the one of its labels.
pub fn owning_machine<K: Resource>(object: &K) -> Option<ObjectKey> {
    if let Some(owner) = object.controller()
        && owner.kind == "TinkerbellMachine"
        && capt_api::meta::group_of(&owner.api_version) == INFRASTRUCTURE_GROUP
    {
        return Some(ObjectKey::new(object.namespace(), &owner.name));
    }
    let name = object.label(MACHINE_NAME_LABEL).filter(|name| !name.is_empty())?;
    let namespace = object.label(MACHINE_NAMESPACE_LABEL).filter(|namespace| !namespace.is_empty())?;
    Some(ObjectKey::new(namespace, name))
}
