//! Counts over a window are whole numbers, and equal on every panel; if the engine extrapolates, the panel says so.

use crate::common::{Live, Prometheus, Server, now_ms};
use remote_write::TimeSeries;
use serde_json::Value;

const MINUTE_MS: i64 = 60_000;

/// A counter that has been zero since 50 minutes ago and increases by one at each of `steps`, in minutes before now; a
/// sample every 15 s.
fn counter(name: &str, labels: &[(&str, &str)], steps: &[i64], now_ms: i64) -> TimeSeries {
    let samples: Vec<(i64, f64)> = (0..=200)
        .map(|index| {
            let at_ms = now_ms - 50 * MINUTE_MS + index * 15_000;
            let count = steps.iter().filter(|minutes| now_ms - **minutes * MINUTE_MS <= at_ms).count();
            (at_ms, f64::from(u32::try_from(count).unwrap()))
        })
        .collect();
    crate::common::series(name, labels, &samples)
}

/// Seven completed jobs and one failed job, at two providers.
fn jobs(now_ms: i64) -> Vec<TimeSeries> {
    let (aws, local) = (&[("provider", "aws")], &[("provider", "vsphere")]);
    vec![
        counter("hypersdk_jobs_completed_total", aws, &[41, 33, 20], now_ms),
        counter("hypersdk_jobs_completed_total", local, &[49, 12, 3, 2], now_ms),
        counter("hypersdk_jobs_failed_total", aws, &[], now_ms),
        counter("hypersdk_jobs_failed_total", local, &[7], now_ms),
        counter("hypersdk_jobs_cancelled_total", aws, &[], now_ms),
        counter("hypersdk_provider_jobs_total", aws, &[42, 34, 21], now_ms),
        counter("hypersdk_provider_jobs_total", local, &[48, 13, 8, 4, 3], now_ms),
        counter("hypersdk_export_bytes_total", local, &[12, 3], now_ms),
        counter("hypersdk_job_duration_seconds_bucket", &[("le", "64")], &[3, 2], now_ms),
        counter("hypersdk_job_duration_seconds_bucket", &[("le", "+Inf")], &[49, 41, 33, 20, 12, 7, 3, 2], now_ms),
        counter("hypersdk_job_duration_seconds_sum", aws, &[41, 33, 20], now_ms),
        counter("hypersdk_job_duration_seconds_count", aws, &[41, 33, 20], now_ms),
    ]
}

/// The queries of a built-in dashboard that contain a text.
async fn queries(server: &Server, uid: &str, text: &str) -> Vec<(String, String)> {
    let dashboard = server.json(&format!("/api/dashboards/{uid}")).await;
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let queries = panels.flat_map(|panel| panel["queries"].as_array().cloned().unwrap_or_default());
    let words = |query: &Value, name: &str| query[name].as_str().unwrap_or_default().to_owned();
    let queries = queries.map(|query| (words(&query, "legend"), words(&query, "expr")));
    queries.filter(|(_, expr)| expr.contains(text)).collect()
}

#[tokio::test]
async fn each_panel_counts_the_same_whole_numbers() {
    let server = Server::serve(&[]).await;
    let now_ms = now_ms();
    assert!(crate::common::write(&server, jobs(now_ms)).await.status().is_success());
    let mut counted = 0;
    for uid in ["hypersdk-overview", "hypersdk-jobs"] {
        for (_, expr) in queries(&server, uid, "increase(").await {
            let mut values: Vec<f64> = server.query(&expr).await.into_iter().map(|(_, value)| value).collect();
            values.sort_by(f64::total_cmp);
            let wanted: &[f64] = match &expr {
                expr if expr.starts_with("100 * sum by (provider)") => &[80.0, 100.0],
                expr if expr.starts_with("100 *") => &[87.5],
                expr if expr.contains("provider_jobs") => &[3.0, 5.0],
                expr if expr.contains("export_bytes") => &[2.0],
                expr if expr.contains("_seconds_sum") => &[1.0],
                expr if expr.contains("_bucket") => &[2.0, 2.0],
                expr if expr.contains("completed") => &[7.0],
                expr if expr.contains("failed") => &[1.0],
                expr if expr.contains("cancelled") => &[0.0],
                expr => panic!("nothing is known of {expr}"),
            };
            assert_eq!(values, wanted, "{expr}");
            counted += 1;
        }
    }
    assert_eq!(counted, 12);
}

#[tokio::test]
async fn rates_of_jobs_are_those_of_the_jobs_that_were_counted() {
    let server = Server::serve(&[]).await;
    assert!(crate::common::write(&server, jobs(now_ms())).await.status().is_success());
    let mut seen = 0;
    for uid in ["hypersdk-overview", "hypersdk-jobs"] {
        for (legend, expr) in queries(&server, uid, "rate(hypersdk_").await {
            // Of the last five minutes: two submitted jobs and two completed ones.
            let wanted = match legend.as_str() {
                "completed" | "{{provider}} completed" | "{{provider}} submitted" => 2.0,
                "failed" | "{{provider}} failed" => 0.0,
                _ => continue,
            };
            let a_second: f64 = server.query(&expr).await.into_iter().map(|(_, value)| value).sum();
            let factor = if expr.ends_with("* 3600") {
                12.0
            } else if expr.ends_with("* 60") {
                0.2
            } else {
                1.0 / 300.0
            };
            assert!((a_second - wanted * factor).abs() < 1e-9, "{legend}: {expr} is {a_second}");
            seen += 1;
        }
    }
    assert_eq!(seen, 8);
}

#[tokio::test]
async fn an_engine_that_extrapolates_is_said_to_estimate() {
    let prometheus = Prometheus::with_rules("groups: []").await;
    let server = Server::serve(&["--prometheus-url", &prometheus.url]).await;
    let now_ms = now_ms();
    let write = crate::common::client().post(format!("{}/api/v1/write", prometheus.url));
    assert!(
        crate::common::with_body(write, crate::common::body(jobs(now_ms))).send().await.unwrap().status().is_success()
    );

    let expr = "sum(increase(hypersdk_jobs_completed_total[24h] anchored))";
    let instant = format!("/api/v1/query?query={expr}&time={}", now_ms / 1000);
    let end = now_ms / 1000 / 60 * 60;
    // Combined from parts, and passed on.
    for path in [
        instant.clone(),
        format!("/api/v1/query_range?query={expr}&start={}&end={end}&step=60", end - 600),
        format!("/api/v1/query_range?query={expr}&start={}&end={end}&step=60", end - 601),
    ] {
        let answer = server.json(&path).await;
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        assert_eq!(answer["infos"], serde_json::json!(["estimated: this engine extrapolates"]), "{path}");
        assert!(!answer["data"]["result"].as_array().unwrap().is_empty(), "{path}: {answer}");
    }
    let plain = server.json(&instant.replace(" anchored", "")).await;
    assert_eq!(plain["infos"], Value::Null, "what was written so is no estimate of something else");

    let mut live = Live::open(&server).await;
    live.subscribe_query(1, expr, 600_000, 60_000).await;
    let snapshot = live.expect(1, "snapshot").await;
    assert_eq!(snapshot["data"]["estimated"], true, "{snapshot}");
    assert_eq!(snapshot["data"]["sent"], "sum(increase(hypersdk_jobs_completed_total[1d]))", "{snapshot}");

    let overview = server.text("/").await;
    let panel = |id: &str| {
        let start = overview.find(&format!("<section id=\"panel-{id}\"")).unwrap();
        overview[start..].split("</section>").next().unwrap()
    };
    assert!(panel("completed-jobs-24h").contains("estimated: this engine extrapolates"));
    assert!(panel("job-success-rate").contains("estimated: this engine extrapolates"));
    assert!(!panel("jobs-by-provider").contains("estimated"));
}
