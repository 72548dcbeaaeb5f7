//! Views of groups, rules and alerts for pages and the API.

use std::sync::{Arc, OnceLock};

use access::{Scope, selectors_of};
use labels::Matcher;
use model::{
    frame::Labels,
    live::{Alert, AlertTransition},
};
use rules::{
    Group, Kind, Rule, RuleHealth, Transition,
    published::{AlertOrigin, pairs, state},
};
use serde_json::{Map, Value, json};
use timeseries::format;

/// `source` of our rules.
pub const SOURCE: &str = "hyperscope";

/// The constant properties of a rule.
#[derive(Debug)]
pub struct RuleFacts {
    origin: AlertOrigin,
    /// Selectors of the query.
    selectors: Vec<Vec<Matcher>>,
    labels: Labels,
    annotations: Labels,
    is_alerting: bool,
    hold_ms: i64,
    keep_firing_ms: i64,
}

/// A rule after an evaluation.
#[derive(Debug, Clone)]
pub struct RuleView {
    facts: Arc<RuleFacts>,
    health: RuleHealth,
    /// Pending and firing alerts.
    pub alerts: Vec<rules::Alert>,
}

/// A group after an evaluation.
#[derive(Debug, Clone)]
pub struct GroupView {
    /// Its file.
    pub file: String,
    /// Its name in that file.
    pub name: String,
    interval_ms: i64,
    limit: i64,
    query_offset_ms: i64,
    evaluated_at_ms: Option<i64>,
    evaluation_secs: f64,
    missed: u64,
    /// Number of firing alerts.
    pub firing: usize,
    /// Its rules, in order.
    pub rules: Vec<RuleView>,
    /// Its alerts, converted on first use.
    alerts: OnceLock<Vec<Arc<Alert>>>,
}

impl RuleFacts {
    pub fn of(group: &Group) -> Vec<Arc<RuleFacts>> {
        group.rules().map(|(rule, _)| Arc::new(RuleFacts::of_rule(rule))).collect()
    }

    fn of_rule(rule: &Rule) -> Self {
        let (annotations, is_alerting, hold_ms, keep_firing_ms) = match &rule.kind {
            Kind::Alerting(alerting) => {
                (alerting.annotations.iter().cloned().collect(), true, alerting.hold_ms(), alerting.keep_firing_ms())
            }
            Kind::Recording => (Labels::new(), false, 0, 0),
        };
        RuleFacts {
            origin: AlertOrigin::of(rule),
            selectors: selectors_of(&rule.query),
            labels: rule.labels.clone(),
            annotations,
            is_alerting,
            hold_ms,
            keep_firing_ms,
        }
    }
}

impl GroupView {
    /// The view of a group.
    pub fn of(group: &Group, facts: &[Arc<RuleFacts>], evaluated_at_ms: Option<i64>, secs: f64, missed: u64) -> Self {
        let rules = group.rules().zip(facts).map(|((rule, health), facts)| RuleView {
            facts: Arc::clone(facts),
            health: health.clone(),
            alerts: match &rule.kind {
                Kind::Alerting(alerting) => alerting.alerts(),
                Kind::Recording => Vec::new(),
            },
        });
        let rules: Vec<RuleView> = rules.collect();
        let alerts = rules.iter().flat_map(|rule| &rule.alerts);
        GroupView {
            firing: alerts.filter(|alert| alert.state == rules::AlertState::Firing).count(),
            file: group.file.clone(),
            name: group.name.clone(),
            interval_ms: group.interval_ms,
            limit: group.limit,
            query_offset_ms: group.query_offset_ms,
            evaluated_at_ms,
            evaluation_secs: secs,
            missed,
            rules,
            alerts: OnceLock::new(),
        }
    }

    /// Whether the set of rules whose alerts are stale, because the last evaluation failed, differs from `before`.
    pub fn differs_in_staleness(&self, before: &GroupView) -> bool {
        let stale = |view: &GroupView| -> Vec<bool> { view.rules.iter().map(RuleView::is_stale).collect() };
        stale(self) != stale(before)
    }

    /// Alerts of its rules, pending ones included.
    pub fn alerts(&self) -> &[Arc<Alert>] {
        self.alerts.get_or_init(|| {
            let of_rules = self.rules.iter().flat_map(|rule| rule.alerts.iter().map(move |alert| (rule, alert)));
            of_rules.map(|(rule, alert)| Arc::new(self.alert(rule, alert))).collect()
        })
    }

    /// Whether the last evaluation of a rule with this name failed.
    pub fn fails(&self, name: &str) -> bool {
        self.rules.iter().any(|rule| rule.facts.origin.name == name && rule.health.error.is_some())
    }

    /// Whether one of its rules has an alert.
    pub fn has_alerts(&self) -> bool {
        self.rules.iter().any(|rule| !rule.alerts.is_empty())
    }

    /// Converts an alert of one of its rules.
    fn alert(&self, rule: &RuleView, alert: &rules::Alert) -> Alert {
        Alert {
            group: self.name.clone(),
            file: self.file.clone(),
            source: SOURCE.to_owned(),
            stale_since: rule.is_stale().then_some(rule.health.succeeded_at_ms).flatten(),
            ..rule.facts.origin.published(alert)
        }
    }

    /// Converts a state change of one of its alerts.
    pub fn transition(&self, rule: usize, change: &Transition, at_ms: i64) -> Option<AlertTransition> {
        let alert = self.alert(self.rules.get(rule)?, &change.alert);
        Some(AlertTransition { at: at_ms, from: state(change.from), to: state(change.to), alert })
    }

    /// The group in the JSON of Prometheus' `/api/v1/rules`, with the selected rules; `None` if none is selected.
    pub fn json(&self, wanted: &RulesFilter) -> Option<Value> {
        let is_wanted = |list: &[String], name: &String| list.is_empty() || list.contains(name);
        if !is_wanted(&wanted.groups, &self.name) || !is_wanted(&wanted.files, &self.file) {
            return None;
        }
        let rules: Vec<Value> = self
            .rules
            .iter()
            .filter(|rule| is_wanted(&wanted.names, &rule.facts.origin.name))
            .filter(|rule| wanted.is_alerting.is_none_or(|is_alerting| rule.facts.is_alerting == is_alerting))
            .filter(|rule| wanted.matches_labels(&rule.facts.labels))
            .map(|rule| rule.json(wanted.leaves_out_alerts))
            .collect();
        if rules.is_empty() && wanted.is_narrow() {
            return None;
        }
        Some(json!({
            "name": self.name,
            "file": self.file,
            "rules": rules,
            "interval": seconds(self.interval_ms),
            "limit": self.limit,
            "queryOffset": seconds(self.query_offset_ms),
            "evaluationTime": self.evaluation_secs,
            "lastEvaluation": time(self.evaluated_at_ms),
            "missedEvaluations": self.missed,
            "source": SOURCE,
        }))
    }
}

/// Filter for rules: the parameters of `/api/v1/rules`. An empty list selects all.
#[derive(Debug, Default)]
pub struct RulesFilter {
    /// Alerting rules, recording rules, or both.
    pub is_alerting: Option<bool>,
    /// Names of rules.
    pub names: Vec<String>,
    /// Names of groups.
    pub groups: Vec<String>,
    /// Files.
    pub files: Vec<String>,
    /// A rule is selected if its labels match all matchers of one of these selectors.
    pub selectors: Vec<Vec<Matcher>>,
    /// Whether to leave out the alerts of the rules.
    pub leaves_out_alerts: bool,
}

impl RulesFilter {
    fn matches_labels(&self, labels: &Labels) -> bool {
        let value = |name: &str| labels.get(name).map_or("", String::as_str);
        self.selectors.is_empty()
            || self.selectors.iter().any(|all| all.iter().all(|matcher| matcher.matches(value(&matcher.name))))
    }

    fn is_narrow(&self) -> bool {
        self.is_alerting.is_some() || !self.names.is_empty() || !self.selectors.is_empty()
    }
}

impl RuleView {
    /// Its query, and whether that is [foreign](Scope::is_foreign) to a scope.
    pub fn is_foreign(&self, scope: &Scope) -> (&str, bool) {
        (&self.facts.origin.expr, scope.is_foreign_to(&self.facts.selectors))
    }

    /// Whether its alerts are outdated, because the last evaluation failed.
    fn is_stale(&self) -> bool {
        self.health.error.is_some() && !self.alerts.is_empty()
    }

    fn state(&self) -> rules::AlertState {
        self.alerts.iter().map(|alert| alert.state).max().unwrap_or(rules::AlertState::Inactive)
    }

    /// The rule in the JSON of Prometheus' `/api/v1/rules`.
    fn json(&self, leaves_out_alerts: bool) -> Value {
        let facts = &self.facts;
        let mut rule = Map::new();
        let mut set = |name: &str, value: Value| rule.insert(name.to_owned(), value);
        if facts.is_alerting {
            set("state", self.state().name().into());
        }
        set("name", facts.origin.name.clone().into());
        set("query", facts.origin.expr.clone().into());
        if facts.is_alerting {
            set("duration", seconds(facts.hold_ms).into());
            set("keepFiringFor", seconds(facts.keep_firing_ms).into());
        }
        set("labels", json!(facts.labels));
        if facts.is_alerting {
            set("annotations", json!(facts.annotations));
            let alerts = if leaves_out_alerts { Vec::new() } else { self.alerts.iter().map(alert_json).collect() };
            set("alerts", Value::Array(alerts));
        }
        let health = match (&self.health.error, self.health.evaluated_at_ms) {
            (Some(_), _) => "err",
            (None, Some(_)) => "ok",
            (None, None) => "unknown",
        };
        set("health", health.into());
        if let Some(error) = &self.health.error {
            set("lastError", error.clone().into());
        }
        set("evaluationTime", self.health.evaluation_secs.into());
        set("lastEvaluation", time(self.health.evaluated_at_ms));
        set("type", if facts.is_alerting { "alerting" } else { "recording" }.into());
        Value::Object(rule)
    }
}

/// An alert in the JSON of Prometheus' `/api/v1/alerts`.
pub fn alert_json(alert: &rules::Alert) -> Value {
    let annotations: Labels = pairs(alert.annotations.iter().map(|(name, text)| (&**name, text.as_str())));
    let mut shown = json!({
        "labels": pairs(alert.labels.iter()),
        "annotations": annotations,
        "state": alert.state.name(),
        "activeAt": time(Some(alert.active_at_ms)),
        "value": exponential(alert.value),
        "source": SOURCE,
    });
    if let (Some(since_ms), Some(shown)) = (alert.keep_firing_since_ms, shown.as_object_mut()) {
        shown.insert("keepFiringSince".to_owned(), time(Some(since_ms)));
    }
    shown
}

/// An external alert in the same JSON.
pub fn reported_json(alert: &Alert) -> Value {
    json!({
        "labels": alert.labels,
        "annotations": alert.annotations,
        "state": "firing",
        "activeAt": time(alert.active_at),
        "value": alert.value.map(exponential).unwrap_or_default(),
        "source": alert.source,
    })
}

#[allow(clippy::cast_precision_loss)] // lengths of time, far below 2^53 ms
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// RFC 3339; Go's zero time for `None`, as in Prometheus.
fn time(ms: Option<i64>) -> Value {
    let time = ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| "0001-01-01T00:00:00Z".into(), |time| time.to_string().into())
}

/// A value in Prometheus' format there: always with an exponent.
fn exponential(value: f64) -> String {
    if !value.is_finite() {
        return format::float(value);
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, number) = exponent.strip_prefix('-').map_or(('+', exponent), |number| ('-', number));
    format!("{digits}e{sign}{number:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_an_exponent_of_two_digits() {
        assert_eq!(exponential(1.0), "1e+00");
        assert_eq!(exponential(0.25), "2.5e-01");
        assert_eq!(exponential(123_456.0), "1.23456e+05");
        assert_eq!(exponential(f64::INFINITY), "+Inf");
    }

    #[test]
    fn what_never_was_is_gos_zero_time() {
        assert_eq!(time(None), "0001-01-01T00:00:00Z");
        assert_eq!(time(Some(1_700_000_000_123)), "2023-11-14T22:13:20.123Z");
    }
}
