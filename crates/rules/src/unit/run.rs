//! Runs unit tests of rules.

use std::{collections::BTreeMap, fmt::Write};

use labels::Labels;
use promql::{InstantSample, Value};
use timeseries::{Sample, SourceError, format};
use yaml::Problem;

use super::{
    file::{AlertTest, ExprTest, Test, TestFile},
    memory::Memory,
    series::{self, InvalidSeries},
};
use crate::{
    alert::AlertState,
    file::{Placed, RuleFile},
    group::{Environment, Group, Recorded, Sink},
    rule::{Engine, EvalContext, Kind},
};

const MINUTE_MS: i64 = 60_000;
/// Maximum number of evaluations of one test, so that a typo in a time does not run for hours.
const MAX_EVALUATIONS: i64 = 1_000_000;
/// Relative difference up to which numbers are equal, because sums may be computed in another order.
const TOLERANCE: f64 = 1e-9;

/// Runs all tests of a file with these rules, each with the name of its file. Returns the failures with their
/// positions.
#[must_use]
pub fn run(tests: &TestFile, rules: &[(String, RuleFile)]) -> Vec<Problem> {
    let interval_ms = positive(tests.evaluation_interval.map(|span| span.ms));
    let mut problems = Vec::new();
    for placed in &tests.tests {
        let mut groups = Vec::new();
        for (file, rules) in rules {
            for group in &rules.groups {
                match Group::new(file, &group.value, interval_ms, true) {
                    Ok(group) => groups.push(group),
                    Err(error) => problems.push(problem(placed, error.to_string())),
                }
            }
        }
        let order = |group: &Group| tests.group_eval_order.iter().position(|name| *name == group.name).unwrap_or(0);
        groups.sort_by_key(order);
        one(placed, groups, interval_ms, &mut problems);
    }
    problems
}

fn positive(ms: Option<i64>) -> i64 {
    ms.filter(|ms| *ms > 0).unwrap_or(MINUTE_MS)
}

fn problem<T>(at: &Placed<T>, message: impl Into<String>) -> Problem {
    Problem { line: at.line, column: at.column, message: message.into() }
}

fn one(placed: &Placed<Test>, mut groups: Vec<Group>, interval_ms: i64, problems: &mut Vec<Problem>) {
    let test = &placed.value;
    let memory = Memory::default();
    let step_ms = positive(test.interval.map(|span| span.ms));
    for input in &test.input_series {
        if let Err(error) = load(&memory, &input.value.series, &input.value.values, step_ms) {
            problems.push(problem(input, error.to_string()));
        }
    }
    let context = EvalContext {
        external_labels: Labels::new(test.external_labels.clone()),
        external_url: test.external_url.trim_end_matches('/').to_owned(),
    };
    let alert_times = test.alert_rule_test.iter().map(|test| test.value.eval_time.ms);
    let expr_times = test.promql_expr_test.iter().map(|test| test.value.eval_time.ms);
    let end_ms = alert_times.chain(expr_times).max().unwrap_or(0);
    if end_ms / interval_ms > MAX_EVALUATIONS {
        problems.push(problem(placed, format!("more than {MAX_EVALUATIONS} evaluations: use a longer interval")));
        return;
    }
    let mut at_ms = 0;
    while at_ms <= end_ms {
        let environment = Environment { engine: &memory, sink: &memory, context: &context, clock: &|| 0.0 };
        for group in &mut groups {
            group.evaluate(at_ms, environment);
            for (rule, health) in group.rules() {
                if let Some(error) = &health.error {
                    let when = shown_time(at_ms);
                    problems.push(problem(placed, format!("rule {:?} at {when}: {error}", rule.name)));
                }
            }
        }
        for alerts in &test.alert_rule_test {
            if (at_ms..at_ms + interval_ms).contains(&alerts.value.eval_time.ms) {
                problems
                    .extend(check_alerts(&alerts.value, &groups).map(|message| problem(alerts, named(test, message))));
            }
        }
        at_ms += interval_ms;
    }
    for expr in &test.promql_expr_test {
        problems.extend(check_expr(&expr.value, &memory).map(|message| problem(expr, named(test, message))));
    }
}

fn named(test: &Test, message: String) -> String {
    match &test.name {
        Some(name) => format!("{name}: {message}"),
        None => message,
    }
}

fn shown_time(ms: i64) -> String {
    model::range::DurationMs(ms).to_string()
}

fn load(memory: &Memory, name: &str, values: &str, step_ms: i64) -> Result<(), InputError> {
    let labels = series::labels(name)?;
    let mut points = Vec::new();
    for (index, value) in series::values(values)?.into_iter().enumerate() {
        let timestamp_ms = step_ms.saturating_mul(i64::try_from(index).unwrap_or(i64::MAX));
        points.extend(value.map(|value| Recorded::float(labels.clone(), timestamp_ms, value)));
    }
    Ok(memory.append(&points)?)
}

/// Why a series of a test is not there.
#[derive(Debug, thiserror::Error)]
enum InputError {
    /// It is not written as one.
    #[error(transparent)]
    Notation(#[from] InvalidSeries),
    /// It was not stored.
    #[error(transparent)]
    Append(#[from] SourceError),
}

/// Labels and annotations of an alert.
type Shown = (Labels, BTreeMap<String, String>);

fn check_alerts(test: &AlertTest, groups: &[Group]) -> Option<String> {
    let mut got: Vec<Shown> = Vec::new();
    for (rule, _) in groups.iter().flat_map(Group::rules).filter(|(rule, _)| rule.name == test.alertname) {
        let Kind::Alerting(alerting) = &rule.kind else { continue };
        for alert in alerting.alerts().into_iter().filter(|alert| alert.state == AlertState::Firing) {
            let annotations = alert.annotations.iter().map(|(name, text)| (name.to_string(), text.clone()));
            got.push((alert.labels.clone(), annotations.collect()));
        }
    }
    let mut expected: Vec<Shown> = test
        .exp_alerts
        .iter()
        .map(|alert| {
            let labels = Labels::new(alert.exp_labels.clone()).with("alertname", &test.alertname);
            (labels, alert.exp_annotations.clone())
        })
        .collect();
    got.sort();
    expected.sort();
    (got != expected).then(|| {
        let when = shown_time(test.eval_time.ms);
        format!("alertname: {}, time: {when}\n  exp: {}\n  got: {}", test.alertname, list(&expected), list(&got))
    })
}

fn list(alerts: &[Shown]) -> String {
    let mut text = String::from("[");
    for (labels, annotations) in alerts {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n    {labels} {annotations:?}");
    }
    text + "]"
}

fn check_expr(test: &ExprTest, memory: &Memory) -> Option<String> {
    let about = format!("expr: {:?}, time: {}", test.expr, shown_time(test.eval_time.ms));
    let query = match promql::parse(&test.expr) {
        Ok(query) => query,
        Err(error) => return Some(format!("{about}: {error}")),
    };
    let mut got: Vec<(Labels, f64)> = match memory.instant(&query, test.eval_time.ms) {
        Ok(Value::Vector(samples)) => samples.into_iter().filter_map(float).collect(),
        Ok(Value::Scalar { value, .. }) => vec![(Labels::default(), value)],
        Ok(_) => return Some(format!("{about}: the result is no vector and no number")),
        Err(error) => return Some(format!("{about}: {error}")),
    };
    let mut expected = Vec::new();
    for sample in &test.exp_samples {
        match series::labels(&sample.labels) {
            Ok(labels) => expected.push((labels, sample.value)),
            Err(error) => return Some(format!("{about}: {error}")),
        }
    }
    let by_labels = |left: &(Labels, f64), right: &(Labels, f64)| left.0.cmp(&right.0);
    got.sort_by(by_labels);
    expected.sort_by(by_labels);
    let is_same = got.len() == expected.len()
        && got.iter().zip(&expected).all(|(left, right)| left.0 == right.0 && is_near(left.1, right.1));
    let shown = |samples: &[(Labels, f64)]| {
        let texts: Vec<String> =
            samples.iter().map(|(labels, value)| format!("{labels} {}", format::float(*value))).collect();
        texts.join(", ")
    };
    (!is_same).then(|| format!("{about}\n  exp: [{}]\n  got: [{}]", shown(&expected), shown(&got)))
}

fn float(sample: InstantSample) -> Option<(Labels, f64)> {
    match sample.sample {
        Sample::Float(value) => Some((sample.labels, value)),
        Sample::Histogram(_) => None,
    }
}

#[allow(clippy::float_cmp)] // infinities, and zeros
fn is_near(left: f64, right: f64) -> bool {
    left == right
        || (left.is_nan() && right.is_nan())
        || (left - right).abs() <= TOLERANCE * left.abs().max(right.abs())
}
