//! Reading the cases.

use serde_json::{Map, Value};
use std::path::Path;

/// One file of cases.
pub struct Topic {
    pub name: String,
    pub cases: Vec<Case>,
}

/// Requests made one after the other in a namespace of their own.
pub struct Case {
    pub name: String,
    pub steps: Vec<Step>,
}

/// One request: `VERB path: body`, with the options as further keys beside it.
pub struct Step {
    /// As the case writes it, before variables are filled in.
    pub request: String,
    pub body: Value,
    /// The `Accept` header: a media type, or `table`, `metadata`, `metadata-list`.
    pub accept: Option<String>,
    /// The `Content-Type` header, instead of the verb's own.
    pub content_type: Option<String>,
    /// The body is these bytes, in base64.
    pub bytes: bool,
    /// Repeat until this status is answered; only the last answer counts.
    pub until: Option<u64>,
    /// Repeat until the answer has something at this JSON pointer; only the last answer counts.
    pub until_there: Option<String>,
    /// Sends apiVersion and kind only if the case writes them.
    pub bare: bool,
    /// Asked for its effect or for later variables; its answer is not compared.
    pub silent: bool,
    /// JSON pointers into the body: only these parts are compared.
    pub only: Option<Vec<String>>,
}

impl Topic {
    /// All topics, in the order of their names.
    pub fn all(folder: &Path) -> Vec<Self> {
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|e| e == "yaml"));
        files.sort();
        files.iter().map(|file| Self::read(file)).collect()
    }

    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let cases: Map<String, Value> =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let cases = cases.into_iter().map(|(name, steps)| Case {
            steps: steps.as_array().unwrap_or_else(|| panic!("{name} has no steps")).iter().map(Step::read).collect(),
            name,
        });
        Self { name: file.file_stem().unwrap().to_string_lossy().into_owned(), cases: cases.collect() }
    }

    /// Whether the cases wait for what a kube-controller-manager does.
    pub fn needs_controllers(&self) -> bool {
        self.name == "controllers"
    }
}

impl Step {
    fn read(step: &Value) -> Self {
        let mut options = step.as_object().unwrap_or_else(|| panic!("no step: {step}")).clone();
        let request = options.keys().find(|key| key.contains(' ')).expect("VERB path").clone();
        let body = options.shift_remove(&request).unwrap();
        let mut text = |key: &str| options.shift_remove(key).map(|value| value.as_str().unwrap().to_owned());
        let (accept, content_type, until_there) = (text("accept"), text("type"), text("until-there"));
        let until = options.shift_remove("until").map(|value| value.as_u64().unwrap());
        let only = options.shift_remove("only").map(|value| serde_json::from_value(value).unwrap());
        let mut flag = |key: &str| options.shift_remove(key).is_some_and(|value| value.as_bool().unwrap());
        let (bare, silent, bytes) = (flag("bare"), flag("silent"), flag("bytes"));
        assert!(options.is_empty(), "unknown options at {request}: {options:?}");
        Self { request, body, accept, content_type, bytes, until, until_there, bare, silent, only }
    }
}
