//! The documented examples are true: the server takes every object of them, with strict validation, and loses nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::PathBuf;

use capt_sandbox::control_plane::ControlPlane;
use capt_sandbox::install::{Installer, SANDBOX, machines_wanted};
use capt_sandbox::manifests::read;
use serde_json::Value;

fn examples() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml")).collect()
}

/// Everything of `wanted` is in `got`.
fn holds(got: &Value, wanted: &Value) -> bool {
    match (got, wanted) {
        (Value::Object(got), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| key == "stringData" || got.get(key).is_some_and(|got| holds(got, wanted)))
        }
        (Value::Array(got), Value::Array(wanted)) => {
            got.len() == wanted.len() && got.iter().zip(wanted).all(|(got, wanted)| holds(got, wanted))
        }
        _ => got == wanted,
    }
}

#[tokio::test]
async fn every_object_of_the_examples_is_taken_as_it_stands() {
    let examples = examples();
    assert!(!examples.is_empty());
    for example in examples {
        let control_plane = ControlPlane::new().unwrap();
        let mut installer = Installer::new(control_plane.client(SANDBOX));
        let documents = read(&[&example]).unwrap();
        assert!(machines_wanted(&documents) > 0, "{example:?} makes machines");
        for document in &documents {
            installer.create(document).await.unwrap();
            let plural = match document.kind() {
                "Hardware" => "hardware".to_owned(),
                kind => format!("{}s", kind.to_lowercase()),
            };
            let key = document.key();
            let got = control_plane.server().get(document.group(), &plural, Some(&key.namespace), &key.name);
            let got = got.unwrap_or_else(|| panic!("{} is not there", document.describe()));
            let mut wanted = document.object.clone();
            // The server keeps another version of the same kind.
            wanted["apiVersion"] = got["apiVersion"].clone();
            assert!(holds(&got, &wanted), "{} became {got:#}", document.describe());
        }
    }
}
