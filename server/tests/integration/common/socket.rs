//! A client of `/ws`.

use futures_util::{SinkExt, StreamExt};
use model::live::ServerMessage;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest, http::HeaderValue, protocol::CloseFrame},
};

use super::{PATIENCE, Server, TOKEN};

/// A live socket. Messages of both forms are returned as JSON.
pub struct Live {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub hello: Value,
    /// The subprotocol that the server chose.
    pub protocol: Option<String>,
}

impl Live {
    /// The JSON form, as the admin.
    pub async fn open(server: &Server) -> Self {
        Self::open_at(server, "/ws").await
    }

    /// `path` may name topics.
    pub async fn open_at(server: &Server, path: &str) -> Self {
        Self::try_open(server, path, Some("hyperscope.v1.json"), TOKEN).await.unwrap()
    }

    pub async fn open_binary(server: &Server) -> Self {
        Self::try_open(server, "/ws", Some("hyperscope.v1.bin"), TOKEN).await.unwrap()
    }

    /// A socket after its `hello`, or the status of the rejection.
    pub async fn try_open(
        server: &Server,
        path: &str,
        protocol: Option<&'static str>,
        token: &str,
    ) -> Result<Self, StatusCode> {
        let mut request = format!("ws://{}{path}", server.address).into_client_request().unwrap();
        request.headers_mut().insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
        }
        match timeout(PATIENCE, connect_async(request)).await.expect("a handshake in time") {
            Ok((socket, answer)) => {
                let protocol = answer.headers().get("sec-websocket-protocol");
                let protocol = protocol.map(|protocol| protocol.to_str().unwrap().to_owned());
                let mut live = Live { socket, hello: Value::Null, protocol };
                live.hello = live.next().await;
                assert_eq!(live.hello["type"], "hello");
                Ok(live)
            }
            Err(tungstenite::Error::Http(answer)) => Err(StatusCode::from_u16(answer.status().as_u16()).unwrap()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends a message in the form of the socket.
    pub async fn send(&mut self, message: &Value) {
        let message = if self.protocol.as_deref() == Some("hyperscope.v1.bin") {
            let mut bytes = Vec::new();
            ciborium::into_writer(message, &mut bytes).unwrap();
            Message::binary(bytes)
        } else {
            Message::text(message.to_string())
        };
        self.socket.send(message).await.unwrap();
    }

    pub async fn subscribe(&mut self, id: u64, topic: &str) {
        self.send(&json!({"type": "subscribe", "id": id, "topic": topic})).await;
    }

    pub async fn subscribe_query(&mut self, id: u64, expr: &str, window_ms: i64, step_ms: i64) {
        let query = json!({"type": "subscribe", "id": id, "topic": "query", "expr": expr, "window_ms": window_ms, "step_ms": step_ms});
        self.send(&query).await;
    }

    /// The next frame with content.
    pub async fn next_frame(&mut self) -> Message {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("a message in time") {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return message,
                Some(Err(error)) => panic!("the socket broke: {error}"),
                None => panic!("the socket ended"),
            }
        }
    }

    /// The next message.
    pub async fn next(&mut self) -> Value {
        match self.next_frame().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")),
            Message::Binary(bytes) => {
                let message: ServerMessage = ciborium::from_reader(bytes.as_ref()).unwrap();
                serde_json::to_value(message).unwrap()
            }
            other => panic!("neither text nor binary: {other:?}"),
        }
    }

    /// The next message that fulfils a condition.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let message = self.next().await;
                if wanted(&message) {
                    return message;
                }
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("not in time: {what}"))
    }

    /// The next message about a subscription.
    pub async fn about(&mut self, id: u64) -> Value {
        self.until(&format!("a message about {id}"), |message| message["id"] == id).await
    }

    /// The next message about a subscription, which must be of this type.
    pub async fn expect(&mut self, id: u64, kind: &str) -> Value {
        let message = self.about(id).await;
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    /// The next event with this name and job.
    pub async fn job_event(&mut self, event: &str, job: &str) -> Value {
        let what = format!("{event} of {job}");
        self.until(&what, |message| message["event"] == event && message["data"]["job_id"] == job).await
    }

    /// Reads until the server closes the socket; returns the close frame.
    pub async fn closed(mut self) -> CloseFrame {
        loop {
            if let Message::Close(frame) = self.next_frame().await {
                return frame.expect("a code");
            }
        }
    }
}
