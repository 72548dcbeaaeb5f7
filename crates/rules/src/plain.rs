//! Groups of rules as plain data: for a program that gets rules which were parsed and checked before, and has no parser of
//! rule files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{GroupSpec, Placed, RuleDuration, RuleSpec};

/// A group of a rule file, without positions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlainGroup {
    name: String,
    interval_ms: Option<i64>,
    query_offset_ms: Option<i64>,
    limit: i64,
    labels: BTreeMap<String, String>,
    rules: Vec<PlainRule>,
}

/// A rule of such a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct PlainRule {
    alert: String,
    record: String,
    expr: Option<String>,
    for_ms: Option<i64>,
    keep_firing_for_ms: Option<i64>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl From<&GroupSpec> for PlainGroup {
    fn from(spec: &GroupSpec) -> Self {
        let GroupSpec { name, interval, query_offset, limit, labels, rules } = spec.clone();
        PlainGroup {
            name,
            interval_ms: interval.map(|duration| duration.ms),
            query_offset_ms: query_offset.map(|duration| duration.ms),
            limit,
            labels,
            rules: rules.into_iter().map(|rule| PlainRule::from(rule.value)).collect(),
        }
    }
}

impl From<PlainGroup> for GroupSpec {
    fn from(plain: PlainGroup) -> Self {
        let PlainGroup { name, interval_ms, query_offset_ms, limit, labels, rules } = plain;
        GroupSpec {
            name,
            interval: interval_ms.map(duration),
            query_offset: query_offset_ms.map(duration),
            limit,
            labels,
            rules: rules.into_iter().map(|rule| placed(RuleSpec::from(rule))).collect(),
        }
    }
}

impl From<RuleSpec> for PlainRule {
    fn from(spec: RuleSpec) -> Self {
        let RuleSpec { alert, record, expr, hold, keep_firing_for, labels, annotations } = spec;
        PlainRule {
            alert,
            record,
            expr: expr.map(|expr| expr.value),
            for_ms: hold.map(|duration| duration.ms),
            keep_firing_for_ms: keep_firing_for.map(|duration| duration.ms),
            labels,
            annotations,
        }
    }
}

impl From<PlainRule> for RuleSpec {
    fn from(plain: PlainRule) -> Self {
        let PlainRule { alert, record, expr, for_ms, keep_firing_for_ms, labels, annotations } = plain;
        RuleSpec {
            alert,
            record,
            expr: expr.map(placed),
            hold: for_ms.map(duration),
            keep_firing_for: keep_firing_for_ms.map(duration),
            labels,
            annotations,
        }
    }
}

fn duration(ms: i64) -> RuleDuration {
    RuleDuration { ms }
}

/// A part whose position is not known.
fn placed<T>(value: T) -> Placed<T> {
    Placed { value, line: 0, column: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuleFile;

    #[test]
    fn a_group_is_the_same_after_it_was_plain() {
        let text = "groups: [{name: g, interval: 30s, query_offset: 5s, limit: 3, labels: {a: b}, rules: [{alert: A, \
                    expr: up == 0, for: 5m, keep_firing_for: 1m, labels: {severity: page}, annotations: {summary: s}}, \
                    {record: r, expr: sum(up)}]}]";
        let spec = RuleFile::parse(text).unwrap().groups.remove(0).value;
        let plain = PlainGroup::from(&spec);
        let again = PlainGroup::from(&GroupSpec::from(plain.clone()));
        assert_eq!(again, plain);
        assert_eq!((again.rules.len(), again.rules[0].for_ms, again.interval_ms), (2, Some(300_000), Some(30_000)));
    }
}
