//! Sending the requests of a case.

use crate::case::{Case, Step};
use crate::normalise::Normaliser;
use crate::target::Target;
use base64::Engine;
use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long a step waits for what controllers do.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a case in a namespace of its own and returns what was answered, without what differs from run to run.
pub async fn run(target: &Target, case: &Case) -> Value {
    let unique = target.unique();
    let namespace = format!("conformance-{unique}");
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    assert_eq!(target.send("POST", "/api/v1/namespaces", &object.to_string()).await, 201);
    let mut answers = Vec::new();
    for step in &case.steps {
        let variables = Variables { unique: &unique, namespace: &namespace, answers: &answers };
        let answer = ask(target, step, &variables).await;
        answers.push(answer);
    }
    target.clear(&namespace).await;
    let shown: Vec<Value> = case.steps.iter().zip(answers).filter(|(step, _)| !step.silent).map(shown).collect();
    Normaliser::new(&unique).normalise(Value::Array(shown))
}

fn shown((step, mut answer): (&Step, Value)) -> Value {
    answer["request"] = json!(step.request);
    if let Some(parts) = &step.only {
        let part = |pointer: &String| (pointer.clone(), answer["body"].pointer(pointer).cloned().unwrap_or_default());
        answer["body"] = Value::Object(parts.iter().map(part).collect());
    }
    answer
}

struct Variables<'a> {
    unique: &'a str,
    namespace: &'a str,
    answers: &'a [Value],
}

impl Variables<'_> {
    /// Replaces `{ns}`, `{u}`, the collections' paths, `{N bytes}`: that many letters, and `{N/pointer}`: a value of the
    /// answer to step N.
    fn fill(&self, text: &str) -> String {
        let group = "/apis/conformance.example.com/v1";
        let ns = self.namespace;
        let mut text = text
            .replace("{w}", &format!("{group}/namespaces/{ns}/widgets"))
            .replace("{w1}", &format!("/apis/conformance.example.com/v1beta1/namespaces/{ns}/widgets"))
            .replace("{g}", &format!("{group}/gadgets"))
            .replace("{r}", &format!("{group}/namespaces/{ns}/racks"))
            .replace("{r1}", &format!("/apis/conformance.example.com/v1beta1/namespaces/{ns}/racks"))
            .replace("{core}", &format!("/api/v1/namespaces/{ns}"))
            .replace("{crd}", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
            .replace("{ns}", ns)
            .replace("{u}", self.unique);
        if let Some(bytes) = text.strip_prefix('{').and_then(|text| text.strip_suffix(" bytes}")) {
            text = "x".repeat(bytes.parse().unwrap());
        }
        for (index, answer) in self.answers.iter().enumerate() {
            let start = format!("{{{}/", index + 1);
            while let Some(at) = text.find(&start) {
                let end = at + text[at..].find('}').unwrap();
                let pointer = &text[at + start.len() - 1..end];
                let value = answer["body"].pointer(pointer).cloned().unwrap_or_default();
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                text.replace_range(at..=end, &value);
            }
        }
        text
    }

    fn fill_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(list) => list.iter().map(|v| self.fill_value(v)).collect(),
            Value::Object(map) => Value::Object(map.iter().map(|(k, v)| (self.fill(k), self.fill_value(v))).collect()),
            other => other.clone(),
        }
    }
}

async fn ask(target: &Target, step: &Step, variables: &Variables<'_>) -> Value {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let answer = ask_once(target, step, variables).await;
        let there = |pointer: &String| answer["body"].pointer(pointer).is_some();
        if step.until.is_none_or(|code| answer["code"] == code) && step.until_there.as_ref().is_none_or(there) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (code, pointer) = (step.until, &step.until_there);
    json!({"code": 0, "body": format!("never answered by {code:?} with {pointer:?}")})
}

async fn ask_once(target: &Target, step: &Step, variables: &Variables<'_>) -> Value {
    let (verb, path) = step.request.split_once(' ').unwrap();
    let (method, content_type) = match verb {
        "MERGE" => ("PATCH", "application/merge-patch+json"),
        "JSON" => ("PATCH", "application/json-patch+json"),
        "STRATEGIC" => ("PATCH", "application/strategic-merge-patch+json"),
        "APPLY" => ("PATCH", "application/apply-patch+yaml"),
        other => (other, "application/json"),
    };
    let accept = match step.accept.as_deref() {
        Some("table") => "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
        Some("metadata") => "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json",
        Some("metadata-list") => "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
        Some(other) => other,
        None => "application/json",
    };
    let mut body = variables.fill_value(&step.body);
    if matches!(verb, "POST" | "PUT" | "APPLY") && !step.bare && body.is_object() {
        name_kind(path, &mut body);
    }
    let body = match body {
        Value::Null => Vec::new(),
        Value::String(text) if step.bytes => base64::engine::general_purpose::STANDARD.decode(text).unwrap(),
        Value::String(text) => text.into_bytes(),
        other => other.to_string().into_bytes(),
    };
    let mut request = Request::builder()
        .method(method)
        .uri(variables.fill(path))
        .header("accept", accept)
        .header("user-agent", "conformance/1.0");
    if method != "GET" {
        request = request.header("content-type", step.content_type.as_deref().unwrap_or(content_type));
    }
    let request = request.body(Body::from(body)).unwrap();
    let response = target.client.send(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let collected = tokio::time::timeout(Duration::from_secs(20), body.collect()).await;
    let bytes = collected.unwrap_or_else(|_| panic!("{} has no end", step.request)).unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    let watched = path.contains("watch=") || path.contains("/watch/");
    let body = match serde_json::from_str(&text) {
        Ok(value) if !watched || parts.status != 200 => value,
        _ if watched && parts.status == 200 => {
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect()
        }
        _ => Value::String(text.into_owned()),
    };
    let mut answer = json!({"code": parts.status.as_u16(), "body": body});
    for header in ["content-type", "warning", "retry-after", "allow"] {
        let values: Vec<_> = parts.headers.get_all(header).iter().map(|v| v.to_str().unwrap()).collect();
        if !values.is_empty() && values != ["application/json"] {
            answer[header] = json!(values);
        }
    }
    answer
}

/// Fills in apiVersion and kind for the suite's own kinds.
fn name_kind(path: &str, body: &mut Value) {
    let (api_version, kind) = match path.split(['/', '?']).next().unwrap() {
        "{w}" => ("conformance.example.com/v1", "Widget"),
        "{w1}" => ("conformance.example.com/v1beta1", "Widget"),
        "{g}" => ("conformance.example.com/v1", "Gadget"),
        "{r}" if path.split('?').next().is_some_and(|path| path.ends_with("/scale")) => ("autoscaling/v1", "Scale"),
        "{r}" => ("conformance.example.com/v1", "Rack"),
        _ => return,
    };
    let map = body.as_object_mut().unwrap();
    map.entry("apiVersion").or_insert_with(|| json!(api_version));
    map.entry("kind").or_insert_with(|| json!(kind));
}
