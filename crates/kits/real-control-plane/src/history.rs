//! Everything that is written to a control plane, in order and without gaps: etcd's own history.
//!
//! A watch of kube-apiserver tells one kind only, and after a restart of the server it begins anew: what happened in
//! between is lost, and what kinds tell comes in no order. etcd gives each write a revision (which is the object's
//! resourceVersion) and one stream tells them all.

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::{AsyncBufReadExt as _, Stream, StreamExt as _};
use http::Request;
use kube::{Client, Config};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long etcd may take to answer a question.
const ANSWER: Duration = Duration::from_secs(30);
/// All keys: etcd takes a range from the byte zero to the byte zero as everything.
const ALL_KEYS: [u8; 1] = [0];

/// The history of one etcd. Cheap to clone.
#[derive(Clone)]
pub struct History {
    client: Client,
}

/// A write to one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The key, with the prefix of its server.
    pub key: String,
    /// Its place in the order of all writes.
    pub revision: u64,
    /// What was there before; none if nothing was.
    pub old: Option<Vec<u8>>,
    /// What is there now; none if it was deleted.
    pub new: Option<Vec<u8>>,
}

/// Changes of one or more revisions. When it comes, nothing with an older revision can come any more.
pub type Changes = Pin<Box<dyn Stream<Item = anyhow::Result<Vec<Change>>> + Send>>;

impl History {
    /// The history of the etcd that listens at this URL.
    ///
    /// # Errors
    /// When that is no URL.
    pub fn of(etcd: &str) -> anyhow::Result<Self> {
        let mut config = Config::new(etcd.parse().with_context(|| etcd.to_owned())?);
        // Nothing may be written for a long time.
        config.read_timeout = None;
        Ok(Self { client: Client::try_from(config).context("a client of etcd")? })
    }

    /// The revision of the latest write.
    ///
    /// # Errors
    /// When etcd does not tell.
    pub async fn revision(&self) -> anyhow::Result<u64> {
        let question = post("/v3/kv/range", &json!({ "key": BASE64.encode(ALL_KEYS), "count_only": true }))?;
        let answer = tokio::time::timeout(ANSWER, self.client.request::<Headed>(question)).await;
        answer.context("etcd does not answer")?.context("etcd's revision")?.header.revision()
    }

    /// Every write from the first one on, those that have been and those to come.
    ///
    /// # Errors
    /// When etcd does not tell, or has forgotten the first ones already: kube-apiserver makes it do so every five
    /// minutes.
    pub async fn changes(&self) -> anyhow::Result<Changes> {
        let all = BASE64.encode(ALL_KEYS);
        let wanted = json!({ "key": all, "range_end": all, "start_revision": "1", "prev_kv": true });
        let request = post("/v3/watch", &json!({ "create_request": wanted }))?;
        let lines = self.client.request_stream(request).await.context("etcd's history")?.lines();
        Ok(Box::pin(lines.map(|line| read(&line.context("etcd's history")?))))
    }
}

fn post(path: &str, body: &Value) -> anyhow::Result<Request<Vec<u8>>> {
    Ok(Request::post(path).header("content-type", "application/json").body(body.to_string().into_bytes())?)
}

fn read(line: &str) -> anyhow::Result<Vec<Change>> {
    let told: Line = serde_json::from_str(line).with_context(|| format!("etcd tells {line}"))?;
    if told.result.canceled {
        bail!("etcd ends its history: {line}");
    }
    told.result.events.into_iter().map(Event::change).collect()
}

#[derive(Deserialize)]
struct Line {
    result: Told,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    canceled: bool,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Headed {
    header: Header,
}

#[derive(Clone, Deserialize)]
struct Header {
    revision: String,
}

impl Header {
    fn revision(&self) -> anyhow::Result<u64> {
        self.revision.parse().with_context(|| format!("revision {}", self.revision))
    }
}

#[derive(Deserialize)]
struct Event {
    /// Absent for a put.
    #[serde(default, rename = "type")]
    kind: String,
    kv: KeyValue,
    prev_kv: Option<KeyValue>,
}

impl Event {
    fn change(self) -> anyhow::Result<Change> {
        let is_gone = self.kind == "DELETE";
        let new = if is_gone { None } else { Some(decode(&self.kv.value)?) };
        let old = self.prev_kv.map(|before| decode(&before.value)).transpose()?;
        let key = String::from_utf8_lossy(&decode(&self.kv.key)?).into_owned();
        let revision = self.kv.mod_revision.parse().with_context(|| format!("revision of {key}"))?;
        Ok(Change { key, revision, old, new })
    }
}

#[derive(Deserialize)]
struct KeyValue {
    key: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    mod_revision: String,
}

fn decode(text: &str) -> anyhow::Result<Vec<u8>> {
    BASE64.decode(text).context("base64 of etcd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_tells_what_was_there_and_a_creation_that_nothing_was() {
        let created = r#"{"result":{"header":{"revision":"7"},"events":[
            {"kv":{"key":"L2E=","mod_revision":"7","value":"MQ=="}}]}}"#;
        let deleted = r#"{"result":{"header":{"revision":"8"},"events":[
            {"type":"DELETE","kv":{"key":"L2E=","mod_revision":"8"},"prev_kv":{"key":"L2E=","value":"MQ=="}}]}}"#;
        let change = |revision, old: Option<&str>, new: Option<&str>| Change {
            key: "/a".to_owned(),
            revision,
            old: old.map(|text| text.as_bytes().to_vec()),
            new: new.map(|text| text.as_bytes().to_vec()),
        };
        assert_eq!(read(created).unwrap(), [change(7, None, Some("1"))]);
        assert_eq!(read(deleted).unwrap(), [change(8, Some("1"), None)]);
    }

    #[test]
    fn a_history_that_ends_is_no_quiet_history() {
        assert!(read(r#"{"result":{"created":true,"header":{"revision":"7"}}}"#).unwrap().is_empty());
        let error = read(r#"{"result":{"canceled":true,"compact_revision":"9"}}"#).unwrap_err();
        assert!(error.to_string().contains("compact_revision"), "{error}");
        assert!(read(r#"{"error":{"message":"no"}}"#).is_err());
    }
}
