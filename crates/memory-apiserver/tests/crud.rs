//! Create, read, update, delete, and the answers to what cannot be done.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

#[tokio::test]
async fn a_client_creates_reads_changes_and_deletes() {
    let server = server();
    let api = things(&server, "user");
    let created = api.create(&PostParams::default(), &thing("a", json!({"size": 1}))).await.unwrap();
    assert_eq!(created.metadata.generation, Some(1));
    assert!(created.metadata.uid.is_some() && created.metadata.creation_timestamp.is_some());
    assert_eq!(created.data["spec"]["mode"], "slow", "the default is filled in");
    let patched = api.patch("a", &PatchParams::default(), &Patch::Merge(json!({"spec": {"size": 2}}))).await.unwrap();
    assert_eq!(patched.metadata.generation, Some(2));
    assert_eq!(api.get("a").await.unwrap().data["spec"]["size"], 2);
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 1);
    let deleted = api.delete("a", &DeleteParams::default()).await.unwrap();
    let status = deleted.right().unwrap();
    assert!(status.is_success());
    let details = status.details.unwrap();
    assert_eq!((&*details.name, &*details.group, &*details.kind), ("a", "test.example.io", "things"));
    assert_eq!(details.uid, created.metadata.uid.unwrap());
    assert!(api.get_opt("a").await.unwrap().is_none());
}
