//! PromQL: `promql-parser`'s syntax tree, evaluated over any [`source::SeriesSource`].
//!
//! No I/O and no clock: what is evaluated, over what, and at which times is all given by the caller, so the same engine serves
//! the HTTP API, live queries and rules, and gives the same answer each time.

pub mod labels;
pub mod matcher;
pub mod source;
