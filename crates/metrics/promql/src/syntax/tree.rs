//! The syntax tree of a query: its text with values and positions.
//!
//! The parser creates it; type checks, the plan and the output formats start from it. Unlike the plan it contains
//! parentheses and the notation of numbers. Names and tokens of durations borrow from the query, so the tree cannot
//! outlive it.

use super::{
    ValueType,
    length::Length,
    parser::{Signature, Token},
};
use crate::{
    annotation::Position,
    plan::{Aggregator, At, Edges, Matching, Operator},
};
use labels::Matcher;

/// An expression and its position, in bytes.
#[derive(Debug)]
pub(crate) struct Expression<'a> {
    pub(crate) form: Form<'a>,
    pub(crate) start: Position,
    /// End position. As in Prometheus, an aggregation or call may end at the last bracket or number that was read
    /// ahead.
    pub(crate) end: Position,
}

impl Expression<'_> {
    /// The type of its result, if its parts are valid.
    pub(crate) fn value_type(&self) -> ValueType {
        match &self.form {
            Form::Number { .. } => ValueType::Scalar,
            Form::Text(_) => ValueType::String,
            Form::Paren(inner) | Form::Unary(_, inner) => inner.value_type(),
            Form::Binary(binary) => match (binary.left.value_type(), binary.right.value_type()) {
                (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
                _ => ValueType::Vector,
            },
            Form::Call(signature, _) => signature.result,
            Form::Aggregate(_) | Form::Selector(_) => ValueType::Vector,
            Form::Range(..) | Form::Subquery(_) => ValueType::Matrix,
        }
    }
}

/// Kind of an expression. Large parts are boxed, because it is moved a lot during parsing.
#[derive(Debug)]
pub(crate) enum Form<'a> {
    Number {
        value: f64,
        /// Whether it was written with units.
        is_duration: bool,
    },
    Text(String),
    Paren(Box<Expression<'a>>),
    Unary(Sign, Box<Expression<'a>>),
    Binary(Box<Binary<'a>>),
    Call(&'static Signature, Vec<Expression<'a>>),
    Aggregate(Box<Aggregate<'a>>),
    /// An instant vector selector.
    Selector(Box<Selector<'a>>),
    /// A range vector selector.
    Range(Box<Selector<'a>>, Box<Duration<'a>>),
    Subquery(Box<Subquery<'a>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

impl Sign {
    /// The text in a query.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Sign::Plus => "+",
            Sign::Minus => "-",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Binary<'a> {
    pub(crate) operator: Operator,
    pub(crate) left: Expression<'a>,
    pub(crate) right: Expression<'a>,
    /// Whether a comparison yields 0 or 1 instead of filtering.
    pub(crate) returns_bool: bool,
    pub(crate) matching: Matching,
}

#[derive(Debug)]
pub(crate) struct Aggregate<'a> {
    pub(crate) operator: Aggregator,
    pub(crate) parameter: Option<Expression<'a>>,
    pub(crate) inner: Expression<'a>,
    pub(crate) grouping: Grouping,
}

/// `by` or `without`; without either it is `by` no label.
#[derive(Debug, Default)]
pub(crate) struct Grouping {
    pub(crate) without: bool,
    pub(crate) labels: Vec<String>,
}

/// Which series, as of when.
#[derive(Debug, Default)]
pub(crate) struct Selector<'a> {
    /// The name before the braces.
    pub(crate) name: Option<&'a str>,
    /// The matchers in the braces.
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) shift: Shift<'a>,
    pub(crate) edges: Edges,
}

/// `offset` and `@`.
#[derive(Debug, Default)]
pub(crate) struct Shift<'a> {
    pub(crate) offset: Option<Duration<'a>>,
    pub(crate) at: Option<At>,
}

impl Shift<'_> {
    /// Whether an offset is set. As in Prometheus, a zero offset counts as none.
    pub(crate) fn is_offset(&self) -> bool {
        self.offset.as_ref().is_some_and(|offset| offset.length != Length::Seconds(0.0))
    }
}

#[derive(Debug)]
pub(crate) struct Subquery<'a> {
    pub(crate) inner: Expression<'a>,
    pub(crate) range: Duration<'a>,
    /// `None` uses the default resolution.
    pub(crate) step: Option<Duration<'a>>,
    pub(crate) shift: Shift<'a>,
}

/// A duration and its text.
#[derive(Debug)]
pub(crate) struct Duration<'a> {
    pub(crate) length: Length,
    pub(crate) tokens: &'a [Token<'a>],
}
