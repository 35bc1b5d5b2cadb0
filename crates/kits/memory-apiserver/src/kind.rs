//! The kinds the server knows: built in or defined by a CRD.

use crate::error::GroupResource;
use crate::jsonpath::JsonPath;
use crate::meta;
use crate::scale::Paths;
use crate::schema::Node;
use serde_json::Value;
use std::sync::Arc;

/// One resource: a storage of its own, served at one or more group versions.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) group: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) namespaced: bool,
    pub(crate) behaviour: Behaviour,
    /// The `apiVersion` objects are stored with.
    pub(crate) storage: String,
    pub(crate) served: Vec<Served>,
    /// Before this moment the kind answers 404, as a real server does for a while after a CRD was created.
    pub(crate) serving_from: tokio::time::Instant,
}

/// One version a kind is served at.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) api_version: String,
    pub(crate) schema: Arc<Node>,
    /// The schema as the CRD has it, for `/openapi`.
    pub(crate) schema_source: Option<Arc<Value>>,
    /// Defined by a CRD.
    pub(crate) custom: bool,
    pub(crate) status: bool,
    /// Where the sizes are that the subresource `scale` shows, if the version has that.
    pub(crate) scale: Option<Paths>,
    pub(crate) columns: Vec<Column>,
    /// Fields besides metadata that a field selector may name.
    pub(crate) selectable: Vec<(String, JsonPath)>,
    pub(crate) deprecation: Option<String>,
    /// How every encoded object begins: `{"apiVersion":…,"kind":…`.
    pub(crate) prefix: String,
}

/// One printer column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    pub(crate) priority: i64,
    pub(crate) cell: Cell,
}

/// Where a printer column's value comes from.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Path(JsonPath),
    Computed(fn(&Value) -> Value),
    /// The age of the time found there.
    Age(JsonPath),
}

/// What is particular to a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Defined by a CRD: schema, generation, strict about updates.
    Custom,
    Namespace,
    Secret,
    ConfigMap,
    Event,
    Lease,
    Definition,
    Pod,
    Service,
    ServiceAccount,
    Node,
    /// A configuration of admission webhooks.
    Webhooks,
}

impl Kind {
    pub(crate) fn group_resource(&self) -> GroupResource<'_> {
        GroupResource { group: &self.group, resource: &self.plural }
    }

    pub(crate) fn is_custom(&self) -> bool {
        self.behaviour == Behaviour::Custom
    }

    /// PUT without a resourceVersion overwrites.
    pub(crate) fn allows_unconditional_update(&self) -> bool {
        !matches!(self.behaviour, Behaviour::Custom | Behaviour::Lease | Behaviour::Definition)
    }

    /// PUT of a missing object creates it.
    pub(crate) fn allows_create_on_update(&self) -> bool {
        matches!(self.behaviour, Behaviour::Lease | Behaviour::Event | Behaviour::Service)
    }

    /// DELETE answers with the object instead of a `Status`.
    pub(crate) fn returns_deleted_object(&self) -> bool {
        matches!(self.behaviour, Behaviour::Pod | Behaviour::Service | Behaviour::ServiceAccount)
    }

    /// Objects carry `metadata.generation`.
    pub(crate) fn has_generation(&self) -> bool {
        matches!(self.behaviour, Behaviour::Custom | Behaviour::Definition | Behaviour::Pod | Behaviour::Webhooks)
    }

    pub(crate) fn version(&self, index: usize) -> Option<&Served> {
        self.served.get(index)
    }
}

impl Served {
    pub(crate) fn new(group: &str, version: &str, kind: &str) -> Self {
        let api_version = meta::api_version(group, version);
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            prefix: format!("{{\"apiVersion\":{},\"kind\":{}", Value::from(api_version.as_str()), Value::from(kind)),
            api_version,
            schema: Arc::new(Node::of_built_in()),
            schema_source: None,
            custom: false,
            status: false,
            scale: None,
            columns: Vec::new(),
            selectable: Vec::new(),
            deprecation: None,
        }
    }
}
