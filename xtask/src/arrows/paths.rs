//! The paths that a source file mentions: in `use`, in types, in expressions and in macros alike.

use std::collections::BTreeMap;
use std::iter::Peekable;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree, token_stream};

/// What one module mentions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// The paths as they are written.
    pub paths: Vec<Vec<String>>,
    /// The names that its `use` declarations bring in, and what they stand for.
    pub names: BTreeMap<String, Vec<String>>,
    /// The modules that are written inside of it.
    pub inner: BTreeMap<String, Self>,
}

impl Mentions {
    /// What a file mentions; what is compiled for tests only is left out.
    ///
    /// # Errors
    /// When the text is no Rust.
    pub fn of(text: &str) -> anyhow::Result<Self> {
        let tokens: TokenStream = text.parse().map_err(|error| anyhow::anyhow!("{error}"))?;
        let mut mentions = Self::default();
        mentions.read(tokens);
        Ok(mentions)
    }

    fn read(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        let mut is_for_tests = false;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if let Some(TokenTree::Group(attribute)) = tokens.next_if(is_bracket) {
                        is_for_tests |= attribute.stream().to_string().replace(' ', "") == "cfg(test)";
                    }
                }
                _ if is_for_tests => {
                    is_for_tests = false;
                    skip_item(&token, &mut tokens);
                }
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Ident(word) if word == "use" => {
                    for (path, name) in tree(&mut tokens, &[]) {
                        self.names.extend(name.map(|name| (name, path.clone())));
                        self.paths.push(path);
                    }
                }
                TokenTree::Ident(word) if word == "mod" => self.read_module(&mut tokens),
                TokenTree::Ident(word) => {
                    let path = rest_of_path(word.to_string(), &mut tokens);
                    if path.len() > 1 {
                        self.paths.push(path);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    fn read_module(&mut self, tokens: &mut Tokens) {
        let Some(TokenTree::Ident(name)) = tokens.next() else { return };
        if let Some(TokenTree::Group(body)) = tokens.next_if(is_brace) {
            self.inner.entry(name.to_string()).or_default().read(body.stream());
        }
    }
}

type Tokens = Peekable<token_stream::IntoIter>;

fn is_bracket(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket)
}

fn is_brace(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// Goes on behind the item that begins with this token: to its body or its semicolon.
fn skip_item(first: &TokenTree, tokens: &mut Tokens) {
    let is_end = |token: &TokenTree| is_brace(token) || is_punct(token, ';');
    if !is_end(first) {
        tokens.by_ref().take_while(|token| !is_end(token)).for_each(drop);
    }
}

/// Takes a `::`, if one comes next.
fn separator(tokens: &mut Tokens) -> bool {
    let first = tokens.next_if(
        |token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint),
    );
    first.is_some() && tokens.next_if(|token| is_punct(token, ':')).is_some()
}

fn rest_of_path(first: String, tokens: &mut Tokens) -> Vec<String> {
    let mut path = vec![first];
    while separator(tokens) {
        let Some(TokenTree::Ident(word)) = tokens.next_if(|token| matches!(token, TokenTree::Ident(_))) else { break };
        path.push(word.to_string());
    }
    path
}

/// The paths of a `use` tree, each with the name that it brings in; none for a `*` and for `_`.
fn tree(tokens: &mut Tokens, start: &[String]) -> Vec<(Vec<String>, Option<String>)> {
    let mut path = start.to_vec();
    loop {
        match tokens.next() {
            Some(TokenTree::Ident(word)) if word == "self" && !path.is_empty() => {}
            Some(TokenTree::Ident(word)) => path.push(word.to_string()),
            Some(TokenTree::Group(group)) => return branches(group.stream(), &path),
            Some(token) if is_punct(&token, '*') => return vec![(path, None)],
            // A path that begins with `::` leads out of the crate.
            Some(token) if is_punct(&token, ':') => path.push(String::new()),
            _ => return Vec::new(),
        }
        if !separator(tokens) {
            let name = renamed(tokens).or_else(|| path.last().cloned()).filter(|name| name != "_");
            return vec![(path, name)];
        }
    }
}

fn renamed(tokens: &mut Tokens) -> Option<String> {
    tokens.next_if(|token| matches!(token, TokenTree::Ident(word) if word == "as"))?;
    tokens.next().map(|name| name.to_string())
}

fn branches(tokens: TokenStream, start: &[String]) -> Vec<(Vec<String>, Option<String>)> {
    let mut tokens = tokens.into_iter().peekable();
    let mut found = Vec::new();
    while tokens.peek().is_some() {
        found.extend(tree(&mut tokens, start));
        let _ = tokens.next_if(|token| is_punct(token, ','));
    }
    found
}
