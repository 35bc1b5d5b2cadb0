//! The controllers a cluster needs for deletion to work: garbage collection, namespaces, CRDs.

mod contents;
mod garbage;
mod namespace;
mod pace;

pub(crate) use pace::Pace;

use crate::Inner;
use crate::api::Call;
use crate::api::delete::DeleteOptions;
use crate::meta;
use crate::request::Params;
use crate::store::{Object, ObjectKey, Route};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

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
    /// A new kind is served: owners of that kind can be looked for.
    KindServed,
}

/// Runs until the server is dropped: each controller takes up what may concern it after its own delay, in order.
pub(crate) async fn run(inner: Weak<Inner>, mut work: UnboundedReceiver<Work>) {
    let (mut collector, mut keeper) = (Backlog::default(), Backlog::default());
    loop {
        let next_due = collector.due().into_iter().chain(keeper.due()).min();
        let waited = async {
            match next_due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let arrived = tokio::select! {
            biased;
            arrived = work.recv() => Some(arrived),
            () = waited => None,
        };
        let Some(inner) = inner.upgrade() else { return };
        match arrived {
            Some(Some(work)) => {
                let (now, work) = (Instant::now(), Arc::new(work));
                if inner.config.garbage_collection {
                    collector.push(now + inner.pace.garbage_collector(), work.clone());
                }
                keeper.push(now + inner.pace.namespace_controller(), work);
            }
            Some(None) => return,
            None => {}
        }
        let now = Instant::now();
        while let Some(work) = collector.take(now) {
            inner.collect_for(&work);
        }
        while let Some(work) = keeper.take(now) {
            inner.empty_for(&work);
        }
    }
}

/// What a controller has not looked at yet, and when it will.
#[derive(Default)]
struct Backlog(VecDeque<(Instant, Arc<Work>)>);

impl Backlog {
    fn push(&mut self, due: Instant, work: Arc<Work>) {
        self.0.push_back((due, work));
    }

    fn due(&self) -> Option<Instant> {
        self.0.front().map(|(due, _)| *due)
    }

    /// The first of it, if it is due. What comes later waits its turn, even where the delay has become shorter.
    fn take(&mut self, now: Instant) -> Option<Arc<Work>> {
        let (_, work) = self.0.pop_front_if(|(due, _)| *due <= now)?;
        Some(work)
    }
}

impl Inner {
    /// The garbage collector's part.
    fn collect_for(&self, work: &Work) {
        match work {
            Work::Owned(key) => self.collect(key),
            Work::LostDependent { owner } => self.finish_foreground(owner),
            Work::Terminating(key) => self.terminate(key),
            Work::Removed { uid, .. } => self.owner_gone(uid),
            Work::KindServed => self.judge_all(),
        }
    }

    /// The part of those who empty namespaces and CRDs.
    fn empty_for(&self, work: &Work) {
        match work {
            Work::Terminating(key) => self.empty_container(key),
            Work::Removed { namespace, key, .. } => self.content_gone(namespace.as_deref(), key),
            Work::Owned(_) | Work::LostDependent { .. } | Work::KindServed => {}
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

    fn delete_as(&self, user: &str, verb: &'static str, route: &Route, object: &Object, options: &DeleteOptions) {
        let outcome = self.act(user, verb, route, object, |call| call.delete(options));
        if let Some(Err(failure)) = outcome {
            tracing::debug!(?failure, kind = route.kind.kind, name = object.name(), "could not delete");
        }
    }
}

/// Deletes exactly this object, not a later one of the same name.
fn exactly(object: &Object) -> DeleteOptions {
    DeleteOptions { uid: Some(meta::uid(&object.value).to_owned()), ..DeleteOptions::default() }
}
