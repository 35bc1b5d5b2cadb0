//! Tables, as `kubectl get` shows them.

use crate::jsonpath::JsonPath;
use crate::kind::{Cell, Column, Kind};
use crate::meta;
use crate::store::Object;
use crate::view::{Include, partial};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

/// `NAME`, which every table begins with.
pub(crate) fn name_column() -> Column {
    Column {
        name: "Name".to_owned(),
        kind: "string".to_owned(),
        format: "name".to_owned(),
        description: "Name must be unique within a namespace.".to_owned(),
        priority: 0,
        cell: Cell::Computed(|object| json!(meta::name(object))),
    }
}

/// `AGE`, for kinds that declare no columns of their own.
pub(crate) fn age_column() -> Column {
    let created = JsonPath::parse(".metadata.creationTimestamp");
    Column {
        name: "Age".to_owned(),
        kind: "date".to_owned(),
        format: String::new(),
        description: "CreationTimestamp is the time at which this object was created.".to_owned(),
        priority: 0,
        cell: created.map_or(Cell::Computed(|_| Value::Null), Cell::Age),
    }
}

/// A `Table` of these objects; only with `headed` it says what its columns are.
#[allow(clippy::too_many_arguments)]
pub(crate) fn table(
    objects: &mut dyn Iterator<Item = &Object>,
    resource_version: &str,
    continue_token: &str,
    remaining: Option<usize>,
    kind: &Kind,
    version: usize,
    include: Include,
    headed: bool,
    now: Timestamp,
) -> Bytes {
    let Some(served) = kind.version(version) else { return Bytes::new() };
    let mut metadata = json!({"resourceVersion": resource_version});
    if let Some(map) = metadata.as_object_mut() {
        if !continue_token.is_empty() {
            map.insert("continue".to_owned(), json!(continue_token));
        }
        if let Some(remaining) = remaining {
            map.insert("remainingItemCount".to_owned(), json!(remaining));
        }
    }
    let definitions = if headed { served.columns.iter().map(definition).collect() } else { Value::Null };
    let mut out = format!(
        r#"{{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{metadata},"columnDefinitions":{},"rows":["#,
        definitions
    )
    .into_bytes();
    for (index, object) in objects.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let value = object.value_at(kind, version, false);
        let cells: Vec<Value> = served.columns.iter().map(|column| cell(column, &value, now)).collect();
        out.extend_from_slice(format!(r#"{{"cells":{}"#, Value::Array(cells)).as_bytes());
        let shown = match include {
            Include::Nothing => Bytes::from_static(b"null"),
            Include::Metadata => partial(object),
            Include::Object => object.json(kind, version),
        };
        out.extend_from_slice(br#","object":"#);
        out.extend_from_slice(&shown);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    Bytes::from(out)
}

fn definition(column: &Column) -> Value {
    json!({
        "name": column.name, "type": column.kind, "format": column.format, "description": column.description,
        "priority": column.priority,
    })
}

fn cell(column: &Column, object: &Value, now: Timestamp) -> Value {
    let first = |path: &JsonPath| path.find(object).first().map(|v| (*v).clone());
    match &column.cell {
        Cell::Computed(compute) => compute(object),
        Cell::Age(path) => match first(path) {
            Some(Value::String(text)) => match text.parse::<Timestamp>() {
                Ok(time) => json!(age(now, time)),
                Err(_) => json!("<invalid>"),
            },
            _ if column.name == "Age" => json!("<unknown>"),
            _ => Value::Null,
        },
        Cell::Path(path) => match (column.kind.as_str(), first(path)) {
            (_, None | Some(Value::Null)) => Value::Null,
            ("string", Some(Value::String(text))) => json!(text),
            ("string", Some(other)) => json!(other.to_string()),
            ("integer", Some(Value::Number(n))) => n.as_i64().map_or_else(|| json!(n.as_f64()), |i| json!(i)),
            ("number", Some(Value::Number(n))) => json!(n),
            ("boolean", Some(Value::Bool(b))) => json!(b),
            ("date", Some(Value::String(text))) => json!(text),
            _ => Value::Null,
        },
    }
}

/// How long ago, in at most two units, the coarser the longer.
fn age(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let two = |big: i64, unit: &str, rest: i64, small: &str| {
        if rest == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{rest}{small}") }
    };
    match seconds {
        ..=-2 => "<invalid>".to_owned(),
        -1..=0 => "0s".to_owned(),
        1..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}
