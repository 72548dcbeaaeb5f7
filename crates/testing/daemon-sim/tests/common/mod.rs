//! A client that shows the raw data on the wire.
#![allow(unreachable_pub)] // Not a crate: a module of each test binary.
#![allow(dead_code)] // Each test binary uses its part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // A test fails by panicking.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use daemon_sim::{Dialect, SimOptions, Simulator};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{self, Message, client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig},
};

/// Timeout of each step of a test.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub async fn start(dialect: Dialect) -> Simulator {
    start_with(SimOptions { dialect, ..SimOptions::default() }).await
}

pub async fn start_with(options: SimOptions) -> Simulator {
    Simulator::start(SimOptions { seed: 7, ..options }).await.unwrap()
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// One request on its own connection; `None` if the connection is refused or closed without an answer.
pub async fn request(addr: SocketAddr, head: &str, headers: &[(&str, &str)], body: &str) -> Option<Answer> {
    let exchange = async {
        let mut stream = TcpStream::connect(addr).await.ok()?;
        let mut text =
            format!("{head} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body);
        stream.write_all(text.as_bytes()).await.ok()?;
        let mut bytes = Vec::new();
        let end = loop {
            match bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end,
                None if stream.read_buf(&mut bytes).await.ok()? == 0 => return None,
                None => {}
            }
        };
        let mut body = bytes.split_off(end + 4);
        let head = String::from_utf8(bytes).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        while body.len() < length {
            if stream.read_buf(&mut body).await.ok()? == 0 {
                break;
            }
        }
        Some(Answer { status, headers, body })
    };
    timeout(PATIENCE, exchange).await.expect("an answer in time")
}

pub async fn get(addr: SocketAddr, path: &str) -> Answer {
    request(addr, &format!("GET {path}"), &[], "").await.expect("an answer")
}

pub async fn post(addr: SocketAddr, path: &str, body: &str) -> Answer {
    request(addr, &format!("POST {path}"), &[("Content-Type", "application/json")], body).await.expect("an answer")
}

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a socket; returns the status if it is rejected.
pub async fn open(addr: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    let mut request = format!("ws://{addr}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    match timeout(PATIENCE, connect_async_with_config(request, Some(config), false)).await.expect("a handshake in time")
    {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// The next text; `None` once the socket is closed.
pub async fn next_text(socket: &mut Socket) -> Option<String> {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("a message in time") {
            Some(Ok(Message::Text(text))) => return Some(text.to_string()),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

/// The next message of this type.
pub async fn next_of(socket: &mut Socket, kind: &str) -> Value {
    for _ in 0..2_000 {
        let text = next_text(socket).await.expect("an open socket");
        let message: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        if message["type"] == kind {
            return message;
        }
    }
    panic!("no {kind} among 2000 messages");
}

/// A frame as received.
#[derive(Debug)]
pub struct RawFrame {
    pub is_final: bool,
    pub opcode: u8,
    pub payload: Vec<u8>,
}

/// Opens a socket by hand and reads frames without joining them.
pub async fn raw_frames(addr: SocketAddr, count: usize) -> Vec<RawFrame> {
    let read = async {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {addr}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.to_lowercase().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        let mut frames = Vec::new();
        for _ in 0..count {
            let (first, second) = (stream.read_u8().await.unwrap(), stream.read_u8().await.unwrap());
            let len = match second & 0x7f {
                126 => u64::from(stream.read_u16().await.unwrap()),
                127 => stream.read_u64().await.unwrap(),
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(len).unwrap()];
            stream.read_exact(&mut payload).await.unwrap();
            frames.push(RawFrame { is_final: first & 0x80 != 0, opcode: first & 0x0f, payload });
        }
        frames
    };
    timeout(PATIENCE, read).await.expect("frames in time")
}
