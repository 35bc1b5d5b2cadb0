//! From the watch of a kind into its store.

use std::pin::pin;

use futures::StreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tracing::{debug, warn};

use super::backoff::{Pauses, watch_timeout};
use super::relisting::Relisting;
use super::repeated;
use super::sink::Sink;
use crate::decode::Guarded;
use crate::errors;

/// Objects in one page of a list: enough for speed, and few enough that no list is ever in memory twice.
const PAGE: u32 = 250;

/// Feeds the sink from the watch of a kind, until the server says that it serves the kind no longer.
///
/// Lists ask for the most recent state, never for a cached one: what is missing from them has really vanished.
pub(crate) async fn pump<K, S>(
    api: Api<Guarded<K>>,
    kind: &str,
    sink: &S,
    backoff: &mut Pauses,
    relisting: Option<&Relisting>,
) where
    K: Resource + DeserializeOwned + Clone + Send + 'static,
    S: Sink<K> + ?Sized,
{
    'list: loop {
        let config = watcher::Config::default().timeout(watch_timeout()).page_size(PAGE);
        let mut events = pin!(watcher(api.clone(), config));
        while let Some(event) = events.next().await {
            let error = match event {
                Ok(event) => {
                    let mut is_certain = true;
                    for key in sink.event(event) {
                        is_certain &= ask(&api, sink, &key).await;
                    }
                    if is_certain {
                        continue;
                    }
                    // The next list began after the answer that caused the doubt, and so ends it.
                    tokio::time::sleep(backoff.pause()).await;
                    continue 'list;
                }
                Err(error) => error,
            };
            let words = errors::describe_watch(&error);
            sink.failed(&words);
            if let Some(relisting) = relisting
                && matches!(&error, watcher::Error::WatchStartFailed(cause) if errors::is_forbidden(cause))
            {
                relisting.due(kind).await;
                continue 'list;
            }
            // An expired resourceVersion is ordinary: the watcher lists again.
            let ordinary = matches!(&error, watcher::Error::WatchError(status) if status.code == 410);
            if !ordinary && repeated::is_new(&words) {
                warn!(kind, error = words, "watch failed, retrying; other kinds may fail alike");
            } else {
                debug!(kind, error = words, "watch failed, retrying");
            }
            tokio::time::sleep(backoff.pause()).await;
            if errors::cause(&error).is_some_and(errors::is_not_found) {
                return;
            }
        }
        return;
    }
}

/// Asks the server about an object that a relist did not hold although an answer had just brought it. Says whether it
/// answered.
async fn ask<K, S>(api: &Api<Guarded<K>>, sink: &S, key: &capt_api::meta::ObjectKey) -> bool
where
    K: Resource + DeserializeOwned + Clone + Send + 'static,
    S: Sink<K> + ?Sized,
{
    let Some(uid) = sink.uid(key) else {
        return true;
    };
    // The API of the watch may span all namespaces; a list of one name does, too, and never fails with a 404.
    let mut params = kube::api::ListParams::default().fields(&format!("metadata.name={}", key.name));
    params.limit = None;
    match api.list(&params).await {
        Ok(list) => {
            let now = list.items.into_iter().find(|object| capt_api::meta::ObjectKey::of(object.meta()) == *key);
            sink.resolved(key, &uid, now);
            true
        }
        Err(error) => {
            warn!(object = %key, error = errors::describe(&error), "failed to get an object, listing all again");
            false
        }
    }
}
