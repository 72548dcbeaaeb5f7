//! Labelled counters, and histograms of durations, by the official client, so that they can be aggregated.
//!
//! The scalar metrics of [`crate::Telemetry::gather`] are read from their owners; these are observed when something
//! happens.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Bucket bounds of durations of requests, evaluations and deliveries, in seconds: those of Prometheus' HTTP handlers.
const SECONDS: [f64; 9] = [0.1, 0.2, 0.4, 1.0, 3.0, 8.0, 20.0, 60.0, 120.0];
/// The same for operations that usually take milliseconds.
const SHORT_SECONDS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

fn short_histogram() -> Histogram {
    Histogram::new(SHORT_SECONDS)
}

/// The route of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Handler {
    handler: String,
}

/// The route of a request, and the status of its response.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    handler: String,
    code: u16,
}

/// The kind of a notified receiver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Integration {
    integration: String,
}

/// The kind of a notified receiver, and the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempt {
    integration: String,
    outcome: &'static str,
}

/// Outcome of one notification attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The receiver accepted it.
    Delivered,
    /// It will be retried.
    Failed,
    /// The receiver rejected it.
    Refused,
}

impl AttemptOutcome {
    fn name(self) -> &'static str {
        match self {
            AttemptOutcome::Delivered => "delivered",
            AttemptOutcome::Failed => "failed",
            AttemptOutcome::Refused => "refused",
        }
    }
}

/// A wall.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Wall {
    wall: String,
}

/// The labelled metrics and histograms.
#[derive(Debug)]
pub(crate) struct Labelled {
    registry: Registry,
    requests: Family<Answered, Counter>,
    request_seconds: Family<Handler, Histogram, fn() -> Histogram>,
    attempts: Family<Attempt, Counter>,
    attempt_seconds: Family<Integration, Histogram, fn() -> Histogram>,
    rule_group_seconds: Histogram,
    wall_report_ages: Family<Wall, Gauge<f64, AtomicU64>>,
}

impl Default for Labelled {
    fn default() -> Self {
        let labelled = Labelled {
            registry: Registry::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram as fn() -> Histogram),
            attempts: Family::default(),
            attempt_seconds: Family::new_with_constructor(histogram as fn() -> Histogram),
            rule_group_seconds: short_histogram(),
            wall_report_ages: Family::default(),
        };
        labelled.registered()
    }
}

impl Labelled {
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "hyperscope_http_requests",
            "HTTP requests answered, by route and status",
            self.requests.clone(),
        );
        registry.register(
            "hyperscope_http_request_duration_seconds",
            "Time until the head of a response is ready, by route",
            self.request_seconds.clone(),
        );
        registry.register(
            "hyperscope_notification_attempts",
            "Attempts to notify receivers, by integration and outcome",
            self.attempts.clone(),
        );
        registry.register(
            "hyperscope_notification_duration_seconds",
            "Duration of attempts to notify receivers, by integration",
            self.attempt_seconds.clone(),
        );
        registry.register(
            "hyperscope_rule_group_duration_seconds",
            "Duration of evaluations of rule groups",
            self.rule_group_seconds.clone(),
        );
        registry.register(
            "hyperscope_wall_report_age_seconds",
            "Time since a wall of the configuration reported what it shows",
            self.wall_report_ages.clone(),
        );
        self
    }

    pub(crate) fn answered(&self, handler: &str, code: u16, took: Duration) {
        self.requests.get_or_create(&Answered { handler: handler.to_owned(), code }).inc();
        self.request_seconds.get_or_create(&Handler { handler: handler.to_owned() }).observe(took.as_secs_f64());
    }

    pub(crate) fn attempted(&self, integration: &str, outcome: AttemptOutcome, took: Duration) {
        let attempt = Attempt { integration: integration.to_owned(), outcome: outcome.name() };
        self.attempts.get_or_create(&attempt).inc();
        let integration = Integration { integration: integration.to_owned() };
        self.attempt_seconds.get_or_create(&integration).observe(took.as_secs_f64());
    }

    pub(crate) fn evaluated(&self, took_secs: f64) {
        self.rule_group_seconds.observe(took_secs);
    }

    pub(crate) fn wall_reported(&self, wall: &str, age_secs: f64) {
        self.wall_report_ages.get_or_create(&Wall { wall: wall.to_owned() }).set(age_secs);
    }

    /// All of them in OpenMetrics format.
    pub(crate) fn page(&self) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_is_counted_by_label() {
        let labelled = Labelled::default();
        labelled.answered("/api/v1/query", 200, Duration::from_millis(30));
        labelled.answered("/api/v1/query", 422, Duration::from_millis(300));
        labelled.attempted("slack", AttemptOutcome::Failed, Duration::from_secs(2));
        labelled.evaluated(0.004);
        labelled.wall_reported("hall", 7.0);
        labelled.wall_reported("hall", 1.5);
        let page = labelled.page();
        for line in [
            r#"hyperscope_http_requests_total{handler="/api/v1/query",code="422"} 1"#,
            r#"hyperscope_http_request_duration_seconds_bucket{le="0.1",handler="/api/v1/query"} 1"#,
            r#"hyperscope_http_request_duration_seconds_count{handler="/api/v1/query"} 2"#,
            r#"hyperscope_notification_attempts_total{integration="slack",outcome="failed"} 1"#,
            r#"hyperscope_rule_group_duration_seconds_bucket{le="0.005"} 1"#,
            r#"hyperscope_wall_report_age_seconds{wall="hall"} 1.5"#,
        ] {
            assert!(page.contains(line), "no {line} in {page}");
        }
    }
}
