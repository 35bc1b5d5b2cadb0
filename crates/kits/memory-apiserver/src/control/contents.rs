//! CRDs go when their objects have gone; the last step of both, a CRD's and a Namespace's.

use super::exactly;
use super::namespace::USER;
use crate::Inner;
use crate::crd;
use crate::kind::Behaviour;
use crate::meta;
use crate::store::{ObjectKey, Refused, ResourceId, Route, Write};
use serde_json::{Value, json};
use std::sync::Arc;

impl Inner {
    /// A namespace or CRD is being deleted: its contents go first.
    pub(super) fn empty_container(&self, key: &ObjectKey) {
        let Some((route, object)) = self.stored(key) else { return };
        if !meta::is_terminating(&object.value) {
            return;
        }
        match route.kind.behaviour {
            Behaviour::Namespace => self.empty_namespace(&route, &object),
            Behaviour::Definition => {
                let defined = self.defined(&object.value);
                let contents = defined.map(|id| self.contents_of(id, "")).unwrap_or_default();
                for content in &contents {
                    if let Some((route, object)) = self.stored(content)
                        && !meta::is_terminating(&object.value)
                    {
                        self.delete_as(USER, "delete", &route, &object, &exactly(&object));
                    }
                }
                self.finish_container(&route, object.name());
            }
            _ => {}
        }
    }

    /// An object is gone: perhaps it was the last of a namespace or CRD that waits for that.
    pub(super) fn content_gone(&self, namespace: Option<&str>, key: &ObjectKey) {
        if let Some(name) = namespace {
            self.namespace_content_gone(name, key);
        }
        let registry = self.registry();
        let definitions = registry.find_any(crate::builtin::EXTENSIONS, crate::builtin::DEFINITIONS);
        let defined = registry.routes.iter().find(|route| route.id == key.resource).filter(|r| r.kind.is_custom());
        if let (Some(definitions), Some(defined)) = (definitions, defined) {
            let name: Arc<str> = format!("{}.{}", defined.kind.plural, defined.kind.group).into();
            let definition = self.stored(&ObjectKey { resource: definitions.id, key: name });
            if let Some((route, object)) = definition.filter(|(_, object)| meta::is_terminating(&object.value)) {
                self.finish_container(&route, object.name());
            }
        }
    }

    /// Lets an empty namespace or CRD go.
    pub(super) fn finish_container(&self, route: &Route, name: &str) {
        let mut state = self.state.lock();
        let Some(current) = state.get(route.id, name).cloned() else { return };
        let mut new = current.value.as_ref().clone();
        let defined = match route.kind.behaviour {
            Behaviour::Namespace => {
                let prefix = format!("{name}/");
                let occupied =
                    |r: &crate::store::Resource| r.kind.namespaced && r.objects_under(&prefix).next().is_some();
                if state.resources.values().any(occupied) {
                    return;
                }
                meta::map_at(meta::object_mut(&mut new), "spec").insert("finalizers".to_owned(), json!([]));
                None
            }
            Behaviour::Definition => {
                let id = self.defined(&current.value);
                if id.is_some_and(|id| state.resources.get(&id).is_some_and(|r| !r.objects.is_empty())) {
                    return;
                }
                let kept = meta::finalizers(&new).filter(|f| *f != crd::CLEANUP_FINALIZER).map(str::to_owned).collect();
                meta::set_finalizers(&mut new, kept);
                id
            }
            _ => return,
        };
        let held = meta::finalizers(&new).next().is_some();
        if held && new == *current.value {
            return;
        }
        let user: Arc<str> = USER.into();
        let committed = state.commit(Write {
            user: &user,
            verb: "update",
            resource: route.id,
            version: route.version,
            subresource: "finalize",
            key: name,
            expected: Some(&current),
            new: held.then(|| (new, current.managers.clone())),
            code: 200,
            now: self.clock.now(),
        });
        if let Err(Refused::Raced) = committed {
            tracing::debug!(name, "changed while it was finished");
        }
        if let (false, Some(id)) = (held, defined) {
            state.remove_resource(id);
            self.rebuild_registry(&state);
        }
    }

    fn defined(&self, definition: &Value) -> Option<ResourceId> {
        let text = |path: &str| definition.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let registry = self.registry();
        let route = registry.find_any(text("/spec/group"), text("/spec/names/plural"))?;
        route.kind.is_custom().then_some(route.id)
    }

    pub(super) fn contents_of(&self, id: ResourceId, prefix: &str) -> Vec<ObjectKey> {
        let state = self.state.lock();
        let Some(resource) = state.resources.get(&id) else { return Vec::new() };
        resource.objects_under(prefix).map(|(key, _)| ObjectKey { resource: id, key: key.clone() }).collect()
    }
}
