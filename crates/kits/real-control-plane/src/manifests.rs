//! Definitions and webhooks that call a process instead of a Service.

use std::path::Path;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

/// Where a webhook server listens, and who signed its certificate.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// PEM of the authority.
    pub authority: String,
}

impl Endpoint {
    fn client_config(&self, path: &str) -> Value {
        json!({
            "url": format!("https://127.0.0.1:{}{path}", self.port),
            "caBundle": BASE64.encode(&self.authority),
        })
    }
}

/// Every object of a folder's YAML files, in the order of their names.
///
/// # Errors
/// When a file cannot be read or is no YAML.
pub fn read_folder(folder: &Path) -> anyhow::Result<Vec<Value>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut objects = Vec::new();
    for file in files {
        objects.extend(read_file(&file)?);
    }
    Ok(objects)
}

/// Every object of a YAML file.
///
/// # Errors
/// When it cannot be read or is no YAML.
pub fn read_file(file: &Path) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    parse(&text).with_context(|| file.display().to_string())
}

/// Every object of a YAML text.
///
/// # Errors
/// When it is no YAML.
pub fn parse(text: &str) -> anyhow::Result<Vec<Value>> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(text)?;
    Ok(objects.into_iter().filter(|object| !object.is_null()).collect())
}

/// Lets a CustomResourceDefinition convert its versions at this server, if it has several.
pub fn convert_by(definition: &mut Value, endpoint: &Endpoint) {
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array).map_or(0, Vec::len);
    if versions < 2 {
        return;
    }
    if let Some(spec) = definition.get_mut("spec").and_then(Value::as_object_mut) {
        let webhook = json!({
            "conversionReviewVersions": ["v1", "v1beta1"],
            "clientConfig": endpoint.client_config("/convert"),
        });
        spec.insert("conversion".to_owned(), json!({ "strategy": "Webhook", "webhook": webhook }));
    }
}

/// Adds labels to an object.
pub fn label(object: &mut Value, labels: &[(&str, &str)]) {
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    let there = metadata.map(|metadata| metadata.entry("labels").or_insert_with(|| json!({})));
    if let Some(there) = there.and_then(Value::as_object_mut) {
        there.extend(labels.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    }
}

/// Sends the webhooks of a configuration that names Services to this server, each at its path.
pub fn serve_by(configuration: &mut Value, endpoint: &Endpoint) {
    let webhooks = configuration.get_mut("webhooks").and_then(Value::as_array_mut);
    for webhook in webhooks.into_iter().flatten() {
        let path = webhook.pointer("/clientConfig/service/path").and_then(Value::as_str).unwrap_or("/").to_owned();
        if let Some(webhook) = webhook.as_object_mut() {
            webhook.insert("clientConfig".to_owned(), endpoint.client_config(&path));
        }
    }
}

/// Sends the conversion of a CustomResourceDefinition that names a Service to this server.
pub fn convert_here(definition: &mut Value, endpoint: &Endpoint) {
    if let Some(config) = definition.pointer_mut("/spec/conversion/webhook/clientConfig") {
        *config = endpoint.client_config("/convert");
    }
}

/// Puts a prefix before an object's name.
pub fn prefix_name(object: &mut Value, prefix: &str) {
    if let Some(name) = object.pointer_mut("/metadata/name") {
        *name = json!(format!("{prefix}{}", name.as_str().unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_and_conversions_of_services_call_the_process() {
        let endpoint = Endpoint { port: 7, authority: "PEM".to_owned() };
        let mut hooks = json!({"metadata": {"name": "a"}, "webhooks": [
            {"name": "w", "clientConfig": {"service": {"name": "s", "namespace": "n", "path": "/p"}}},
        ]});
        serve_by(&mut hooks, &endpoint);
        prefix_name(&mut hooks, "x-");
        let expected = json!({"url": "https://127.0.0.1:7/p", "caBundle": "UEVN"});
        assert_eq!(hooks["webhooks"][0]["clientConfig"], expected);
        assert_eq!(hooks["metadata"]["name"], "x-a");
        let mut one = json!({"spec": {"versions": [{}]}});
        convert_by(&mut one, &endpoint);
        assert!(one["spec"].get("conversion").is_none());
        let mut two = json!({"spec": {"versions": [{}, {}]}});
        convert_by(&mut two, &endpoint);
        assert_eq!(two["spec"]["conversion"]["webhook"]["clientConfig"]["url"], "https://127.0.0.1:7/convert");
    }
}
