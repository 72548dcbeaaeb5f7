//! How the live protocol gets to whoever serves it.

use futures_util::{
    Sink, Stream, StreamExt,
    stream::{SplitSink, SplitStream},
};
use gloo_net::websocket::{Message, WebSocketError, futures::WebSocket};
use model::live::BINARY_PROTOCOL;

use crate::platform;

/// Opens connections on which the live protocol is spoken.
pub(crate) trait Transport: 'static {
    /// What is sent.
    type Outgoing: Sink<Message, Error = WebSocketError> + Unpin;
    /// What arrives. A connection is open once something has arrived.
    type Incoming: Stream<Item = Result<Message, WebSocketError>> + Unpin;

    /// A new connection; `None` if there can be none now.
    fn open() -> Option<(Self::Outgoing, Self::Incoming)>;
}

/// A WebSocket of the page's server.
pub(crate) struct ServerSocket;

impl Transport for ServerSocket {
    type Outgoing = SplitSink<WebSocket, Message>;
    type Incoming = SplitStream<WebSocket>;

    fn open() -> Option<(Self::Outgoing, Self::Incoming)> {
        let socket = WebSocket::open_with_protocol(&platform::socket_url("/ws"), BINARY_PROTOCOL).ok()?;
        Some(socket.split())
    }
}
