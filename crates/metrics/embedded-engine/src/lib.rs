//! One PromQL query over our own store, as a panel needs it: the names that the store has, the frame of the result, and
//! how much of the queried time is stored. Without I/O, clocks or scheduling: `datasource` schedules the server's reads,
//! and a browser without a server evaluates its own.

pub mod coverage;
mod evaluator;
mod frame;

use labels::{METRIC_NAME, MatchOp};
use promql::{Options, Query};

pub use evaluator::{Evaluator, Span};
pub use frame::frame;

/// Names of the metrics that the selectors of a query name.
#[must_use]
pub fn selected_metrics(query: &Query) -> Vec<String> {
    let selectors = query.selectors(0, 0, 1, &Options::default());
    let names = selectors.into_iter().flat_map(|selector| selector.matchers).filter_map(|matcher| match matcher.op {
        MatchOp::Equal(name) if matcher.name == METRIC_NAME => Some(name.to_string()),
        _ => None,
    });
    names.collect()
}
