//! Rule files in Prometheus' format.

use std::{collections::BTreeMap, str::FromStr};

use model::range::DurationMs;
use serde::Deserialize;
use serde_saphyr::Spanned;
use yaml::Problem;

use crate::{
    check,
    lenient::{or_default, texts},
};

/// A parsed and valid rule file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Its groups; their names are distinct.
    #[serde(default, deserialize_with = "or_default")]
    pub groups: Vec<Placed<GroupSpec>>,
}

/// Rules that are evaluated together, in order.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSpec {
    /// Name; unique within the file.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Evaluation interval.
    #[serde(default)]
    pub interval: Option<RuleDuration>,
    /// How far back the evaluation time is, to include late samples.
    #[serde(default)]
    pub query_offset: Option<RuleDuration>,
    /// Maximum number of series or alerts of each rule; 0 or less for no limit.
    #[serde(default, deserialize_with = "or_default")]
    pub limit: i64,
    /// Labels of all its rules; a rule's own labels override them.
    #[serde(default, deserialize_with = "texts")]
    pub labels: BTreeMap<String, String>,
    /// Its rules.
    #[serde(default, deserialize_with = "or_default")]
    pub rules: Vec<Placed<RuleSpec>>,
}

/// One rule: either `alert` or `record` is set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// Name of the alert; empty for a recording rule.
    #[serde(default, deserialize_with = "or_default")]
    pub alert: String,
    /// Name of the recorded series; empty for an alerting rule.
    #[serde(default, deserialize_with = "or_default")]
    pub record: String,
    /// The expression.
    #[serde(default)]
    pub expr: Option<Placed<String>>,
    /// How long the expression must be true before the alert fires.
    #[serde(default, rename = "for")]
    pub hold: Option<RuleDuration>,
    /// How long the alert keeps firing after the expression was last true.
    #[serde(default)]
    pub keep_firing_for: Option<RuleDuration>,
    /// Labels to add to the series or alerts.
    #[serde(default, deserialize_with = "texts")]
    pub labels: BTreeMap<String, String>,
    /// Text of the alert for people.
    #[serde(default, deserialize_with = "texts")]
    pub annotations: BTreeMap<String, String>,
}

/// A part of a file and its position.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed<T> {
    /// The part.
    pub value: T,
    /// Its line, from 1.
    pub line: u64,
    /// Its column, from 1.
    pub column: u64,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(from)?;
        let (line, column) = (spanned.referenced.line(), spanned.referenced.column());
        Ok(Placed { value: spanned.value, line, column })
    }
}

/// A duration in Prometheus' syntax: `5m`, `1h30m`, `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct RuleDuration {
    /// Milliseconds.
    pub ms: i64,
}

/// A text that is no [`RuleDuration`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration: write one as 30s, 5m or 1h30m")]
pub struct InvalidDuration(String);

impl FromStr for RuleDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        if text == "0" {
            return Ok(RuleDuration::default());
        }
        match text.parse() {
            Ok(DurationMs(ms)) => Ok(RuleDuration { ms }),
            Err(_) => Err(InvalidDuration(text.to_owned())),
        }
    }
}

impl TryFrom<String> for RuleDuration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        text.parse()
    }
}

impl RuleFile {
    /// Parses and checks the text of a file like Prometheus.
    ///
    /// # Errors
    ///
    /// All problems; never empty.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let file: RuleFile = yaml::parse_text(text).map_err(|problem| vec![problem])?;
        let problems = check::problems(&file);
        if problems.is_empty() { Ok(file) } else { Err(problems) }
    }

    /// What Prometheus accepts but can never work.
    #[must_use]
    pub fn warnings(&self) -> Vec<Problem> {
        check::warnings(self)
    }

    /// Number of rules in all groups.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.groups.iter().map(|group| group.value.rules.len()).sum()
    }
}
