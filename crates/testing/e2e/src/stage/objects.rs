//! Objects of any kind, as JSON.

use std::future::Future;
use std::time::Duration;

use anyhow::Context;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, Error};
use serde_json::Value;

use capt_simulators::kinds::Kind;

/// The namespace that scenarios play in.
pub const NAMESPACE: &str = "default";
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// Reads and writes objects. Cluster-scoped ones are reached through [`Objects::cluster`].
#[derive(Clone)]
pub struct Objects {
    client: Client,
    namespace: Option<String>,
}

impl Objects {
    /// Objects of [`NAMESPACE`].
    pub fn new(client: Client) -> Self {
        Self { client, namespace: Some(NAMESPACE.to_owned()) }
    }

    /// Objects of another namespace.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Self {
        Self { client: self.client.clone(), namespace: Some(namespace.to_owned()) }
    }

    /// Cluster-scoped objects, and lists over all namespaces.
    #[must_use]
    pub fn cluster(&self) -> Self {
        Self { client: self.client.clone(), namespace: None }
    }

    /// The client behind it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// kube's view of a kind.
    pub fn api(&self, kind: Kind) -> Api<DynamicObject> {
        let resource = kind.resource();
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    /// An object; none if it is not there.
    ///
    /// # Errors
    /// When the server does not tell.
    pub async fn find(&self, kind: Kind, name: &str) -> anyhow::Result<Option<Value>> {
        let found = self.api(kind).get_opt(name).await.with_context(|| format!("{} {name}", kind.kind))?;
        found.map(|object| serde_json::to_value(object).context("an object")).transpose()
    }

    /// An object that must be there.
    ///
    /// # Errors
    /// When it is not, or the server does not tell.
    pub async fn get(&self, kind: Kind, name: &str) -> anyhow::Result<Value> {
        self.find(kind, name).await?.with_context(|| format!("{} {name} is not there", kind.kind))
    }

    /// All objects of a kind, by name.
    ///
    /// # Errors
    /// When the server does not tell.
    pub async fn list(&self, kind: Kind) -> anyhow::Result<Vec<Value>> {
        let listed = self.api(kind).list(&ListParams::default()).await.with_context(|| kind.plural.to_owned())?;
        let mut objects: Vec<Value> =
            listed.items.into_iter().map(serde_json::to_value).collect::<Result<_, _>>().context("an object")?;
        objects.sort_by(|a, b| text(a, "/metadata/name").cmp(text(b, "/metadata/name")));
        Ok(objects)
    }

    /// How many objects of a kind there are.
    ///
    /// # Errors
    /// When the server does not tell.
    pub async fn count(&self, kind: Kind) -> anyhow::Result<usize> {
        Ok(self.list(kind).await?.len())
    }

    /// Creates an object.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn create(&self, kind: Kind, object: &Value) -> anyhow::Result<Value> {
        Ok(self.try_create(kind, object).await?)
    }

    /// Creates an object; the server's refusal as it is.
    ///
    /// # Errors
    /// What the server says.
    pub async fn try_create(&self, kind: Kind, object: &Value) -> Result<Value, Error> {
        let mut object = object.clone();
        if let Some(members) = object.as_object_mut() {
            members.insert("apiVersion".to_owned(), kind.api_version().into());
            members.insert("kind".to_owned(), kind.kind.into());
        }
        let object: DynamicObject = serde_json::from_value(object).map_err(Error::SerdeError)?;
        let made = self.api(kind).create(&PostParams::default(), &object).await?;
        serde_json::to_value(made).map_err(Error::SerdeError)
    }

    /// Merges into an object.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn merge(&self, kind: Kind, name: &str, patch: &Value) -> anyhow::Result<Value> {
        Ok(self.try_merge(kind, name, patch).await?)
    }

    /// Merges into an object; the server's refusal as it is.
    ///
    /// # Errors
    /// What the server says.
    pub async fn try_merge(&self, kind: Kind, name: &str, patch: &Value) -> Result<Value, Error> {
        let patched = self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        serde_json::to_value(patched).map_err(Error::SerdeError)
    }

    /// Merges into the status of an object.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn merge_status(&self, kind: Kind, name: &str, patch: &Value) -> anyhow::Result<()> {
        self.api(kind).patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Deletes an object; one that is gone is fine.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn delete(&self, kind: Kind, name: &str) -> anyhow::Result<()> {
        match self.api(kind).delete(name, &DeleteParams::background()).await {
            Err(Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error).with_context(|| format!("{} {name}", kind.kind)),
            Ok(_) => Ok(()),
        }
    }

    /// Waits until no object of a kind is left.
    ///
    /// # Errors
    /// When some are left after `patience`; they are named.
    pub async fn wait_none(&self, kind: Kind, patience: Duration) -> anyhow::Result<()> {
        until(&format!("no {} is left", kind.plural), patience, async || {
            let left = self.list(kind).await?;
            let names: Vec<&str> = left.iter().map(|object| text(object, "/metadata/name")).collect();
            Ok(if names.is_empty() { Ok(()) } else { Err(names.join(", ")) })
        })
        .await
    }
}

/// Waits until `look` has found what it wants. Until then it says what it sees; errors of the server count as sights.
///
/// # Errors
/// When that takes longer than `patience`; the error tells the last sight.
pub async fn until<T, F>(what: &str, patience: Duration, look: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Result<T, String>>>,
{
    let look = || {
        let sight = look();
        async { sight.await.unwrap_or_else(|error| Err(format!("{error:#}"))) }
    };
    Ok(capt_simulators::until(what, patience, LOOK, look).await?)
}

/// A text at a JSON pointer; empty where there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The name of an object.
pub fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// A condition of an object, in its `status.conditions`.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array)?;
    conditions.iter().find(|condition| text(condition, "/type") == kind)
}

/// `status reason message` of a condition; empty where there is none.
pub fn told(object: &Value, kind: &str) -> String {
    condition(object, kind).map_or_else(String::new, |found| {
        format!("{} {} {}", text(found, "/status"), text(found, "/reason"), text(found, "/message"))
    })
}
