//! The watch on one CustomResourceDefinition, while the kind it defines is not served.

use std::borrow::Cow;
use std::pin::Pin;

use futures::{Stream, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::ClusterResourceScope;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use serde::Deserialize;

use super::backoff::{Pauses, watch_timeout};
use crate::errors;

/// A CustomResourceDefinition, of which we only want to know that it is there and that it changed.
#[derive(Clone, Debug, Deserialize)]
struct Definition {
    #[serde(default, deserialize_with = "capt_reconciler::observed::decode::lean")]
    metadata: ObjectMeta,
}

impl Resource for Definition {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn kind(_: &()) -> Cow<'_, str> {
        "CustomResourceDefinition".into()
    }
    fn group(_: &()) -> Cow<'_, str> {
        "apiextensions.k8s.io".into()
    }
    fn version(_: &()) -> Cow<'_, str> {
        "v1".into()
    }
    fn plural(_: &()) -> Cow<'_, str> {
        "customresourcedefinitions".into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// What we know of the definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crd {
    Unknown,
    /// The server's storage holds none: the kind is not served.
    Missing,
    There,
    /// We may not look.
    Forbidden,
}

type Events = Pin<Box<dyn Stream<Item = Result<Event<Definition>, watcher::Error>> + Send>>;

pub(super) struct CrdWatch {
    events: Events,
    state: Crd,
    seen: bool,
    backoff: Pauses,
}

impl CrdWatch {
    pub(super) fn new(client: Client, name: &str) -> Self {
        let config = watcher::Config::default().fields(&format!("metadata.name={name}")).timeout(watch_timeout());
        let events = Box::pin(watcher(Api::<Definition>::all(client), config));
        Self { events, state: Crd::Unknown, seen: false, backoff: Pauses::default() }
    }

    pub(super) fn state(&self) -> Crd {
        self.state
    }

    /// Waits for news: true if the definition changed, false if it is worth another look for another reason. May be
    /// dropped at any time.
    pub(super) async fn changed(&mut self) -> bool {
        loop {
            match self.events.next().await {
                Some(Ok(Event::Init)) => self.seen = false,
                Some(Ok(Event::InitApply(_) | Event::Apply(_))) => {
                    self.seen = true;
                    self.state = Crd::There;
                    return true;
                }
                Some(Ok(Event::InitDone)) => {
                    if !self.seen {
                        self.state = Crd::Missing;
                        return false;
                    }
                }
                Some(Ok(Event::Delete(_))) => {
                    self.state = Crd::Missing;
                    return false;
                }
                Some(Err(error)) => {
                    if errors::cause(&error)
                        .is_some_and(|cause| errors::is_forbidden(cause) || errors::is_not_found(cause))
                    {
                        self.state = Crd::Forbidden;
                    }
                    tokio::time::sleep(self.backoff.pause()).await;
                    if self.state == Crd::Forbidden {
                        return false;
                    }
                }
                None => std::future::pending().await,
            }
        }
    }
}
