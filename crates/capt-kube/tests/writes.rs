//! Writes against a server that answers as each test says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use capt_api::meta::{Meta, ObjectKey};
use capt_kube::api::KubeWriter;
use capt_kube::cache::Cache;
use capt_kube::watch::Sink;
use capt_reconciler::effect::{Hold, Kind, Stage, Verb, Write};
use capt_reconciler::observed::tinkerbell::Hardware;
use capt_reconciler::ports::WriteError;
use kube::runtime::watcher::Event;
use parking_lot::Mutex;
use serde_json::{Value, json};

mod common;
use common::scripted;

fn key() -> ObjectKey {
    ObjectKey::new("ns", "h")
}

fn hardware(version: u64) -> Value {
    json!({"metadata": {"namespace": "ns", "name": "h", "uid": "u", "resourceVersion": version.to_string()}})
}

fn owned(version: u64) -> Value {
    let mut object = hardware(version);
    object["metadata"]["labels"] = json!({"v1alpha1.tinkerbell.org/ownerName": "m"});
    object
}

fn failure(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
           "message": message, "details": {"name": "h", "kind": "hardware"}})
}

fn known(cache: &Cache, object: &Value) {
    let object = serde_json::from_str(&object.to_string()).unwrap();
    Sink::<Hardware>::event(cache, Event::Apply(object));
}

fn reserve() -> Write {
    let patch = json!({"metadata": {"labels": {"v1alpha1.tinkerbell.org/ownerName": "m"}}});
    Write::new(Stage::Reserve, Kind::Hardware, key(), Verb::Merge(patch)).holding(Hold::Hardware)
}

fn give_address(to: &str) -> Write {
    Write::new(Stage::Address, Kind::Hardware, ObjectKey::new("ns", to), Verb::Json(json!([])))
        .holding(Hold::Address("10.0.0.5".parse().unwrap()))
}

fn delete(uid: &str) -> Write {
    Write::new(Stage::Stop, Kind::Hardware, key(), Verb::Delete { uid: uid.into() })
}

fn is_available(cache: &Cache) -> bool {
    cache.kinds.hardware.store.index(|(index, _)| index.is_available(&key()))
}

fn version(cache: &Cache) -> Option<String> {
    cache.kinds.hardware.store.get(&key()).map(|object| object.resource_version().to_owned())
}

/// A writer on a server that gives these answers one after the other, and a log of the requests' methods.
fn answering(
    cache: &Arc<Cache>,
    answers: impl IntoIterator<Item = (u16, Value)>,
) -> (KubeWriter, Arc<Mutex<Vec<String>>>) {
    let answers = Arc::new(Mutex::new(answers.into_iter().collect::<std::collections::VecDeque<_>>()));
    let log = Arc::<Mutex<Vec<String>>>::default();
    let client = scripted({
        let log = log.clone();
        move |method, _, _| {
            log.lock().push(method.to_string());
            let answer = answers.lock().pop_front().expect("one request too many");
            async move { answer }
        }
    });
    (KubeWriter::new(client, cache.clone()), log)
}

#[tokio::test(start_paused = true)]
async fn of_two_writers_of_one_hardware_the_second_loses_without_a_request() {
    let cache = Arc::new(Cache::new());
    known(&cache, &hardware(1));
    let requests = Arc::new(Mutex::new(0));
    let client = scripted({
        let requests = requests.clone();
        move |_, _, _| {
            *requests.lock() += 1;
            async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                (200, owned(2))
            }
        }
    });
    let writer = KubeWriter::new(client, cache.clone());
    let (first, second, while_held) = (reserve(), reserve(), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        is_available(&cache)
    });
    let (first, second, available) = tokio::join!(writer.write(&first), writer.write(&second), while_held);
    assert_eq!(first, Ok(()));
    assert!(matches!(second, Err(WriteError::Conflict(_))), "{second:?}");
    assert_eq!(*requests.lock(), 1);
    assert!(!available, "others must not choose it meanwhile");
    assert!(!is_available(&cache), "it is taken now");
}

#[tokio::test]
async fn hardware_is_free_again_after_a_failed_reservation() {
    let cache = Arc::new(Cache::new());
    known(&cache, &hardware(1));
    let (writer, _) = answering(&cache, [(403, failure(403, "Forbidden", "no"))]);
    assert!(matches!(writer.write(&reserve()).await, Err(WriteError::Rejected(_))));
    assert!(is_available(&cache));
}

#[tokio::test(start_paused = true)]
async fn hardware_is_free_again_after_a_cancelled_reservation() {
    let cache = Arc::new(Cache::new());
    known(&cache, &hardware(1));
    let writer = KubeWriter::new(scripted(|_, _, _| std::future::pending()), cache.clone());
    let write = reserve();
    assert!(tokio::time::timeout(Duration::from_secs(1), writer.write(&write)).await.is_err());
    assert!(is_available(&cache));
}

#[tokio::test(start_paused = true)]
async fn an_address_goes_to_one_hardware_at_a_time() {
    let cache = Arc::new(Cache::new());
    let address = "10.0.0.5".parse().unwrap();
    let client = scripted(|_, uri, _| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(uri.contains("/hardware/a?"), "only the first writer gets through: {uri}");
        (
            200,
            json!({"metadata": {"namespace": "ns", "name": "a", "uid": "a", "resourceVersion": "1"},
                   "spec": {"interfaces": [{"dhcp": {"mac": "m", "ip": {"address": "10.0.0.5"}}}]}}),
        )
    });
    let writer = KubeWriter::new(client, cache.clone());
    let (first, second, third) = (give_address("a"), give_address("b"), give_address("c"));
    let during = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        cache.addresses.lock().users(address, &ObjectKey::new("ns", "b")).len()
    };
    let (first, second, users) = tokio::join!(writer.write(&first), writer.write(&second), during);
    assert_eq!(first, Ok(()));
    assert!(matches!(second, Err(WriteError::Conflict(_))));
    assert_eq!(users, 1, "an address being written is in use");
    assert!(matches!(writer.write(&third).await, Err(WriteError::Conflict(_))), "a late comer finds it written");
    assert!(cache.addresses.lock().users(address, &ObjectKey::new("ns", "a")).is_empty());
}

#[tokio::test]
async fn after_a_conflict_the_store_holds_what_the_server_has() {
    for answer in [
        failure(409, "Conflict", "the object has been modified"),
        failure(422, "Invalid", "the server rejected our request due to an error in our request"),
    ] {
        let cache = Arc::new(Cache::new());
        known(&cache, &hardware(1));
        let code = u16::try_from(answer["code"].as_u64().unwrap()).unwrap();
        let (writer, log) = answering(&cache, [(code, answer), (200, owned(7))]);
        assert!(matches!(writer.write(&reserve()).await, Err(WriteError::Conflict(_))));
        assert_eq!(version(&cache).as_deref(), Some("7"));
        assert_eq!(*log.lock(), ["PATCH", "GET"]);
    }
}

#[tokio::test]
async fn an_object_that_is_gone_leaves_the_store_at_once() {
    let cache = Arc::new(Cache::new());
    known(&cache, &hardware(1));
    let missing = || (404, failure(404, "NotFound", r#"hardware.tinkerbell.org "h" not found"#));
    let (writer, _) = answering(&cache, [missing(), missing()]);
    assert!(matches!(writer.write(&reserve()).await, Err(WriteError::Conflict(_))));
    assert_eq!(version(&cache), None);
}

#[tokio::test]
async fn a_conflict_that_cannot_be_read_is_no_conflict() {
    let cache = Arc::new(Cache::new());
    known(&cache, &hardware(1));
    let (writer, _) =
        answering(&cache, [(409, failure(409, "Conflict", "modified")), (500, failure(500, "InternalError", "oops"))]);
    let result = writer.write(&reserve()).await;
    assert!(matches!(result, Err(WriteError::Transient(_))), "else the same decision is made for ever: {result:?}");
}

#[tokio::test]
async fn after_a_lost_answer_the_store_holds_what_the_write_did() {
    let cache = Arc::new(Cache::new());
    known(&cache, &hardware(1));
    let (writer, log) = answering(&cache, [(504, failure(504, "Timeout", "lost")), (200, owned(2))]);
    assert!(matches!(writer.write(&reserve()).await, Err(WriteError::Transient(_))));
    assert_eq!(version(&cache).as_deref(), Some("2"));
    assert_eq!(*log.lock(), ["PATCH", "GET"]);
}

#[tokio::test]
async fn a_busy_server_is_not_asked_once_more() {
    let cache = Arc::new(Cache::new());
    let (writer, log) = answering(&cache, [(429, failure(429, "TooManyRequests", "later"))]);
    assert!(matches!(writer.write(&reserve()).await, Err(WriteError::Transient(_))));
    assert_eq!(log.lock().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up() {
    let cache = Arc::new(Cache::new());
    let writer = KubeWriter::new(scripted(|_, _, _| std::future::pending()), cache.clone());
    let write = reserve();
    let result = tokio::time::timeout(Duration::from_secs(30), writer.write(&write)).await.expect("hangs");
    assert!(matches!(result, Err(WriteError::Transient(_))));
}

#[tokio::test]
async fn a_deleted_object_leaves_the_store_at_once() {
    let cache = Arc::new(Cache::new());
    known(&cache, &hardware(1));
    let (writer, _) = answering(&cache, [(200, json!({"kind": "Status", "status": "Success"}))]);
    assert_eq!(writer.write(&delete("u")).await, Ok(()));
    assert_eq!(version(&cache), None);
    known(&cache, &hardware(2));
    assert_eq!(version(&cache), None, "a late event must not resurrect it");
}

#[tokio::test]
async fn a_deleted_object_with_finalizers_stays_and_is_terminating() {
    let cache = Arc::new(Cache::new());
    known(&cache, &hardware(1));
    let mut terminating = hardware(2);
    terminating["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    terminating["metadata"]["finalizers"] = json!(["f"]);
    let (writer, _) = answering(&cache, [(200, terminating)]);
    assert_eq!(writer.write(&delete("u")).await, Ok(()));
    assert!(cache.kinds.hardware.store.get(&key()).unwrap().is_terminating());
}

#[tokio::test]
async fn taking_the_last_finalizer_off_a_terminating_object_removes_it() {
    let cache = Arc::new(Cache::new());
    known(&cache, &hardware(1));
    let mut finished = hardware(2);
    finished["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let (writer, _) = answering(&cache, [(200, finished)]);
    let patch = Write::new(Stage::Finish, Kind::Hardware, key(), Verb::Merge(json!({})));
    assert_eq!(writer.write(&patch).await, Ok(()));
    assert_eq!(version(&cache), None);
}
