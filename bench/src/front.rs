//! Prometheus behind the server: how many requests it receives from many viewers, and the duration of a page compared
//! with direct queries.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use daemon_sim::SimOptions;
use futures_util::{SinkExt, StreamExt, future::join_all};
use labels::Labels;
use remote_write::{Request, TimeSeries};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest, http::HeaderValue};

use crate::{engine::subject::Subject, fanout, process::Process, report, row::Row};

/// Admin token of this run.
const TOKEN: &str = "benchmark-token-of-this-run-only-0123456789";
const DASHBOARDS: [(&str, &str); 3] =
    [("hypersdk-overview", "/"), ("hypersdk-jobs", "/jobs"), ("hypersdk-system", "/system")];
/// Length of the history and interval of its samples.
const HISTORY_HOURS: f64 = 6.0;
const HISTORY_STEP_SECS: u32 = 15;
/// Steps of the history per request.
const STEPS_A_REQUEST: usize = 20;
/// The default range of pages, and its step.
const WINDOW_MS: i64 = 3_600_000;
const STEP_MS: i64 = 15_000;
/// How long requests are counted.
const COUNT: Duration = Duration::from_secs(60);
/// Pause between connecting and counting.
const SETTLE: Duration = Duration::from_secs(15);
/// Concurrent connection attempts.
const AT_ONCE: usize = 50;
/// Runs per measurement.
const ASKED: usize = 30;

/// Measures and writes the rows to `out`.
pub(crate) async fn measure(binary: &Path, prometheus: &Path, out: &Path, sockets: usize) -> anyhow::Result<()> {
    // The client requires a crypto provider even without encryption. Installing it again fails, which is no error.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let prometheus = Subject::prometheus(prometheus).await?;
    println!("Writing six hours of a daemon's samples into {}", prometheus.name);
    for body in history()? {
        prometheus.write(&[body]).await?;
    }
    let counting = Counting::start(prometheus.address()).await?;
    let data = tempfile::tempdir()?;
    let data_dir = data.path().to_str().context("the temporary directory's name is not UTF-8")?;
    let args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir, "--prometheus-url", &counting.url];
    let server = Process::start(binary, &args, &[("HYPERSCOPE_ADMIN_TOKEN", TOKEN)]).await?;
    let client = Client::builder().no_proxy().build()?;

    let mut dashboards = Vec::new();
    for (uid, path) in DASHBOARDS {
        dashboards.push((path, queries_of(&client, &server.address, uid).await?));
    }
    let all: Vec<(String, bool)> = dashboards.iter().flat_map(|(_, queries)| queries.clone()).collect();
    // Before any page is loaded, because its queries would continue for two minutes.
    println!("Counting requests for one socket, then for {sockets}, {} s each", (COUNT + SETTLE).as_secs());
    let one = counting.count(&server.address, &all, 1).await?;
    let many = counting.count(&server.address, &all, sockets).await?;
    let name = format!("engine requests a minute, {sockets} sockets");
    let mut rows = vec![Row::new(&name, many, "requests").beside("one socket", one)];

    // The server needs some time to close this many sockets.
    tokio::time::sleep(SETTLE).await;
    for (path, queries) in dashboards {
        let page = median_ms(async || get(&client, &format!("http://{}{path}", server.address)).await).await?;
        let base = format!("http://{}", prometheus.address());
        let direct = median_ms(async || ask_all(&client, &base, &queries).await).await?;
        rows.push(
            Row::new(&format!("{path}, warm, Prometheus behind it"), page, "ms")
                .beside(&format!("its queries to {}", prometheus.name), direct),
        );
        let base = format!("http://{}", server.address);
        let through = median_ms(async || ask_all(&client, &base, &queries).await).await?;
        rows.push(
            Row::new(&format!("queries of {path} through /api/v1, warm"), through, "ms")
                .beside(&prometheus.name, direct),
        );
    }
    server.stop().await?;
    prometheus.stop().await?;
    report::save(&rows, out)
}

/// Requests that write the samples which scrapes of a daemon would have stored, in order of time.
fn history() -> anyhow::Result<Vec<Vec<u8>>> {
    let now_ms = i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_millis())?;
    #[allow(clippy::cast_possible_truncation)] // Hours as milliseconds.
    let mut world = SimOptions::default().world(now_ms - (HISTORY_HOURS * 3.6e6) as i64);
    let table = world.table();
    let labels: Vec<Labels> = table
        .series
        .iter()
        .map(|series| {
            let own = series.labels.iter().map(|(name, value)| (*name, value.as_str()));
            Labels::new(
                [("__name__", series.name.as_str()), ("job", "hypersdk"), ("instance", "bench")].into_iter().chain(own),
            )
        })
        .collect();
    let mut steps: Vec<(i64, Vec<f64>)> = Vec::new();
    world.run_history(HISTORY_HOURS, HISTORY_STEP_SECS, |timestamp_ms, values| {
        steps.push((timestamp_ms, values.to_vec()))
    });
    let body = |some: &[(i64, Vec<f64>)]| -> anyhow::Result<Vec<u8>> {
        let series = labels.iter().enumerate().map(|(place, labels)| TimeSeries {
            labels: labels.clone(),
            samples: some.iter().filter_map(|(time, values)| Some((*time, *values.get(place)?))).collect(),
            ..TimeSeries::default()
        });
        let request = Request { series: series.collect(), ..Request::default() };
        Ok(remote_write::compress(&remote_write::encode(&request))?)
    };
    steps.chunks(STEPS_A_REQUEST).map(body).collect()
}

/// The queries of a dashboard, and whether each is an instant query.
async fn queries_of(client: &Client, address: &str, uid: &str) -> anyhow::Result<Vec<(String, bool)>> {
    let url = format!("http://{address}/api/dashboards/{uid}");
    let dashboard: Value = client.get(url).bearer_auth(TOKEN).send().await?.error_for_status()?.json().await?;
    let panels = dashboard.get("panels").and_then(Value::as_array).context("a dashboard without panels")?;
    let queries = panels.iter().filter_map(|panel| panel.get("queries")?.as_array()).flatten();
    Ok(queries
        .filter_map(|query| {
            let instant = query.get("instant").and_then(Value::as_bool).unwrap_or(false);
            Some((plain(query.get("expr")?.as_str()?), instant))
        })
        .collect())
}

/// A query in the syntax of the compared Prometheus, which may not know `anchored`.
fn plain(expr: &str) -> String {
    let plain = promql::parse(expr).ok().and_then(|query| query.without_anchored());
    plain.map_or_else(|| expr.to_owned(), |query| query.to_string())
}

async fn get(client: &Client, url: &str) -> anyhow::Result<()> {
    client.get(url).bearer_auth(TOKEN).send().await?.error_for_status()?.bytes().await?;
    Ok(())
}

/// Runs all queries of a dashboard concurrently, as a browser that renders it would.
async fn ask_all(client: &Client, base: &str, queries: &[(String, bool)]) -> anyhow::Result<()> {
    let now_ms = i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_millis())?;
    let end = now_ms / STEP_MS * STEP_MS / 1_000;
    let (start, end, step) = ((end - WINDOW_MS / 1_000).to_string(), end.to_string(), (STEP_MS / 1_000).to_string());
    let each = queries.iter().map(async |(expr, instant)| {
        let request = if *instant {
            client.get(format!("{base}/api/v1/query")).query(&[("query", expr), ("time", &end)])
        } else {
            let range = [("query", expr), ("start", &start), ("end", &end), ("step", &step)];
            client.get(format!("{base}/api/v1/query_range")).query(&range)
        };
        request.bearer_auth(TOKEN).send().await?.error_for_status()?.bytes().await?;
        Ok::<(), anyhow::Error>(())
    });
    join_all(each).await.into_iter().collect()
}

/// The median of several durations, after one warm-up run.
async fn median_ms(mut each: impl AsyncFnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    each().await?;
    let mut times = Vec::with_capacity(ASKED);
    for _ in 0..ASKED {
        let started = Instant::now();
        each().await?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1_000.0))
}

/// A proxy between the server and Prometheus that counts queries.
struct Counting {
    url: String,
    passed: Arc<Passed>,
    task: tokio::task::JoinHandle<()>,
}

struct Passed {
    to: String,
    client: Client,
    queries: AtomicUsize,
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Counting {
    async fn start(to: &str) -> anyhow::Result<Self> {
        let client = Client::builder().no_proxy().build()?;
        let passed = Arc::new(Passed { to: format!("http://{to}"), client, queries: AtomicUsize::new(0) });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&passed));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                println!("the counter ended: {error}");
            }
        });
        Ok(Counting { url, passed, task })
    }

    /// Queries per minute while this many sockets subscribe to all queries.
    #[allow(clippy::cast_precision_loss)] // Far below 2^53.
    async fn count(&self, address: &str, queries: &[(String, bool)], sockets: usize) -> anyhow::Result<f64> {
        let mut open = JoinSet::new();
        while open.len() < sockets {
            let batch = (0..AT_ONCE.min(sockets - open.len())).map(|_| follow(address, queries));
            for socket in join_all(batch).await {
                let mut socket = socket?;
                open.spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
            }
        }
        tokio::time::sleep(SETTLE).await;
        let before = self.passed.queries.load(Ordering::Relaxed);
        tokio::time::sleep(COUNT).await;
        let asked = self.passed.queries.load(Ordering::Relaxed) - before;
        Ok(asked as f64 * 60.0 / COUNT.as_secs_f64())
    }
}

async fn pass(
    State(passed): State<Arc<Passed>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if uri.path().starts_with("/api/v1/query") {
        passed.queries.fetch_add(1, Ordering::Relaxed);
    }
    let mut request = passed.client.request(method, format!("{}{uri}", passed.to)).body(body);
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    let answer = async {
        let answer = request.send().await?;
        let (status, kind) = (answer.status(), answer.headers().get(header::CONTENT_TYPE).cloned());
        Ok::<_, reqwest::Error>((status, kind, answer.bytes().await?))
    };
    match answer.await {
        Ok((status, kind, bytes)) => {
            let kind = kind.unwrap_or_else(|| HeaderValue::from_static("application/json"));
            (status, [(header::CONTENT_TYPE, kind)], bytes).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// A socket that subscribes to all queries, like a browser that shows all dashboards.
async fn follow(address: &str, queries: &[(String, bool)]) -> anyhow::Result<fanout::Socket> {
    let mut request = format!("ws://{address}/ws").into_client_request()?;
    request.headers_mut().insert("authorization", HeaderValue::from_str(&format!("Bearer {TOKEN}"))?);
    let mut socket = fanout::open(address, request).await?;
    for (id, (expr, instant)) in (1..).zip(queries) {
        let (window_ms, step_ms) = if *instant { (0, 5_000) } else { (WINDOW_MS, STEP_MS) };
        let subscribe = json!({"type": "subscribe", "id": id, "topic": "query", "expr": expr, "window_ms": window_ms, "step_ms": step_ms, "instant": instant});
        socket.send(Message::text(subscribe.to_string())).await?;
    }
    Ok(socket)
}
