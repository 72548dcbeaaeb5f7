//! Label matchers of selectors.

use crate::{METRIC_NAME, pattern::Pattern};

/// One condition on a label. An absent label counts as empty.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// Name of the label.
    pub name: String,
    /// The condition.
    pub op: MatchOp,
}

/// A condition on a label's value.
#[derive(Debug, Clone)]
pub enum MatchOp {
    /// `=`
    Equal(String),
    /// `!=`
    NotEqual(String),
    /// `=~`; anchored at both ends.
    Regex(Pattern),
    /// `!~`; anchored at both ends.
    NotRegex(Pattern),
}

impl Matcher {
    /// A matcher `name="value"`.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Matcher { name: name.into(), op: MatchOp::Equal(value.into()) }
    }

    /// True for `=`.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        matches!(self.op, MatchOp::Equal(_))
    }

    /// Weight of its regular expression, if it has one; the sum over a request must be below
    /// [`crate::go_regex::MOST_WEIGHT`].
    #[must_use]
    pub fn weight(&self) -> usize {
        match &self.op {
            MatchOp::Equal(_) | MatchOp::NotEqual(_) => 0,
            MatchOp::Regex(pattern) | MatchOp::NotRegex(pattern) => pattern.weight(),
        }
    }

    /// Whether a label with this value matches.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        match &self.op {
            MatchOp::Equal(wanted) => value == wanted,
            MatchOp::NotEqual(unwanted) => value != unwanted,
            MatchOp::Regex(pattern) => pattern.is_match(value),
            MatchOp::NotRegex(pattern) => !pattern.is_match(value),
        }
    }
}

/// The metric name in matchers, if there is one.
#[must_use]
pub fn metric_name(matchers: &[Matcher]) -> Option<&str> {
    matchers.iter().find_map(|matcher| match &matcher.op {
        MatchOp::Equal(name) if matcher.name == METRIC_NAME => Some(name.as_str()),
        _ => None,
    })
}
