//! Compares rules with Prometheus: the same file over the same samples, each evaluated by its own program. The duration
//! of an evaluation of all groups is what each program reports at `/api/v1/rules`.

use std::{
    fmt::Write,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use labels::Labels;
use remote_write::{Request, TimeSeries};

use crate::{engine::subject::Subject, report, row::Row, statistics::percentile, storm};

/// Number of parts of the series; each rule reads one part.
const SHARDS: usize = 100;
/// Series per part: half of them counters, half gauges.
const SHARD_SERIES: usize = 100;
const RULES: usize = 1_000;
const GROUPS: usize = 10;
/// Length of the samples and their interval.
const BACK_MS: i64 = 10 * 60 * 1000;
const STEP_MS: i64 = 15_000;
/// Number of reads of the evaluation time, and their interval: longer than the evaluation interval.
const LOOKS: usize = 12;
const LOOK: Duration = Duration::from_secs(5);

/// Measures and writes the rows to `out`.
pub(crate) async fn measure(binary: &Path, prometheus: &Path, out: &Path) -> anyhow::Result<()> {
    // Installing it again fails, which is no error.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let rules = rules();
    let ours = Subject::hyperscope_with_rules(binary, &rules, &[]).await?;
    let theirs = Subject::prometheus_with_rules(prometheus, &rules).await?;
    let bodies = samples()?;
    ours.write(&bodies).await?;
    theirs.write(&bodies).await?;
    println!("Evaluating {RULES} rules over {} series in both", SHARDS * SHARD_SERIES);
    let (mut our_times, mut their_times, mut our_alerts, mut their_alerts) = (Vec::new(), Vec::new(), 0, 0);
    for look in 0..LOOKS {
        tokio::time::sleep(LOOK).await;
        let (our_time, alerts) = evaluation(&ours).await?;
        let (their_time, those) = evaluation(&theirs).await?;
        // Skips the first evaluations, during which the samples arrive.
        if look >= 2 {
            our_times.push(our_time);
            their_times.push(their_time);
            (our_alerts, their_alerts) = (alerts, those);
        }
    }
    anyhow::ensure!(our_alerts > 0, "no alert is on: the rules saw no samples");
    anyhow::ensure!(our_alerts == their_alerts, "{our_alerts} alerts here and {their_alerts} there: not the same work");
    let (ours_median, theirs_median) = (percentile(&mut our_times, 0.5), percentile(&mut their_times, 0.5));
    let name = "rules: one evaluation of 1,000 over 10,000 series, all groups added up";
    let mebibytes = |bytes: f64| bytes / f64::from(1 << 20);
    let mut rows = vec![
        Row::new(name, ours_median * 1e3, "ms").beside(&theirs.name, theirs_median * 1e3),
        Row::new(name, ours_median * 1e3, "ms").goal(1_000.0),
        Row::new(&format!("rules: resident with {our_alerts} alerts"), mebibytes(ours.resident_bytes()?), "MiB")
            .beside(&theirs.name, mebibytes(theirs.resident_bytes()?)),
    ];
    ours.stop().await?;
    theirs.stop().await?;
    rows.extend(storm::measure(binary).await?);
    report::save(&rows, out)
}

/// The duration of the last evaluation of all groups in seconds, and the number of active alerts.
async fn evaluation(subject: &Subject) -> anyhow::Result<(f64, usize)> {
    let (body, _) = subject.ask("/api/v1/rules", &[]).await?;
    let answer: serde_json::Value = serde_json::from_slice(&body)?;
    let groups = answer.pointer("/data/groups").and_then(serde_json::Value::as_array).context("no groups")?;
    let time = |group: &serde_json::Value| group.get("evaluationTime").and_then(serde_json::Value::as_f64);
    let rules = groups.iter().filter_map(|group| group.get("rules")?.as_array()).flatten();
    let alerts = rules.filter_map(|rule| rule.get("alerts")?.as_array()).map(Vec::len).sum();
    Ok((groups.iter().filter_map(time).sum(), alerts))
}

/// A file of typical rules: alerts on values, rates and ratios, with templates, and recorded sums.
fn rules() -> String {
    let mut text = String::from("groups:\n");
    for group in 0..GROUPS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "- name: group{group}\n  interval: 5s\n  rules:");
        for rule in 0..RULES / GROUPS {
            let (number, shard) = (group * RULES / GROUPS + rule, (group * RULES / GROUPS + rule) % SHARDS);
            let _ = match number % 10 {
                0..=3 => writeln!(
                    text,
                    "  - alert: High{number}\n    expr: bench_rule_level{{shard=\"{shard}\"}} > 90\n    for: 1m\n    labels: {{ severity: warning }}\n    annotations: {{ summary: '{{{{ $labels.host }}}} is at {{{{ $value | humanize }}}}' }}"
                ),
                4..=6 => writeln!(
                    text,
                    "  - record: bench:rate{number}\n    expr: sum by (zone) (rate(bench_rule_total{{shard=\"{shard}\"}}[5m]))"
                ),
                7 | 8 => writeln!(
                    text,
                    "  - alert: Busy{number}\n    expr: sum by (zone) (rate(bench_rule_total{{shard=\"{shard}\"}}[5m])) / count by (zone) (bench_rule_level{{shard=\"{shard}\"}}) > 1e6\n    annotations: {{ summary: 'busy' }}"
                ),
                _ => writeln!(
                    text,
                    "  - record: bench:level{number}\n    expr: quantile by (zone) (0.9, bench_rule_level{{shard=\"{shard}\"}})"
                ),
            };
        }
    }
    text
}

/// The samples up to now, as remote-write requests.
#[allow(clippy::cast_precision_loss)] // far below 2^53
fn samples() -> anyhow::Result<Vec<Vec<u8>>> {
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let times: Vec<i64> = (0..=BACK_MS / STEP_MS).map(|step| now_ms - BACK_MS + step * STEP_MS).collect();
    let mut bodies = Vec::with_capacity(SHARDS);
    for shard in 0..SHARDS {
        let series = (0..SHARD_SERIES).map(|number| {
            let is_counter = number % 2 == 0;
            let labels = Labels::new([
                ("__name__", if is_counter { "bench_rule_total" } else { "bench_rule_level" }.to_owned()),
                ("shard", shard.to_string()),
                ("host", format!("host-{number:03}")),
                ("zone", (number % 7).to_string()),
            ]);
            let value = |step: usize| match is_counter {
                true => (step * (number + 3)) as f64,
                false => ((number * 31 + shard * 17) % 100) as f64,
            };
            let samples = times.iter().enumerate().map(|(step, time)| (*time, value(step))).collect();
            TimeSeries { labels, samples, ..TimeSeries::default() }
        });
        let request = Request { series: series.collect(), ..Request::default() };
        bodies.push(remote_write::compress(&remote_write::encode(&request))?);
    }
    Ok(bodies)
}
