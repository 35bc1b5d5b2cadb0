//! A rendered template, and what tink-controller checks of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// Longest name of a template, task or action.
const LONGEST_NAME: usize = 199;

/// A rendered workflow template. Every scalar in a text map or list keeps its source text: `0600` stays `0600`.
#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Document {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) global_timeout: i64,
    #[serde(default)]
    pub(super) tasks: Vec<Task>,
}

#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Task {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) worker: String,
    #[serde(default)]
    pub(super) volumes: Vec<String>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub(super) actions: Vec<Action>,
}

#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Action {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) image: String,
    #[serde(default)]
    pub(super) timeout: i64,
    #[serde(default)]
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) volumes: Vec<String>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub(super) pid: String,
    #[serde(default)]
    pub(super) namespaces: Option<Namespaces>,
}

#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Namespaces {
    #[serde(default)]
    pub(super) network: Option<String>,
    #[serde(default)]
    pub(super) pid: Option<String>,
}

impl Document {
    /// Parses and checks a rendered template.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let document: Self =
            serde_saphyr::from_str(text).map_err(|e| format!("rendered template is no YAML we know: {e}"))?;
        document.check()?;
        Ok(document)
    }

    fn check(&self) -> Result<(), String> {
        check_name("template", &self.name)?;
        if self.tasks.is_empty() {
            return Err("template must have at least one task defined".to_owned());
        }
        check_unique("task", self.tasks.iter().map(|task| task.name.as_str()))?;
        for task in &self.tasks {
            check_name("task", &task.name)?;
            if task.worker.is_empty() {
                return Err(format!("task {:?} has no worker", task.name));
            }
            check_unique("action", task.actions.iter().map(|action| action.name.as_str()))?;
            for action in &task.actions {
                check_name("action", &action.name)?;
                if !is_image_reference(&action.image) {
                    return Err(format!("action {:?} has an invalid image {:?}", action.name, action.image));
                }
            }
        }
        Ok(())
    }
}

fn check_name(what: &str, name: &str) -> Result<(), String> {
    match name.len() {
        1..=LONGEST_NAME => Ok(()),
        length => Err(format!("{what} name must have 1 to {LONGEST_NAME} characters, {name:?} has {length}")),
    }
}

fn check_unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("two {what}s are named {name:?}"));
        }
    }
    Ok(())
}

/// Whether a text names a container image: `[host[:port]/]path[:tag][@algorithm:digest]`.
fn is_image_reference(text: &str) -> bool {
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    let digest_ok = digest.is_none_or(|digest| {
        digest.split_once(':').is_some_and(|(algorithm, hex)| {
            !algorithm.is_empty() && hex.len() >= 32 && hex.chars().all(|c| c.is_ascii_hexdigit())
        })
    });
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let tag_at = name.get(slash..).and_then(|last| last.find(':')).map(|at| slash + at);
    let (path, tag) = match tag_at {
        Some(at) => (name.get(..at).unwrap_or_default(), name.get(at + 1..)),
        None => (name, None),
    };
    let tag_ok = tag.is_none_or(|tag| {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        tag.len() <= 128 && tag.starts_with(word) && tag.chars().all(|c| word(c) || c == '.' || c == '-')
    });
    let mut parts = path.split('/').peekable();
    let first = parts.peek().copied().unwrap_or_default();
    let has_host = path.contains('/') && (first.contains(['.', ':']) || first == "localhost");
    if has_host {
        parts.next();
    }
    let part_ok = |part: &str| {
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(letter) && part.ends_with(letter) && part.chars().all(|c| letter(c) || "._-".contains(c))
    };
    let host_ok = !has_host || first.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c));
    digest_ok && tag_ok && host_ok && parts.all(part_ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_of_text_maps_keep_their_source_text() {
        let document = Document::parse(
            r#"
version: "0.1"
name: t
global_timeout: 6000
tasks:
- name: one
  worker: aa:bb
  environment: {COMPRESSED: true}
  volumes: [/dev:/dev]
  actions:
  - name: first
    image: quay.io/tinkerbell/actions/writefile
    timeout: 90
    on-failure: [x]
    command: [run, 1.50]
    environment:
      MODE: 0600
      HEX: 0x1F
      FLOAT: 1e3
      OFF: off
      TIME: 1:30
      EMPTY:
      NULL_WORD: null
      QUOTED: "true"
      LONG: |
        a: 1
        b
"#,
        )
        .unwrap();
        let task = &document.tasks[0];
        let environment = &task.actions[0].environment;
        for (key, expected) in [
            ("MODE", "0600"),
            ("HEX", "0x1F"),
            ("FLOAT", "1e3"),
            ("OFF", "off"),
            ("TIME", "1:30"),
            ("EMPTY", ""),
            ("NULL_WORD", ""),
            ("QUOTED", "true"),
            ("LONG", "a: 1\nb\n"),
        ] {
            assert_eq!(environment[key].as_deref().unwrap_or_default(), expected, "{key}");
        }
        assert_eq!(task.environment["COMPRESSED"].as_deref(), Some("true"));
        assert_eq!(task.actions[0].command, ["run", "1.50"]);
        assert_eq!((document.global_timeout, task.actions[0].timeout), (6000, 90));
    }

    #[test]
    fn a_bad_template_is_refused_with_its_reason() {
        let action = "{name: a, image: i}";
        for (text, reason) in [
            ("name: t\ntasks: []".to_owned(), "at least one task"),
            (format!("tasks: [{{name: a, worker: w, actions: [{action}]}}]"), "template name"),
            (format!("name: {}\ntasks: [{{name: a, worker: w}}]", "n".repeat(200)), "template name"),
            ("name: t\ntasks: [{name: a, actions: []}]".to_owned(), "no worker"),
            ("name: t\ntasks: [{name: a, worker: w}, {name: a, worker: w}]".to_owned(), "two tasks"),
            (format!("name: t\ntasks: [{{name: a, worker: w, actions: [{action}, {action}]}}]"), "two actions"),
            (
                "name: t\ntasks: [{name: a, worker: w, actions: [{name: x, image: 'UP/case'}]}]".to_owned(),
                "invalid image",
            ),
            ("name: t\ntasks: [{name: a, worker: w, actions: [{name: x}]}]".to_owned(), "invalid image"),
            ("{".to_owned(), "no YAML"),
            ("- a".to_owned(), "no YAML"),
        ] {
            let error = Document::parse(&text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn image_references_are_told_from_other_text() {
        for (image, expected) in [
            ("busybox", true),
            ("quay.io/tinkerbell/actions/oci2disk", true),
            ("ghcr.io/jacobweinstock/waitdaemon:0.2.1", true),
            ("127.0.0.1:5000/a/b:Tag_1.x-y", true),
            ("localhost/a", true),
            ("a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true),
            ("", false),
            ("a b", false),
            ("a:", false),
            ("/a", false),
            ("a//b", false),
            ("Quay/x", false),
            ("a@sha256:zz", false),
        ] {
            assert_eq!(is_image_reference(image), expected, "{image}");
        }
    }
}
