//! Garbage collection by owner references, as kube-controller-manager does it.

use super::exactly;
use crate::Inner;
use crate::api::delete::{FOREGROUND, ORPHAN, Propagation};
use crate::meta;
use crate::patch::PatchType;
use crate::store::{Object, ObjectKey, Route};
use serde_json::{Value, json};
use std::sync::Arc;

const USER: &str = "garbage-collector";

/// What an owner reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Present,
    /// Present, and waits in the foreground for this dependent to go.
    Waiting,
    Absent,
    /// Its kind is unknown: nothing is decided by it.
    Unresolvable,
}

impl Inner {
    /// Decides about an object by its owners: deletes it when none is left, drops references to those that are gone.
    pub(super) fn collect(&self, key: &ObjectKey) {
        let Some((route, object)) = self.stored(key) else { return };
        let references = meta::owner_references(&object.value);
        if references.is_empty() || meta::is_terminating(&object.value) {
            return;
        }
        let owners: Vec<Owner> = references.iter().map(|reference| self.owner(reference, &route, &object)).collect();
        if owners.contains(&Owner::Unresolvable) {
            return;
        }
        if owners.contains(&Owner::Present) {
            if owners.contains(&Owner::Absent) || owners.contains(&Owner::Waiting) {
                let kept: Vec<&Value> =
                    references.iter().zip(&owners).filter(|(_, o)| **o == Owner::Present).map(|(r, _)| r).collect();
                self.set_owners(&route, &object, &kept);
            }
            return;
        }
        let mut options = exactly(&object);
        let has_dependents = !self.state.lock().dependents(meta::uid(&object.value)).is_empty();
        options.propagation = Some(if owners.contains(&Owner::Waiting) && has_dependents {
            Propagation::Foreground
        } else if meta::has_finalizer(&object.value, ORPHAN) {
            Propagation::Orphan
        } else if meta::has_finalizer(&object.value, FOREGROUND) {
            Propagation::Foreground
        } else {
            Propagation::Background
        });
        self.delete_as(USER, "delete", &route, &object, &options);
    }

    fn owner(&self, reference: &Value, route: &Route, object: &Object) -> Owner {
        let (group, _) = meta::group_version(meta::text(reference, "apiVersion"));
        let Some(owner_route) = self.registry().find_kind(group, meta::text(reference, "kind")).cloned() else {
            return Owner::Unresolvable;
        };
        // A cluster-scoped object cannot be owned from within a namespace.
        if owner_route.kind.namespaced && !route.kind.namespaced {
            return Owner::Unresolvable;
        }
        let namespace = owner_route.kind.namespaced.then(|| object.namespace());
        let key = crate::store::key_of(namespace, meta::text(reference, "name"));
        let state = self.state.lock();
        match state.get(owner_route.id, &key) {
            Some(owner) if meta::uid(&owner.value) == meta::text(reference, "uid") => {
                let waits = meta::is_terminating(&owner.value) && meta::has_finalizer(&owner.value, FOREGROUND);
                if waits { Owner::Waiting } else { Owner::Present }
            }
            _ => Owner::Absent,
        }
    }

    /// An owner is gone: its dependents are judged anew.
    pub(super) fn owner_gone(&self, uid: &str) {
        for key in self.dependents_of(uid) {
            self.collect(&key);
        }
    }

    /// Owners that could not be looked for may be found, or found missing, now.
    pub(super) fn judge_all(&self) {
        let dependents = self.state.lock().all_dependents();
        for key in dependents {
            self.collect(&key);
        }
    }

    fn dependents_of(&self, uid: &str) -> Vec<ObjectKey> {
        self.state.lock().dependents(uid)
    }

    /// An object is being deleted: orphans its dependents, or deletes them first, if it was asked to.
    pub(super) fn terminate(&self, key: &ObjectKey) {
        let Some((route, object)) = self.stored(key) else { return };
        if !meta::is_terminating(&object.value) {
            return;
        }
        let uid = meta::uid(&object.value);
        if meta::has_finalizer(&object.value, ORPHAN) {
            for dependent in self.dependents_of(uid) {
                if let Some((route, dependent)) = self.stored(&dependent) {
                    let kept: Vec<&Value> = meta::owner_references(&dependent.value)
                        .iter()
                        .filter(|reference| meta::text(reference, "uid") != uid)
                        .collect();
                    self.set_owners(&route, &dependent, &kept);
                }
            }
            self.drop_finalizer(&route, &object, ORPHAN);
        } else if meta::has_finalizer(&object.value, FOREGROUND) {
            self.owner_gone(uid);
            self.finish_foreground(uid);
        }
    }

    /// Lets an owner that waits in the foreground go once no dependent blocks it.
    pub(super) fn finish_foreground(&self, uid: &str) {
        let owner = self.state.lock().by_uid(uid).map(|(key, _)| key.clone());
        let Some((route, object)) = owner.and_then(|key| self.stored(&key)) else { return };
        if !meta::is_terminating(&object.value) || !meta::has_finalizer(&object.value, FOREGROUND) {
            return;
        }
        let blocks = |key: &ObjectKey| {
            self.stored(key).is_some_and(|(_, dependent)| {
                meta::owner_references(&dependent.value).iter().any(|reference| {
                    meta::text(reference, "uid") == uid
                        && reference.get("blockOwnerDeletion").and_then(Value::as_bool) == Some(true)
                })
            })
        };
        if !self.dependents_of(uid).iter().any(blocks) {
            self.drop_finalizer(&route, &object, FOREGROUND);
        }
    }

    fn drop_finalizer(&self, route: &Route, object: &Arc<Object>, finalizer: &str) {
        let kept: Vec<&str> = meta::finalizers(&object.value).filter(|f| *f != finalizer).collect();
        self.patch_metadata(route, object, &json!({"finalizers": kept}));
    }

    fn set_owners(&self, route: &Route, object: &Object, owners: &[&Value]) {
        self.patch_metadata(route, object, &json!({"ownerReferences": owners}));
    }

    fn patch_metadata(&self, route: &Route, object: &Object, metadata: &Value) {
        let mut patch = json!({"metadata": metadata});
        // Not on an object of the same name that came later, nor over a change not yet seen.
        let guarded = meta::meta_mut(&mut patch);
        guarded.insert("uid".to_owned(), json!(meta::uid(&object.value)));
        guarded.insert("resourceVersion".to_owned(), json!(object.rv.to_string()));
        let outcome = self.act(USER, "patch", route, object, |call| call.patch(PatchType::Merge, &patch, &[]));
        if let Some(Err(failure)) = outcome {
            tracing::debug!(?failure, name = object.name(), "garbage collector could not patch");
        }
    }
}
