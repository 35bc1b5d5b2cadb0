//! `x-kubernetes-validations`: CEL rules compiled with the schema and evaluated on what a write changed.

use super::normalise::join;
use super::{Additional, Node, Type, validate::correlated};
use crate::error::{FieldError, FieldErrorKind};
use kube_cel::KubeCelExt;
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{Context, Program, Value as Cel};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// One compiled rule.
pub(super) struct Rule {
    source: String,
    program: Program,
    message: Option<String>,
    message_expression: Option<Program>,
    reason: FieldErrorKind,
    field_path: Option<String>,
    uses_old_self: bool,
    optional_old_self: bool,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Rule").field(&self.source).finish()
    }
}

thread_local! {
    /// Registering the functions costs far more than evaluating a rule.
    static FUNCTIONS: Context<'static> = Context::default().with_all();
}

pub(super) fn compile_rules(rules: Option<&Value>, path: &str, errors: &mut Vec<FieldError>) -> Vec<Rule> {
    let list = rules.and_then(Value::as_array).into_iter().flatten();
    let compiled = list.enumerate().filter_map(|(index, rule)| {
        compile(rule)
            .map_err(|why| {
                let field = format!("{path}.x-kubernetes-validations[{index}].rule");
                errors.push(FieldError::invalid(field, rule.get("rule").unwrap_or(&Value::Null), why));
            })
            .ok()
    });
    compiled.collect()
}

fn compile(rule: &Value) -> Result<Rule, String> {
    let text = |key: &str| rule.get(key).and_then(Value::as_str);
    let source = text("rule").unwrap_or_default();
    let parse = |source: &str| Program::compile(source).map_err(|error| format!("compilation failed: {error}"));
    let program = parse(source)?;
    Ok(Rule {
        source: source.to_owned(),
        uses_old_self: program.references().has_variable("oldSelf"),
        program,
        message: text("message").filter(|m| !m.is_empty()).map(|m| m.trim().to_owned()),
        message_expression: text("messageExpression").filter(|m| !m.is_empty()).map(parse).transpose()?,
        reason: match text("reason") {
            Some("FieldValueForbidden") => FieldErrorKind::Forbidden,
            Some("FieldValueRequired") => FieldErrorKind::Required,
            Some("FieldValueDuplicate") => FieldErrorKind::Duplicate,
            _ => FieldErrorKind::Invalid,
        },
        field_path: text("fieldPath").map(|p| p.trim_start_matches('.').to_owned()),
        optional_old_self: rule.get("optionalOldSelf").and_then(Value::as_bool) == Some(true),
    })
}

/// Evaluates the rules of `node` and below on `new`. What is as it was before is skipped: its rules held then, or are
/// forgiven.
pub(super) fn check(new: &Value, old: Option<&Value>, node: &Node, path: &str, errors: &mut Vec<FieldError>) {
    if !node.rules_below || new.is_null() || old == Some(new) {
        return;
    }
    if !node.rules.is_empty() {
        evaluate(new, old.filter(|o| !o.is_null()), node, path, errors);
    }
    for branch in node.limits.iter().flat_map(|l| l.all_of.iter()) {
        check(new, old, branch, path, errors);
    }
    match new {
        Value::Object(map) => {
            for (key, value) in map {
                if let Some(child) = node.child(key) {
                    check(value, old.and_then(|o| o.get(key)), child, &join(path, key), errors);
                }
            }
        }
        Value::Array(list) => {
            let Some(items) = &node.items else { return };
            for (index, item) in list.iter().enumerate() {
                let before = old.and_then(|o| correlated(o, item, &node.list));
                check(item, before, items, &format!("{path}[{index}]"), errors);
            }
        }
        _ => {}
    }
}

fn evaluate(new: &Value, old: Option<&Value>, node: &Node, path: &str, errors: &mut Vec<FieldError>) {
    let this = to_cel(new, Some(node), path.is_empty());
    let before = old.map(|o| to_cel(o, Some(node), path.is_empty()));
    FUNCTIONS.with(|functions| {
        let mut scope = functions.new_inner_scope();
        scope.add_variable_from_value("self", this);
        if let Some(before) = &before {
            scope.add_variable_from_value("oldSelf", before.clone());
        }
        for rule in &node.rules {
            if rule.uses_old_self && before.is_none() {
                if !rule.optional_old_self {
                    continue;
                }
                scope.add_variable_from_value("oldSelf", Cel::Null);
            }
            if let Err(error) = rule.judge(&scope, new, path) {
                errors.push(error);
            }
        }
    });
}

impl Rule {
    fn judge(&self, scope: &Context<'_>, value: &Value, path: &str) -> Result<(), FieldError> {
        let here = if path.is_empty() { "<nil>" } else { path };
        match self.program.execute(scope) {
            Ok(Cel::Bool(true)) => return Ok(()),
            Ok(Cel::Bool(false)) => {}
            Ok(_) => {
                let detail = format!("rule compile error: rule does not evaluate to a boolean: {}", self.source);
                return Err(FieldError::invalid(here, &json!(Type::of(value).name()), detail));
            }
            Err(error) => {
                let detail = format!("{error} evaluating rule: {}", self.source);
                return Err(FieldError::invalid(here, &json!(Type::of(value).name()), detail));
            }
        }
        let computed = self.message_expression.as_ref().and_then(|program| match program.execute(scope) {
            Ok(Cel::String(text)) => Some(text.trim().to_owned()),
            _ => None,
        });
        let detail =
            computed.or_else(|| self.message.clone()).unwrap_or_else(|| format!("failed rule: {}", self.source));
        let field = match &self.field_path {
            Some(relative) => join(path, relative),
            None => here.to_owned(),
        };
        let shown = match (value, self.reason) {
            (Value::Object(_) | Value::Array(_), _) | (_, FieldErrorKind::Forbidden | FieldErrorKind::Required) => None,
            (scalar, _) => Some(scalar.to_string()),
        };
        Err(FieldError { kind: self.reason, field, value: shown, detail })
    }
}

/// A JSON value as CEL sees it through its schema: dates and durations typed, property names escaped, and only
/// declared fields visible.
fn to_cel(value: &Value, node: Option<&Node>, root: bool) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(b) => Cel::Bool(*b),
        Value::Number(n) => {
            let float = node.is_some_and(|n| n.types == [Type::Number]);
            match (n.as_i64(), n.as_f64()) {
                (Some(int), _) if !float => Cel::Int(int),
                (_, Some(number)) => Cel::Float(number),
                _ => Cel::Null,
            }
        }
        Value::String(text) => string(text, node),
        Value::Array(list) => {
            let items = node.and_then(|n| n.items.as_deref());
            Cel::List(Arc::new(list.iter().map(|item| to_cel(item, items, false)).collect()))
        }
        Value::Object(map) => {
            let is_map = node.is_none_or(|n| !matches!(n.additional, Additional::No));
            let mut cel = HashMap::with_capacity(map.len());
            for (key, value) in map {
                let name = if is_map { key.clone() } else { escape(key) };
                let converted = if root && key == "metadata" {
                    meta_to_cel(value)
                } else {
                    to_cel(value, node.and_then(|n| n.child(key)), false)
                };
                cel.insert(Key::String(Arc::new(name)), converted);
            }
            Cel::Map(Map { map: Arc::new(cel) })
        }
    }
}

/// Of metadata only these two are promised to rules.
fn meta_to_cel(meta: &Value) -> Cel {
    let mut cel = HashMap::new();
    for key in ["name", "generateName"] {
        if let Some(text) = meta.get(key).and_then(Value::as_str) {
            cel.insert(Key::String(Arc::new(key.to_owned())), Cel::String(Arc::new(text.to_owned())));
        }
    }
    Cel::Map(Map { map: Arc::new(cel) })
}

fn string(text: &str, node: Option<&Node>) -> Cel {
    let format = node.and_then(|n| n.limits.as_ref()).and_then(|l| l.format.as_deref());
    let plain = || Cel::String(Arc::new(text.to_owned()));
    match format {
        Some("date-time") => call("timestamp", text).unwrap_or_else(plain),
        Some("byte") => {
            use base64::Engine;
            let decoded = base64::engine::general_purpose::STANDARD.decode(text);
            decoded.map_or_else(|_| plain(), |bytes| Cel::Bytes(Arc::new(bytes)))
        }
        Some("duration") => call("duration", text).unwrap_or_else(plain),
        _ => plain(),
    }
}

/// Lets the CEL library itself make its typed values.
fn call(function: &str, text: &str) -> Option<Cel> {
    let program = Program::compile(&format!("{function}(text)")).ok()?;
    FUNCTIONS.with(|functions| {
        let mut scope = functions.new_inner_scope();
        scope.add_variable_from_value("text", Cel::String(Arc::new(text.to_owned())));
        program.execute(&scope).ok()
    })
}

/// Property names that CEL could not write are escaped as the API documents it.
fn escape(name: &str) -> String {
    const RESERVED: [&str; 21] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    if !name.contains(['.', '-', '/']) && !name.contains("__") {
        return name.to_owned();
    }
    name.replace("__", "__underscores__").replace('.', "__dot__").replace('-', "__dash__").replace('/', "__slash__")
}
