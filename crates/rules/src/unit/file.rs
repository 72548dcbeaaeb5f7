//! Files of unit tests.

use std::collections::BTreeMap;

use serde::Deserialize;
use yaml::Problem;

use crate::{
    file::{Placed, RuleDuration},
    lenient::or_default,
};

/// A file of unit tests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestFile {
    /// Rule files, relative to this file's directory; may contain wildcards.
    #[serde(default, deserialize_with = "or_default")]
    pub rule_files: Vec<String>,
    #[serde(default)]
    pub(super) evaluation_interval: Option<RuleDuration>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) group_eval_order: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) tests: Vec<Placed<Test>>,
    /// Accepted but ignored: we always allow small differences.
    #[serde(default, rename = "fuzzy_compare")]
    _fuzzy_compare: Option<bool>,
}

/// One test, with its own series.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) interval: Option<RuleDuration>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) input_series: Vec<Placed<InputSeries>>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) alert_rule_test: Vec<Placed<AlertTest>>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) promql_expr_test: Vec<Placed<ExprTest>>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) external_labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) external_url: String,
}

/// A series and its samples, in the notation `1+2x3 _ stale`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InputSeries {
    pub(super) series: String,
    pub(super) values: String,
}

/// The alerts of one rule that fire at a time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertTest {
    #[serde(default)]
    pub(super) eval_time: RuleDuration,
    pub(super) alertname: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) exp_alerts: Vec<ExpectedAlert>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedAlert {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) exp_labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) exp_annotations: BTreeMap<String, String>,
}

/// The expected result of an expression at a time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExprTest {
    pub(super) expr: String,
    #[serde(default)]
    pub(super) eval_time: RuleDuration,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) exp_samples: Vec<ExpectedSample>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedSample {
    pub(super) labels: String,
    #[serde(default)]
    pub(super) value: f64,
}

impl TestFile {
    /// Parses a file.
    ///
    /// # Errors
    ///
    /// The file is invalid: what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        yaml::parse_text(text)
    }

    /// Number of tests.
    #[must_use]
    pub fn test_count(&self) -> usize {
        self.tests.len()
    }
}
