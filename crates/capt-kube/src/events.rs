//! Events about our objects: handed over without waiting, sent by one task in the background, repeats counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use capt_api::conditions::Reason;
use capt_api::contract::EVENT_SOURCE;
use capt_reconciler::effect::Kind;
use capt_reconciler::observed::bmc::Job;
use capt_reconciler::observed::cluster_api::IPAddressClaim;
use capt_reconciler::observed::infra::{TinkerbellCluster, TinkerbellMachine};
use capt_reconciler::observed::tinkerbell::{Hardware, Template, Workflow};
use capt_reconciler::ports::{Clock, Event};
use futures::future::{BoxFuture, join_all};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event as CoreEvent;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::TokioClock;
use crate::errors;

/// How many events may wait to be sent. More are dropped: they help people, and must not hold up machines.
const QUEUE: usize = 1024;
/// How many are sent at once: as many as the workers that tell them, so that a busy server does not leave them behind.
const AT_ONCE: usize = 10;
/// The same event within this time is counted, not repeated. The server keeps events for an hour.
const REPEAT_WITHIN: Duration = Duration::from_secs(600);
/// Longest message that the server takes.
const MAX_MESSAGE: usize = 1024;

/// Where events are handed over.
#[derive(Clone)]
pub struct Events {
    queue: mpsc::Sender<Event>,
    dropped: Arc<AtomicU64>,
    closed: CancellationToken,
}

/// What waits to be sent.
pub struct Outbox {
    queue: mpsc::Receiver<Event>,
    closed: CancellationToken,
}

impl Outbox {
    /// The next event; none when it was closed and is empty.
    async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            biased;
            () = self.closed.cancelled(), if !self.queue.is_closed() => self.queue.close(),
            event = self.queue.recv() => return event,
        }
        self.queue.recv().await
    }
}

impl Events {
    /// The place to hand events over, and the box they wait in.
    pub fn new() -> (Self, Outbox) {
        let (queue, outbox) = mpsc::channel(QUEUE);
        let closed = CancellationToken::new();
        (Self { queue, dropped: Arc::default(), closed: closed.clone() }, Outbox { queue: outbox, closed })
    }

    /// Hands an event over. Never waits.
    pub fn send(&self, event: Event) {
        if self.queue.try_send(event).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes no more events. Those that wait are still sent.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// How many events were dropped because too many waited.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// An event that was sent and may come again.
struct Sent {
    name: String,
    count: i32,
    last: Instant,
}

/// What makes two events the same: object, reason, message.
type Same = (String, Reason, String);

/// Sends events until closed and empty, some at a time. What the server refuses is logged and forgotten.
pub async fn publish(client: Client, mut outbox: Outbox, clock: TokioClock) {
    let mut sent: HashMap<Same, Sent> = HashMap::new();
    let mut number: u64 = 0;
    while let Some(first) = outbox.next().await {
        let now = clock.now();
        sent.retain(|_, earlier| earlier.last.elapsed() < REPEAT_WITHIN);
        let mut requests = vec![request(&client, first, &mut sent, &mut number, now)];
        while requests.len() < AT_ONCE
            && let Ok(event) = outbox.queue.try_recv()
        {
            // The count of an event must not overtake the event itself.
            let is_repeat = sent.contains_key(&same(&event));
            if is_repeat {
                finish(std::mem::take(&mut requests), &mut sent).await;
            }
            requests.push(request(&client, event, &mut sent, &mut number, now));
        }
        finish(requests, &mut sent).await;
    }
}

fn same(event: &Event) -> Same {
    (event.uid.clone(), event.notice.reason, event.notice.message.clone())
}

/// The request that sends an event, or counts it where it was sent before; fails with what it was about.
fn request(
    client: &Client,
    event: Event,
    sent: &mut HashMap<Same, Sent>,
    number: &mut u64,
    now: Timestamp,
) -> BoxFuture<'static, Result<(), Same>> {
    let api: Api<CoreEvent> = Api::namespaced(client.clone(), &event.key.namespace);
    let same = same(&event);
    let (name, count) = match sent.get_mut(&same) {
        Some(earlier) => {
            earlier.count = earlier.count.saturating_add(1);
            earlier.last = Instant::now();
            (earlier.name.clone(), earlier.count)
        }
        None => {
            *number += 1;
            let name = format!("{}.{:x}{number:x}", event.key.name, now.as_nanosecond());
            sent.insert(same.clone(), Sent { name: name.clone(), count: 1, last: Instant::now() });
            (name, 1)
        }
    };
    Box::pin(async move {
        let result = if count > 1 {
            let patch = json!({"count": count, "lastTimestamp": seconds(now)});
            api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await
        } else {
            match serde_json::from_value(core_event(&event, &name, now)) {
                Ok(body) => api.create(&PostParams::default(), &body).await,
                Err(error) => Err(kube::Error::SerdeError(error)),
            }
        };
        result.map(drop).map_err(|error| {
            tracing::debug!(object = %event.key, error = errors::describe(&error), "event not recorded");
            same
        })
    })
}

/// Waits for requests. Those that failed were not sent.
async fn finish(requests: Vec<BoxFuture<'static, Result<(), Same>>>, sent: &mut HashMap<Same, Sent>) {
    for failed in join_all(requests).await.into_iter().filter_map(Result::err) {
        sent.remove(&failed);
    }
}

/// The event as `kubectl describe` reads it.
fn core_event(event: &Event, name: &str, now: Timestamp) -> serde_json::Value {
    let notice = &event.notice;
    let message: String = notice.message.chars().take(MAX_MESSAGE / 4).collect();
    let message = if notice.message.len() <= MAX_MESSAGE { &notice.message } else { &message };
    json!({
        "metadata": {"namespace": event.key.namespace, "name": name},
        "involvedObject": {
            "apiVersion": api_version(event.kind),
            "kind": event.kind.as_str(),
            "namespace": event.key.namespace,
            "name": event.key.name,
            "uid": event.uid,
        },
        "reason": notice.reason.as_str(),
        "message": message,
        "type": if notice.warning { "Warning" } else { "Normal" },
        "source": {"component": EVENT_SOURCE},
        "reportingComponent": EVENT_SOURCE,
        "firstTimestamp": seconds(now),
        "lastTimestamp": seconds(now),
        "count": 1,
    })
}

/// The version of a kind that Events name: the one we want most.
fn api_version(kind: Kind) -> String {
    fn of<K: Resource<DynamicType: Default>>() -> String {
        K::api_version(&K::DynamicType::default()).into_owned()
    }
    match kind {
        Kind::TinkerbellCluster => of::<TinkerbellCluster>(),
        Kind::TinkerbellMachine => of::<TinkerbellMachine>(),
        Kind::Hardware => of::<Hardware>(),
        Kind::Template => of::<Template>(),
        Kind::Workflow => of::<Workflow>(),
        Kind::Job => of::<Job>(),
        Kind::IPAddressClaim => of::<IPAddressClaim>(),
    }
}

/// A time as the API has it: whole seconds.
fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_name_the_versions_that_servers_know() {
        assert_eq!(api_version(Kind::Hardware), "tinkerbell.org/v1alpha1");
        assert_eq!(api_version(Kind::Job), "bmc.tinkerbell.org/v1alpha1");
        assert_eq!(api_version(Kind::IPAddressClaim), "ipam.cluster.x-k8s.io/v1beta2");
    }
}
