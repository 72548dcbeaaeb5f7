//! Queries: parsed, printed, formatted, and evaluated over a few series.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use labels::{Labels, Matcher};
use promql::Options;
use timeseries::{
    STALE_NAN, SeriesSamples, SeriesSource, SourceError,
    histogram::{CUSTOM, Histogram},
};

pub(crate) const WORDS: &[&str] = &[
    "sum",
    "avg",
    "topk(",
    "bottomk(",
    "quantile(",
    "count_values(",
    "limitk(",
    "limit_ratio(",
    "stddev",
    " by (a)",
    " without (a)",
    " on (a)",
    " ignoring (a)",
    " group_left (b)",
    " group_right ()",
    " bool ",
    " and ",
    " or ",
    " unless ",
    "[5m]",
    "[5m:30s]",
    "[5m:]",
    " offset 1m",
    " offset -1m",
    " @ 10",
    " @ start()",
    " @ end()",
    " anchored",
    " smoothed",
    "rate(",
    "increase(",
    "histogram_quantile(",
    "histogram_fraction(",
    "label_replace(",
    "label_join(",
    "\"$1\"",
    "\"(.*)\"",
    "time()",
    "scalar(",
    "vector(",
    "absent(",
    "info(",
    "sort(",
    "clamp(",
    "round(",
    "predict_linear(",
    "quantile_over_time(",
    "mad_over_time(",
    "a{b=~\"c|d\"}",
    "{__name__=\"h\"}",
    "{\"a\"}",
    "NaN",
    "Inf",
    "1e999",
    "0x1f",
    "1_000",
    "9223372036854775807",
    "-",
    "+",
    "^",
    "%",
    "atan2",
    "==",
    "!=",
    ">=",
    "(",
    ")",
    "{",
    "}",
    ",",
    "#",
    "`",
    "'",
    "\\u00e4",
    "</",
    ">/",
    " fill (0)",
    "step()",
    "min(1m, 2m)",
    "100y",
];

/// An evaluation that takes longer is a failure.
const TOO_LONG: Duration = Duration::from_secs(10);
/// The evaluation is cancelled after this number of checks whether to continue.
const MOST_CHECKS: u64 = 20_000;
const STEP_MS: i64 = 30_000;
const END_MS: i64 = 600_000;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(query) = promql::parse(text) else { return };
    let printed = query.to_string();
    match promql::parse(&printed) {
        Ok(again) => assert_eq!(again.to_string(), printed, "{text:?} is printed in two ways"),
        Err(error) => assert!(printed.len() > text.len(), "{text:?} is printed as {printed:?}: {error}"),
    }
    assert!(promql::tree(text).is_ok() && promql::pretty(text).is_ok(), "{text:?} has no tree");
    let checks = AtomicU64::new(0);
    let cancelled = || checks.fetch_add(1, Ordering::Relaxed) > MOST_CHECKS;
    let options = Options {
        max_series: 1_000,
        max_points_per_series: 100,
        max_samples: 200_000,
        threads: 1,
        cancelled: &cancelled,
        experimental: true,
        ..Options::default()
    };
    let started = Instant::now();
    // An error is a valid result.
    let _ = query.instant(&Few, END_MS, &options);
    let _ = query.range(&Few, 0, END_MS, 60_000, &options);
    assert!(started.elapsed() < TOO_LONG, "{text:?} took {:?}", started.elapsed());
}

/// A few series of each kind.
struct Few;

impl SeriesSource for Few {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, SourceError> {
        let mut found = Vec::new();
        for (name, labels, kind) in [
            ("a", "1", 0),
            ("a", "2", 1),
            ("b", "1", 2),
            ("h", "1", 3),
            ("h", "2", 4),
            ("c_bucket", "+Inf", 5),
            ("c_bucket", "1", 0),
        ] {
            let labels = Labels::new([("__name__", name), ("a", labels), ("le", if kind == 5 { "+Inf" } else { "1" })]);
            if !matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name))) {
                continue;
            }
            let mut series = SeriesSamples { labels, ..SeriesSamples::default() };
            for time in (0..END_MS).step_by(usize::try_from(STEP_MS).unwrap_or(1)) {
                if time < start_ms || time > end_ms {
                    continue;
                }
                // Times of samples are small.
                let count = f64::from(i32::try_from(time / STEP_MS).unwrap_or(0));
                match kind {
                    3 | 4 => series.histograms.push((time, Arc::new(histogram(count, kind == 4)))),
                    _ => {
                        series.timestamps.push(time);
                        series.values.push(match kind {
                            1 if time == 300_000 => STALE_NAN,
                            1 => -count,
                            2 if time % 90_000 == 0 => f64::NAN,
                            2 => f64::INFINITY,
                            _ => count,
                        });
                    }
                }
            }
            found.push(series);
        }
        Ok(found)
    }
}

fn histogram(count: f64, custom: bool) -> Histogram {
    let buckets = vec![(0, 1.0 + count), (2, 3.0)];
    let total = 4.0 + count;
    if custom {
        let custom_bounds = [0.5, 1.0, 5.0].into();
        return Histogram {
            schema: CUSTOM,
            count: total,
            sum: 9.0,
            positive: buckets,
            custom_bounds,
            ..Histogram::default()
        };
    }
    Histogram { schema: 1, count: total + 1.0, sum: 7.5, zero_count: 1.0, positive: buckets, ..Histogram::default() }
}
