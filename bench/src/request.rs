//! One HTTP request on its own connection, timed from its first byte to the first byte of the answer.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A successful answer.
pub(crate) struct Answer {
    /// Time from sending the request to the first byte of the answer.
    pub(crate) first_byte: Duration,
    /// The body as received, compressed or not.
    pub(crate) body: Vec<u8>,
}

/// `GET path`. `encoding` is the value of `Accept-Encoding`.
pub(crate) async fn get(address: &str, path: &str, token: &str, encoding: &str) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(address).await.with_context(|| format!("cannot reach {address}"))?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nAccept-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
    );
    let sent = Instant::now();
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = vec![0; 16 * 1024];
    let first = stream.read(&mut bytes).await?;
    let first_byte = sent.elapsed();
    bytes.truncate(first);
    stream.read_to_end(&mut bytes).await?;

    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        bail!("{path}: the answer has no end of header")
    };
    let body = bytes.split_off(end + 4);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let status: u16 = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no status line")?;
    if status != 200 {
        bail!("{path} was answered with {status}");
    }
    Ok(Answer { first_byte, body })
}
