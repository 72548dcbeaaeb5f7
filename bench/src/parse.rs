//! The parse time of queries, without a server: typical queries of dashboards and rules, one after the other.

use std::{hint::black_box, path::Path, time::Instant};

use anyhow::Context;

use crate::{report, row::Row, statistics::percentile};

const QUERIES: [&str; 12] = [
    "up",
    "up == 0",
    r#"rate(http_requests_total{job="api",code=~"5.."}[5m])"#,
    r#"sum by (job, instance) (rate(http_requests_total{job=~"api|web"}[5m])) / on (job) group_left sum by (job) (rate(http_requests_total[5m]))"#,
    r#"histogram_quantile(0.99, sum by (le, job) (rate(http_request_duration_seconds_bucket{job="api"}[5m])))"#,
    r#"100 - avg by (instance) (irate(node_cpu_seconds_total{mode="idle"}[5m])) * 100"#,
    r#"(node_filesystem_avail_bytes{fstype!~"tmpfs|overlay"} / node_filesystem_size_bytes) < 0.1 and on (instance) up == 1"#,
    r#"max_over_time(sum(rate(jobs_total{state="failed"}[5m]))[1h:1m])"#,
    r#"label_replace(topk(5, sum by (instance) (increase(jobs_total[1h] offset 1d))), "host", "$1", "instance", "(.*):.*")"#,
    r#"predict_linear(node_filesystem_free_bytes{mountpoint="/"}[6h], 4 * 3600) < 0"#,
    r#"absent(up{job="prometheus"}) or vector(0)"#,
    "count(count by (version) (build_info)) > 1 unless on () (time() - process_start_time_seconds < 600)",
];
/// The result is the median of the runs; each run parses all queries several times.
const RUNS: usize = 15;
const TIMES: u32 = 2_000;
/// With this goal, a page of a hundred queries is parsed in a millisecond.
const GOAL_US: f64 = 10.0;

/// Measures and writes the row to `out`.
pub(crate) fn measure(out: &Path) -> anyhow::Result<()> {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        for _ in 0..TIMES {
            for query in QUERIES {
                black_box(promql::parse(black_box(query)).with_context(|| query.to_owned())?);
            }
        }
        let queries = f64::from(TIMES) * f64::from(u32::try_from(QUERIES.len())?);
        times.push(start.elapsed().as_secs_f64() * 1e6 / queries);
    }
    report::save(&[Row::new("parse: a query of a dashboard", percentile(&mut times, 0.5), "µs").goal(GOAL_US)], out)
}
