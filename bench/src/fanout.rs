//! Many sockets on one server: the delay between the first and the last socket that receives a message, and the memory
//! per socket.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::process::Process;

/// Pause after connecting, until the server is idle.
const SETTLE: Duration = Duration::from_secs(5);
/// How long messages are counted.
const LISTEN: Duration = Duration::from_secs(20);
/// Concurrent connection attempts.
const AT_ONCE: usize = 50;

/// The measurements.
pub(crate) struct FanOut {
    /// Median delay behind the first socket that received the same message, in milliseconds.
    pub(crate) p50_ms: f64,
    /// The 99th percentile of the same delay.
    pub(crate) p99_ms: f64,
    /// Resident memory of the server per socket, in bytes.
    pub(crate) bytes_per_socket: f64,
    /// Received messages divided by expected messages.
    pub(crate) delivered: f64,
}

/// Opens `sockets` sockets on `server`, sends `greeting` on each, and listens.
pub(crate) async fn measure(
    server: &Process,
    token: Option<&str>,
    greeting: Option<&str>,
    sockets: usize,
) -> anyhow::Result<FanOut> {
    let before = server.resident_bytes()?;
    let mut open = Vec::with_capacity(sockets);
    while open.len() < sockets {
        let batch = (0..AT_ONCE.min(sockets - open.len())).map(|_| connect(&server.address, token, greeting));
        for socket in futures_util::future::join_all(batch).await {
            open.push(socket?);
        }
    }

    let start = Instant::now() + SETTLE;
    let end = start + LISTEN;
    let mut listeners = JoinSet::new();
    for socket in open {
        listeners.spawn(listen(socket, end));
    }
    tokio::time::sleep_until(end.into()).await;
    let after = server.resident_bytes()?;

    let mut arrivals: HashMap<u64, Vec<Instant>> = HashMap::new();
    while let Some(heard) = listeners.join_next().await {
        for (number, at) in heard?? {
            arrivals.entry(number).or_default().push(at);
        }
    }
    // Drops the first messages, which not all sockets could receive, and the last ones, which may still be in transit.
    arrivals.retain(|_, times| times.iter().min().is_some_and(|first| *first >= start && *first + SETTLE / 5 <= end));
    if arrivals.is_empty() {
        bail!("no message came to any of {sockets} sockets");
    }
    let mut delays: Vec<Duration> = Vec::new();
    for times in arrivals.values() {
        let first = times.iter().min().copied().unwrap_or(start);
        delays.extend(times.iter().map(|at| *at - first));
    }
    delays.sort_unstable();
    Ok(FanOut {
        p50_ms: percentile_ms(&delays, 50),
        p99_ms: percentile_ms(&delays, 99),
        bytes_per_socket: (after - before) / count(sockets),
        delivered: count(delays.len()) / count(arrivals.len() * sockets),
    })
}

/// A socket with small buffers.
pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Opens a socket.
pub(crate) async fn open(address: &str, request: Request) -> anyhow::Result<Socket> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(1024);
    let (socket, _) =
        client_async_with_config(request, stream, Some(config)).await.context("the upgrade was refused")?;
    Ok(socket)
}

async fn connect(address: &str, token: Option<&str>, greeting: Option<&str>) -> anyhow::Result<Socket> {
    let mut request = format!("ws://{address}/ws").into_client_request()?;
    if let Some(token) = token {
        let headers = request.headers_mut();
        headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}"))?);
        headers.insert("sec-websocket-protocol", HeaderValue::from_static("hyperscope.v1.json"));
    }
    let mut socket = open(address, request).await?;
    if let Some(greeting) = greeting {
        socket.send(Message::text(greeting)).await?;
    }
    Ok(socket)
}

/// The messages received until `end`, by their number.
async fn listen(mut socket: Socket, end: Instant) -> anyhow::Result<Vec<(u64, Instant)>> {
    let mut heard = Vec::new();
    while let Ok(message) = tokio::time::timeout_at(end.into(), socket.next()).await {
        match message {
            Some(Ok(Message::Text(text))) => heard.extend(number(&text).map(|number| (number, Instant::now()))),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error).context("a socket broke"),
            None => bail!("the server closed a socket"),
        }
    }
    Ok(heard)
}

/// Identifies a delta: the time of its first point, which is the same on every socket.
fn number(text: &str) -> Option<u64> {
    if !text.contains("\"type\":\"delta\"") {
        return None;
    }
    let (_, rest) = text.split_once("\"timestamps\":[")?;
    let end = rest.find(|character: char| !character.is_ascii_digit())?;
    rest.get(..end)?.parse().ok()
}

/// A percentile of a sorted list.
fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, |delay| delay.as_secs_f64() * 1_000.0)
}

/// Converts a count to a float.
#[allow(clippy::cast_precision_loss)] // Far below 2^52.
fn count(things: usize) -> f64 {
    things as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_message_by_its_first_point() {
        let delta = r#"{"type":"delta","id":1,"seq":7,"data":{"series":[{"labels":{},"timestamps":[1700,1701],"values":[1,2]}]}}"#;
        assert_eq!(number(delta), Some(1700));
        assert_eq!(number(r#"{"type":"snapshot","data":{"series":[{"timestamps":[1]}]}}"#), None);
    }

    #[test]
    fn takes_percentiles_of_a_sorted_list() {
        let sorted: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile_ms(&sorted, 50), 101.0);
        assert_eq!(percentile_ms(&sorted, 99), 199.0);
        assert_eq!(percentile_ms(&[], 50), 0.0);
    }
}
