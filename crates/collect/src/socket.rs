//! The WebSocket of one daemon: reads until it ends, then reconnects, forever.

use std::{sync::Arc, time::Duration};

use base64::prelude::{BASE64_STANDARD, Engine};
use budget::json;
use futures_util::StreamExt;
use hypervisord::{
    daemon::GOOD_SESSION,
    feed::{FeedError, FeedReader, Incoming},
};
use rustls::ClientConfig;
use tokio::net::TcpStream;
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
    client::{KEY_HEADER, innermost},
    daemon_connection::DaemonConnection,
};

/// Larger messages are parsed on a blocking thread, so that they do not delay other daemons.
const LARGE_MESSAGE: usize = 512 * 1024;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Keeps a socket open for `connection` until `stop` is cancelled.
pub(crate) async fn run(connection: Arc<DaemonConnection>, tls: Arc<ClientConfig>, stop: CancellationToken) {
    let mut backoff = Backoff::new(connection.options.first_retry, connection.options.longest_retry);
    loop {
        let opened = tokio::select! {
            () = stop.cancelled() => return,
            opened = open(&connection, &tls) => opened,
        };
        let failure = match opened {
            Ok(stream) => {
                let opened = connection.change(|daemon, now| {
                    daemon.socket_opened(now);
                    now.at
                });
                let failure = tokio::select! {
                    () = stop.cancelled() => return,
                    failure = read(&connection, stream, opened) => failure,
                };
                if connection.now().at.saturating_sub(opened) >= GOOD_SESSION {
                    backoff.reset();
                }
                failure
            }
            Err(failure) => failure,
        };
        connection.change(|daemon, now| daemon.socket_failed(&failure.reason, failure.is_reached, now));
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

async fn open(connection: &DaemonConnection, tls: &Arc<ClientConfig>) -> Result<Stream, Failure> {
    if let Some(detection) = connection.read(|daemon| daemon.detection(connection.now())) {
        let detected = connection.client.detect(detection).await;
        let profile =
            detected.map_err(|error| Failure { reason: error.to_string(), is_reached: error.is_reached() })?;
        connection.change(|daemon, now| daemon.recognised(profile, now));
    }
    connect(connection, tls).await
}

async fn connect(connection: &DaemonConnection, tls: &Arc<ClientConfig>) -> Result<Stream, Failure> {
    let path = connection.read(hypervisord::daemon::Daemon::socket_path);
    let mut url = connection.client.endpoint().url(&path);
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    let shown_url = connection.client.endpoint().shown(&path);
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

/// Reads messages until the socket, opened at `opened` by the monotonic clock, ends or is silent for too long.
async fn read(connection: &Arc<DaemonConnection>, mut stream: Stream, opened: Duration) -> Failure {
    let ended = |reason: String| Failure { reason: format!("the live socket {reason}"), is_reached: true };
    let mut reader = FeedReader::new(Arc::clone(&connection.redactor));
    loop {
        let (silence, silent_at) = connection.read(|daemon| (daemon.longest_silence(), daemon.silent_at(opened)));
        let patience = silent_at.saturating_sub(connection.now().at);
        let frame = match tokio::time::timeout(patience, stream.next()).await {
            Err(_) => return ended(format!("was silent for {} s", silence.as_secs())),
            Ok(None) => return ended("was closed".to_owned()),
            Ok(Some(Err(error))) => return ended(loss(&error, connection.options.message_limit)),
            Ok(Some(Ok(frame))) => frame,
        };
        match frame {
            Frame::Text(text) if text.len() > LARGE_MESSAGE => {
                let (connection, redactor) = (Arc::clone(connection), Arc::clone(&connection.redactor));
                let taken = tokio::task::spawn_blocking(move || {
                    take(&connection, &mut reader, &text);
                    reader
                });
                // Only fails while the runtime shuts down.
                reader = taken.await.unwrap_or_else(|_| FeedReader::new(redactor));
            }
            Frame::Text(text) => take(connection, &mut reader, &text),
            Frame::Close(_) => return ended("was closed by the daemon".to_owned()),
            Frame::Binary(_) | Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_) => {}
        }
    }
}

/// Parses a message, then applies it.
fn take(connection: &DaemonConnection, reader: &mut FeedReader, text: &str) {
    let parsed = parse(reader, text);
    connection.change(|daemon, now| match parsed {
        Ok(incoming) => daemon.receive(incoming, now),
        Err(error) => daemon.feed_failed(&format!("the live socket: {error}"), now),
    });
}

fn parse(reader: &mut FeedReader, text: &str) -> Result<Incoming, FeedError> {
    json::check(text.as_bytes(), json::OF_DAEMONS).map_err(<serde_json::Error as serde::de::Error>::custom)?;
    reader.read(text)
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
