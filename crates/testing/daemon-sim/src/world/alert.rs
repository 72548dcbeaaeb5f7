//! The alert rules of the HyperSDK documents, as far as the daemon can check them itself.

use std::collections::VecDeque;

use super::{
    job::Status,
    provider::Provider,
    series::{LATENCY_BOUNDS, Rows, Values},
};
use crate::number::real;

/// How often the rules are checked.
pub(crate) const CHECK_MS: i64 = 5_000;
/// Stored samples for rates: five minutes and the newest.
const WINDOW: usize = 61;

/// An alert that started to fire.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Name of the rule.
    pub name: &'static str,
    /// `warning` or `critical`.
    pub severity: &'static str,
    /// Provider, for rules about one provider.
    pub provider: Option<Provider>,
    /// One sentence.
    pub summary: &'static str,
    /// The measured value, in the unit of the threshold.
    pub value: f64,
    /// The threshold.
    pub threshold: f64,
    /// When the threshold was first exceeded, in milliseconds since the Unix epoch.
    pub active_ms: i64,
}

/// A rule: fires when `measure` has exceeded the threshold for some time.
struct Rule {
    name: &'static str,
    severity: &'static str,
    summary: &'static str,
    threshold: f64,
    for_ms: i64,
    measure: fn(&Now<'_>) -> f64,
}

const MINUTE: i64 = 60_000;

static RULES: [Rule; 10] = [
    Rule {
        name: "HighJobFailureRate",
        severity: "warning",
        summary: "More than 10 % of jobs fail",
        threshold: 0.10,
        for_ms: 5 * MINUTE,
        measure: |now| now.failure_ratio(None),
    },
    Rule {
        name: "CriticalJobFailureRate",
        severity: "critical",
        summary: "More than 25 % of jobs fail",
        threshold: 0.25,
        for_ms: 2 * MINUTE,
        measure: |now| now.failure_ratio(None),
    },
    Rule {
        name: "HighMemoryUsage",
        severity: "warning",
        summary: "Memory use is above 2 GiB",
        threshold: 2_147_483_648.0,
        for_ms: 5 * MINUTE,
        measure: |now| now.values.get(now.rows.memory),
    },
    Rule {
        name: "CriticalMemoryUsage",
        severity: "critical",
        summary: "Memory use is above 4 GiB",
        threshold: 4_294_967_296.0,
        for_ms: 2 * MINUTE,
        measure: |now| now.values.get(now.rows.memory),
    },
    Rule {
        name: "GoroutineLeakSuspected",
        severity: "warning",
        summary: "More than 1000 goroutines",
        threshold: 1_000.0,
        for_ms: 15 * MINUTE,
        measure: |now| now.values.get(now.rows.goroutines),
    },
    Rule {
        name: "GoroutineLeak",
        severity: "critical",
        summary: "More than 2000 goroutines",
        threshold: 2_000.0,
        for_ms: 5 * MINUTE,
        measure: |now| now.values.get(now.rows.goroutines),
    },
    Rule {
        name: "LargeJobQueue",
        severity: "warning",
        summary: "More than 50 jobs wait",
        threshold: 50.0,
        for_ms: 10 * MINUTE,
        measure: |now| now.pending(),
    },
    Rule {
        name: "MassiveJobQueue",
        severity: "critical",
        summary: "More than 100 jobs wait",
        threshold: 100.0,
        for_ms: 5 * MINUTE,
        measure: |now| now.pending(),
    },
    Rule {
        name: "HighHTTPErrorRate",
        severity: "warning",
        summary: "More than 5 % of requests end in an error",
        threshold: 0.05,
        for_ms: 5 * MINUTE,
        measure: |now| ratio(now.newest.errors - now.oldest.errors, now.newest.requests - now.oldest.requests),
    },
    Rule {
        name: "SlowAPIResponses",
        severity: "warning",
        summary: "The slowest 5 % of requests take more than a second",
        threshold: 1.0,
        for_ms: 5 * MINUTE,
        measure: |now| now.p95(),
    },
];

/// The counters from which rates are computed, at one instant.
#[derive(Debug, Clone, Default)]
struct Point {
    completed: [f64; 6],
    failed: [f64; 6],
    requests: f64,
    errors: f64,
    /// Requests within each bound of the latency, then all.
    latency: [f64; LATENCY_BOUNDS.len() + 1],
}

struct Now<'a> {
    rows: &'a Rows,
    values: &'a Values,
    oldest: &'a Point,
    newest: &'a Point,
}

impl Now<'_> {
    /// Ratio of failed jobs among those that ended in the last five minutes; 0 with fewer than five, which are too few.
    fn failure_ratio(&self, provider: Option<usize>) -> f64 {
        let grown = |new: &[f64; 6], old: &[f64; 6]| -> f64 {
            let mine = |position: &usize| provider.is_none_or(|wanted| wanted == *position);
            (0..).zip(new.iter().zip(old)).filter(|(position, _)| mine(position)).map(|(_, (new, old))| new - old).sum()
        };
        let failed = grown(&self.newest.failed, &self.oldest.failed);
        let ended = failed + grown(&self.newest.completed, &self.oldest.completed);
        if ended < 5.0 { 0.0 } else { failed / ended }
    }

    fn pending(&self) -> f64 {
        Provider::ALL.iter().map(|provider| self.values.get(*self.rows.pending.get(*provider))).sum()
    }

    /// The bound within which 95 % of the requests of the last five minutes were answered.
    fn p95(&self) -> f64 {
        let grown: Vec<f64> =
            self.newest.latency.iter().zip(&self.oldest.latency).map(|(new, old)| new - old).collect();
        let wanted = 0.95 * grown.last().copied().unwrap_or(0.0);
        grown.iter().zip(LATENCY_BOUNDS).find(|(count, _)| **count >= wanted).map_or(10.0, |(_, bound)| bound)
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// The state of each rule.
#[derive(Debug, Clone)]
pub(crate) struct Alerts {
    window: VecDeque<Point>,
    /// By rule, then by provider for the rule about providers: start of the breach, and whether the alert fired.
    states: Vec<Option<(i64, bool)>>,
}

/// `ProviderJobFailures`: more than 20 % of a provider's jobs fail for five minutes.
const PROVIDER_THRESHOLD: f64 = 0.20;

impl Alerts {
    pub(crate) fn new() -> Self {
        Alerts { window: VecDeque::with_capacity(WINDOW), states: vec![None; RULES.len() + Provider::ALL.len()] }
    }

    /// Checks every rule; returns the alerts that start to fire.
    pub(crate) fn check(&mut self, rows: &Rows, values: &Values, now_ms: i64) -> Vec<Alert> {
        if self.window.len() >= WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(point(rows, values));
        let (Some(oldest), Some(newest)) = (self.window.front(), self.window.back()) else { return Vec::new() };
        let now = Now { rows, values, oldest, newest };
        let mut found: Vec<(Alert, i64)> = RULES
            .iter()
            .map(|rule| {
                let alert = Alert {
                    name: rule.name,
                    severity: rule.severity,
                    provider: None,
                    summary: rule.summary,
                    value: (rule.measure)(&now),
                    threshold: rule.threshold,
                    active_ms: now_ms,
                };
                (alert, rule.for_ms)
            })
            .collect();
        found.extend(Provider::ALL.iter().enumerate().map(|(position, provider)| {
            let alert = Alert {
                name: "ProviderJobFailures",
                severity: "warning",
                provider: Some(*provider),
                summary: "More than 20 % of a provider's jobs fail",
                value: now.failure_ratio(Some(position)),
                threshold: PROVIDER_THRESHOLD,
                active_ms: now_ms,
            };
            (alert, 5 * MINUTE)
        }));
        let mut fired = Vec::new();
        for ((mut alert, for_ms), state) in found.into_iter().zip(&mut self.states) {
            if alert.value <= alert.threshold {
                *state = None;
                continue;
            }
            let (since, done) = state.get_or_insert((now_ms, false));
            if !*done && now_ms - *since >= for_ms {
                *done = true;
                alert.active_ms = *since;
                fired.push(alert);
            }
        }
        fired
    }
}

fn point(rows: &Rows, values: &Values) -> Point {
    let by_provider =
        |outcome| Provider::ALL.map(|provider| rows.outcome(provider, outcome).map_or(0.0, |row| values.get(row)));
    let mut point = Point {
        completed: by_provider(Status::Completed),
        failed: by_provider(Status::Failed),
        errors: values.get(rows.http_errors),
        ..Point::default()
    };
    for route in rows.latencies() {
        for (sum, count) in point.latency.iter_mut().zip(values.buckets(*route)) {
            *sum += count;
        }
    }
    point.requests = point.latency.last().copied().unwrap_or(real(0));
    point
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::series::canonical;

    #[test]
    fn fires_once_after_its_time_and_again_after_a_pause() {
        let (table, rows) = canonical();
        let mut values = Values::zero(&table);
        let mut alerts = Alerts::new();
        let mut names = Vec::new();
        for check in 0..400 {
            let high = !(200..220).contains(&check);
            values.set(rows.memory, if high { 3e9 } else { 1e9 });
            names.extend(
                alerts.check(&rows, &values, check * CHECK_MS).into_iter().map(|a| (a.name, a.active_ms / CHECK_MS)),
            );
        }
        assert_eq!(names, [("HighMemoryUsage", 0), ("HighMemoryUsage", 220)]);
    }

    #[test]
    fn a_failing_provider_is_named() {
        let (table, rows) = canonical();
        let mut values = Values::zero(&table);
        let mut alerts = Alerts::new();
        let mut fired = Vec::new();
        for check in 0..200 {
            values.add(rows.outcome(Provider::Azure, Status::Failed).unwrap(), 0.5);
            values.add(rows.outcome(Provider::Aws, Status::Completed).unwrap(), 5.0);
            fired.extend(alerts.check(&rows, &values, check * CHECK_MS));
        }
        let [alert] = fired.as_slice() else { panic!("{fired:?}") };
        assert_eq!((alert.name, alert.provider), ("ProviderJobFailures", Some(Provider::Azure)));
        assert!(alert.value > 0.99);
    }
}
