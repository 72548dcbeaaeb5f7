//! The live feed's socket: the upgrade, and one task per open socket.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        handshake::derive_accept_key,
        protocol::{
            Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

use super::{
    Dialect, FaultKind,
    respond::text_error,
    shared::{FeedMessage, GARBAGE, Shared},
};

/// How often the server pings.
const PING_EVERY: Duration = Duration::from_secs(54);
/// A connection without a pong for this time is closed. Only pongs count.
const PONG_WITHIN: Duration = Duration::from_secs(60);
/// Timeout for writing a message.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// The coded daemon's write buffer: longer messages are sent in fragments of this size.
const FRAGMENT: usize = 1_024;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Answers an upgrade request. Authentication and origin are checked before.
pub(super) fn upgrade(shared: &Arc<Shared>, mut request: Request) -> Response {
    if shared.faults.is_on(FaultKind::RefuseUpgrade) {
        return text_error(StatusCode::SERVICE_UNAVAILABLE, "upgrade refused (asked for)");
    }
    let Some(accept) = accept_key(request.headers()) else {
        return text_error(StatusCode::BAD_REQUEST, "Bad Request");
    };
    let Some(upgraded) = request.extensions_mut().remove::<OnUpgrade>() else {
        return text_error(StatusCode::BAD_REQUEST, "Bad Request");
    };
    let task = {
        let shared = Arc::clone(shared);
        async move {
            match upgraded.await {
                Ok(upgraded) => run(&shared, upgraded).await,
                Err(error) => tracing::debug!(%error, "upgrade was not completed"),
            }
        }
    };
    let stop = shared.stop.clone();
    shared.tasks.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = task => {}
        }
    });
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
}

/// The answer to the client's key, if the request is a valid handshake.
fn accept_key(headers: &HeaderMap) -> Option<HeaderValue> {
    let has = |name: header::HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
    };
    let proper = has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| proper)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

async fn run(shared: &Shared, upgraded: Upgraded) {
    if shared.faults.is_on(FaultKind::DropSocket) {
        return;
    }
    let config = WebSocketConfig::default().read_buffer_size(4 << 10).max_message_size(Some(1 << 20));
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    if let Err(error) = feed(shared, &mut socket).await {
        tracing::debug!(%error, "socket ended");
    }
    // Dropped without a close frame, as in the real daemon.
}

/// Sends the feed until the client disconnects or is silent, or a fault closes the socket.
async fn feed(shared: &Shared, socket: &mut Socket) -> Result<(), tungstenite::Error> {
    let mut messages = shared.listen();
    let mut cuts = shared.cuts();
    let _counted = shared.count_socket();
    let fragmented = shared.options.dialect != Dialect::Documented;
    for text in super::first_messages(shared) {
        say(shared, socket, FeedMessage { text: text.into(), in_one_frame: false }, fragmented).await?;
    }
    let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut dead_at = Instant::now() + PONG_WITHIN;
    loop {
        tokio::select! {
            _ = cuts.changed() => return Ok(()),
            () = sleep_until(dead_at) => return Ok(()),
            _ = pings.tick() => if !shared.faults.is_on(FaultKind::Silence) {
                write(socket, Message::Ping(Bytes::new())).await?;
            },
            message = messages.recv() => match message {
                Ok(message) => say(shared, socket, message, fragmented).await?,
                // The client is too slow: it misses these messages, as with the real daemon.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            },
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Pong(_))) => dead_at = Instant::now() + PONG_WITHIN,
                // Messages of a client are read and ignored.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
        }
    }
}

async fn say(
    shared: &Shared,
    socket: &mut Socket,
    message: FeedMessage,
    fragmented: bool,
) -> Result<(), tungstenite::Error> {
    if shared.faults.is_on(FaultKind::Silence) {
        return Ok(());
    }
    let text = if shared.faults.is_on(FaultKind::Garbage) { Utf8Bytes::from_static(GARBAGE) } else { message.text };
    if fragmented && !message.in_one_frame && text.len() > FRAGMENT {
        for frame in fragments(text.into()) {
            write(socket, Message::Frame(frame)).await?;
        }
        Ok(())
    } else {
        write(socket, Message::Text(text)).await
    }
}

/// A text message in frames of [`FRAGMENT`] bytes; the last one is final, and may be empty.
fn fragments(mut rest: Bytes) -> Vec<Frame> {
    let mut frames = Vec::with_capacity(rest.len() / FRAGMENT + 1);
    let mut kind = Data::Text;
    while rest.len() >= FRAGMENT {
        frames.push(Frame::message(rest.split_to(FRAGMENT), OpCode::Data(kind), false));
        kind = Data::Continue;
    }
    frames.push(Frame::message(rest, OpCode::Data(kind), true));
    frames
}

async fn write(socket: &mut Socket, message: Message) -> Result<(), tungstenite::Error> {
    match timeout(WRITE_WITHIN, socket.send(message)).await {
        Ok(sent) => sent,
        Err(_) => Err(tungstenite::Error::ConnectionClosed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_end_with_a_final_frame() {
        let shape = |bytes: usize| {
            fragments(Bytes::from(vec![b'x'; bytes]))
                .iter()
                .map(|frame| {
                    (frame.payload().len(), frame.header().opcode == OpCode::Data(Data::Text), frame.header().is_final)
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(shape(1_500), [(1_024, true, false), (476, false, true)]);
        assert_eq!(shape(2_048), [(1_024, true, false), (1_024, false, false), (0, false, true)]);
    }
}
