//! Parses PromQL and evaluates it over any [`timeseries::SeriesSource`].
//!
//! No I/O and no clock: the caller passes the query, the source and the times. So the same engine serves the HTTP API,
//! live queries and rules, and returns the same result each time.
//!
//! [`parse`] converts a text to a [`Query`]; [`Query::instant`] and [`Query::range`] evaluate it. A range query is
//! evaluated for all its steps at once, in one pass over each series, and an instant query is a range query of one
//! step.
//!
//! ```
//! use labels::Matcher;
//! use promql::{Options, Value};
//! use timeseries::{SeriesSamples, SeriesSource, SourceError};
//!
//! struct Nothing;
//!
//! impl SeriesSource for Nothing {
//!     fn select(&self, _: &[Matcher], _: i64, _: i64) -> Result<Vec<SeriesSamples>, SourceError> {
//!         Ok(Vec::new())
//!     }
//! }
//!
//! let query = promql::parse("sum(rate(jobs_total[5m])) or vector(0)")?;
//! let outcome = query.instant(&Nothing, 1_700_000_000_000, &Options::default())?;
//! let Value::Vector(samples) = outcome.value else { unreachable!("the query yields a vector") };
//! assert_eq!(samples.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod annotation;
mod comparison;
mod engine;
mod eval;
mod functions;
mod output;
mod plan;
mod planner;
mod stack;
mod syntax;
mod value;

pub use comparison::Comparison;
pub use engine::{EvalError, InstantSample, Options, Outcome, Query, SelectorBounds, Value, parse, parse_selector};
pub use syntax::{ParseError, Tree, ValueType, pretty, tree};
