//! One object, as YAML.

use anyhow::Context;
use serde_json::{Value, json};

use crate::names::{NAMESPACE, PROVIDER, PROVIDER_LABEL};

/// An object with a word on it.
#[derive(Clone, Debug)]
pub struct Document {
    comment: String,
    object: Value,
    /// YAML made by hand, for the sake of comments inside.
    text: Option<String>,
}

impl Document {
    /// An object.
    #[must_use]
    pub fn new(object: Value) -> Self {
        Self { comment: String::new(), object, text: None }
    }

    /// An object as YAML, without the line that separates it from others.
    #[must_use]
    pub fn text(text: String) -> Self {
        Self { comment: String::new(), object: Value::Null, text: Some(text) }
    }

    /// The same with a comment before it.
    #[must_use]
    pub fn because(self, comment: &str) -> Self {
        Self { comment: comment.to_owned(), ..self }
    }

    /// The object; null where it is a text.
    #[must_use]
    pub fn object(&self) -> &Value {
        &self.object
    }

    /// The object as one document of a YAML file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn yaml(&self) -> anyhow::Result<String> {
        let body = match &self.text {
            Some(text) => text.clone(),
            None => serde_saphyr::to_string(&self.object).context("an object cannot be written as YAML")?,
        };
        let comment: String = self.comment.lines().map(|line| format!("# {line}\n")).collect();
        Ok(format!("---\n{comment}{}\n", body.trim_end()))
    }
}

/// Metadata of an object in the manager's namespace, labelled.
#[must_use]
pub fn labelled(name: &str) -> Value {
    json!({ "name": name, "namespace": NAMESPACE, "labels": { PROVIDER_LABEL: PROVIDER } })
}
