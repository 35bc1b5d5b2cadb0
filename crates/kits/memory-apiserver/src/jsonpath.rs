//! The JSONPath of printer columns and selectable fields: members (also quoted, also with escaped dots), indexes,
//! wildcards and equality filters.

use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Member(String),
    Index(i64),
    Wildcard,
    /// `[?(@.a.b=="x")]`; without a comparison the member must exist.
    Filter {
        path: Vec<String>,
        equals: Option<(bool, Value)>,
    },
}

impl JsonPath {
    /// Parses `.spec.list[?(@.kind=="Machine")].name` and the like; an enclosing `{}` and a leading `$` are allowed.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let inner = source.trim();
        let inner = inner.strip_prefix('{').and_then(|s| s.strip_suffix('}')).unwrap_or(inner);
        let mut rest = inner.strip_prefix('$').unwrap_or(inner);
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(tail) = rest.strip_prefix('[') {
                let end = bracket_end(tail).ok_or_else(|| format!("unterminated array in {source:?}"))?;
                let (body, tail) = (tail.get(..end).unwrap_or_default(), tail.get(end + 1..).unwrap_or_default());
                steps.push(bracket(body).ok_or_else(|| format!("unsupported array expression {body:?}"))?);
                rest = tail;
            } else {
                let tail = rest.strip_prefix('.').unwrap_or(rest);
                let (name, tail) = member(tail);
                match name.as_str() {
                    "" => return Err(format!("unexpected character in {source:?}")),
                    "*" => steps.push(Step::Wildcard),
                    _ => steps.push(Step::Member(name)),
                }
                rest = tail;
            }
        }
        Ok(Self { steps })
    }

    /// All values found.
    pub(crate) fn find<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![root];
        for step in &self.steps {
            found = found.into_iter().flat_map(|value| step.follow(value)).collect();
            if found.is_empty() {
                break;
            }
        }
        found
    }
}

impl Step {
    fn follow<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match (self, value) {
            (Self::Member(name), Value::Object(map)) => map.get(name).into_iter().collect(),
            (Self::Index(index), Value::Array(list)) => {
                let at = if *index < 0 { list.len() as i64 + index } else { *index };
                usize::try_from(at).ok().and_then(|at| list.get(at)).into_iter().collect()
            }
            (Self::Wildcard, Value::Array(list)) => list.iter().collect(),
            (Self::Wildcard, Value::Object(map)) => map.values().collect(),
            (Self::Filter { path, equals }, Value::Array(list)) => {
                list.iter().filter(|item| passes(item, path, equals.as_ref())).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn passes(item: &Value, path: &[String], equals: Option<&(bool, Value)>) -> bool {
    let found = path.iter().try_fold(item, |value, key| value.get(key));
    match (found, equals) {
        (Some(value), Some((wanted, other))) => (value == other) == *wanted,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// Where the bracket closes, minding quotes.
fn bracket_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == ']' => return Some(at),
            None => {}
        }
    }
    None
}

fn bracket(body: &str) -> Option<Step> {
    let body = body.trim();
    if body == "*" {
        return Some(Step::Wildcard);
    }
    if let Some(name) = unquote(body) {
        return Some(Step::Member(name));
    }
    if let Ok(index) = body.parse() {
        return Some(Step::Index(index));
    }
    let condition = body.strip_prefix("?(")?.strip_suffix(')')?.trim().strip_prefix('@')?;
    let (path, equals) = match (condition.split_once("=="), condition.split_once("!=")) {
        (Some((path, value)), _) => (path, Some((true, literal(value.trim())?))),
        (None, Some((path, value))) => (path, Some((false, literal(value.trim())?))),
        (None, None) => (condition, None),
    };
    let mut names = Vec::new();
    let mut rest = path.trim();
    while !rest.is_empty() {
        let (name, tail) = member(rest.strip_prefix('.')?);
        names.push(name);
        rest = tail;
    }
    Some(Step::Filter { path: names, equals })
}

fn literal(text: &str) -> Option<Value> {
    unquote(text).map(Value::String).or_else(|| serde_json::from_str(text).ok())
}

fn unquote(text: &str) -> Option<String> {
    ['"', '\''].iter().find_map(|q| Some(text.strip_prefix(*q)?.strip_suffix(*q)?.to_owned()))
}

/// A member name up to the next `.` or `[`; a backslash takes the next character as it is.
fn member(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (name, text.get(at..).unwrap_or_default()),
            _ => name.push(c),
        }
    }
    (name, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn find(path: &str, value: &Value) -> Vec<Value> {
        JsonPath::parse(path).unwrap().find(value).into_iter().cloned().collect()
    }

    #[test]
    fn paths_of_printer_columns_find_their_values() {
        let object = json!({"metadata": {"labels": {"a.b/c": "x"}, "ownerReferences": [
            {"kind": "Machine", "name": "m"}, {"kind": "Other", "name": "o"}]}, "list": [1, 2, 3]});
        assert_eq!(find(r".metadata.labels.a\.b/c", &object), [json!("x")]);
        assert_eq!(find(r".metadata.labels['a.b/c']", &object), [json!("x")]);
        assert_eq!(find(r#".metadata.ownerReferences[?(@.kind=="Machine")].name"#, &object), [json!("m")]);
        assert_eq!(find(".list[0]", &object), [json!(1)]);
        assert_eq!(find("{.list[-1]}", &object), [json!(3)]);
        assert_eq!(find(".list[*]", &object), [json!(1), json!(2), json!(3)]);
        assert!(find(".absent.deeper", &object).is_empty());
    }

    #[test]
    fn a_broken_path_is_an_error_not_a_panic() {
        for path in [".a[", "..", ".a[?(@.x==]", ".a[b]"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
