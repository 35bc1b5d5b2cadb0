//! The same requests on memory-apiserver and on a real kube-apiserver, the same answers.
//!
//! `cases/*.yaml` hold the requests, `recorded/*.json` what kube-apiserver 1.35.4 answered, which is what memory-apiserver
//! answers. Any difference is a failure. A few cases are answered otherwise since Kubernetes 1.36; `recorded-since-1.36/*.json`
//! holds those, and a newer server must answer so.
//! The last line before a failure's list says how many cases ran and how many differ; the exit code says the same.
//!
//! By default the suite runs on memory-apiserver. The environment changes that:
//!
//! - `CONFORMANCE_KUBECONFIG=FILE`: run on that server instead. Its user needs all rights. The suite makes its own
//!   namespaces and definitions and removes them; two runs on one server must not overlap.
//! - `CONFORMANCE_RECORD=1`, with a kubeconfig: write the answers to `recorded/`, or, of a newer server, those that differ to
//!   `recorded-since-1.36/`. `git diff` then shows what changed.
//! - `CONFORMANCE_WITHOUT_CONTROLLERS=1`: leave out what needs a kube-controller-manager (garbage collection, namespaces).
//! - `CONFORMANCE_ONLY=text`: only the cases whose `topic/name` contains the text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod case;
mod compare;
mod normalise;
mod run;
mod target;

use case::Topic;
use futures::StreamExt;
use serde_json::{Map, Value};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use target::Target;

/// Cases run at the same time; each has its own namespace.
const PARALLEL: usize = 12;

/// Servers from this minor version on answer some cases otherwise.
const NEWER_MINOR: u32 = 36;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

fn wanted(topic: &Topic, case: &str) -> bool {
    let only = std::env::var("CONFORMANCE_ONLY").unwrap_or_default();
    format!("{}/{case}", topic.name).contains(&only)
        && !(topic.needs_controllers() && std::env::var_os("CONFORMANCE_WITHOUT_CONTROLLERS").is_some())
}

fn recording(topic: &Topic, newer: bool) -> PathBuf {
    let recordings = if newer { "recorded-since-1.36" } else { "recorded" };
    folder().join(recordings).join(format!("{}.json", topic.name))
}

fn recorded(topic: &Topic, newer: bool) -> Map<String, Value> {
    std::fs::read_to_string(recording(topic, newer))
        .map(|text| serde_json::from_str(&text).unwrap())
        .unwrap_or_default()
}

/// Writes answers down; of a newer server only those that differ from the others.
fn record(topic: &Topic, newer: bool, transcripts: Vec<(String, Value)>) {
    let (mut answers, older) = (recorded(topic, newer), recorded(topic, false));
    for (name, transcript) in transcripts {
        let is_same = compare::differences(&name, older.get(&name).unwrap_or(&Value::Null), &transcript).is_empty();
        answers.remove(&name);
        if !newer || !is_same {
            answers.insert(name, transcript);
        }
    }
    answers.retain(|name, _| topic.cases.iter().any(|case| case.name == *name));
    answers.sort_keys();
    let file = recording(topic, newer);
    if answers.is_empty() {
        let _ = std::fs::remove_file(file);
        return;
    }
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, serde_json::to_string_pretty(&answers).unwrap() + "\n").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_answers_as_kube_apiserver_does() {
    let target = Target::from_environment().await;
    let is_recorded = target.is_real() && std::env::var_os("CONFORMANCE_RECORD").is_some();
    let (mut report, mut different, mut count) = (String::new(), 0, 0);
    for topic in Topic::all(&folder().join("cases")) {
        let cases = topic.cases.iter().filter(|case| wanted(&topic, &case.name));
        let transcripts: Vec<(String, Value)> = futures::stream::iter(cases)
            .map(|case| async { (case.name.clone(), run::run(&target, case).await) })
            .buffered(PARALLEL)
            .collect()
            .await;
        let mut expected = recorded(&topic, false);
        if target.is_newer() {
            expected.extend(recorded(&topic, true));
        }
        count += transcripts.len();
        if is_recorded {
            record(&topic, target.is_newer(), transcripts);
            continue;
        }
        for (name, transcript) in transcripts {
            let place = format!("{}/{name}", topic.name);
            let found = compare::differences(&place, expected.get(&name).unwrap_or(&Value::Null), &transcript);
            different += usize::from(!found.is_empty());
            for difference in found {
                writeln!(report, "{difference}").unwrap();
            }
        }
    }
    target.clean_up().await;
    println!("{count} cases, {different} of them answered differently");
    assert!(report.is_empty(), "{different} of {count} cases differ:\n{report}");
    assert!(count >= 240 || std::env::var_os("CONFORMANCE_ONLY").is_some(), "only {count} cases ran");
}
