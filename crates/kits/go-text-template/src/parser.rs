//! From segments to the tree.

use std::vec::IntoIter;

use crate::ast::{Branch, Command, Node, Operand, Pipeline, Range, Term};
use crate::builtins::UNSUPPORTED;
use crate::error::{Fault, Pos};
use crate::functions::Functions;
use crate::lexer::{self, Kind, Segment, Token};

/// Nesting of blocks and parentheses; the executor's recursion follows it.
const MAX_DEPTH: usize = 64;
/// Variables in scope at once; each look-up searches them.
const MAX_VARIABLES: usize = 1000;

pub(crate) fn parse(text: &str, functions: &Functions) -> Result<Vec<Node>, Fault> {
    let mut parser = Parser {
        segments: lexer::segments(text)?.into_iter(),
        functions,
        variables: vec!["$".to_owned()],
        depth: 0,
        ranges: 0,
        end: Pos { line: 1, column: 1 },
    };
    let (nodes, stop) = parser.list()?;
    match stop {
        Stop::Text => Ok(nodes),
        Stop::End(pos) => Err(Fault::parse(pos, "unexpected {{end}}")),
        Stop::Else(pos, _) => Err(Fault::parse(pos, "unexpected {{else}}")),
    }
}

/// What ended a list of nodes.
enum Stop {
    /// The end of the text.
    Text,
    End(Pos),
    /// With the tokens behind `else`.
    Else(Pos, Tokens),
}

struct Parser<'a> {
    segments: IntoIter<Segment>,
    functions: &'a Functions,
    variables: Vec<String>,
    depth: usize,
    /// How many `range` bodies we are in.
    ranges: usize,
    /// The last place seen, for an unexpected end.
    end: Pos,
}

impl Parser<'_> {
    fn deeper<T>(&mut self, pos: Pos, inner: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::limit(pos, format!("nested more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn list(&mut self) -> Result<(Vec<Node>, Stop), Fault> {
        let mut nodes = Vec::new();
        while let Some(segment) = self.segments.next() {
            let (pos, tokens) = match segment {
                Segment::Text(pos, text) => {
                    self.end = pos;
                    nodes.push(Node::Text(pos, text));
                    continue;
                }
                Segment::Action(pos, tokens) => (pos, tokens),
            };
            self.end = pos;
            let mut tokens = Tokens { pos, all: tokens, at: 0 };
            let keyword = tokens.keyword();
            if keyword.is_some() {
                tokens.next();
            }
            match keyword.as_deref() {
                None => {
                    let pipeline = self.pipeline(&mut tokens, "command", false)?;
                    tokens.finish("command")?;
                    nodes.push(Node::Output(pipeline));
                }
                Some("end") => {
                    tokens.finish("end")?;
                    return Ok((nodes, Stop::End(pos)));
                }
                Some("else") => return Ok((nodes, Stop::Else(pos, tokens))),
                Some(keyword @ ("if" | "with")) => {
                    nodes.push(Node::Branch(self.deeper(pos, |parser| parser.branch(keyword, tokens))?));
                }
                Some("range") => nodes.push(Node::Range(self.deeper(pos, |parser| parser.range(tokens))?)),
                Some(keyword @ ("break" | "continue")) => {
                    tokens.finish(keyword)?;
                    if self.ranges == 0 {
                        return Err(Fault::parse(pos, format!("{{{{{keyword}}}}} outside {{{{range}}}}")));
                    }
                    nodes.push(if keyword == "break" { Node::Break } else { Node::Continue });
                }
                Some(keyword) => return Err(Fault::unsupported(pos, &format!("{{{{{keyword}}}}}"))),
            }
        }
        Ok((nodes, Stop::Text))
    }

    /// `if` or `with`, all its `else if` or `else with`, up to its `end`.
    fn branch(&mut self, keyword: &str, mut tokens: Tokens) -> Result<Branch, Fault> {
        let scope = self.variables.len();
        let mut branch = Branch { moves_dot: keyword == "with", arms: Vec::new(), otherwise: Vec::new() };
        loop {
            let condition = self.pipeline(&mut tokens, keyword, false)?;
            tokens.finish(keyword)?;
            let (body, stop) = self.list()?;
            branch.arms.push((condition, body));
            match stop {
                Stop::Else(_, mut behind) => {
                    if behind.keyword().as_deref() == Some(keyword) {
                        behind.next();
                        tokens = behind;
                        continue;
                    }
                    behind.finish("else")?;
                    branch.otherwise = self.last_list()?;
                }
                Stop::End(_) => {}
                Stop::Text => return Err(self.unexpected_end()),
            }
            self.variables.truncate(scope);
            return Ok(branch);
        }
    }

    fn range(&mut self, mut tokens: Tokens) -> Result<Range, Fault> {
        let scope = self.variables.len();
        let over = self.pipeline(&mut tokens, "range", true)?;
        tokens.finish("range")?;
        self.ranges += 1;
        let (body, stop) = self.list()?;
        self.ranges -= 1;
        let otherwise = match stop {
            Stop::Else(_, behind) => {
                behind.finish("else")?;
                self.last_list()?
            }
            Stop::End(_) => Vec::new(),
            Stop::Text => return Err(self.unexpected_end()),
        };
        self.variables.truncate(scope);
        Ok(Range { over, body, otherwise })
    }

    /// The list behind a plain `else`, up to `end`.
    fn last_list(&mut self) -> Result<Vec<Node>, Fault> {
        match self.list()? {
            (nodes, Stop::End(_)) => Ok(nodes),
            (_, Stop::Else(pos, _)) => Err(Fault::parse(pos, "expected end; found {{else}}")),
            (_, Stop::Text) => Err(self.unexpected_end()),
        }
    }

    fn unexpected_end(&self) -> Fault {
        Fault::parse(self.end, "unexpected EOF")
    }

    fn pipeline(&mut self, tokens: &mut Tokens, context: &str, in_range: bool) -> Result<Pipeline, Fault> {
        let (variables, assigns) = self.variables_before(tokens, in_range)?;
        let mut pipeline = Pipeline { pos: tokens.pos, variables, assigns, commands: Vec::new() };
        loop {
            let command = self.command(tokens, context)?;
            if !pipeline.commands.is_empty() && command.first.is_constant() {
                let stage = pipeline.commands.len() + 1;
                let message = format!("non executable command in pipeline stage {stage}");
                return Err(Fault::parse(command.first.pos, message));
            }
            pipeline.commands.push(command);
            if !tokens.take_if(|kind| matches!(kind, Kind::Pipe)) {
                break;
            }
        }
        // A variable is not in scope within its own declaration.
        if !assigns {
            self.variables.extend(pipeline.variables.iter().cloned());
            if self.variables.len() > MAX_VARIABLES {
                return Err(Fault::limit(pipeline.pos, format!("more than {MAX_VARIABLES} variables")));
            }
        }
        Ok(pipeline)
    }

    /// `$x :=`, `$x =`, and behind `range` also `$i, $x :=`. As in Go, assigning to a variable that does not exist is an
    /// error only when it runs.
    fn variables_before(&self, tokens: &mut Tokens, in_range: bool) -> Result<(Vec<String>, bool), Fault> {
        let mut ahead = tokens.rest().iter();
        let mut names = Vec::new();
        let assigns = loop {
            let Some(Token { kind: Kind::Variable(name), .. }) = ahead.next() else {
                return Ok((Vec::new(), false));
            };
            names.push(name.clone());
            match ahead.next() {
                Some(Token { kind: Kind::Declare, .. }) => break false,
                Some(Token { kind: Kind::Assign, .. }) => break true,
                Some(Token { kind: Kind::Comma, .. }) if in_range && names.len() == 1 => {}
                Some(Token { kind: Kind::Comma, pos, .. }) if in_range => {
                    return Err(Fault::parse(*pos, "too many declarations in range"));
                }
                _ => return Ok((Vec::new(), false)),
            }
        };
        tokens.at = tokens.all.len() - ahead.len();
        Ok((names, assigns))
    }

    fn check_variable(&self, name: &str, pos: Pos) -> Result<(), Fault> {
        if self.variables.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(Fault::parse(pos, format!("undefined variable {name:?}")))
    }

    fn command(&mut self, tokens: &mut Tokens, context: &str) -> Result<Command, Fault> {
        let pos = tokens.pos;
        let Some(first) = self.operand(tokens)? else {
            return Err(match tokens.peek() {
                Some(token) if !matches!(token.kind, Kind::Pipe | Kind::Close) => token.unexpected("operand"),
                _ => Fault::parse(pos, format!("missing value for {context}")),
            });
        };
        let mut arguments = Vec::new();
        loop {
            match tokens.peek() {
                None => break,
                Some(Token { kind: Kind::Pipe | Kind::Close, .. }) => break,
                Some(token) if !token.spaced => return Err(token.unexpected("operand")),
                Some(_) => {}
            }
            match self.operand(tokens)? {
                Some(operand) => arguments.push(operand),
                None => break,
            }
        }
        Ok(Command { first, arguments })
    }

    fn operand(&mut self, tokens: &mut Tokens) -> Result<Option<Operand>, Fault> {
        let Some(token) = tokens.peek().cloned() else { return Ok(None) };
        let mut fields = Vec::new();
        let term = match token.kind {
            Kind::Dot => Term::Dot,
            Kind::Field(name) => {
                fields.push(name);
                Term::Dot
            }
            Kind::Variable(name) => {
                self.check_variable(&name, token.pos)?;
                Term::Variable(name)
            }
            Kind::Literal(value) => Term::Literal(value),
            Kind::Identifier(name) if name == "nil" => Term::Nil,
            Kind::Identifier(name) => match self.functions.get(&name) {
                Some(callee) => Term::Function(name, callee.clone()),
                None if UNSUPPORTED.contains(&name.as_str()) => {
                    return Err(Fault::unsupported(token.pos, &format!("function {name:?}")));
                }
                None if KEYWORDS.contains(&name.as_str()) => {
                    return Err(Fault::parse(token.pos, format!("unexpected <{name}> in operand")));
                }
                None => return Err(Fault::parse(token.pos, format!("function {name:?} not defined"))),
            },
            Kind::Open => {
                tokens.next();
                let inner =
                    self.deeper(token.pos, |parser| parser.pipeline(tokens, "parenthesized pipeline", false))?;
                match tokens.peek() {
                    Some(Token { kind: Kind::Close, .. }) => Term::Parenthesis(Box::new(inner)),
                    Some(other) => return Err(other.unexpected("parenthesized pipeline")),
                    None => return Err(Fault::parse(token.pos, "unclosed left paren")),
                }
            }
            Kind::Pipe | Kind::Comma | Kind::Declare | Kind::Assign | Kind::Close => return Ok(None),
        };
        tokens.next();
        while let Some(Token { kind: Kind::Field(name), spaced: false, pos }) = tokens.peek() {
            if fields.is_empty() && matches!(term, Term::Dot | Term::Nil | Term::Literal(_)) {
                return Err(Fault::parse(*pos, "unexpected . after term"));
            }
            fields.push(name.clone());
            tokens.next();
        }
        Ok(Some(Operand { pos: token.pos, term, fields }))
    }
}

const KEYWORDS: [&str; 10] = ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];

/// The tokens of one action, read from the front.
struct Tokens {
    /// The place of the last token read, at first that of `{{`.
    pos: Pos,
    all: Vec<Token>,
    at: usize,
}

impl Tokens {
    fn rest(&self) -> &[Token] {
        self.all.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<&Token> {
        self.rest().first()
    }

    fn next(&mut self) {
        if let Some(token) = self.peek() {
            self.pos = token.pos;
            self.at += 1;
        }
    }

    /// The keyword that comes next, if one does.
    fn keyword(&self) -> Option<String> {
        match self.peek() {
            Some(Token { kind: Kind::Identifier(name), .. }) if KEYWORDS.contains(&name.as_str()) => Some(name.clone()),
            _ => None,
        }
    }

    fn take_if(&mut self, wanted: impl Fn(&Kind) -> bool) -> bool {
        let found = self.peek().is_some_and(|token| wanted(&token.kind));
        if found {
            self.next();
        }
        found
    }

    fn finish(&self, context: &str) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(token) => Err(token.unexpected(context)),
        }
    }
}

impl Token {
    fn unexpected(&self, context: &str) -> Fault {
        Fault::parse(self.pos, format!("unexpected {:?} in {context}", self.kind.describe()))
    }
}
