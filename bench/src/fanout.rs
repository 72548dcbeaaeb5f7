//! A live query on a thousand sockets, beside a plain axum server that broadcasts a message of 300 bytes a second.
//!
//! Latency is from the moment a value is due (the step for us, the sending for the plain server) to its arrival, so ours
//! includes the evaluation. The clients are in this process, on the same cores, in both measurements.

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use axum::{
    Router,
    extract::{State, WebSocketUpgrade, ws::Message as AxumMessage},
    routing::get,
};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::{sync::broadcast, task::JoinSet};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use crate::{
    process::{Demo, TOKEN, resident_bytes},
    rows::Rows,
    statistics::percentile,
};

const SOCKETS: usize = 1_000;
/// Messages measured on each socket.
const MESSAGES: usize = 20;
/// Messages before that, which are not.
const WARM_UP: usize = 3;

pub(crate) async fn measure(binary: &Path, rows: &mut Rows) -> anyhow::Result<()> {
    let (mut plain, plain_bytes) = plain().await?;
    let (mut ours, our_bytes) = ours(binary).await?;
    let peer = "plain axum broadcast";
    for (share, name) in [(0.5, "p50"), (0.99, "p99")] {
        let name = format!("live query to {SOCKETS} sockets, {name}");
        rows.compare(&name, percentile(&mut ours, share), "ms", peer, percentile(&mut plain, share));
    }
    rows.compare("resident of a socket", our_bytes / 1024.0, "KiB", peer, plain_bytes / 1024.0);
    Ok(())
}

#[allow(clippy::cast_precision_loss)] // milliseconds since 1970 are far below 2^53
fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1_000.0)
}

/// When a message was due, in milliseconds since the Unix epoch.
#[derive(Deserialize)]
struct Due {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    data: Option<DueData>,
}

#[derive(Deserialize)]
struct DueData {
    end_ms: f64,
}

/// Opens all sockets, then reads from each; returns all latencies, and the memory a socket took, in bytes.
async fn clients(
    url: &str,
    hello: Option<String>,
    resident: impl Fn() -> anyhow::Result<u64>,
) -> anyhow::Result<(Vec<f64>, f64)> {
    let before = resident()?;
    let mut sockets = Vec::with_capacity(SOCKETS);
    for _ in 0..SOCKETS {
        let mut request = url.into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {TOKEN}").parse()?);
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.context("a socket was refused")?;
        if let Some(hello) = &hello {
            socket.send(Message::text(hello.clone())).await?;
        }
        sockets.push(socket);
    }
    let mut readers = JoinSet::new();
    for mut socket in sockets {
        readers.spawn(async move {
            let mut latencies = Vec::with_capacity(MESSAGES);
            let mut skipped = 0;
            while latencies.len() < MESSAGES {
                let message = socket.next().await.context("a socket ended")??;
                let arrived = now_ms();
                let Message::Text(text) = message else { continue };
                let due: Due = serde_json::from_str(&text)?;
                let Some(data) = due.data.filter(|_| due.r#type == "delta") else { continue };
                if skipped < WARM_UP {
                    skipped += 1;
                } else {
                    latencies.push(arrived - data.end_ms);
                }
            }
            anyhow::Ok((latencies, socket))
        });
    }
    let mut latencies = Vec::with_capacity(SOCKETS * MESSAGES);
    let mut open = Vec::with_capacity(SOCKETS);
    while let Some(read) = readers.join_next().await {
        let (of_one, socket) = read??;
        latencies.extend(of_one);
        open.push(socket);
    }
    let grown = resident()?.saturating_sub(before);
    #[allow(clippy::cast_precision_loss)] // bytes, far below 2^53
    let each = grown as f64 / SOCKETS as f64;
    Ok((latencies, each))
}

async fn ours(binary: &Path) -> anyhow::Result<(Vec<f64>, f64)> {
    let demo = Demo::start(binary).await?;
    // The first page fills caches, which are no cost of a socket.
    reqwest::Client::new().get(&demo.url).bearer_auth(TOKEN).send().await?.error_for_status()?;
    let url = format!("{}/ws", demo.url.replacen("http", "ws", 1));
    let query = r#"{"type":"subscribe","id":1,"topic":"query","expr":"sum(hypersdk_jobs_active)","window_ms":300000,"step_ms":1000}"#;
    let measured = clients(&url, Some(query.to_owned()), || demo.resident_bytes()).await;
    demo.stop().await?;
    measured
}

/// The plain server runs in a process of its own as well, so that memory and cores are shared in the same way.
async fn plain() -> anyhow::Result<(Vec<f64>, f64)> {
    let program = std::env::current_exe()?;
    let mut child = tokio::process::Command::new(program)
        .env(PLAIN_SERVER, "1")
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = child.stdout.take().context("the plain server has no output")?;
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(output));
    let address = lines.next_line().await?.context("the plain server ended")?;
    let pid = child.id().context("the plain server ended")?;
    let measured = clients(&format!("ws://{address}/ws"), None, || resident_bytes(pid)).await;
    child.kill().await?;
    measured
}

/// Set in the environment of the process that is to be the plain server.
pub(crate) const PLAIN_SERVER: &str = "HYPERSCOPE_BENCH_PLAIN_SERVER";

/// Broadcasts a message of about 300 bytes a second until it is ended.
#[allow(clippy::print_stdout)] // its address, for the process that started it
pub(crate) async fn serve_plain() -> anyhow::Result<()> {
    let (sender, _) = broadcast::channel::<Arc<str>>(16);
    let app = Router::new().route("/ws", get(plain_socket)).with_state(sender.clone());
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("{}", listener.local_addr()?);
    tokio::spawn(async move {
        let padding = "x".repeat(230);
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            let message = format!(r#"{{"type":"delta","padding":"{padding}","data":{{"end_ms":{}}}}}"#, now_ms());
            // Nobody listening is no error.
            let _ = sender.send(message.into());
        }
    });
    axum::serve(listener, app).await?;
    Ok(())
}

async fn plain_socket(
    State(sender): State<broadcast::Sender<Arc<str>>>,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    upgrade.read_buffer_size(1 << 10).on_upgrade(move |mut socket| async move {
        let mut messages = sender.subscribe();
        while let Ok(message) = messages.recv().await {
            if socket.send(AxumMessage::Text(message.as_ref().into())).await.is_err() {
                return;
            }
        }
    })
}
