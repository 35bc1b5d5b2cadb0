//! Watching a kind: from "is it served?" to its objects, for ever.

mod backoff;
mod crd;
mod discovery;
mod pump;
mod relisting;
mod repeated;
mod sink;

use std::sync::Arc;
use std::time::Duration;

use kube::{Api, Client, Resource};
use tokio::time::Instant;
use tracing::{debug, info, warn};

pub use backoff::Pauses;
pub use discovery::{Found, Lookup, Name};
pub(crate) use pump::pump;
pub use relisting::Relisting;
pub use sink::Sink;

use crate::decode::Guarded;
use crd::{Crd, CrdWatch};

/// How long the server may deny a kind whose CustomResourceDefinition is there, or which it served before, until we
/// believe it. A server that starts denies for some seconds, and to believe it would do harm: without the BMC kinds,
/// servers are released without a look at their power.
const DOUBT: Duration = Duration::from_secs(60);
/// The same for a kind that we never saw and whose definition we may not read: there is nothing to go by.
const DOUBT_UNSEEN: Duration = Duration::from_secs(5);

/// Watches one kind for ever: waits until it is served, keeps its objects, and starts over when it vanishes.
///
/// With `relisting` the kind may be one that we may not watch.
///
/// `versioned` says what to do with what discovery found: the type's version, and the API to watch.
pub async fn watch_kind<K, S>(
    client: Client,
    lookup: Lookup,
    sink: Arc<S>,
    relisting: Option<Relisting>,
    versioned: impl Fn(&Found) -> Option<(K::DynamicType, Api<Guarded<K>>)>,
) where
    K: Resource + serde::de::DeserializeOwned + Clone + Send + 'static,
    K::DynamicType: Send + Sync,
    S: Sink<K> + ?Sized,
{
    let mut backoff = Pauses::default();
    let mut served_before = false;
    loop {
        let found = await_served(&client, &lookup, served_before, || sink.absent()).await;
        served_before = true;
        let Some((version, api)) = versioned(&found) else {
            tokio::time::sleep(backoff.pause()).await;
            continue;
        };
        sink.served(version);
        pump(api, &lookup.to_string(), &*sink, &mut backoff, relisting.as_ref()).await;
    }
}

/// Waits until the server serves the kind. Calls `absent` once it is certain that it does not.
pub(crate) async fn await_served(client: &Client, lookup: &Lookup, served_before: bool, absent: impl Fn()) -> Found {
    let mut backoff = Pauses::default();
    let mut crd: Option<CrdWatch> = None;
    let mut missing_since: Option<Instant> = None;
    let mut said = false;
    loop {
        match lookup.find(client).await {
            Ok(Some(found)) => {
                if said {
                    info!(kind = %lookup, version = found.resource.version, "kind is served now");
                }
                return found;
            }
            Ok(None) => {
                let since = *missing_since.get_or_insert_with(Instant::now);
                let certain = match crd.as_ref().map(CrdWatch::state) {
                    Some(Crd::Missing) => true,
                    Some(Crd::Unknown) | None => false,
                    Some(Crd::Forbidden) if !served_before => since.elapsed() >= DOUBT_UNSEEN,
                    Some(Crd::There | Crd::Forbidden) => since.elapsed() >= DOUBT,
                };
                if certain && !said {
                    said = true;
                    info!(kind = %lookup, "kind is not served, waiting for its CustomResourceDefinition");
                    absent();
                }
            }
            Err(error) => {
                missing_since = None;
                let error = crate::errors::describe(&error);
                if repeated::is_new(&error) {
                    warn!(kind = %lookup, error, "API discovery failed, retrying; other kinds may fail alike");
                } else {
                    debug!(kind = %lookup, error, "API discovery failed, retrying");
                }
            }
        }
        // The definition's watch tells us at once; without it, or while the server makes up its mind, we ask again.
        let crd = crd.get_or_insert_with(|| CrdWatch::new(client.clone(), &lookup.crd_name()));
        let pause = match crd.state() {
            Crd::Missing if lookup.names_crd() => Duration::from_secs(300),
            _ => backoff.pause(),
        };
        tokio::select! {
            biased;
            changed = crd.changed() => if changed { backoff.reset() },
            () = tokio::time::sleep(pause) => {}
        }
    }
}
