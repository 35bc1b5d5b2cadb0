//! One line of the log: a JSON object with `timestamp`, `level`, `caller`, `logger`, `message`, then what the message is
//! about.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{Extensions, LookupSpan};

/// Writes events as lines of JSON, with the fields of the spans they are in after their own: `controller`, `namespace`, `name`
/// and `reconcile_id` of the reconcile.
pub struct Json;

/// A source file as its crate names it, without where the machine that built it keeps crates.
fn of_its_crate(file: &str) -> &str {
    let in_registry = file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    in_registry.map_or(file, |(_, rest)| rest)
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let about = event.metadata();
        let mut members = Members(Map::new());
        members.put("timestamp", jiff::Timestamp::now().to_string());
        members.put("level", about.level().as_str());
        if let (Some(file), Some(line)) = (about.file(), about.line()) {
            members.put("caller", format!("{}:{line}", of_its_crate(file)));
        }
        members.put("logger", about.target());
        // In front of what it is about, wherever it stands in the event.
        members.put("message", "");
        event.record(&mut members);
        for span in context.event_scope().into_iter().flatten() {
            members.put_fields(&span.extensions());
        }
        writeln!(to, "{}", Value::Object(members.0))
    }
}

struct Members(Map<String, Value>);

/// The fields of a span, as they are when it begins.
struct Fields(Map<String, Value>);

/// Keeps the fields of spans for the lines that are written in them.
pub struct KeepFields;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for KeepFields {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut members = Members(Map::new());
        attributes.record(&mut members);
        span.extensions_mut().replace(Fields(members.0));
    }
}

impl Members {
    /// Takes in the fields of a span. What the event says itself goes first.
    fn put_fields(&mut self, span: &Extensions<'_>) {
        for (name, value) in span.get::<Fields>().into_iter().flat_map(|fields| &fields.0) {
            self.0.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }

    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Members {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }
}
