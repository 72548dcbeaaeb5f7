//! The compared queries.

use std::time::Duration;

use super::subject::Subject;
use crate::row::Row;
use crate::statistics::percentile;

/// Runs per query and server; the first one does not count.
const TIMES: i64 = 8;
const HOUR_MS: i64 = 3_600_000;
/// Difference between the end times of two runs, so that no result is served from a cache.
const SHIFT_MS: i64 = 15_000;
/// Step of range queries.
const STEP: &str = "60";

/// A query.
pub(crate) struct Question {
    name: String,
    kind: Kind,
    end_ms: i64,
}

enum Kind {
    /// An expression at one time.
    Instant(String),
    /// An expression over six hours.
    Range(String),
    /// The values of a label.
    Values(&'static str),
}

impl Question {
    fn new(name: &str, kind: Kind, end_ms: i64) -> Self {
        Self { name: format!("query: {name}"), kind, end_ms }
    }

    async fn ask(&self, subject: &Subject, time: i64) -> anyhow::Result<Duration> {
        let end_ms = self.end_ms - time * SHIFT_MS;
        let seconds = |ms: i64| format!("{}", ms / 1_000);
        let range = |end: i64| [("start", seconds(end - 6 * HOUR_MS)), ("end", seconds(end))];
        let (path, query) = match &self.kind {
            Kind::Instant(expr) => {
                ("/api/v1/query".to_owned(), vec![("query", expr.clone()), ("time", seconds(end_ms))])
            }
            Kind::Range(expr) => {
                let query = [("query", expr.clone()), ("step", STEP.to_owned())].into_iter().chain(range(end_ms));
                ("/api/v1/query_range".to_owned(), query.collect())
            }
            Kind::Values(label) => (format!("/api/v1/label/{label}/values"), range(end_ms).into()),
        };
        Ok(subject.ask(&path, &query).await?.1)
    }
}

/// Runs the query on each server in turn, so that other load on the machine affects all. Returns the medians in
/// milliseconds, one row per other server.
pub(crate) async fn compare(question: &Question, ours: &Subject, others: &[Subject]) -> anyhow::Result<Vec<Row>> {
    let mut times = vec![Vec::new(); 1 + others.len()];
    for time in 0..TIMES {
        for (subject, times) in std::iter::once(ours).chain(others).zip(&mut times) {
            let took = question.ask(subject, time).await?;
            if time > 0 {
                times.push(took.as_secs_f64() * 1e3);
            }
        }
    }
    let mut medians = times.iter_mut().map(|times| percentile(times, 0.5));
    let row = Row::new(&question.name, medians.next().unwrap_or_default(), "ms");
    Ok(others.iter().zip(medians).map(|(other, median)| row.clone().beside(&other.name, median)).collect())
}

/// All queries, over samples up to this time.
pub(crate) fn all(end_ms: i64) -> Vec<Question> {
    let alternatives: Vec<String> = (0..200).map(|number| format!("hypervisord-{:05}", number * 10 + 5)).collect();
    let regex = format!(r#"bench_temperature_celsius{{instance=~"{}"}}"#, alternatives.join("|"));
    let increase = "sum by (provider) (increase(bench_day_total[24h]))";
    let rate = "sum by (provider) (rate(bench_requests_total[5m]))".to_owned();
    let quantile = "histogram_quantile(0.95, sum by (le, provider) (rate(bench_latency_seconds_bucket[5m])))";
    vec![
        Question::new("instant selector", Kind::Instant("bench_temperature_celsius".into()), end_ms),
        Question::new("sum by of rate, instant", Kind::Instant(rate.clone()), end_ms),
        Question::new("sum by of rate, 6 h by 60 s", Kind::Range(rate), end_ms),
        Question::new("histogram_quantile, 6 h by 60 s", Kind::Range(quantile.into()), end_ms),
        Question::new("topk(10), instant", Kind::Instant("topk(10, bench_temperature_celsius)".into()), end_ms),
        Question::new("topk(10), 6 h by 60 s", Kind::Range("topk(10, bench_temperature_celsius)".into()), end_ms),
        Question::new("regex of 200 alternatives, instant", Kind::Instant(regex.clone()), end_ms),
        Question::new("regex of 200 alternatives, 6 h by 60 s", Kind::Range(format!("avg({regex})")), end_ms),
        Question::new("24 h increase of 2,000 series, instant", Kind::Instant(increase.into()), end_ms),
        Question::new("label values", Kind::Values("instance"), end_ms),
    ]
}
