//! A viewer that requests as much as possible, beside a thousand normal sockets: measures memory, rules, and the effect
//! on the other sockets.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use futures_util::SinkExt;
use labels::Labels;
use remote_write::{Request, TimeSeries};
use tokio::{process::Command, task::JoinSet};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest, http::HeaderValue};

use crate::{fanout, process::Process, request, row::Row};

const TOKEN: &str = "benchmark-token-of-this-run-only-0123456789";
/// Series of the requested metric.
const SERIES: usize = 24_000;
/// Series per request.
const BODY_SERIES: usize = 2_000;
/// Memory limit of the server.
const LIMIT_MIB: u32 = 1_024;
/// Number of normal sockets.
const SOCKETS: usize = 1_000;
/// The subscription of each: one point per second.
const SUBSCRIPTION: &str =
    r#"{"type":"subscribe","id":1,"topic":"query","expr":"vector(time())","window_ms":60000,"step_ms":1000}"#;
/// Concurrent requests by path.
const AT_ONCE: [(&str, usize); 4] = [
    ("/federate?match[]=bench_wide", 30),
    ("/explore?q=bench_wide", 10),
    ("/api/v1/series?match[]=bench_wide", 20),
    ("/render/d/hypersdk-system.png?width=4000&height=4000", 40),
];
/// Live queries of one socket.
const LIVE: u32 = 256;
/// Evaluation interval of the rules.
const INTERVAL: Duration = Duration::from_secs(5);
/// Interval between measurements of memory and rules.
const LOOK: Duration = Duration::from_millis(100);
/// Maximum time until a running server knows a new token.
const TOKEN_WAIT: Duration = Duration::from_secs(2);

const RULES: &str = "groups:
- name: watched
  interval: 5s
  rules: [{ record: bench:wide, expr: count(bench_wide) }]
";

/// Attacks a server while normal sockets are connected.
pub(crate) async fn measure(binary: &Path) -> anyhow::Result<Vec<Row>> {
    println!("Attacking a server of {LIMIT_MIB} MiB beside {SOCKETS} sockets, half a minute");
    // Only the first call installs the provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let data = tempfile::tempdir()?;
    let data_dir = data.path().to_str().context("the temporary directory's name is not UTF-8")?;
    let rules = data.path().join("rules.yml");
    std::fs::write(&rules, RULES)?;
    let (rules, limit) = (format!("--rules={}", rules.display()), format!("--memory-limit={LIMIT_MIB}MiB"));
    let args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir, &rules, &limit];
    let server = Process::start(binary, &args, &[("HYPERSCOPE_ADMIN_TOKEN", TOKEN)]).await?;
    fill(&server).await?;
    let create = ["token", "create", "--name", "greedy", "--role", "viewer", "--data-dir", data_dir];
    let created = Command::new(binary).args(create).output().await?;
    let greedy = String::from_utf8(created.stdout)?;
    let greedy = greedy.lines().last().context("no token was made")?.to_owned();
    tokio::time::sleep(TOKEN_WAIT).await;

    let mut attack = JoinSet::new();
    attack.spawn(live_queries(server.address.clone(), greedy.clone()));
    for (path, count) in AT_ONCE {
        for _ in 0..count {
            let (address, token) = (server.address.clone(), greedy.clone());
            attack.spawn(async move {
                loop {
                    // Rejected requests are repeated.
                    if request::get(&address, path, &token, "identity").await.is_err() {
                        tokio::time::sleep(LOOK).await;
                    }
                }
            });
        }
    }
    let (mut peak, mut late) = (0.0_f64, Duration::ZERO);
    let watching = async {
        loop {
            peak = peak.max(server.resident_bytes()?);
            late = late.max(evaluated_ago(&server).await?.saturating_sub(INTERVAL));
            tokio::time::sleep(LOOK).await;
        }
    };
    let honest = tokio::select! {
        honest = fanout::measure(&server, Some(TOKEN), Some(SUBSCRIPTION), SOCKETS) => honest?,
        ended = watching => return ended,
    };
    attack.shutdown().await;
    server.stop().await?;
    let name = |what: &str| format!("a greedy viewer beside {SOCKETS} sockets: {what}");
    Ok(vec![
        Row::new(&name("resident at its peak"), peak / f64::from(1 << 20), "MiB").goal(f64::from(LIMIT_MIB)),
        Row::new(&name("a rule late by at most"), late.as_secs_f64(), "s").goal(INTERVAL.as_secs_f64()),
        Row::new(&name("delay behind the first, p99"), honest.p99_ms, "ms"),
        Row::new(&name("messages delivered"), honest.delivered * 100.0, "%"),
    ])
}

/// Subscribes to more than the budget allows, and reads nothing.
async fn live_queries(address: String, token: String) -> anyhow::Result<()> {
    let mut request = format!("ws://{address}/ws").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}"))?);
    headers.insert("sec-websocket-protocol", HeaderValue::from_static("hyperscope.v1.json"));
    let mut socket = fanout::open(&address, request).await?;
    for id in 1..=LIVE {
        let query = format!(
            r#"{{"type":"subscribe","id":{id},"topic":"query","expr":"bench_wide + {id}","window_ms":60000,"step_ms":1000}}"#
        );
        socket.send(Message::text(query)).await?;
    }
    // The socket stays open until the attack ends.
    std::future::pending().await
}

/// The time since the last evaluation of the rules.
async fn evaluated_ago(server: &Process) -> anyhow::Result<Duration> {
    let answer = request::get(&server.address, "/api/v1/query?query=time()-timestamp(bench:wide)", TOKEN, "identity");
    let answer: serde_json::Value = serde_json::from_slice(&answer.await?.body)?;
    let seconds = answer.pointer("/data/result/0/value/1").and_then(serde_json::Value::as_str);
    // There is no sample before the first evaluation.
    let seconds: f64 = seconds.map_or(Ok(0.0), str::parse)?;
    Ok(Duration::from_secs_f64(seconds.max(0.0)))
}

/// Writes two samples of each series; queries see the newer one for the lookback of five minutes.
async fn fill(server: &Process) -> anyhow::Result<()> {
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let client = reqwest::Client::new();
    for first in (0..SERIES).step_by(BODY_SERIES) {
        let series = (first..first + BODY_SERIES).map(|number| {
            let labels = [("__name__", "bench_wide".to_owned()), ("number", format!("number-{number:05}"))];
            let samples = vec![(now_ms - 60_000, 1.0), (now_ms, 1.0)];
            TimeSeries { labels: Labels::new(labels), samples, ..TimeSeries::default() }
        });
        let request = Request { series: series.collect(), ..Request::default() };
        let body = remote_write::compress(&remote_write::encode(&request))?;
        let answer = client
            .post(format!("http://{}/api/v1/write", server.address))
            .bearer_auth(TOKEN)
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(body);
        answer.send().await?.error_for_status()?;
    }
    Ok(())
}
