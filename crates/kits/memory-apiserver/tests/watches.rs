//! Watches: what they begin with, what they tell, how they end. Time is paused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use futures::{StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use memory_apiserver::{Fault, MemoryApiServer, ResponseBody};
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt;

/// An open watch, read line by line.
struct Lines {
    body: ResponseBody,
    buffer: Vec<u8>,
}

impl Lines {
    async fn open(server: &MemoryApiServer, query: &str) -> Self {
        Self::open_with(server, query, "application/json").await
    }

    async fn open_with(server: &MemoryApiServer, query: &str, accept: &str) -> Self {
        let request = http::Request::builder()
            .uri(format!("{THINGS_PATH}?watch=true&{query}"))
            .header("accept", accept)
            .body(kube::client::Body::empty())
            .unwrap();
        let response = server.service("watcher").oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        Self { body: response.into_body(), buffer: Vec::new() }
    }

    /// The next event; `None` when the watch has ended.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = self.body.frame().await?.unwrap();
            self.buffer.extend_from_slice(&frame.into_data().unwrap());
        }
    }

    /// The next event as `TYPE name`.
    async fn short(&mut self) -> String {
        let event = self.next().await.unwrap();
        format!("{} {}", event["type"].as_str().unwrap(), event["object"]["metadata"]["name"].as_str().unwrap_or("-"))
    }

    /// Nothing is said for a second.
    async fn silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_secs(1), self.next()).await.is_err()
    }
}

async fn create(server: &MemoryApiServer, name: &str) -> Value {
    let (code, object) = post(server, THINGS_PATH, body(name, json!({"size": 1}))).await;
    assert_eq!(code, 201, "{object}");
    object
}

fn one(name: &str) -> String {
    format!("{THINGS_PATH}/{name}")
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_nowhere_begins_with_what_is_there() {
    let server = server();
    create(&server, "a").await;
    for query in ["", "resourceVersion=0"] {
        let mut watch = Lines::open(&server, query).await;
        assert_eq!(watch.short().await, "ADDED a");
        assert!(watch.silent().await);
    }
    let mut watch = Lines::open(&server, "").await;
    create(&server, "b").await;
    assert_eq!(watch.short().await, "ADDED a");
    assert_eq!(watch.short().await, "ADDED b");
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_a_version_tells_what_happened_since() {
    let server = server();
    let rv = create(&server, "a").await["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    create(&server, "b").await;
    merge(&server, &one("a"), json!({"spec": {"size": 2}})).await;
    delete(&server, &one("b"), json!({})).await;
    let mut watch = Lines::open(&server, &format!("resourceVersion={rv}")).await;
    for expected in ["ADDED b", "MODIFIED a", "DELETED b"] {
        assert_eq!(watch.short().await, expected);
    }
    assert!(watch.silent().await);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_has_a_version_of_its_own() {
    let server = server();
    let created = create(&server, "a").await;
    let mut watch = Lines::open(&server, "").await;
    watch.next().await;
    delete(&server, &one("a"), json!({})).await;
    let event = watch.next().await.unwrap();
    assert_eq!(event["type"], "DELETED");
    assert_eq!(event["object"]["metadata"]["resourceVersion"], server.resource_version().to_string());
    assert_ne!(event["object"]["metadata"]["resourceVersion"], created["metadata"]["resourceVersion"]);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_leaves_the_selection_is_deleted_for_the_watcher() {
    let server = server();
    create(&server, "a").await;
    let mut watch = Lines::open(&server, "labelSelector=in%3Dyes").await;
    assert!(watch.silent().await);
    merge(&server, &one("a"), json!({"metadata": {"labels": {"in": "yes"}}})).await;
    assert_eq!(watch.short().await, "ADDED a");
    merge(&server, &one("a"), json!({"spec": {"size": 3}})).await;
    assert_eq!(watch.short().await, "MODIFIED a");
    merge(&server, &one("a"), json!({"metadata": {"labels": {"in": "no"}}})).await;
    let event = watch.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["metadata"]["labels"]["in"]), (&json!("DELETED"), &json!("yes")));
    assert_eq!(event["object"]["metadata"]["resourceVersion"], server.resource_version().to_string());
    delete(&server, &one("a"), json!({})).await;
    assert!(watch.silent().await);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_tell_quiet_watchers_how_far_they_are() {
    let server = server();
    let mut watch = Lines::open(&server, "allowWatchBookmarks=true").await;
    post(&server, "/api/v1/namespaces/default/configmaps", json!({"metadata": {"name": "elsewhere"}})).await;
    let event = watch.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["kind"]), (&json!("BOOKMARK"), &json!("Thing")));
    assert_eq!(event["object"]["metadata"]["resourceVersion"], server.resource_version().to_string());
}

#[tokio::test(start_paused = true)]
async fn initial_events_end_with_a_bookmark_that_says_so() {
    let server = server();
    create(&server, "a").await;
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = Lines::open(&server, query).await;
    assert_eq!(watch.short().await, "ADDED a");
    let end = watch.next().await.unwrap();
    assert_eq!(end["type"], "BOOKMARK");
    assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    let (code, status) = get(&server, &format!("{THINGS_PATH}?watch=true&sendInitialEvents=true")).await;
    assert_eq!(code, 422, "{status}");
}

#[tokio::test(start_paused = true)]
async fn a_version_out_of_history_is_gone() {
    let server = server();
    let rv = create(&server, "a").await["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    create(&server, "b").await;
    server.faults().compact();
    let mut watch = Lines::open(&server, &format!("resourceVersion={rv}")).await;
    let event = watch.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["code"], &event["object"]["reason"]),
        (&json!("ERROR"), &json!(410), &json!("Expired"))
    );
    assert!(watch.next().await.is_none(), "and the watch ends");
}

#[tokio::test(start_paused = true)]
async fn history_is_bounded() {
    let server = MemoryApiServer::builder().history(5).build();
    server.apply_manifest(THINGS).unwrap();
    let rv = server.resource_version();
    for n in 0..10 {
        create(&server, &format!("n{n}")).await;
    }
    let mut watch = Lines::open(&server, &format!("resourceVersion={rv}")).await;
    assert_eq!(watch.next().await.unwrap()["type"], "ERROR");
    let mut watch = Lines::open(&server, &format!("resourceVersion={}", rv + 5)).await;
    assert_eq!(watch.short().await, "ADDED n5");
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_when_its_time_is_over() {
    let server = server();
    let started = tokio::time::Instant::now();
    let mut watch = Lines::open(&server, "timeoutSeconds=7").await;
    assert!(watch.next().await.is_none());
    assert_eq!(started.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn dropped_watches_end_at_once() {
    let server = server();
    let mut watch = Lines::open(&server, "").await;
    assert_eq!(server.open_watches(), 1);
    assert_eq!(server.faults().drop_watches(Some("things")), 1);
    assert!(watch.next().await.is_none());
    assert_eq!(server.open_watches(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_watch_shows_the_version_it_was_opened_at() {
    let server = server();
    create(&server, "a").await;
    let request = http::Request::builder()
        .uri("/apis/test.example.io/v1alpha1/things?watch=true")
        .body(kube::client::Body::empty())
        .unwrap();
    let response = server.service("watcher").oneshot(request).await.unwrap();
    let mut watch = Lines { body: response.into_body(), buffer: Vec::new() };
    assert_eq!(watch.next().await.unwrap()["object"]["apiVersion"], "test.example.io/v1alpha1");
    merge(&server, &one("a"), json!({"spec": {"size": 3}})).await;
    assert_eq!(watch.next().await.unwrap()["object"]["apiVersion"], "test.example.io/v1alpha1");
}

#[tokio::test(start_paused = true)]
async fn a_watch_can_be_of_metadata_or_tables() {
    let server = server();
    create(&server, "a").await;
    let mut partial =
        Lines::open_with(&server, "", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1").await;
    let event = partial.next().await.unwrap();
    assert_eq!((&event["object"]["kind"], event["object"].get("spec")), (&json!("PartialObjectMetadata"), None));
    let mut table = Lines::open_with(&server, "", "application/json;as=Table;g=meta.k8s.io;v=v1").await;
    assert_eq!(table.next().await.unwrap()["object"]["rows"][0]["cells"][0], "a");
}

#[tokio::test(start_paused = true)]
async fn a_reflector_survives_dropped_watches_refusals_and_lost_history() {
    let server = server();
    let api = things(&server, "reflector");
    let writer = reflector::store::Writer::new(resource("v1"));
    let reader = writer.as_reader();
    let stream = reflector(writer, watcher(api.clone(), watcher::Config::default()).default_backoff());
    tokio::spawn(stream.for_each(|_| async {}));
    create(&server, "a").await;
    reader.wait_until_ready().await.unwrap();
    server.faults().inject(Fault::status(500, "InternalError", "broken").user("reflector").times(3));
    server.faults().drop_watches_of("reflector");
    create(&server, "b").await;
    delete(&server, &one("a"), json!({})).await;
    server.faults().compact();
    tokio::time::sleep(Duration::from_secs(120)).await;
    create(&server, "c").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut names: Vec<String> = reader.state().iter().map(|o| o.metadata.name.clone().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_fills_a_watcher() {
    let server = server();
    create(&server, "a").await;
    let config = watcher::Config::default().streaming_lists();
    let mut events = watcher(things(&server, "streamer"), config).applied_objects().boxed();
    assert_eq!(events.try_next().await.unwrap().unwrap().metadata.name.unwrap(), "a");
    create(&server, "b").await;
    assert_eq!(events.try_next().await.unwrap().unwrap().metadata.name.unwrap(), "b");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_side_by_side_lose_nothing_and_watchers_see_one_order() {
    let server = server();
    let api = things(&server, "setup");
    api.create(&PostParams::default(), &thing("shared", json!({"size": 0, "labels": {}}))).await.unwrap();
    let mut watch = Lines::open(&server, "resourceVersion=0").await;
    watch.next().await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let api = things(&server, "writer");
            tokio::spawn(async move {
                for turn in 0..25 {
                    // A merge patch without a version never conflicts: each adds a key of its own.
                    let key = format!("w{writer}-{turn}");
                    let patch = json!({"metadata": {"annotations": {key: "x"}}});
                    api.patch("shared", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let annotations = api.get("shared").await.unwrap().metadata.annotations.unwrap();
    assert_eq!(annotations.len(), 200, "no update was lost");
    let mut last = 0;
    for seen in 1..=200 {
        let event = watch.next().await.unwrap();
        let rv: u64 = event["object"]["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        assert!(rv > last, "in order");
        last = rv;
        assert_eq!(event["object"]["metadata"]["annotations"].as_object().unwrap().len(), seen, "none left out");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_updates_from_one_read_exactly_one_wins() {
    let server = server();
    let api = things(&server, "setup");
    let read = api.create(&PostParams::default(), &thing("shared", json!({"size": 0}))).await.unwrap();
    let tries: Vec<_> = (1..9)
        .map(|size| {
            let (api, mut object) = (things(&server, "writer"), read.clone());
            object.data["spec"]["size"] = json!(size);
            tokio::spawn(async move { api.replace("shared", &PostParams::default(), &object).await })
        })
        .collect();
    let mut won = 0;
    for attempt in tries {
        match attempt.await.unwrap() {
            Ok(_) => won += 1,
            Err(kube::Error::Api(status)) => assert_eq!(status.code, 409),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(won, 1);
}
