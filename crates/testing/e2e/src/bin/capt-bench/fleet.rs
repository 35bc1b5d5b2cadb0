//! Many objects at once.

use std::time::Duration;

use anyhow::Context;
use capt_e2e::stage::objects::until;
use futures::{StreamExt as _, TryStreamExt as _};
use http::Request;
use kube::Client;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::objects::{Kind, TINKERBELL_MACHINE, path};

/// How many requests are under way at once.
const AT_ONCE: usize = 16;
/// How long the deletion of a collection may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Creates objects and deletes them.
#[derive(Clone)]
pub struct Fleet {
    client: Client,
}

/// What is read of an object that was created.
#[derive(Deserialize)]
struct Created {
    metadata: CreatedMeta,
}

#[derive(Deserialize)]
struct CreatedMeta {
    #[serde(default)]
    uid: String,
}

/// What is read of a list.
#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    items: Vec<Value>,
}

impl Fleet {
    /// One that works with this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Creates an object at this path and returns its UID.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn create_at(&self, path: &str, object: &Value) -> anyhow::Result<String> {
        let request = Request::post(format!("{path}?fieldValidation=Strict"))
            .header("content-type", "application/json")
            .body(serde_json::to_vec(object)?)?;
        let created: Created =
            self.client.request(request).await.with_context(|| format!("cannot create at {path}"))?;
        Ok(created.metadata.uid)
    }

    /// Creates objects of a kind and returns their UIDs, in order.
    ///
    /// # Errors
    /// When the server refuses one.
    pub async fn create(&self, kind: Kind, objects: impl IntoIterator<Item = Value>) -> anyhow::Result<Vec<String>> {
        let path = path(kind);
        let requests = objects.into_iter().map(|object| {
            let path = &path;
            async move { self.create_at(path, &object).await }
        });
        futures::stream::iter(requests).buffered(AT_ONCE).try_collect().await
    }

    /// All objects of a kind, by name.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn list(&self, kind: Kind) -> anyhow::Result<Vec<Value>> {
        let path = path(kind);
        let request = Request::get(&path).body(Vec::new())?;
        let listed: Listed = self.client.request(request).await.with_context(|| format!("cannot list {path}"))?;
        Ok(listed.items)
    }

    /// Says of a TinkerbellMachine that it is ready.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn tell_ready(&self, machine: String) -> anyhow::Result<()> {
        let path = format!("{}/{machine}/status", path(TINKERBELL_MACHINE));
        let request = Request::patch(&path).header("content-type", "application/merge-patch+json");
        let request = request.body(serde_json::to_vec(&json!({ "status": { "ready": true } }))?)?;
        self.client.request::<Value>(request).await.with_context(|| format!("cannot patch {path}"))?;
        Ok(())
    }

    /// Asks for the deletion of objects, and does not wait for their end.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn delete(&self, kind: Kind, names: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
        let requests = names.into_iter().map(|name| async move {
            let path = format!("{}/{name}", path(kind));
            let request = delete_request(&path)?;
            self.client.request::<Value>(request).await.with_context(|| format!("cannot delete {path}"))?;
            anyhow::Ok(())
        });
        futures::stream::iter(requests).buffered(AT_ONCE).try_collect().await
    }

    /// Deletes all objects of a kind in our namespace, and returns when they are gone.
    ///
    /// # Errors
    /// When the server refuses, or some do not go.
    pub async fn clear(&self, kind: Kind) -> anyhow::Result<()> {
        let path = path(kind);
        self.client.request::<Value>(delete_request(&path)?).await.with_context(|| format!("cannot clear {path}"))?;
        until(&format!("{path} is empty"), PATIENCE, async || {
            let request = Request::get(format!("{path}?limit=1")).body(Vec::new())?;
            let left: Listed = self.client.request(request).await.with_context(|| format!("cannot list {path}"))?;
            Ok(if left.items.is_empty() { Ok(()) } else { Err("objects are left".to_owned()) })
        })
        .await
    }

    /// Waits until a JSON pointer of an object is true.
    ///
    /// # Errors
    /// When it does not become so.
    pub async fn until_true(&self, kind: Kind, name: &str, pointer: &str) -> anyhow::Result<()> {
        let path = format!("{}/{name}", path(kind));
        until(&format!("{pointer} of {path} is true"), PATIENCE, async || {
            let object: Value = self.client.request(Request::get(&path).body(Vec::new())?).await?;
            let is_true = object.pointer(pointer).and_then(Value::as_bool) == Some(true);
            Ok(if is_true { Ok(()) } else { Err("it is not".to_owned()) })
        })
        .await
    }
}

fn delete_request(path: &str) -> anyhow::Result<Request<Vec<u8>>> {
    let body = json!({ "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background" });
    let request = Request::delete(path).header("content-type", "application/json");
    request.body(serde_json::to_vec(&body)?).context("a request")
}
