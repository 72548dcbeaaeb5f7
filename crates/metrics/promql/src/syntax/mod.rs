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
    stack::with_room,
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
    /// From 1, in bytes, as Prometheus counts.
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
    let levels = prepare::check_complexity(query, &tokens)?;
    with_room(levels, || {
        let read = read(query, &tokens);
        // Even of a query that was read, as the parser lets some pass that Prometheus refuses.
        match diagnose::first_complaint(query) {
            Some((position, message)) => Err(ParseError::new(query, position, message)),
            None => read.map(|lowered| Lowered { levels, ..lowered }),
        }
    })
}

/// Does something that recurses over the tree of a query, in whatever form, with as much stack as that needs.
///
/// # Errors
/// The query is too complex.
pub fn with_room_for<T>(query: &str, act: impl FnOnce() -> T) -> Result<T, ParseError> {
    let levels = prepare::check_complexity(query, &token::tokens(query))?;
    Ok(with_room(levels, act))
}

fn read(query: &str, tokens: &[Token]) -> Result<Lowered, ParseError> {
    let prepared = prepare::prepare(query, tokens)?;
    match promql_parser::parser::parse(&prepared.text) {
        Ok(tree) => lower::lower(query, &tree, tokens, &prepared),
        Err(message) => Err(ParseError::new(query, 0, message.replace('\'', "\""))),
    }
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
