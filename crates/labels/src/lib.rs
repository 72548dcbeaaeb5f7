//! Labels of series, and matchers: [`Labels`], [`Matcher`], and the regular expressions of matchers.
//!
//! This crate is the base for samples, queries and alerts, and knows none of them.

mod fingerprint;
pub mod go_regex;
mod matcher;
mod pattern;
mod set;
mod target;

pub use fingerprint::{Fingerprint, WrongFingerprint};
pub use matcher::{MatchOp, Matcher, metric_name};
pub use pattern::Pattern;
pub use set::{Labels, METRIC_NAME, is_schema_label};
pub use target::TargetLabels;
