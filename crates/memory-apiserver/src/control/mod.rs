//! The controllers a cluster needs for deletion to work: garbage collection, namespaces, CRDs.

mod contents;
mod garbage;

use crate::Inner;
use crate::api::Call;
use crate::api::delete::DeleteOptions;
use crate::meta;
use crate::request::Params;
use crate::store::{Object, ObjectKey, Route};
use std::cell::RefCell;
use std::sync::{Arc, Weak};
use tokio::sync::mpsc::UnboundedReceiver;

/// Something that may concern a controller.
#[derive(Debug)]
pub(crate) enum Work {
    /// An object has new owners.
    Owned(ObjectKey),
    /// An object does not name this owner any more.
    LostDependent { owner: String },
    /// An object is marked as being deleted, or was changed while it is.
    Terminating(ObjectKey),
    /// An object is gone.
    Removed { uid: String, namespace: Option<String>, key: ObjectKey },
}

/// Runs until the server is dropped.
pub(crate) async fn run(inner: Weak<Inner>, mut work: UnboundedReceiver<Work>) {
    while let Some(next) = work.recv().await {
        let Some(inner) = inner.upgrade() else { return };
        inner.control(&next);
    }
}

impl Inner {
    fn control(self: &Arc<Self>, work: &Work) {
        let collects = self.config.garbage_collection;
        match work {
            Work::Owned(key) if collects => self.collect(key),
            Work::LostDependent { owner } if collects => self.finish_foreground(owner),
            Work::Terminating(key) => {
                if collects {
                    self.terminate(key);
                }
                self.empty_container(key);
            }
            Work::Removed { uid, namespace, key } => {
                if collects {
                    self.owner_gone(uid);
                }
                self.content_gone(namespace.as_deref(), key);
            }
            Work::Owned(_) | Work::LostDependent { .. } => {}
        }
    }

    /// A stored object with the route to its storage version.
    fn stored(&self, key: &ObjectKey) -> Option<(Route, Arc<Object>)> {
        let object = self.state.lock().get(key.resource, &key.key)?.clone();
        let registry = self.registry();
        let route = registry.routes.iter().find(|route| route.id == key.resource)?.clone();
        Some((route, object))
    }

    /// Does something to a stored object as a user of the server's own.
    fn act<T>(
        &self,
        user: &str,
        verb: &'static str,
        route: &Route,
        object: &Object,
        act: impl FnOnce(&Call<'_>) -> T,
    ) -> Option<T> {
        let served = route.kind.version(route.version)?;
        let user: Arc<str> = user.into();
        Some(act(&Call {
            inner: self,
            user: &user,
            verb,
            route,
            served,
            namespace: route.kind.namespaced.then(|| object.namespace()),
            name: object.name(),
            subresource: "",
            params: &Params::default(),
            agent: &user,
            warnings: &RefCell::default(),
            patch: None,
        }))
    }

    fn delete_as(&self, user: &str, route: &Route, object: &Object, options: &DeleteOptions) {
        let outcome = self.act(user, "delete", route, object, |call| call.delete(options));
        if let Some(Err(failure)) = outcome {
            tracing::debug!(?failure, kind = route.kind.kind, name = object.name(), "could not delete");
        }
    }
}

/// Deletes exactly this object, not a later one of the same name.
fn exactly(object: &Object) -> DeleteOptions {
    DeleteOptions { uid: Some(meta::uid(&object.value).to_owned()), ..DeleteOptions::default() }
}
