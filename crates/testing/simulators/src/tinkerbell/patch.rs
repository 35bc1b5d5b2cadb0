//! The patch of a Workflow's status. Its lists are atomic, so they are always sent whole.

use serde_json::{Map, Value, json};

use crate::engine::Object;

pub(super) struct StatusPatch {
    status: Map<String, Value>,
    conditions: Vec<Value>,
    conditions_changed: bool,
    now: String,
}

impl StatusPatch {
    /// A patch that changes nothing yet.
    pub(super) fn of(workflow: &Object, now: String) -> Self {
        let conditions = workflow.status.get("conditions").and_then(Value::as_array);
        Self { status: Map::new(), conditions: conditions.cloned().unwrap_or_default(), conditions_changed: false, now }
    }

    pub(super) fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.status.insert(field.to_owned(), value.into());
        self
    }

    /// Merges into `bootOptions`.
    pub(super) fn boot_option(mut self, field: &str, value: Value) -> Self {
        let options = self.status.entry("bootOptions").or_insert_with(|| json!({}));
        if let Some(options) = options.as_object_mut() {
            options.insert(field.to_owned(), value);
        }
        self
    }

    /// Sets a condition, in the place of the one of its type.
    pub(super) fn condition(mut self, kind: &str, status: bool, reason: &str, message: &str) -> Self {
        let condition = json!({
            "type": kind, "status": if status { "True" } else { "False" },
            "reason": reason, "message": message, "time": self.now,
        });
        match self.conditions.iter_mut().find(|known| known.get("type").and_then(Value::as_str) == Some(kind)) {
            Some(known) => *known = condition,
            None => self.conditions.push(condition),
        }
        self.conditions_changed = true;
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.status.is_empty() && !self.conditions_changed
    }

    pub(super) fn into_json(mut self) -> Value {
        if self.conditions_changed {
            self.status.insert("conditions".to_owned(), self.conditions.into());
        }
        json!({ "status": self.status })
    }
}
