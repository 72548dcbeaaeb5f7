//! PromQL: `promql-parser`'s syntax tree, evaluated over any [`source::SeriesSource`].
//!
//! No I/O and no clock: what is evaluated, over what, and at which times is all given by the caller, so the same engine serves
//! the HTTP API, live queries and rules, and gives the same answer each time.

//!
//! [`parse`] makes a [`Query`] of a text; [`Query::instant`] and [`Query::range`] evaluate it. A range query is evaluated for all
//! its steps at once, one pass over each series, and an instant query is a range query of one step.

mod annotation;
mod engine;
mod eval;
pub mod format;
mod functions;
pub mod histogram;
pub mod labels;
pub mod matcher;
mod output;
mod plan;
pub mod source;
mod syntax;
mod value;

pub use engine::{EvalError, InstantSample, Options, Outcome, Query, SelectorBounds, Value, parse, parse_selector};
pub use syntax::{ParseError, ValueType};
pub use value::Sample;
