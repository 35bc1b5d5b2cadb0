//! Writes: one request each, the answer into the store, the failure into its class.

use std::collections::BTreeMap;
use std::sync::Arc;

use capt_api::contract::BOOTSTRAP_DATA_KEY;
use capt_api::meta::ObjectKey;
use capt_reconciler::effect::{Hold, Kind, Verb, Write};
use capt_reconciler::observed::bmc::Job;
use capt_reconciler::observed::cluster_api::IPAddressClaim;
use capt_reconciler::observed::infra::{TinkerbellCluster, TinkerbellMachine};
use capt_reconciler::observed::tinkerbell::{Hardware, Template, Workflow};
use capt_reconciler::ports::{BmcQuestion, BmcView, BootstrapSecret, WriteError};
use k8s_openapi::ByteString;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy, ValidationDirective};
use kube::core::Request;
use kube::{Client, Error};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bootstrap;
use crate::cache::{Cache, Cached, Held, Home};
use crate::decode::Guarded;
use crate::errors::{self, Class};
use crate::request::{FIELD_MANAGER, Read, is_name, read, send};

/// Performs writes.
#[derive(Clone)]
pub struct KubeWriter {
    client: Client,
    /// The client of the cluster where Tinkerbell is.
    tinkerbell: Client,
    cache: Arc<Cache>,
}

impl KubeWriter {
    /// A writer that puts the server's answers into the cache.
    pub fn new(client: Client, cache: Arc<Cache>) -> Self {
        Self { tinkerbell: client.clone(), client, cache }
    }

    /// The same writer, with Tinkerbell in another cluster.
    #[must_use]
    pub fn with_tinkerbell(self, tinkerbell: Client) -> Self {
        Self { tinkerbell, ..self }
    }

    /// Reads a Template, Workflow or Job into the cache.
    ///
    /// # Errors
    /// When the server does not answer, or we may not read it.
    pub async fn look(&self, kind: Kind, key: &ObjectKey) -> Result<(), WriteError> {
        // A name that a user wrote somewhere; there is no object of that name.
        if !is_name(&key.name) || !is_name(&key.namespace) {
            return Ok(());
        }
        let read = match kind {
            Kind::Template => self.refresh::<Template>(key).await,
            Kind::Workflow => self.refresh::<Workflow>(key).await,
            Kind::Job => self.refresh::<Job>(key).await,
            Kind::TinkerbellCluster | Kind::TinkerbellMachine | Kind::Hardware | Kind::IPAddressClaim => Ok(()),
        };
        read.map_err(|error| match errors::classify(&error, &key.name) {
            Class::Refused => WriteError::Rejected(errors::describe(&error)),
            _ => WriteError::Transient(errors::describe(&error)),
        })
    }

    /// Looks at a BMC's Machine.
    pub async fn ask_bmc(&self, question: &BmcQuestion) -> BmcView {
        crate::bmc::ask(&self.tinkerbell, question).await
    }

    /// Performs one write; see [`Writer::write`](capt_reconciler::ports::Writer::write).
    ///
    /// # Errors
    /// As told there.
    pub async fn write(&self, write: &Write) -> Result<(), WriteError> {
        let metrics = &self.cache.metrics;
        let held = self.hold(write);
        if held.is_err() {
            metrics.conflict("Held", write.stage.as_str());
        }
        let _held = held?;
        let claims = write.kind == Kind::IPAddressClaim && matches!(write.verb, Verb::Create(_));
        if claims {
            metrics.claim_requested(&write.key);
        }
        let result = self.send_to_its_kind(write).await;
        if let Err(WriteError::Conflict(_)) = &result {
            metrics.conflict("Stale", write.stage.as_str());
        }
        // If it was made all the same, the next pass finds it; when it was made nobody knows.
        if claims && result.is_err() {
            metrics.claim_refused(&write.key);
        }
        result
    }

    async fn send_to_its_kind(&self, write: &Write) -> Result<(), WriteError> {
        match write.kind {
            Kind::TinkerbellCluster => self.perform::<TinkerbellCluster>(write).await,
            Kind::TinkerbellMachine => self.perform::<TinkerbellMachine>(write).await,
            Kind::Hardware => self.perform::<Hardware>(write).await,
            Kind::Template => self.perform::<Template>(write).await,
            Kind::Workflow => self.perform::<Workflow>(write).await,
            Kind::Job => self.perform::<Job>(write).await,
            Kind::IPAddressClaim => self.perform::<IPAddressClaim>(write).await,
        }
    }

    fn hold(&self, write: &Write) -> Result<Option<Held>, WriteError> {
        match write.hold {
            None => Ok(None),
            Some(Hold::Hardware) => match self.cache.hold_hardware(&write.key) {
                Some(held) => Ok(Some(held)),
                None => Err(WriteError::Conflict(format!("Hardware {} is being reserved by another", write.key))),
            },
            Some(Hold::Address(address)) => match self.cache.hold_address(address, &write.key) {
                Ok(held) => Ok(Some(held)),
                Err(holder) => Err(WriteError::Conflict(format!("{address} goes to Hardware {holder}"))),
            },
        }
    }

    /// The client of the cluster where the kind is.
    fn client_of<K: Cached>(&self) -> &Client {
        match K::HOME {
            Home::Management => &self.client,
            Home::Tinkerbell => &self.tinkerbell,
        }
    }

    async fn perform<K: Cached>(&self, write: &Write) -> Result<(), WriteError> {
        let request = request::<K>(&K::kind_cache(&self.cache).state().version, write)
            .map_err(|error| WriteError::Rejected(error.to_string()))?;
        let (size, limit) = (request.body().len(), largest(&write.verb));
        if size > limit {
            return Err(WriteError::Rejected(format!(
                "not sent, for it has {size} bytes and the server takes {limit}"
            )));
        }
        let error = match send(self.client_of::<K>(), request).await {
            Ok(text) => return self.take_in::<K>(write, &text),
            Err(error) => error,
        };
        let message = if carries_bootstrap_data(write) { without_quotes(&error) } else { errors::describe(&error) };
        match errors::classify(&error, &write.key.name) {
            Class::Refused if errors::is_namespace_ending(&error) => Err(WriteError::NamespaceEnds(message)),
            Class::Refused => {
                if write.kind == Kind::Job && matches!(write.verb, Verb::Delete { .. }) && errors::is_forbidden(&error)
                {
                    self.job_deletion_refused();
                }
                Err(WriteError::Rejected(message))
            }
            Class::Busy => Err(WriteError::Transient(message)),
            Class::Stale => match self.refresh::<K>(&write.key).await {
                Ok(()) => Err(WriteError::Conflict(message)),
                Err(reading) => {
                    Err(WriteError::Transient(format!("{message}; and then: {}", errors::describe(&reading))))
                }
            },
            Class::Unknown => {
                // The write may have taken effect: the next decision should see what is.
                if let Err(reading) = self.refresh::<K>(&write.key).await {
                    tracing::debug!(object = %write.key, error = errors::describe(&reading), "object not readable after a failed write");
                }
                Err(WriteError::Transient(message))
            }
        }
    }

    fn job_deletion_refused(&self) {
        if self.cache.job_deletion.refused() {
            tracing::warn!(
                "no right to delete Jobs of bmc.tinkerbell.org: failed power-off Jobs are not retried, finished Jobs are not \
                 cleaned up"
            );
        }
    }

    /// Puts the answer to a write into the store.
    fn take_in<K: Cached>(&self, write: &Write, text: &str) -> Result<(), WriteError> {
        if let Verb::Delete { uid } = &write.verb {
            let object = serde_json::from_str::<Guarded<K>>(text).ok();
            // An object that lives on for its finalizers is returned; of one that is gone there is a Status.
            match object.filter(|object| !ends_with(object)) {
                Some(object) => self.cache.answered(object),
                None => self.cache.gone::<K>(&write.key, uid),
            }
            return Ok(());
        }
        match serde_json::from_str::<Guarded<K>>(text) {
            Ok(object) => {
                self.cache.answered(object);
                Ok(())
            }
            Err(_) => Err(WriteError::Transient("the server's answer is not JSON".to_owned())),
        }
    }

    /// Puts the object as the server has it now (or its absence) into the store.
    async fn refresh<K: Cached>(&self, key: &ObjectKey) -> Result<(), Error> {
        let kind_cache = K::kind_cache(&self.cache);
        let before = kind_cache.store.uid(key);
        let path = K::url_path(&kind_cache.state().version, Some(&key.namespace));
        match read(self.client_of::<K>(), &path, &key.name).await? {
            Read::Found(text) => {
                let object = serde_json::from_str::<Guarded<K>>(&text);
                self.cache.answered(object.map_err(|_| Error::Service("the server's answer is not JSON".into()))?);
            }
            Read::Missing => {
                if let Some(uid) = before {
                    self.cache.gone::<K>(key, &uid);
                }
            }
        }
        Ok(())
    }

    /// Reads a bootstrap Secret. Its text is decoded here and goes nowhere else.
    ///
    /// # Errors
    /// When the server does not answer, or we may not read it.
    pub async fn bootstrap_secret(&self, key: &ObjectKey) -> Result<BootstrapSecret, WriteError> {
        if !is_name(&key.name) || !is_name(&key.namespace) {
            return Ok(BootstrapSecret::Missing);
        }
        let path = format!("/api/v1/namespaces/{}/secrets", key.namespace);
        match read(&self.client, &path, &key.name).await {
            Ok(Read::Missing) => Ok(BootstrapSecret::Missing),
            Ok(Read::Found(text)) => Ok(bootstrap_data(&text)),
            Err(error) => match errors::classify(&error, &key.name) {
                Class::Refused => Err(WriteError::Rejected(errors::describe(&error))),
                _ => Err(WriteError::Transient(errors::describe(&error))),
            },
        }
    }
}

/// Whether a deletion ended the object: nobody's finalizer holds it.
fn ends_with<K: kube::Resource>(object: &Guarded<K>) -> bool {
    use kube::Resource;
    let meta = object.meta();
    meta.uid.is_none() || meta.deletion_timestamp.is_none() || meta.finalizers.as_ref().is_none_or(Vec::is_empty)
}

/// The request that performs a write.
fn request<K: Cached>(
    version: &K::DynamicType,
    write: &Write,
) -> Result<http::Request<Vec<u8>>, kube::core::request::Error> {
    let request = Request::new(K::url_path(version, Some(&write.key.namespace)));
    let name = &write.key.name;
    // By default the server decodes each object twice to warn of unknown fields; nobody reads that.
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        field_validation: Some(ValidationDirective::Ignore),
        ..PatchParams::default()
    };
    let not_serialized = kube::core::request::Error::SerializeBody;
    match &write.verb {
        Verb::Create(body) => {
            let mut body = body.clone();
            merge(
                &mut body,
                json!({
                    "apiVersion": K::api_version(version),
                    "kind": K::kind(version),
                    "metadata": {"namespace": write.key.namespace, "name": name},
                }),
            );
            let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
            request.create(&params, serde_json::to_vec(&body).map_err(not_serialized)?)
        }
        Verb::Merge(body) => request.patch(name, &params, &Patch::Merge(body)),
        Verb::Status(body) => request.patch_subresource("status", name, &params, &Patch::Merge(body)),
        Verb::Json(body) => {
            let patch: json_patch::Patch = serde_json::from_value(body.clone()).map_err(not_serialized)?;
            request.patch(name, &params, &Patch::<()>::Json(patch))
        }
        Verb::Delete { uid } => {
            let params = DeleteParams {
                preconditions: Some(Preconditions { uid: Some(uid.clone()), resource_version: None }),
                propagation_policy: Some(PropagationPolicy::Background),
                ..DeleteParams::default()
            };
            request.delete(name, &params)
        }
    }
}

/// Most bytes that the server takes: in any request, and in one that holds a whole object to be kept.
fn largest(verb: &Verb) -> usize {
    match verb {
        Verb::Create(_) => 1_572_864,
        Verb::Merge(_) | Verb::Json(_) | Verb::Status(_) | Verb::Delete { .. } => 3 * 1024 * 1024,
    }
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// Whether the request's body holds bootstrap data, so that a refusal may quote it.
fn carries_bootstrap_data(write: &Write) -> bool {
    write.kind == Kind::Hardware
        && match &write.verb {
            Verb::Create(body) | Verb::Merge(body) => body.pointer("/spec/userData").is_some(),
            Verb::Json(Value::Array(operations)) => operations.iter().any(|operation| {
                let path = operation.get("path").and_then(Value::as_str).unwrap_or_default();
                operation.get("value").is_some() && (path == "/spec" || path.starts_with("/spec/userData"))
            }),
            _ => false,
        }
}

/// An error without the server's words, which may quote what we sent: its reason and the fields it names.
fn without_quotes(error: &Error) -> String {
    let Error::Api(status) = error else {
        return errors::describe(error);
    };
    // What the API server says of its own troubles quotes nobody's objects.
    const OWN_WORDS: [&str; 4] =
        ["failed calling webhook", "etcdserver:", "the server is currently unable", "no endpoints available"];
    if status.code >= 500 && OWN_WORDS.iter().any(|words| status.message.contains(words)) {
        return errors::describe(error);
    }
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let fields: Vec<_> = causes.map(|cause| cause.field.as_str()).filter(|field| !field.is_empty()).collect();
    let fields = if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) };
    format!("{} ({}){fields}; details are withheld, for the write carries bootstrap data", status.reason, status.code)
}

#[derive(Deserialize)]
struct Secret {
    data: Option<BTreeMap<String, ByteString>>,
}

fn bootstrap_data(text: &str) -> BootstrapSecret {
    let Ok(secret) = serde_json::from_str::<Secret>(text) else {
        return BootstrapSecret::NotText("in a form that no Secret has".to_owned());
    };
    let Some(ByteString(bytes)) = secret.data.and_then(|mut data| data.remove(BOOTSTRAP_DATA_KEY)) else {
        return BootstrapSecret::KeyMissing;
    };
    bootstrap::data(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use capt_reconciler::effect::Stage;
    use capt_reconciler::ports::BootstrapData;

    fn write(verb: Verb) -> Write {
        Write::new(Stage::Reserve, Kind::Hardware, ObjectKey::new("ns", "h"), verb)
    }

    fn sent(verb: Verb) -> (String, String, Value) {
        let request = request::<Hardware>(&(), &write(verb)).unwrap();
        let body = serde_json::from_slice(request.body()).unwrap();
        (request.method().to_string(), request.uri().to_string(), body)
    }

    #[test]
    fn a_create_names_kind_and_version_and_keeps_the_rest_of_the_body() {
        let (method, uri, body) = sent(Verb::Create(json!({"metadata": {"labels": {"a": "b"}}, "spec": {}})));
        assert_eq!(
            (method.as_str(), uri.as_str()),
            ("POST", "/apis/tinkerbell.org/v1alpha1/namespaces/ns/hardware?&fieldManager=capt-manager")
        );
        assert_eq!(
            body,
            json!({"apiVersion": "tinkerbell.org/v1alpha1", "kind": "Hardware", "spec": {},
                   "metadata": {"namespace": "ns", "name": "h", "labels": {"a": "b"}}})
        );
    }

    #[test]
    fn a_delete_hits_no_successor_of_the_same_name() {
        let (method, _, body) = sent(Verb::Delete { uid: "u1".into() });
        assert_eq!(method, "DELETE");
        assert_eq!(body.pointer("/preconditions/uid"), Some(&json!("u1")));
        assert_eq!(body.get("propagationPolicy"), Some(&json!("Background")));
    }

    #[test]
    fn a_refusal_that_quotes_bootstrap_data_is_not_passed_on() {
        for verb in [
            Verb::Merge(json!({"spec": {"userData": "s3cret"}})),
            Verb::Json(json!([{"op": "add", "path": "/spec/userData", "value": "s3cret"}])),
        ] {
            assert!(carries_bootstrap_data(&write(verb)));
        }
        let status = kube::core::Status::failure(r#"spec.userData: Invalid value: "s3cret""#, "Invalid").with_code(422);
        assert!(!without_quotes(&Error::Api(Box::new(status))).contains("s3cret"));
        let words = r#"Internal error occurred: failed calling webhook "w": connection refused"#;
        let down = kube::core::Status::failure(words, "InternalError").with_code(500);
        assert!(without_quotes(&Error::Api(Box::new(down))).contains("connection refused"), "whom to look for is told");
    }

    #[test]
    fn only_usable_bootstrap_data_counts_as_found() {
        let table = [
            (r#"{"data": {"value": "aGk="}}"#, BootstrapSecret::Found(BootstrapData::new("hi".into()))),
            (r#"{"data": {"value": ""}}"#, BootstrapSecret::Empty),
            (r#"{"data": {"value": "/w=="}}"#, BootstrapSecret::NotText("not UTF-8 (at byte 0 of 1)".to_owned())),
            (r#"{"data": {"other": "aGk="}}"#, BootstrapSecret::KeyMissing),
            (r#"{"data": null}"#, BootstrapSecret::KeyMissing),
            (r#"{}"#, BootstrapSecret::KeyMissing),
        ];
        for (text, expected) in table {
            assert_eq!(bootstrap_data(text), expected, "{text}");
        }
    }
}
