//! From Template and Hardware to the tasks of a Workflow.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use go_text_template::{CallError, Functions, Limits, Template, Value};
use serde_json::{Map, Value as Json, json};

use crate::engine::Object;

use super::document::{Action, Document, Task};
use super::go_hardware;

/// Renders a workflow's template with its Hardware (there may be none).
pub(super) fn document(workflow: &Object, template: &Object, hardware: Option<&Object>) -> Result<Document, String> {
    let text = template.spec.get("data").and_then(Json::as_str);
    let text = text.ok_or_else(|| format!("template {} has no data", template.name()))?;
    Document::parse(&execute(template.name(), text, &template_data(workflow, hardware))?)
}

/// The media URL of a custom boot action, which may be a template too.
pub(super) fn media_url(text: &str, hardware: &Object) -> Result<String, String> {
    let data = [("Hardware".to_owned(), go_hardware::hardware_spec(&hardware.spec))];
    execute("mediaURL", text, &BTreeMap::from(data).into())
}

fn execute(name: &str, text: &str, data: &Value) -> Result<String, String> {
    static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| {
        let mut functions = Functions::builtin();
        go_text_template::sprig::register(&mut functions);
        go_text_template::tinkerbell::register(&mut functions);
        functions.register("fromYaml", |call| match call.exactly()? {
            [Value::String(text)] => {
                serde_saphyr::from_str(text).map(decoded).map_err(|e| CallError::failed(e.to_string()))
            }
            [_] => Err(CallError::failed("fromYaml wants a string")),
        });
        functions
    });
    let template = Template::parse(name, text, &FUNCTIONS).map_err(|e| e.to_string())?;
    template.render(data, Limits::WORKFLOW).map_err(|e| e.to_string())
}

/// The roots of a template: every key of `hardwareMap`, and over them `.hardware`, `.Hardware`, `.references`.
fn template_data(workflow: &Object, hardware: Option<&Object>) -> Value {
    let map = workflow.spec.get("hardwareMap").and_then(Json::as_object);
    let mut data: BTreeMap<String, Value> = map
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().into()))
        .collect();
    let whole = hardware.map_or_else(
        || json!({}),
        |hardware| json!({ "metadata": hardware.metadata, "spec": hardware.spec, "status": hardware.status }),
    );
    let spec = hardware.map_or(&Json::Null, |hardware| &hardware.spec);
    data.insert("hardware".to_owned(), decoded(whole));
    data.insert("Hardware".to_owned(), go_hardware::template_data(spec));
    data.insert("references".to_owned(), BTreeMap::new().into());
    data.into()
}

/// JSON as Go decodes it without a type: every number is a float64.
fn decoded(json: Json) -> Value {
    match json {
        Json::Number(number) => number.as_f64().unwrap_or_default().into(),
        Json::Array(items) => items.into_iter().map(decoded).collect::<Vec<_>>().into(),
        Json::Object(map) => {
            let entries = map.into_iter().filter(|(_, value)| !value.is_null());
            let map: BTreeMap<String, Value> = entries.map(|(key, value)| (key, decoded(value))).collect();
            map.into()
        }
        other => other.into(),
    }
}

/// `status.tasks`, every action still to do. Their IDs follow from the Workflow's UID, so that a run can be played again.
pub(super) fn tasks(document: &Document, uid: &str) -> Json {
    let mut ids = Ids { of: uuid::Uuid::parse_str(uid).unwrap_or_else(|_| uuid::Uuid::new_v4()), given: 0 };
    document.tasks.iter().map(|the_task| task(the_task, &mut ids)).collect()
}

struct Ids {
    of: uuid::Uuid,
    given: u128,
}

impl Ids {
    fn next(&mut self) -> String {
        self.given += 1;
        uuid::Uuid::from_u128(self.of.as_u128() ^ self.given).simple().to_string()
    }
}

fn task(task: &Task, ids: &mut Ids) -> Json {
    without_empty(json!({
        "id": ids.next(),
        "name": task.name,
        "agentID": task.worker,
        "volumes": task.volumes,
        "environment": environment(&task.environment),
        "actions": task.actions.iter().map(|the_action| action(the_action, ids)).collect::<Vec<_>>(),
    }))
}

fn action(action: &Action, ids: &mut Ids) -> Json {
    let namespaces = action.namespaces.as_ref().map(|n| without_empty(json!({ "network": n.network, "pid": n.pid })));
    without_empty(json!({
        "id": ids.next(),
        "name": action.name,
        "image": action.image,
        "timeout": action.timeout,
        "command": action.command,
        "volumes": action.volumes,
        "environment": environment(&action.environment),
        "pid": action.pid,
        "namespaces": namespaces,
        "state": "PENDING",
    }))
}

fn environment(environment: &BTreeMap<String, Option<String>>) -> Map<String, Json> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default().into();
    environment.iter().map(|(key, value)| (key.clone(), text(value))).collect()
}

/// Go leaves empty optional fields out; `actions` is required.
fn without_empty(mut json: Json) -> Json {
    if let Some(map) = json.as_object_mut() {
        map.retain(|key, value| match value {
            Json::Null => false,
            Json::String(text) => !text.is_empty(),
            Json::Array(items) => key == "actions" || !items.is_empty(),
            Json::Object(map) => !map.is_empty(),
            Json::Bool(_) | Json::Number(_) => true,
        });
    }
    json
}
