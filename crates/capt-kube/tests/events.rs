//! Events as people see them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use capt_api::conditions::Reason;
use capt_api::meta::ObjectKey;
use capt_kube::clock::TokioClock;
use capt_kube::events::{self, Events};
use capt_reconciler::effect::Kind;
use capt_reconciler::notice::Notice;
use capt_reconciler::ports::Event;
use memory_apiserver::{Fault, MemoryApiServer};

fn event(message: &str) -> Event {
    Event {
        kind: Kind::TinkerbellMachine,
        key: ObjectKey::new("default", "m"),
        uid: "u".into(),
        notice: Notice::warning(Reason::PoolExhausted, message),
    }
}

fn start(server: &MemoryApiServer) -> Events {
    let (events, outbox) = Events::new();
    tokio::spawn(events::publish(server.client("capt"), outbox, TokioClock::new()));
    events
}

#[tokio::test(start_paused = true)]
async fn an_event_is_what_kubectl_describe_shows_and_a_repeat_is_counted() {
    let server = MemoryApiServer::new();
    let events = start(&server);
    for message in ["pool p is full", "pool p is full", "pool q is full"] {
        events.send(event(message));
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let mut found = server.list("", "events");
    found.sort_by_key(|event| event["message"].to_string());
    assert_eq!(found.len(), 2, "{found:?}");
    let first = &found[0];
    assert_eq!(first["message"], "pool p is full");
    assert_eq!(first["count"], 2);
    assert_eq!(first["type"], "Warning");
    assert_eq!(first["reason"], "PoolExhausted");
    assert_eq!(first["source"]["component"], "tinkerbell-controller");
    assert_eq!(first["involvedObject"]["kind"], "TinkerbellMachine");
    assert_eq!(first["involvedObject"]["apiVersion"], "infrastructure.cluster.x-k8s.io/v1beta1");
    assert_eq!(first["involvedObject"]["uid"], "u");
    assert_ne!(first["firstTimestamp"], first["lastTimestamp"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_events_holds_up_nobody() {
    let server = MemoryApiServer::new();
    let hangs = server.faults().inject(Fault::timeout_before().resource("events").always());
    let events = start(&server);
    for number in 0..5000 {
        events.send(event(&format!("number {number}")));
    }
    assert!(events.dropped() > 3000, "what does not fit is dropped, and counted");
    server.faults().remove(hangs);
}

#[tokio::test(start_paused = true)]
async fn a_failed_event_does_not_stop_the_next() {
    let server = MemoryApiServer::new();
    server.faults().inject(Fault::status(403, "Forbidden", "no").resource("events"));
    let events = start(&server);
    events.send(event("refused"));
    events.send(event("taken"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(server.list("", "events").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn events_that_wait_at_the_stop_are_sent() {
    let server = MemoryApiServer::new();
    let (events, outbox) = Events::new();
    for number in 0..50 {
        events.send(event(&format!("number {number}")));
    }
    events.close();
    events::publish(server.client("capt"), outbox, TokioClock::new()).await;
    assert_eq!(server.list("", "events").len(), 50);
    events.send(event("too late"));
    assert_eq!(events.dropped(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_does_not_leave_the_events_of_a_crowd_behind_and_counts_come_in_order() {
    let server = MemoryApiServer::new();
    server.faults().inject(Fault::latency(Duration::from_millis(100)).resource("events").always());
    let events = start(&server);
    for number in 0..30 {
        events.send(event(&format!("number {number}")));
        events.send(event("the same for all"));
    }
    // One after the other they would take six seconds, and only the repeats have to wait for each other.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let found = server.list("", "events");
    assert_eq!(found.len(), 31);
    let repeated = found.iter().find(|event| event["message"] == "the same for all").unwrap();
    assert_eq!(repeated["count"], 30);

    for number in 100..200 {
        events.send(event(&format!("number {number}")));
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(server.list("", "events").len(), 131, "ten seconds of events in little more than one");
}
