//! Runs a parsed template on its data.

use crate::ast::{Branch, Command, Node, Operand, Pipeline, Range, Term};
use crate::buffer::{Buffer, TooBig};
use crate::error::{Fault, Pos};
use crate::format;
use crate::functions::{Call, CallError, Callee};
use crate::value::Value;

/// What one render may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the output, and of any text computed on the way.
    pub max_bytes: usize,
    /// Units of work: one for a node, a call or an iteration, and one for each 64 bytes that a function takes or gives.
    pub max_steps: usize,
}

impl Limits {
    /// For an image URL: 4 KiB.
    pub const URL: Self = Self { max_bytes: 4 * 1024, max_steps: 10_000 };
    /// For a workflow: 256 KiB, as Tinkerbell allows.
    pub const WORKFLOW: Self = Self { max_bytes: 256 * 1024, max_steps: 1_000_000 };
}

pub(crate) fn render(nodes: &[Node], data: &Value, limits: Limits) -> Result<String, Fault> {
    let mut run = Run {
        out: Buffer::new(limits.max_bytes),
        variables: vec![("$", data.clone())],
        steps_left: limits.max_steps,
        limits,
    };
    run.list(nodes, data)?;
    Ok(run.out.into_string())
}

/// How a list of nodes ended.
enum Flow {
    Next,
    Break,
    Continue,
}

struct Run<'a> {
    out: Buffer,
    variables: Vec<(&'a str, Value)>,
    steps_left: usize,
    limits: Limits,
}

impl<'a> Run<'a> {
    fn spend(&mut self, pos: Pos, steps: usize) -> Result<(), Fault> {
        match self.steps_left.checked_sub(steps) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => Err(Fault::limit(pos, format!("more than {} steps", self.limits.max_steps))),
        }
    }

    fn too_big(&self, pos: Pos) -> Fault {
        Fault::limit(pos, format!("output larger than {} bytes", self.limits.max_bytes))
    }

    fn fault(&self, pos: Pos, context: &str, error: CallError) -> Fault {
        match error {
            CallError::Failed(message) => Fault::exec(pos, format!("{context}{message}")),
            CallError::Unsupported(what) => Fault::unsupported(pos, &format!("{context}{what}")),
            CallError::TooBig => self.too_big(pos),
        }
    }

    fn list(&mut self, nodes: &'a [Node], dot: &Value) -> Result<Flow, Fault> {
        for node in nodes {
            let flow = match node {
                Node::Text(pos, text) => {
                    self.spend(*pos, 1)?;
                    self.out.push_str(text).map_err(|TooBig| self.too_big(*pos))?;
                    Flow::Next
                }
                Node::Output(pipeline) => {
                    let value = self.pipeline(pipeline, dot)?;
                    if pipeline.variables.is_empty() {
                        format::output(&mut self.out, &value).map_err(|error| self.fault(pipeline.pos, "", error))?;
                    }
                    Flow::Next
                }
                Node::Branch(branch) => self.branch(branch, dot)?,
                Node::Range(range) => self.range(range, dot)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if !matches!(flow, Flow::Next) {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn branch(&mut self, branch: &'a Branch, dot: &Value) -> Result<Flow, Fault> {
        let scope = self.variables.len();
        let mut chosen = (branch.otherwise.as_slice(), dot.clone());
        for (condition, body) in &branch.arms {
            let value = self.pipeline(condition, dot)?;
            if value.is_true() {
                chosen = (body, if branch.moves_dot { value } else { dot.clone() });
                break;
            }
        }
        let flow = self.list(chosen.0, &chosen.1);
        self.variables.truncate(scope);
        flow
    }

    fn range(&mut self, range: &'a Range, dot: &Value) -> Result<Flow, Fault> {
        let scope = self.variables.len();
        let over = self.values(&range.over, dot)?;
        // Declared after the pipeline's value is known, and empty until the first element.
        if !range.over.assigns {
            self.variables.extend(range.over.variables.iter().map(|name| (name.as_str(), Value::Nil)));
        }
        let pos = range.over.pos;
        let flow = match &over {
            Value::List(items) if !items.is_empty() => {
                self.iterate(range, items.iter().zip(0i64..).map(|(item, at)| (Value::Int(at), item.clone())))?
            }
            Value::Map(entries) if !entries.is_empty() => {
                self.iterate(range, entries.iter().map(|(key, value)| (key.as_str().into(), value.clone())))?
            }
            Value::List(_) | Value::Map(_) | Value::Nil => self.list(&range.otherwise, dot)?,
            Value::Int(_) => return Err(Fault::unsupported(pos, "range over an integer")),
            other => return Err(Fault::exec(pos, format!("range can't iterate over {}", format::short(other)))),
        };
        self.variables.truncate(scope);
        Ok(flow)
    }

    fn iterate(&mut self, range: &'a Range, elements: impl Iterator<Item = (Value, Value)>) -> Result<Flow, Fault> {
        let scope = self.variables.len();
        for (key, element) in elements {
            self.spend(range.over.pos, 1)?;
            match range.over.variables.as_slice() {
                [] => {}
                [one] => self.set(one, element.clone(), range.over.pos)?,
                [first, second, ..] => {
                    self.set(first, key, range.over.pos)?;
                    self.set(second, element.clone(), range.over.pos)?;
                }
            }
            let flow = self.list(&range.body, &element)?;
            self.variables.truncate(scope);
            if matches!(flow, Flow::Break) {
                break;
            }
        }
        Ok(Flow::Next)
    }

    /// The value of a pipeline; its variables are set.
    fn pipeline(&mut self, pipeline: &'a Pipeline, dot: &Value) -> Result<Value, Fault> {
        let value = self.values(pipeline, dot)?;
        for name in &pipeline.variables {
            if pipeline.assigns {
                self.set(name, value.clone(), pipeline.pos)?;
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    fn values(&mut self, pipeline: &'a Pipeline, dot: &Value) -> Result<Value, Fault> {
        let mut piped = None;
        for command in &pipeline.commands {
            piped = Some(self.command(command, dot, piped)?);
        }
        Ok(piped.unwrap_or_default())
    }

    fn set(&mut self, name: &str, value: Value, pos: Pos) -> Result<(), Fault> {
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, place)) => {
                *place = value;
                Ok(())
            }
            None => Err(undefined(name, pos)),
        }
    }

    fn command(&mut self, command: &'a Command, dot: &Value, piped: Option<Value>) -> Result<Value, Fault> {
        let first = &command.first;
        if let (Term::Function(name, callee), []) = (&first.term, first.fields.as_slice()) {
            return self.call(name, callee, first.pos, &command.arguments, dot, piped);
        }
        if !command.arguments.is_empty() || piped.is_some() {
            let what = first.describe();
            return Err(Fault::exec(
                first.pos,
                match first.fields.last() {
                    Some(field) => format!("{field} has arguments but cannot be invoked as function"),
                    None => format!("can't give argument to non-function {what}"),
                },
            ));
        }
        if matches!(first.term, Term::Nil) {
            return Err(Fault::exec(first.pos, "nil is not a command"));
        }
        self.operand(first, dot)
    }

    fn operand(&mut self, operand: &'a Operand, dot: &Value) -> Result<Value, Fault> {
        let pos = operand.pos;
        self.spend(pos, 1 + operand.fields.len())?;
        let mut value = match &operand.term {
            Term::Dot => dot.clone(),
            Term::Nil => Value::Nil,
            Term::Literal(value) => value.clone(),
            Term::Variable(name) => match self.variables.iter().rev().find(|(known, _)| known == name) {
                Some((_, value)) => value.clone(),
                None => return Err(undefined(name, pos)),
            },
            Term::Function(name, callee) => self.call(name, callee, pos, &[], dot, None)?,
            Term::Parenthesis(pipeline) => self.pipeline(pipeline, dot)?,
        };
        for name in &operand.fields {
            value = field(&value, name, pos)?;
        }
        Ok(value)
    }

    fn call(
        &mut self,
        name: &str,
        callee: &Callee,
        pos: Pos,
        operands: &'a [Operand],
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Value, Fault> {
        self.spend(pos, 1)?;
        let stops_at = match callee {
            Callee::And => false,
            Callee::Or => true,
            Callee::Plain(function) => {
                let mut arguments = Vec::with_capacity(operands.len() + 1);
                for operand in operands {
                    arguments.push(self.operand(operand, dot)?);
                }
                arguments.extend(piped);
                self.spend(pos, arguments.iter().map(text_work).sum())?;
                let result = function(&Call::new(&arguments, self.limits.max_bytes))
                    .map_err(|error| self.fault(pos, &format!("error calling {name}: "), error))?;
                self.spend(pos, text_work(&result))?;
                return Ok(result);
            }
        };
        let mut last = None;
        for operand in operands {
            let value = self.operand(operand, dot)?;
            if value.is_true() == stops_at {
                return Ok(value);
            }
            last = Some(value);
        }
        piped
            .or(last)
            .ok_or_else(|| Fault::exec(pos, format!("wrong number of args for {name}: want at least 1 got 0")))
    }
}

/// What handling this text costs.
fn text_work(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() / 64,
        Value::List(items) => items.len(),
        _ => 0,
    }
}

fn undefined(name: &str, pos: Pos) -> Fault {
    Fault::exec(pos, format!("undefined variable: {name}"))
}

fn field(value: &Value, name: &str, pos: Pos) -> Result<Value, Fault> {
    let found = match value {
        Value::Struct(fields) => fields.field(name),
        Value::Map(entries) => match entries.get(name) {
            Some(value) => Some(value),
            None => return Err(Fault::exec(pos, format!("map has no entry for key {name:?}"))),
        },
        Value::Nil => return Err(Fault::exec(pos, format!("nil pointer evaluating interface {{}}.{name}"))),
        _ => None,
    };
    match found {
        Some(value) => Ok(value.clone()),
        None => Err(Fault::exec(pos, format!("can't evaluate field {name} in type {}", value.type_name()))),
    }
}
