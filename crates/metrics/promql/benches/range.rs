//! Benchmarks range queries, which make one pass over each series, against an instant evaluation at each step.
//!
//! `cargo bench -p promql` prints a line of JSON for each: `{"name","value","unit","peer","peer_value","ratio"}`.

use std::time::Instant;

use labels::{Labels, Matcher};
use promql::Options;
use timeseries::{SeriesSamples, SeriesSource, SourceError};

const SERIES: u32 = 1_000;
const SCRAPE_MS: i64 = 15_000;
const SPAN_MS: i64 = 6 * 3_600_000;
const STEP_MS: i64 = 60_000;

/// Samples in memory, copied at each selection as a store would decode them.
struct Memory(Vec<SeriesSamples>);

impl Memory {
    /// Counters of several jobs and instances, and buckets of a histogram, which increase steadily with some resets.
    fn new() -> Self {
        let mut series = Vec::new();
        for number in 0..SERIES {
            let (job, instance) = (format!("job{}", number % 10), format!("instance{number}"));
            let le = if number % 10 == 9 { "+Inf".to_owned() } else { f64::from(number % 10 + 1).to_string() };
            let labels = Labels::new([
                ("__name__", "requests_total".to_owned()),
                ("job", job),
                ("instance", instance),
                ("le", le),
            ]);
            let timestamps: Vec<i64> = (0..SPAN_MS / SCRAPE_MS).map(|index| index * SCRAPE_MS).collect();
            let mut value = 0.0;
            let values = (0..timestamps.len())
                .map(|index| {
                    value = if index % 997 == 500 { 0.0 } else { value + f64::from(number % 7 + 1) };
                    value
                })
                .collect();
            series.push(SeriesSamples { labels, timestamps, values, ..SeriesSamples::default() });
        }
        Memory(series)
    }
}

impl SeriesSource for Memory {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, SourceError> {
        let selected = self.0.iter().filter(|series| matchers.iter().all(|m| m.matches(series.labels.get(&m.name))));
        Ok(selected
            .map(|series| {
                let from = series.timestamps.partition_point(|time| *time < start_ms);
                let to = series.timestamps.partition_point(|time| *time <= end_ms);
                SeriesSamples {
                    labels: series.labels.clone(),
                    timestamps: series.timestamps.get(from..to).unwrap_or_default().to_vec(),
                    values: series.values.get(from..to).unwrap_or_default().to_vec(),
                    ..SeriesSamples::default()
                }
            })
            .collect())
    }
}

/// The median of a few runs, in milliseconds.
fn median(mut run: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    let source = Memory::new();
    let options = Options::default();
    for (name, expression) in [
        ("selector", "requests_total"),
        ("rate", "rate(requests_total[5m])"),
        ("sum of rates", "sum by (job) (rate(requests_total[5m]))"),
        ("quantile", "histogram_quantile(0.95, sum by (le) (rate(requests_total[5m])))"),
        ("average over time", "avg_over_time(requests_total[5m])"),
        ("largest over time", "max_over_time(requests_total[1h])"),
        ("ratio", "sum by (job) (requests_total) / on (job) count by (job) (requests_total)"),
        ("top", "topk(5, rate(requests_total[5m]))"),
        ("subquery", "max_over_time(sum(rate(requests_total[5m]))[30m:1m])"),
    ] {
        let Ok(query) = promql::parse(expression) else { continue };
        let whole = median(|| {
            let outcome = query.range(&source, 0, SPAN_MS, STEP_MS, &options);
            assert!(outcome.is_ok(), "{expression}");
        });
        let steps = (0..=SPAN_MS / STEP_MS).map(|step| step * STEP_MS);
        let each = median(|| {
            for time in steps.clone() {
                assert!(query.instant(&source, time, &options).is_ok(), "{expression}");
            }
        });
        println!(
            r#"{{"name":"promql {name}, 1000 series, 6 h at 1 min","value":{whole:.2},"unit":"ms","peer":"an instant query each step","peer_value":{each:.2},"ratio":{:.3}}}"#,
            whole / each
        );
    }
}
