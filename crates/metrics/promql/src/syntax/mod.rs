//! Parses a query to a tree, and converts trees and plans back to text.

mod json;
pub(crate) mod length;
mod parser;
mod pretty;
pub(crate) mod print;
pub(crate) mod tree;

pub use json::{Tree, tree};
pub(crate) use parser::Signature;
pub use pretty::pretty;

use crate::{
    annotation::{Position, line_and_column},
    plan::Node,
    planner::{Planned, plan},
};

/// The text is not PromQL: what is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: parse error: {message}")]
pub struct ParseError {
    /// Byte offset in the query.
    pub position: usize,
    /// From 1.
    pub line: usize,
    /// From 1, in bytes, as in Prometheus.
    pub column: usize,
    /// The error message.
    pub message: String,
}

impl ParseError {
    pub(crate) fn new(query: &str, position: Position, message: impl Into<String>) -> Self {
        let (line, column) = line_and_column(query, position);
        ParseError { position, line, column, message: message.into() }
    }
}

/// Parses and plans a query.
///
/// # Errors
/// The text is not PromQL, or too complex.
pub(crate) fn parse(query: &str) -> Result<Planned, ParseError> {
    parser::with_tree(query, |tree, levels| plan(query, tree, levels))
}

/// The type of an expression's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// One number per step.
    Scalar,
    /// A string.
    String,
    /// Series with one value per step.
    Vector,
    /// Series with a range of samples.
    Matrix,
}

/// The type of a plan's result.
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
