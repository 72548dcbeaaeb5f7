//! Transports of the live protocol.

use futures_util::{
    Sink, Stream, StreamExt,
    stream::{SplitSink, SplitStream},
};
use gloo_net::websocket::{Message, WebSocketError, futures::WebSocket};
use model::live::BINARY_PROTOCOL;

use crate::platform;

/// Opens connections for the live protocol.
pub(crate) trait Transport: 'static {
    /// Sink of messages to the server.
    type Outgoing: Sink<Message, Error = WebSocketError> + Unpin;
    /// Stream of messages from the server. A connection is open once a message has arrived.
    type Incoming: Stream<Item = Result<Message, WebSocketError>> + Unpin;

    /// Opens a connection; `None` if that is not possible now.
    fn open() -> Option<(Self::Outgoing, Self::Incoming)>;
}

/// A WebSocket to the page's server.
pub(crate) struct ServerSocket;

impl Transport for ServerSocket {
    type Outgoing = SplitSink<WebSocket, Message>;
    type Incoming = SplitStream<WebSocket>;

    fn open() -> Option<(Self::Outgoing, Self::Incoming)> {
        let socket = WebSocket::open_with_protocol(&platform::socket_url("/ws"), BINARY_PROTOCOL).ok()?;
        Some(socket.split())
    }
}
