//! An alert storm: thousands of alerts of one rule begin to fire at the same time.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use axum::{Json, Router, extract::DefaultBodyLimit, extract::State, routing::post};
use labels::Labels;
use remote_write::{Request, TimeSeries};

use crate::{
    engine::subject::{Subject, TOKEN},
    request,
    row::Row,
    statistics::percentile,
};

const ALERTS: usize = 10_000;
/// Series per request.
const BODY_SERIES: usize = 1_000;
/// Interval of checks whether all alerts fire.
const LOOK: Duration = Duration::from_millis(100);
/// Timeout of every wait.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long further messages are awaited after the first one.
const AFTER: Duration = Duration::from_secs(10);
/// Requests per page.
const PAGES: usize = 9;

const RULES: &str = "groups:
- name: storm
  interval: 1s
  rules:
  - alert: Storm
    expr: bench_storm > 0
    labels: { severity: warning }
    annotations: { summary: '{{ $labels.host }} is at {{ $value | humanize }}' }
";

/// Number of alerts in each message.
type Messages = Arc<Mutex<Vec<usize>>>;

/// Makes all alerts fire, and measures the cost.
pub(crate) async fn measure(binary: &Path) -> anyhow::Result<Vec<Row>> {
    println!("Letting {ALERTS} alerts fire at once");
    let messages = Messages::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let router =
        Router::new().route("/", post(receive)).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&messages));
    let receiver = tokio::spawn(async move { axum::serve(listener, router).await });

    let directory = tempfile::tempdir()?;
    let file = directory.path().join("alertmanager.yml");
    let route = "{ receiver: all, group_by: [alertname], group_wait: 1s, group_interval: 1m }";
    let config = format!("route: {route}\nreceivers:\n- {{ name: all, webhook_configs: [{{ url: '{url}' }}] }}\n");
    std::fs::write(&file, config)?;
    let further = [format!("--alertmanager-config={}", file.display()), "--notify-allow-private".to_owned()];
    let subject = Subject::hyperscope_with_rules(binary, RULES, &further).await?;

    let bodies = samples()?;
    let begun = Instant::now();
    subject.write(&bodies).await?;
    while known(&subject).await? < ALERTS {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "not all alerts fire");
        tokio::time::sleep(LOOK).await;
    }
    let known_after = begun.elapsed();
    let received = || messages.lock().unwrap_or_else(PoisonError::into_inner).clone();
    while received().is_empty() {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "the receiver got no message");
        tokio::time::sleep(LOOK).await;
    }
    let received_after = begun.elapsed();
    tokio::time::sleep(AFTER).await;
    let received = received();
    anyhow::ensure!(received.first() == Some(&ALERTS), "the first message contains {:?} alerts", received.first());

    let mebibytes = subject.resident_bytes()? / f64::from(1 << 20);
    let mut rows = vec![
        Row::new("alerts: 10,000 at once, until all are listed", known_after.as_secs_f64(), "s"),
        Row::new("alerts: 10,000 at once, until the receiver has the message", received_after.as_secs_f64(), "s"),
        Row::new(
            "alerts: 10,000 at once, messages of their group",
            f64::from(u32::try_from(received.len())?),
            "messages",
        )
        .goal(1.0),
        Row::new("alerts: resident with 10,000 that fire", mebibytes, "MiB"),
    ];
    for path in ["/alerts", "/"] {
        let mut times = Vec::with_capacity(PAGES);
        for _ in 0..PAGES {
            let answer = request::get(subject.address(), path, TOKEN, "identity").await?;
            times.push(answer.first_byte.as_secs_f64() * 1e3);
        }
        let name = format!("alerts: first byte of {path} with 10,000 that fire");
        rows.push(Row::new(&name, percentile(&mut times, 0.5), "ms"));
    }
    subject.stop().await?;
    receiver.abort();
    Ok(rows)
}

async fn receive(State(messages): State<Messages>, Json(body): Json<serde_json::Value>) {
    let alerts = body.get("alerts").and_then(serde_json::Value::as_array).map_or(0, Vec::len);
    messages.lock().unwrap_or_else(PoisonError::into_inner).push(alerts);
}

/// Number of firing alerts.
async fn known(subject: &Subject) -> anyhow::Result<usize> {
    let (body, _) = subject.ask("/api/v1/alerts", &[]).await?;
    let answer: serde_json::Value = serde_json::from_slice(&body)?;
    let alerts = answer.pointer("/data/alerts").and_then(serde_json::Value::as_array).context("no alerts")?;
    Ok(alerts.iter().filter(|alert| alert.get("state").is_some_and(|state| state == "firing")).count())
}

/// A series for each alert, with one sample at the current time, as remote-write requests.
fn samples() -> anyhow::Result<Vec<Vec<u8>>> {
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let mut bodies = Vec::with_capacity(ALERTS / BODY_SERIES);
    for first in (0..ALERTS).step_by(BODY_SERIES) {
        let series = (first..first + BODY_SERIES).map(|number| {
            let (host, zone) = (format!("host-{number:05}"), (number % 7).to_string());
            let labels = Labels::new([("__name__", "bench_storm".to_owned()), ("host", host), ("zone", zone)]);
            TimeSeries { labels, samples: vec![(now_ms, 1.0)], ..TimeSeries::default() }
        });
        let request = Request { series: series.collect(), ..Request::default() };
        bodies.push(remote_write::compress(&remote_write::encode(&request))?);
    }
    Ok(bodies)
}
