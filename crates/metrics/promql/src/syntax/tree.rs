//! The syntax tree of a query: what was written, with values and places.
//!
//! It is what the parser makes and what everything else starts from: the check of types, the plan, and the forms in which a query is
//! shown. It still knows parentheses and how numbers were written, which the plan does not. Texts of names, and the tokens of lengths,
//! are those of the query, so a tree lives no longer than they do.

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

/// An expression and where it stands, in bytes.
#[derive(Debug)]
pub(crate) struct Expression<'a> {
    pub(crate) form: Form<'a>,
    pub(crate) start: Position,
    /// The byte after it. As in Prometheus, an aggregation or call may end where the last bracket or number does that was looked at.
    pub(crate) end: Position,
}

impl Expression<'_> {
    /// The type of what it yields, if its parts fit.
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

/// What it is. Small, as it is moved a lot while it is parsed: what is not lies behind a pointer.
#[derive(Debug)]
pub(crate) enum Form<'a> {
    Number {
        value: f64,
        /// Written with units.
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
    /// The spelling in a query.
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
    /// A comparison yields 0 or 1 instead of filtering.
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

/// `by` or `without`; `by` no label where neither is written.
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
    /// What is in the braces.
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
    /// Whether an offset is set. One of nothing counts as none, as in Prometheus.
    pub(crate) fn is_offset(&self) -> bool {
        self.offset.as_ref().is_some_and(|offset| offset.length != Length::Seconds(0.0))
    }
}

#[derive(Debug)]
pub(crate) struct Subquery<'a> {
    pub(crate) inner: Expression<'a>,
    pub(crate) range: Duration<'a>,
    /// The default resolution if there is none.
    pub(crate) step: Option<Duration<'a>>,
    pub(crate) shift: Shift<'a>,
}

/// A length of time, and how it was written.
#[derive(Debug)]
pub(crate) struct Duration<'a> {
    pub(crate) length: Length,
    pub(crate) tokens: &'a [Token<'a>],
}
