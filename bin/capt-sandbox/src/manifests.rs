//! YAML files of objects, read document by document, so that a complaint can name file and document.

use std::path::Path;

use serde_json::Value;

use capt_invariants::{Key, text};

/// Why the user's input cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadInput {
    /// The file cannot be read.
    #[error("cannot read {file}: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// A document is not YAML.
    #[error("{file}, document {number}: not valid YAML: {error}")]
    Broken {
        /// The file.
        file: String,
        /// The document, counted from 1.
        number: usize,
        /// What the parser says, with the line.
        error: String,
    },
    /// A document is no Kubernetes object.
    #[error("{file}, document {number}: not a Kubernetes object: {missing} is missing")]
    NoObject {
        /// The file.
        file: String,
        /// The document, counted from 1.
        number: usize,
        /// The field that it lacks.
        missing: &'static str,
    },
    /// The server does not know the object's kind.
    #[error("{document}: the server knows no kind {kind} at {version}")]
    UnknownKind {
        /// The object.
        document: String,
        /// As it is written there.
        kind: String,
        /// As it is written there.
        version: String,
    },
    /// The server refuses the object.
    #[error("{document}: refused{fields}: {message}")]
    Refused {
        /// The object.
        document: String,
        /// ` in spec.x`, or nothing if the server named no field.
        fields: String,
        /// The server's words.
        message: String,
    },
    /// The object is there already, and so not ours to make or take down.
    #[error(
        "{document} exists already: the sandbox makes its objects itself and takes down no others; delete it, or choose another name"
    )]
    Exists {
        /// The object.
        document: String,
    },
    /// The kubeconfig cannot be used.
    #[error("kubeconfig {file}: {error}")]
    Kubeconfig {
        /// The file.
        file: String,
        /// Why.
        error: kube::config::KubeconfigError,
    },
    /// There is nothing to run.
    #[error("{files} would make no machine: a Cluster with a KubeadmControlPlane or MachineDeployment is needed")]
    NoMachines {
        /// The files.
        files: String,
    },
}

/// One object of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file.
    pub file: String,
    /// The document, counted from 1.
    pub number: usize,
    /// The object.
    pub object: Value,
}

impl Document {
    /// Its `kind`.
    pub fn kind(&self) -> &str {
        text(&self.object, "/kind")
    }

    /// Its `apiVersion`.
    pub fn api_version(&self) -> &str {
        text(&self.object, "/apiVersion")
    }

    /// Its API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    /// Its namespace, by default `default`, and name.
    pub fn key(&self) -> Key {
        let namespace = text(&self.object, "/metadata/namespace");
        Key::new(if namespace.is_empty() { "default" } else { namespace }, text(&self.object, "/metadata/name"))
    }

    /// File, document and object, for messages.
    pub fn describe(&self) -> String {
        format!("{}, document {}: {} {}", self.file, self.number, self.kind(), self.key())
    }

    fn check(&self) -> Result<(), BadInput> {
        let generated = "/metadata/generateName";
        let wanted: [(&[&str], &'static str); 3] =
            [(&["/apiVersion"], "apiVersion"), (&["/kind"], "kind"), (&["/metadata/name", generated], "metadata.name")];
        let lacks = |fields: &[&str]| fields.iter().all(|field| text(&self.object, field).is_empty());
        match wanted.into_iter().find(|(fields, _)| lacks(fields)) {
            Some((_, missing)) => Err(BadInput::NoObject { file: self.file.clone(), number: self.number, missing }),
            None => Ok(()),
        }
    }
}

/// Every object of the files, in their order.
///
/// # Errors
/// At the first file that cannot be read, or document that is no object.
pub fn read(files: &[impl AsRef<Path>]) -> Result<Vec<Document>, BadInput> {
    let mut all = Vec::new();
    for path in files {
        let file = path.as_ref().display().to_string();
        match std::fs::read_to_string(path) {
            Ok(content) => all.extend(parse(&file, &content)?),
            Err(error) => return Err(BadInput::Unreadable { file, error }),
        }
    }
    Ok(all)
}

/// Every object of a text; the items of a List count as objects of their document.
///
/// # Errors
/// At the first document that is no object.
pub fn parse(file: &str, content: &str) -> Result<Vec<Document>, BadInput> {
    let mut all = Vec::new();
    for (number, part) in split(content) {
        let broken = |error: serde_saphyr::Error| {
            // Its first line only; in the others stand lines of the file, where a password may be.
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            BadInput::Broken { file: file.to_owned(), number, error: line.to_owned() }
        };
        let object: Value = serde_saphyr::from_str(&part).map_err(broken)?;
        let objects = match object {
            Value::Null => continue,
            Value::Object(mut list) if list.get("kind").is_some_and(|kind| kind == "List") => {
                match list.remove("items") {
                    Some(Value::Array(items)) => items,
                    _ => Vec::new(),
                }
            }
            object => vec![object],
        };
        for object in objects {
            let document = Document { file: file.to_owned(), number, object };
            document.check()?;
            all.push(document);
        }
    }
    Ok(all)
}

/// The documents of a stream with their numbers. Each begins with as many empty lines as there are lines before it, so
/// that the parser counts lines as the file does.
fn split(content: &str) -> Vec<(usize, String)> {
    let is_marker = |line: &str| line == "---" || line.starts_with("--- ") || line.starts_with("---\t");
    let is_blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let mut documents = Vec::new();
    let mut current = String::new();
    for (n, line) in content.lines().enumerate() {
        let rest = match line.strip_prefix("---").filter(|_| is_marker(line)) {
            Some(rest) => {
                documents.push(std::mem::replace(&mut current, "\n".repeat(n)));
                rest
            }
            None => line,
        };
        current.push_str(rest);
        current.push('\n');
    }
    // What stands before the first marker is a document only if there is something in it.
    if documents.first().is_some_and(|first| first.lines().all(is_blank)) {
        documents.remove(0);
    }
    documents.push(current);
    (1..).zip(documents).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_counted_as_a_reader_counts_them() {
        let names = |text: &str| -> Vec<(usize, String)> {
            let all = parse("f", text).unwrap();
            all.into_iter().map(|document| (document.number, document.key().to_string())).collect()
        };
        let one = |name: &str| format!("apiVersion: v1\nkind: X\nmetadata: {{name: {name}}}\n");
        let expected = [(1, "default/a".to_owned()), (2, "default/b".to_owned())];
        assert_eq!(names(&format!("{}---\n{}", one("a"), one("b"))), expected);
        assert_eq!(names(&format!("# comment\n---\n{}---\n{}---\n", one("a"), one("b"))), expected);
        assert_eq!(names(&format!("---\n{}--- # second\n{}", one("a"), one("b"))), expected);
        assert_eq!(names(&format!("---\n{}---\n# nothing\n---\n{}", one("a"), one("b")))[1].0, 3);
        let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: X, metadata: {name: a}}\n";
        assert_eq!(names(list), [(1, "default/a".to_owned())]);
        assert_eq!(names(""), []);
    }

    #[test]
    fn a_broken_document_is_named_with_its_number_and_its_line_in_the_file() {
        let error =
            parse("f.yaml", "apiVersion: v1\nkind: X\nmetadata: {name: a}\n---\na: [\n").unwrap_err().to_string();
        assert!(error.starts_with("f.yaml, document 2: not valid YAML"), "{error}");
        assert!(error.contains("line 6") || error.contains("line 5"), "{error}");
    }

    #[test]
    fn a_complaint_about_yaml_shows_no_line_of_the_file() {
        let error = parse("f", "stringData:\n  password: hunter2\n  bad: [\n").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_document_that_is_no_object_is_told_what_it_lacks() {
        for (text, missing) in [
            ("a: 1", "apiVersion"),
            ("[1, 2]", "apiVersion"),
            ("apiVersion: v1", "kind"),
            ("{apiVersion: v1, kind: X}", "metadata.name"),
        ] {
            let error = parse("f", text).unwrap_err().to_string();
            assert_eq!(error, format!("f, document 1: not a Kubernetes object: {missing} is missing"));
        }
    }
}
