//! The one rule of the stores: nothing older replaces anything newer, and nothing deleted comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use capt_api::meta::{Meta, ObjectKey};
use capt_kube::decode::Guarded;
use capt_kube::store::{Change, Store};
use capt_reconciler::observed::tinkerbell::Template;

type Templates = Store<Template, ()>;

fn key() -> ObjectKey {
    ObjectKey::new("ns", "t")
}

fn named(name: &str, uid: &str, version: u64) -> Guarded<Template> {
    let text = format!(
        r#"{{"metadata": {{"namespace": "ns", "name": "{name}", "uid": "{uid}", "resourceVersion": "{version}"}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn object(uid: &str, version: u64) -> Guarded<Template> {
    named("t", uid, version)
}

/// Has a name of a type that it must not have, so that it does not decode.
fn invalid(uid: &str, version: u64) -> Guarded<Template> {
    let text = format!(
        r#"{{"metadata": {{"namespace": "ns", "name": "t", "uid": "{uid}", "resourceVersion": "{version}",
            "labels": 5}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn version(store: &Templates) -> Option<String> {
    store.get(&key()).map(|object| object.resource_version().to_owned())
}

#[tokio::test]
async fn an_older_event_never_replaces_a_newer_answer() {
    let store = Templates::new(());
    assert!(store.answered(object("a", 10)).is_some());
    assert!(store.observed(object("a", 9)).is_none());
    assert!(store.observed(object("a", 10)).is_none(), "our own write coming round is no change");
    assert_eq!(version(&store).as_deref(), Some("10"));
}

#[tokio::test]
async fn versions_compare_as_numbers_and_not_as_text() {
    let store = Templates::new(());
    store.answered(object("a", 9));
    assert!(store.observed(object("a", 10)).is_some());
    assert_eq!(version(&store).as_deref(), Some("10"));
}

#[tokio::test]
async fn a_late_event_never_resurrects_what_an_answer_deleted() {
    let store = Templates::new(());
    store.observed(object("a", 10));
    assert!(store.gone(&key(), "a").is_some());
    assert!(store.observed(object("a", 11)).is_none(), "terminating, written before the deletion was over");
    assert!(store.observed(object("old", 9)).is_none(), "an event of a still older object");
    assert_eq!(version(&store), None);
    assert!(store.observed(object("b", 13)).is_some(), "a successor is another object");
}

#[tokio::test]
async fn a_late_answer_never_resurrects_what_the_watch_saw_deleted() {
    let store = Templates::new(());
    store.observed(object("a", 10));
    store.deleted(&object("a", 12));
    assert!(store.answered(object("a", 11)).is_none());
    assert_eq!(version(&store), None);
}

#[tokio::test]
async fn the_deletion_of_a_predecessor_does_not_remove_its_successor() {
    let store = Templates::new(());
    store.observed(object("a", 10));
    store.answered(object("b", 20));
    assert!(store.deleted(&object("a", 15)).is_none());
    assert!(store.gone(&key(), "a").is_none());
    assert_eq!(version(&store).as_deref(), Some("20"));
}

#[tokio::test]
async fn a_relist_finds_exactly_what_vanished() {
    let store = Templates::new(());
    for name in ["t", "u", "v"] {
        store.observed(named(name, name, 5));
    }
    store.relist_begins();
    store.relisted(named("u", "u", 5));
    store.relisted(named("w", "w", 7));
    let (changes, doubtful) = store.relist_ends();
    let mut vanished: Vec<_> = changes.iter().map(|change| change.key.name.clone()).collect();
    vanished.sort();
    assert_eq!(vanished, ["t", "v"]);
    assert!(changes.iter().all(|Change { new, .. }| new.is_none()));
    assert!(doubtful.is_empty());
    assert_eq!(store.counts().objects, 2);
}

#[tokio::test]
async fn a_relist_does_not_drop_what_we_created_meanwhile() {
    let store = Templates::new(());
    store.relist_begins();
    store.answered(object("a", 10));
    let (changes, doubtful) = store.relist_ends();
    assert!(changes.is_empty());
    assert_eq!(doubtful, [key()], "the server has to say whether it is still there");
    assert!(store.get(&key()).is_some());
}

#[tokio::test]
async fn a_relist_does_not_bring_back_what_we_deleted_meanwhile() {
    let store = Templates::new(());
    store.observed(object("a", 10));
    store.relist_begins();
    store.gone(&key(), "a");
    assert!(store.relisted(object("a", 10)).is_none());
    store.relist_ends();
    assert_eq!(version(&store), None);
}

#[tokio::test]
async fn a_kind_that_was_not_served_for_a_while_gets_its_very_objects_back() {
    let store = Templates::new(());
    store.observed(object("a", 10));
    assert_eq!(store.clear().len(), 1);
    store.relist_begins();
    assert!(store.relisted(object("a", 10)).is_some(), "the same object, by UID and version");
    store.relist_ends();
    assert_eq!(version(&store).as_deref(), Some("10"));
    assert!(store.observed(object("a", 9)).is_none(), "and it is as well known as before");
}

#[tokio::test]
async fn a_list_of_what_is_there_now_heals_whatever_was_believed_before() {
    let store = Templates::new(());
    store.observed(object("a", 10));
    store.relist_begins();
    assert_eq!(store.relist_ends().0.len(), 1, "a list without it");
    store.relist_begins();
    assert!(store.relisted(object("a", 10)).is_some(), "a later list with it");
    store.relist_ends();
    assert_eq!(version(&store).as_deref(), Some("10"));
}

#[tokio::test]
async fn a_server_that_was_restored_from_a_snapshot_takes_the_store_back_with_it() {
    let store = Templates::new(());
    store.observed(object("a", 10));
    store.observed(named("u", "u", 12));
    store.gone(&ObjectKey::new("ns", "u"), "u");
    store.relist_begins();
    assert!(store.relisted(object("a", 7)).is_some(), "else we decide on what never was, until a restart");
    assert!(store.relisted(named("u", "u", 5)).is_some(), "its deletion never was, either");
    store.relist_ends();
    assert_eq!(version(&store).as_deref(), Some("7"));
    assert!(store.observed(object("a", 8)).is_some(), "the new history goes on from there");
}

#[tokio::test]
async fn an_answer_during_a_relist_is_newer_than_its_list() {
    let store = Templates::new(());
    store.observed(object("a", 10));
    store.relist_begins();
    store.answered(object("a", 11));
    assert!(store.relisted(object("a", 10)).is_none());
    store.relist_ends();
    assert_eq!(version(&store).as_deref(), Some("11"));
}

#[tokio::test]
async fn a_doubt_that_nobody_could_clear_up_ends_with_the_next_list() {
    let store = Templates::new(());
    store.relist_begins();
    store.answered(object("a", 10));
    assert_eq!(store.relist_ends().1, [key()]);
    store.relist_begins();
    let (changes, doubtful) = store.relist_ends();
    assert_eq!((changes.len(), doubtful.len()), (1, 0), "else a ghost keeps a deletion waiting");
}

#[tokio::test]
async fn an_aborted_relist_drops_nothing() {
    let store = Templates::new(());
    store.observed(object("a", 10));
    store.relist_begins();
    store.relist_begins();
    store.relisted(object("a", 10));
    let (changes, _) = store.relist_ends();
    assert!(changes.is_empty());
    assert!(store.get(&key()).is_some());
}

#[tokio::test]
async fn an_object_that_turns_bad_counts_as_absent_and_can_recover() {
    let store = Templates::new(());
    store.observed(object("a", 10));
    let change = store.observed(invalid("a", 11)).expect("a stale good version must not stay");
    assert!(change.old.is_some() && change.new.is_none());
    assert_eq!(store.counts().invalid, 1);
    assert!(store.observed(object("a", 10)).is_none(), "the older good version is history");
    assert!(store.observed(object("a", 12)).is_some());
    assert_eq!(store.counts().invalid, 0);
}

#[tokio::test(start_paused = true)]
async fn tombstones_do_not_pile_up() {
    let store = Templates::new(());
    store.observed(object("a", 10));
    store.gone(&key(), "a");
    tokio::time::advance(std::time::Duration::from_secs(600)).await;
    store.observed(named("u", "u", 11));
    store.gone(&ObjectKey::new("ns", "u"), "u");
    // With the tombstone gone the store has forgotten the object altogether.
    assert!(store.observed(object("a", 10)).is_some());
}
