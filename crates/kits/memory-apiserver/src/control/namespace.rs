//! A namespace goes when what is in it has gone: what the namespace controller of kube-controller-manager does.

use super::exactly;
use crate::Inner;
use crate::kind::Behaviour;
use crate::meta;
use crate::store::{Object, ObjectKey, ResourceId, Route, Write};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const USER: &str = "namespace-controller";

/// Type, reason and message of each condition while there is nothing to complain of, in the controller's order.
const CONTENT: [(&str, &str, &str); 5] = [
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    (REMAINING, "ContentRemoved", "All content successfully removed"),
    (HELD, "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
];
const REMAINING: &str = "NamespaceContentRemaining";
const HELD: &str = "NamespaceFinalizersRemaining";

impl Inner {
    /// Deletes what is in a terminating namespace, kind by kind, tells what is left, and lets it go once nothing is.
    pub(super) fn empty_namespace(&self, route: &Route, namespace: &Object) {
        if meta::finalizers_of_spec(&namespace.value).next().is_none() {
            return;
        }
        let name = namespace.name().to_owned();
        let (pods, others): (Vec<_>, Vec<_>) =
            self.kinds_in(&name).into_iter().partition(|(_, behaviour)| *behaviour == Behaviour::Pod);
        let mut left = BTreeMap::new();
        // Nothing else is touched while Pods are left, and of those the conditions say nothing.
        for (id, _) in &pods {
            if self.delete_kind(*id, &name) > 0 {
                return self.tell(route, &name, &left, &BTreeMap::new());
            }
        }
        for (id, _) in &others {
            self.delete_kind(*id, &name);
        }
        let mut held = BTreeMap::new();
        for (id, _) in &others {
            self.count(*id, &name, &mut left, &mut held);
        }
        self.tell(route, &name, &left, &held);
        if left.is_empty() {
            self.finish_container(route, &name);
        }
    }

    /// An object is gone. While others are left the conditions are not written anew: the controller itself looks again
    /// only after seconds.
    pub(super) fn namespace_content_gone(&self, namespace: &str, gone: &ObjectKey) {
        let key = ObjectKey { resource: self.state.lock().namespaces(), key: namespace.into() };
        let Some((route, object)) = self.stored(&key).filter(|(_, object)| meta::is_terminating(&object.value)) else {
            return;
        };
        let was_pod =
            self.registry().routes.iter().any(|r| r.id == gone.resource && r.kind.behaviour == Behaviour::Pod);
        if was_pod || self.kinds_in(namespace).is_empty() {
            self.empty_namespace(&route, &object);
        }
    }

    /// The kinds of which there are objects in a namespace.
    fn kinds_in(&self, namespace: &str) -> Vec<(ResourceId, Behaviour)> {
        let prefix = format!("{namespace}/");
        let state = self.state.lock();
        let there =
            state.resources.iter().filter(|(_, r)| r.kind.namespaced && r.objects_under(&prefix).next().is_some());
        let mut kinds: Vec<_> = there.map(|(id, r)| (*id, r.kind.behaviour)).collect();
        // The same order every time, so that a run can be played again.
        kinds.sort_by_key(|(id, _)| *id);
        kinds
    }

    /// Deletes all objects of a kind; returns how many are left, held by finalizers.
    fn delete_kind(&self, id: ResourceId, namespace: &str) -> usize {
        let prefix = format!("{namespace}/");
        for content in self.contents_of(id, &prefix) {
            if let Some((route, object)) = self.stored(&content)
                && !meta::is_terminating(&object.value)
            {
                self.delete_as(USER, "deletecollection", &route, &object, &exactly(&object));
            }
        }
        self.contents_of(id, &prefix).len()
    }

    fn count(
        &self,
        id: ResourceId,
        namespace: &str,
        left: &mut BTreeMap<String, usize>,
        held: &mut BTreeMap<String, usize>,
    ) {
        let prefix = format!("{namespace}/");
        let state = self.state.lock();
        let Some(resource) = state.resources.get(&id) else { return };
        for (_, object) in resource.objects_under(&prefix) {
            *left.entry(format!("{}.{}", resource.kind.plural, resource.kind.group)).or_default() += 1;
            for finalizer in meta::finalizers(&object.value) {
                *held.entry(finalizer.to_owned()).or_default() += 1;
            }
        }
    }

    /// Writes the conditions, if they say anything new.
    fn tell(&self, route: &Route, name: &str, left: &BTreeMap<String, usize>, held: &BTreeMap<String, usize>) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let Some(current) = state.get(route.id, name).cloned() else { return };
        let mut new = current.value.as_ref().clone();
        let listed = |counted: &BTreeMap<String, usize>, verb: &str| {
            let each = counted.iter().map(|(what, number)| format!("{what} {verb} {number} resource instances"));
            each.collect::<Vec<_>>().join(", ")
        };
        for (kind, reason, message) in CONTENT {
            let (status, reason, message) = match kind {
                REMAINING if !left.is_empty() => {
                    ("True", "SomeResourcesRemain", format!("Some resources are remaining: {}", listed(left, "has")))
                }
                HELD if !held.is_empty() => {
                    let which = listed(held, "in");
                    let message = format!("Some content in the namespace has finalizers remaining: {which}");
                    ("True", "SomeFinalizersRemain", message)
                }
                _ => ("False", reason, message.to_owned()),
            };
            set_condition(&mut new, kind, status, reason, &message, &crate::clock::seconds_text(now));
        }
        if new == *current.value {
            return;
        }
        let user: Arc<str> = USER.into();
        let committed = state.commit(Write {
            user: &user,
            verb: "update",
            resource: route.id,
            version: route.version,
            subresource: "status",
            key: name,
            expected: Some(&current),
            new: Some((new, current.managers.clone())),
            code: 200,
            now,
        });
        if committed.is_err() {
            tracing::debug!(name, "its conditions could not be written");
        }
    }
}

/// Sets a condition; its time changes only with its status.
fn set_condition(namespace: &mut Value, kind: &str, status: &str, reason: &str, message: &str, now: &str) {
    let map = meta::map_at(meta::object_mut(namespace), "status");
    let conditions = map.entry("conditions").or_insert_with(|| json!([]));
    let Some(list) = conditions.as_array_mut() else { return };
    let before = list.iter().position(|condition| meta::text(condition, "type") == kind);
    let since = before.and_then(|at| list.get(at)).filter(|condition| meta::text(condition, "status") == status);
    let since = since.map_or(now, |condition| meta::text(condition, "lastTransitionTime")).to_owned();
    let condition = json!({
        "lastTransitionTime": since, "message": message, "reason": reason, "status": status, "type": kind,
    });
    match before.and_then(|at| list.get_mut(at)) {
        Some(there) => *there = condition,
        None => list.push(condition),
    }
}
