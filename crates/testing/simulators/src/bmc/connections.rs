//! Which server a Task is about: it carries a connection, not the name of a BMC Machine.

use ahash::AHashMap;
use parking_lot::Mutex;
use serde_json::Value;

use crate::engine::{Key, Object};

/// The way from connections to BMC Machines, also to those that are gone by now: a server outlives its objects.
#[derive(Default)]
pub(super) struct Connections {
    /// By the UID of a Task we made. Two BMC Machines may have the same connection in a test, so this comes first.
    tasks: Mutex<AHashMap<String, Key>>,
    /// By the connection itself, for Tasks that were there before us.
    machines: Mutex<AHashMap<String, Key>>,
}

impl Connections {
    pub(super) fn learn(&self, machine: &Object) {
        if let Some(connection) = connection(&machine.spec) {
            self.machines.lock().insert(connection, machine.key());
        }
    }

    pub(super) fn learn_task(&self, task: &Object, machine: Key) {
        self.tasks.lock().insert(task.uid().to_owned(), machine);
    }

    pub(super) fn forget_task(&self, uid: &str) {
        self.tasks.lock().remove(uid);
    }

    /// The BMC Machine whose server a Task is about.
    pub(super) fn machine_of(&self, task: &Object) -> Option<Key> {
        let made = self.tasks.lock().get(task.uid()).cloned();
        made.or_else(|| self.machines.lock().get(&connection(&task.spec)?).cloned())
    }
}

fn connection(spec: &Value) -> Option<String> {
    spec.get("connection").map(Value::to_string)
}
