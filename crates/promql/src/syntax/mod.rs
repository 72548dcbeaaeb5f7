//! From a query's text to a plan.

pub(crate) mod diagnose;
pub(crate) mod length;
pub(crate) mod lower;
mod lower_selector;
pub(crate) mod prepare;
mod pretty;
pub(crate) mod print;
pub(crate) mod token;
mod tree;

pub use tree::{Tree, pretty, tree};

use crate::{
    annotation::{Position, line_and_column},
    plan::Node,
};
use lower::Lowered;
use token::Token;

/// A query that is not PromQL: what is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: parse error: {message}")]
pub struct ParseError {
    /// Byte offset in the query.
    pub position: usize,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong, in words for a person.
    pub message: String,
}

impl ParseError {
    pub(crate) fn new(query: &str, position: Position, message: impl Into<String>) -> Self {
        let (line, column) = line_and_column(query, position);
        ParseError { position, line, column, message: message.into() }
    }
}

/// Parses a query.
///
/// # Errors
/// The text is not PromQL, or too complex.
pub(crate) fn parse(query: &str) -> Result<Lowered, ParseError> {
    let tokens = token::tokens(query);
    if tokens.is_empty() {
        return Err(ParseError::new(query, 0, "no expression found in input"));
    }
    let prepared = prepare::prepare(query, &tokens, prepare::Choices::TakenOut)?;
    match promql_parser::parser::parse(&prepared.text) {
        Ok(tree) => lower::lower(query, &tree, &tokens, &prepared),
        Err(message) => Err(locate(query, &tokens, &message)),
    }
}

/// What the parser calls otherwise than Prometheus does.
const WORDS: [(&str, &str); 11] = [
    ("subquery is only allowed on vector, got range vector", "subquery is only allowed on instant vector, got matrix"),
    ("got matrix", "got range vector"),
    ("got vector", "got instant vector"),
    ("expected type matrix", "expected type range vector"),
    ("expected type vector", "expected type instant vector"),
    ("expected type scalar in aggregation expression", "expected type scalar in aggregation parameter"),
    ("expected type string in aggregation expression", "expected type string in aggregation parameter"),
    ("only allowed between vectors", "only allowed between instant vectors"),
    ("an vector selector or matrix selector", "an instant vector selector or range vector selector"),
    ("@ modifier: inf", "@ modifier: +Inf"),
    ("@ modifier: -inf", "@ modifier: -Inf"),
];

/// Adds a position to the parser's message, and puts it in Prometheus' words.
fn locate(query: &str, tokens: &[Token], message: &str) -> ParseError {
    let quoted = message.split('\'').nth(1).unwrap_or_default();
    let call_position = || {
        let starts = |pair: &[Token]| match pair {
            [word, mark] if word.text == quoted && mark.is("(") => Some(word.start),
            _ => None,
        };
        tokens.windows(2).find_map(starts)
    };
    if message == "invalid promql query" {
        let (position, message) = diagnose::first_misfit(query, tokens);
        return ParseError::new(query, position, message);
    }
    if message.starts_with("unexpected right") {
        return ParseError::new(query, diagnose::first_unopened(tokens).unwrap_or(0), message);
    }
    if message.starts_with("unexpected character") || message.starts_with("unexpected identifier") {
        // The mark after which it stands, or what it is itself.
        let position = tokens.iter().find(|token| token.text.starts_with(quoted)).map_or(0, |token| token.start);
        return ParseError::new(query, position, message);
    }
    if message.starts_with("unclosed") || message.contains("end of input") || message.contains("unterminated") {
        return ParseError::new(query, query.len(), message);
    }
    if let Some(number) = message.strip_prefix("bad number or duration syntax: ") {
        let position = tokens.iter().find(|token| token.text.starts_with(number)).map_or(0, |token| token.start);
        return ParseError::new(query, position, format!("bad number or duration syntax: {number:?}"));
    }
    let mut words = message.replace('\'', "\"");
    for (theirs, ours) in WORDS {
        words = words.replace(theirs, ours);
    }
    if let Some(kind) =
        words.strip_prefix("unary expression only allowed on expressions of type scalar or vector, got: ")
    {
        let kind = kind.replace("matrix", "range vector");
        words = format!("unary expression only allowed on expressions of type scalar or instant vector, got {kind:?}");
    }
    if words.starts_with("no arguments for aggregate expression") {
        "no arguments for aggregate expression provided".clone_into(&mut words);
    }
    ParseError::new(query, call_position().unwrap_or(0), words)
}

/// The type of what an expression yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A number a step.
    Scalar,
    /// A string.
    String,
    /// Series with one value a step.
    Vector,
    /// Series with a range of samples.
    Matrix,
}

/// What a plan's root yields.
pub(crate) fn value_type(node: &Node) -> ValueType {
    match node {
        Node::Number(_) => ValueType::Scalar,
        Node::Text(_) => ValueType::String,
        Node::Range(..) | Node::Subquery(_) => ValueType::Matrix,
        Node::Instant(_) | Node::Aggregate(_) => ValueType::Vector,
        Node::Negate(inner) | Node::Invariant(inner) => value_type(inner),
        Node::Binary(binary) => match (value_type(&binary.left), value_type(&binary.right)) {
            (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
            _ => ValueType::Vector,
        },
        Node::Call(call) => {
            if call.function.returns_scalar() {
                ValueType::Scalar
            } else {
                ValueType::Vector
            }
        }
    }
}
