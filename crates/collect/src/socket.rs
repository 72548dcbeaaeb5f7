//! The WebSocket of one daemon: reads until it ends, then reconnects, forever.

use std::{sync::Arc, time::Duration};

use base64::prelude::{BASE64_STANDARD, Engine};
use futures_util::StreamExt;
use rustls::ClientConfig;
use tokio::{net::TcpStream, time::Instant};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
    tungstenite::{
        self, Message as Frame,
        client::IntoClientRequest,
        error::CapacityError,
        http::{HeaderValue, StatusCode, header::AUTHORIZATION},
        protocol::WebSocketConfig,
    },
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    backoff::Backoff,
    client::{KEY_HEADER, innermost, shown},
    daemon_connection::DaemonConnection,
    detect::detect,
};

/// After a session of at least this length the back-off is reset.
const GOOD_SESSION: Duration = Duration::from_secs(10);
/// How long the detected profile of a daemon is valid before its socket is opened.
const PROFILE_LASTS: Duration = Duration::from_secs(60);
/// A socket that is silent for this many times the stale threshold is closed.
const SILENCE_FACTOR: u32 = 3;
/// Larger messages are parsed on a blocking thread, so that they do not delay other daemons.
const LARGE_MESSAGE: usize = 512 * 1024;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Keeps a socket open for `connection` until `stop` is cancelled.
pub(crate) async fn run(connection: Arc<DaemonConnection>, tls: Arc<ClientConfig>, stop: CancellationToken) {
    let mut backoff = Backoff::new(connection.options.first_retry, connection.options.longest_retry);
    let mut recognised: Option<Instant> = None;
    let mut was_open = false;
    loop {
        let opened = tokio::select! {
            () = stop.cancelled() => return,
            opened = open(&connection, &tls, &mut recognised) => opened,
        };
        let failure = match opened {
            Ok(stream) => {
                connection.socket_opened(was_open);
                was_open = true;
                let start = Instant::now();
                let failure = tokio::select! {
                    () = stop.cancelled() => return,
                    failure = read(&connection, stream) => failure,
                };
                if start.elapsed() >= GOOD_SESSION {
                    backoff.reset();
                }
                failure
            }
            Err(failure) => failure,
        };
        connection.socket_failed(&failure.reason, failure.is_reached);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(backoff.next()) => {}
        }
    }
}

/// Why there is no socket, or why it ended.
struct Failure {
    reason: String,
    is_reached: bool,
}

async fn open(
    connection: &DaemonConnection,
    tls: &Arc<ClientConfig>,
    recognised: &mut Option<Instant>,
) -> Result<Stream, Failure> {
    if recognised.is_none_or(|at| at.elapsed() > PROFILE_LASTS) {
        let profile = detect(&connection.client, connection.options.scrape_body_limit)
            .await
            .map_err(|error| Failure { reason: error.to_string(), is_reached: error.is_reached() })?;
        connection.recognised(profile);
        *recognised = Some(Instant::now());
    }
    connect(connection, tls).await.inspect_err(|_| *recognised = None)
}

async fn connect(connection: &DaemonConnection, tls: &Arc<ClientConfig>) -> Result<Stream, Failure> {
    let mut url = connection.config.url.clone();
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    let path = format!("{}{}/ws", url.path().trim_end_matches('/'), connection.prefix());
    url.set_path(&path);
    let shown_url = shown(&url);
    let broken =
        |reason: String| Failure { reason: format!("the live socket at {shown_url} {reason}"), is_reached: false };
    url.set_scheme(scheme).map_err(|()| broken("has an address that is no URL of HTTP".to_owned()))?;
    let mut request =
        url.as_str().into_client_request().map_err(|error| broken(format!("cannot be asked for: {error}")))?;
    if let Some(login) = basic_login(&connection.config.url) {
        let mut value =
            HeaderValue::from_str(&login).map_err(|_| broken("needs a login that a header can carry".to_owned()))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    if let Some(key) = &connection.config.key {
        let value = HeaderValue::from_str(key.reveal());
        let mut value = value.map_err(|_| broken("needs a key that a header can carry".to_owned()))?;
        value.set_sensitive(true);
        request.headers_mut().insert(KEY_HEADER, value);
    }
    let limits = WebSocketConfig::default()
        .max_message_size(Some(connection.options.message_limit))
        .max_frame_size(Some(connection.options.message_limit));
    let connecting =
        connect_async_tls_with_config(request, Some(limits), true, Some(Connector::Rustls(Arc::clone(tls))));
    match tokio::time::timeout(connection.options.call_timeout, connecting).await {
        Ok(Ok((stream, _))) => Ok(stream),
        Ok(Err(error)) => {
            let is_reached = matches!(error, tungstenite::Error::Http(_) | tungstenite::Error::Protocol(_));
            Err(Failure { is_reached, ..broken(refusal(&error)) })
        }
        Err(_) => {
            let seconds = connection.options.call_timeout.as_secs();
            Err(broken(format!("did not open within {seconds} s")))
        }
    }
}

/// The value of `Authorization` for a URL with a user, as in HTTP requests: a proxy before the daemon may require it.
fn basic_login(url: &Url) -> Option<String> {
    let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let user = plain(url.username());
    if user.is_empty() && url.password().is_none() {
        return None;
    }
    let password = plain(url.password().unwrap_or_default());
    Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
}

/// Why a socket was not opened, to be appended to its URL in a sentence.
fn refusal(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Http(response) => match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                format!("refuses access (HTTP {}): give the daemon's API key", response.status().as_u16())
            }
            status => format!("was refused with HTTP {}", status.as_u16()),
        },
        other => format!("cannot be opened: {}", innermost(other)),
    }
}

/// Reads messages until the socket ends or is silent for too long.
async fn read(connection: &Arc<DaemonConnection>, mut stream: Stream) -> Failure {
    let opened = Instant::now();
    let ended = |reason: String| Failure { reason: format!("the live socket {reason}"), is_reached: true };
    loop {
        let silence = connection.stale_after() * SILENCE_FACTOR;
        let last = connection.last_message().filter(|at| *at > opened).unwrap_or(opened);
        let frame = match tokio::time::timeout_at(last + silence, stream.next()).await {
            Err(_) => return ended(format!("was silent for {} s", silence.as_secs())),
            Ok(None) => return ended("was closed".to_owned()),
            Ok(Some(Err(error))) => return ended(loss(&error, connection.options.message_limit)),
            Ok(Some(Ok(frame))) => frame,
        };
        match frame {
            Frame::Text(text) if text.len() > LARGE_MESSAGE => {
                let connection = Arc::clone(connection);
                // Only fails while the runtime shuts down.
                let _ = tokio::task::spawn_blocking(move || take(&connection, &text)).await;
            }
            Frame::Text(text) => take(connection, &text),
            Frame::Close(_) => return ended("was closed by the daemon".to_owned()),
            Frame::Binary(_) | Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_) => {}
        }
    }
}

fn take(connection: &DaemonConnection, text: &str) {
    match connection.parse(text) {
        Ok(incoming) => connection.receive(incoming),
        Err(error) => connection.feed_issue(&format!("the live socket: {error}")),
    }
}

/// Why a socket was lost, to be appended to its name in a sentence.
fn loss(error: &tungstenite::Error, limit_bytes: usize) -> String {
    match error {
        tungstenite::Error::Capacity(CapacityError::MessageTooLong { size, .. }) => {
            format!("sent a message of {size} bytes; {limit_bytes} are accepted")
        }
        other => format!("broke: {}", innermost(other)),
    }
}
