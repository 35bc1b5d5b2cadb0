//! Admission webhooks: who is asked about a write, with what, and what is done with the answer.
//!
//! Which webhooks there are and whom they concern is said by `ValidatingWebhookConfiguration`s and
//! `MutatingWebhookConfiguration`s, as on a real server. Asked are those that name a Service which somebody plays in this
//! process ([`crate::MemoryApiServer::serve_webhooks`]); the rest cannot be called, and `failurePolicy` decides. What is
//! answered follows `k8s.io/apiserver/pkg/admission/plugin/webhook`.

use super::Call;
use crate::error::ApiError;
use crate::kind::Kind;
use crate::meta;
use crate::patch::{self, PatchType};
use base64::Engine;
use parking_lot::RwLock;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The group of the configurations.
pub(crate) const GROUP: &str = "admissionregistration.k8s.io";

/// What a webhook server does: from the path of a call and its body to a status code and a body.
type Handler = dyn Fn(&str, &[u8]) -> (u16, Vec<u8>) + Send + Sync;

/// Who plays which Service.
#[derive(Default)]
pub(crate) struct Services(RwLock<BTreeMap<(String, String), Arc<Handler>>>);

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Services")
    }
}

impl Services {
    pub(crate) fn play(
        &self,
        (namespace, name): (&str, &str),
        handler: impl Fn(&str, &[u8]) -> (u16, Vec<u8>) + Send + Sync + 'static,
    ) {
        self.0.write().insert((namespace.to_owned(), name.to_owned()), Arc::new(handler));
    }
}

/// The two sorts of webhooks, each with the kind that configures it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Mutating,
    Validating,
}

impl Sort {
    fn resource(self) -> &'static str {
        match self {
            Self::Mutating => "mutatingwebhookconfigurations",
            Self::Validating => "validatingwebhookconfigurations",
        }
    }
}

/// What is about to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing<'a> {
    /// `CREATE`, `UPDATE` or `DELETE`.
    pub(super) operation: &'a str,
    pub(super) old: Option<&'a Value>,
}

fn texts<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    value.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Whether a list names the text or everything.
fn names(value: &Value, key: &str, wanted: &str) -> bool {
    texts(value, key).any(|text| text == wanted || text == "*")
}

/// Whether a rule's resources (`pods`, `pods/*`, `*/status`, `*`, `*/*`) name this one.
fn names_resource(rule: &Value, plural: &str, subresource: &str) -> bool {
    texts(rule, "resources").any(|text| {
        let (resource, sub) = text.split_once('/').unwrap_or((text, ""));
        (resource == "*" || resource == plural) && (sub == subresource || sub == "*")
    })
}

/// The version of the kind that a webhook is asked at: that of the request, or, if its rules are for equivalent requests too,
/// another one that they name.
fn version_for(webhook: &Value, kind: &Kind, call: &Call<'_>, operation: &str) -> Option<usize> {
    let rules = webhook.get("rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let fits = |version: usize| {
        let Some(served) = kind.version(version) else { return false };
        rules.iter().any(|rule| {
            let scope = meta::text(rule, "scope");
            names(rule, "operations", operation)
                && names(rule, "apiGroups", &served.group)
                && names(rule, "apiVersions", &served.version)
                && names_resource(rule, &kind.plural, call.subresource)
                && (matches!(scope, "" | "*") || (scope == "Namespaced") == kind.namespaced)
        })
    };
    let own = call.route.version;
    let exact = meta::text(webhook, "matchPolicy") == "Exact";
    fits(own).then_some(own).or_else(|| (0..kind.served.len()).find(|version| !exact && fits(*version)))
}

impl Call<'_> {
    /// Lets the mutating webhooks change an object that is about to be written.
    pub(super) fn mutate(&self, object: &mut Value, writing: Writing<'_>) -> Result<(), ApiError> {
        for (webhook, version) in self.webhooks(Sort::Mutating, writing) {
            let Some(response) = self.ask(&webhook, version, Some(object), writing)? else { continue };
            let Some(text) = response.get("patch").and_then(Value::as_str) else { continue };
            let failed =
                |why: String| ApiError::internal(format!("{why} (webhook {:?})", meta::text(&webhook, "name")));
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|e| failed(e.to_string()))?;
            let changes: Value = serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?;
            patch::patch(object, PatchType::Json, &changes).map_err(|error| failed(error.message))?;
        }
        Ok(())
    }

    /// Asks the validating webhooks about an object that is about to be written, or deleted.
    pub(super) fn validate(&self, object: Option<&Value>, writing: Writing<'_>) -> Result<(), ApiError> {
        let webhooks = self.webhooks(Sort::Validating, writing);
        webhooks.iter().try_for_each(|(webhook, version)| self.ask(webhook, *version, object, writing).map(drop))
    }

    /// The webhooks of a sort that this write concerns, in the order of the names of their configurations, each with the
    /// version that it is asked at.
    fn webhooks(&self, sort: Sort, writing: Writing<'_>) -> Vec<(Value, usize)> {
        if self.kind().group == GROUP {
            // Nobody is asked about the configurations themselves.
            return Vec::new();
        }
        let Some(id) = self.inner.registry().find_any(GROUP, sort.resource()).map(|route| route.id) else {
            return Vec::new();
        };
        let state = self.inner.state.lock();
        let configurations = state.resources.get(&id).into_iter().flat_map(|resource| resource.objects.values());
        let webhooks = configurations.filter_map(|object| object.value.get("webhooks").and_then(Value::as_array));
        let concerned = webhooks
            .flatten()
            .filter_map(|webhook| Some((webhook, version_for(webhook, self.kind(), self, writing.operation)?)));
        concerned.map(|(webhook, version)| (webhook.clone(), version)).collect()
    }

    /// The response of a webhook, if it allows the write; none where it failed, and may.
    fn ask(
        &self,
        webhook: &Value,
        version: usize,
        object: Option<&Value>,
        writing: Writing<'_>,
    ) -> Result<Option<Value>, ApiError> {
        let name = meta::text(webhook, "name");
        let uid = self.inner.identities.next().to_string();
        let review = self.review(version, &uid, object, writing);
        match self.call_webhook(webhook, &review, &uid) {
            Ok(response) => {
                for warning in texts(&response, "warnings") {
                    self.warn(warning.to_owned());
                }
                match response.get("allowed").and_then(Value::as_bool) {
                    Some(true) => Ok(Some(response)),
                    _ => Err(ApiError::denied_by(name, response.get("status"))),
                }
            }
            Err(why) if meta::text(webhook, "failurePolicy") == "Ignore" => {
                tracing::debug!(webhook = name, why, "webhook failed, and may");
                Ok(None)
            }
            Err(why) => Err(ApiError::webhook_unreachable(name, &why)),
        }
    }

    fn review(&self, version: usize, uid: &str, object: Option<&Value>, writing: Writing<'_>) -> Value {
        let kind = self.kind();
        let Some(served) = kind.version(version) else { return Value::Null };
        let shown = |value: &Value| {
            let mut value = crate::convert::to_served(value, kind, served).unwrap_or_else(|| value.clone());
            meta::object_mut(&mut value).insert("apiVersion".to_owned(), served.api_version.as_str().into());
            value
        };
        let gvk = |group: &str, version: &str| json!({"group": group, "version": version, "kind": kind.kind});
        let gvr = |group: &str, version: &str| json!({"group": group, "version": version, "resource": kind.plural});
        let name = if self.name.is_empty() { object.map(meta::name).unwrap_or_default() } else { self.name };
        let options = match writing.operation {
            "CREATE" => "CreateOptions",
            "DELETE" => "DeleteOptions",
            _ => "UpdateOptions",
        };
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": uid, "kind": gvk(&served.group, &served.version), "resource": gvr(&served.group, &served.version),
            "requestKind": gvk(&self.served.group, &self.served.version),
            "requestResource": gvr(&self.served.group, &self.served.version),
            "subResource": self.subresource, "requestSubResource": self.subresource,
            "name": name, "namespace": self.namespace.unwrap_or_default(), "operation": writing.operation,
            "userInfo": self.inner.access.user_info(self.user),
            "object": object.map(shown), "oldObject": writing.old.map(shown), "dryRun": self.params.dry_run,
            "options": {"kind": options, "apiVersion": "meta.k8s.io/v1"},
        }})
    }

    /// What the webhook responds, or why it could not be asked.
    fn call_webhook(&self, webhook: &Value, review: &Value, uid: &str) -> Result<Value, String> {
        let config = webhook.get("clientConfig").unwrap_or(&Value::Null);
        let Some(service) = config.get("service").filter(|service| service.is_object()) else {
            let url = meta::text(config, "url");
            return Err(format!(
                "failed to call webhook: Post {url:?}: this server calls webhooks of its own process only"
            ));
        };
        let (namespace, name, path) =
            (meta::text(service, "namespace"), meta::text(service, "name"), meta::text(service, "path"));
        let handler = self.inner.webhooks.0.read().get(&(namespace.to_owned(), name.to_owned())).cloned();
        let Some(handler) = handler else {
            let port = service.get("port").and_then(Value::as_u64).unwrap_or(443);
            let seconds = webhook.get("timeoutSeconds").and_then(Value::as_u64).unwrap_or(10);
            let url = format!("https://{name}.{namespace}.svc:{port}{path}?timeout={seconds}s");
            return Err(format!("failed to call webhook: Post {url:?}: service {name:?} not found"));
        };
        let (code, body) = handler(path, review.to_string().as_bytes());
        if code != 200 {
            let text = String::from_utf8_lossy(&body);
            return Err(format!("failed to call webhook: the server answered {code}: {}", text.trim_end()));
        }
        let mut answer: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let response = answer.get_mut("response").map(Value::take).unwrap_or_default();
        if meta::text(&response, "uid") != uid {
            return Err(format!("expected response.uid={uid:?}, got {:?}", meta::text(&response, "uid")));
        }
        Ok(response)
    }
}
