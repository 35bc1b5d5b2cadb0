//! The grammar of label selectors, with the server's complaints.

use super::{Requirement, Test};
use crate::names;

const SPECIAL: &[char] = &['=', '!', '(', ')', ',', '>', '<'];

/// A piece of a selector. `in` and `notin` are words like others: only their place makes them operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Symbol(&'a str),
    End,
}

impl<'a> Token<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Word(text) | Self::Symbol(text) => text,
            Self::End => "",
        }
    }
}

fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let symbol = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"].into_iter().find(|s| rest.starts_with(s));
        let word = || rest.find(|c: char| SPECIAL.contains(&c) || c.is_ascii_whitespace()).unwrap_or(rest.len());
        let length = symbol.map_or_else(word, str::len);
        let (piece, tail) = rest.split_at(length);
        rest = tail;
        (!piece.is_empty()).then(|| if symbol.is_some() { Token::Symbol(piece) } else { Token::Word(piece) })
    })
}

/// Parses a selector such as `a=b,c in (d, e),!f`.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser { tokens: tokens(text).collect(), at: 0 };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            Token::End => return Ok(requirements),
            Token::Word(_) | Token::Symbol("!") => {
                let requirement = parser.requirement();
                requirements.push(requirement.map_err(|why| format!("unable to parse requirement: {why}"))?);
            }
            other => {
                return Err(format!("found '{}', expected: !, identifier, or 'end of string'", other.text()));
            }
        }
        match parser.next() {
            Token::End => return Ok(requirements),
            Token::Symbol(",") if !matches!(parser.peek(), Token::Word(_) | Token::Symbol("!")) => {
                return Err(format!("found '{}', expected: identifier after ','", parser.peek().text()));
            }
            Token::Symbol(",") => {}
            other => return Err(format!("found '{}', expected: ',' or 'end of string'", other.text())),
        }
    }
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.get(self.at).copied().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let negated = self.peek() == Token::Symbol("!");
        if negated {
            self.at += 1;
        }
        let key = match self.next() {
            Token::Word(key) => key,
            other => return Err(format!("found '{}', expected: identifier", other.text())),
        };
        if let Some(why) = names::qualified_name_complaint(key) {
            return Err(format!("<nil>: Invalid value: {key:?}: {why}"));
        }
        let test = if negated {
            Test::Absent
        } else if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            Test::Exists
        } else {
            self.test()?
        };
        Ok(Requirement { key: key.to_owned(), test })
    }

    fn test(&mut self) -> Result<Test, String> {
        let operator = self.next();
        match operator {
            Token::Word("in") => Ok(Test::In(checked(self.values()?)?)),
            Token::Word("notin") => Ok(Test::NotIn(checked(self.values()?)?)),
            Token::Symbol("=" | "==") => Ok(Test::In(checked(vec![self.value()?])?)),
            Token::Symbol("!=") => Ok(Test::NotIn(checked(vec![self.value()?])?)),
            Token::Symbol(">") => Ok(Test::Above(bound(self.value()?)?)),
            Token::Symbol("<") => Ok(Test::Below(bound(self.value()?)?)),
            other => Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", other.text())),
        }
    }

    /// A value, which may be empty.
    fn value(&mut self) -> Result<&'a str, String> {
        match self.peek() {
            Token::End | Token::Symbol(",") => Ok(""),
            Token::Word(value) => {
                self.at += 1;
                Ok(value)
            }
            other => Err(format!("found '{}', expected: identifier", other.text())),
        }
    }

    /// A list in parentheses, whose values may be empty.
    fn values(&mut self) -> Result<Vec<&'a str>, String> {
        let open = self.next();
        if open != Token::Symbol("(") {
            return Err(format!("found '{}' expected: '('", open.text()));
        }
        let mut values = Vec::new();
        loop {
            match self.peek() {
                Token::Word(value) => {
                    self.at += 1;
                    values.push(value);
                }
                Token::Symbol("," | ")") => values.push(""),
                other => return Err(format!("found '{}', expected: ',', ')' or identifier", other.text())),
            }
            match self.next() {
                Token::Symbol(",") => {}
                Token::Symbol(")") => return Ok(values),
                other => return Err(format!("found '{}', expected: ',' or ')'", other.text())),
            }
        }
    }
}

fn checked(values: Vec<&str>) -> Result<Vec<String>, String> {
    let mut checked = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        if let Some(why) = names::label_value_complaint(value) {
            return Err(format!("values[{index}]: Invalid value: {value:?}: {why}"));
        }
        checked.push(value.to_owned());
    }
    Ok(checked)
}

fn bound(value: &str) -> Result<i64, String> {
    value.parse().map_err(|_| {
        format!("values[0]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer")
    })
}
