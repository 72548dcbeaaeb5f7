//! Replaces hyper's empty rejections of large HTTP/1 heads.
//!
//! hyper itself rejects a head above its limit: no service sees the request, and nothing is logged. So this stream
//! remembers the start of the request, and replaces the empty response.

use std::{
    future::Future,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    extract::ConnectInfo,
    http::{Request, StatusCode},
};
use axum_server::accept::Accept;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};

use super::HeadLimit;
use crate::http::{
    reached,
    rewrite::{self, Additions},
};

/// Bytes to remember of the start of a request: method and path.
const BEGINNING: usize = 2 << 10;
/// The start of hyper's rejection; the status follows.
const ANSWER: &[u8] = b"HTTP/1.1 ";
/// hyper's rejection contains this, and no response of ours does.
const EMPTY: &[u8] = b"content-length: 0\r\n";
/// How long, and how many bytes, to read from a rejected client: if we closed earlier, the connection would be reset,
/// and the client could lose the response (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 4 << 20;

/// Accepts connections, and replaces their rejections.
#[derive(Debug, Clone)]
pub(crate) struct HeadAcceptor<A> {
    inner: A,
    limit: HeadLimit,
}

impl<A> HeadAcceptor<A> {
    /// On top of the plain text of `inner`.
    pub(crate) fn new(inner: A, limit: HeadLimit) -> Self {
        HeadAcceptor { inner, limit }
    }
}

impl<A, S> Accept<TcpStream, S> for HeadAcceptor<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
{
    type Stream = HeadStream<A::Stream>;
    type Service = A::Service;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let (peer, limit) = (stream.peer_addr().ok(), self.limit.clone());
        let accepting = self.inner.accept(stream, service);
        Box::pin(async move {
            let (inner, service) = accepting.await?;
            Ok((HeadStream { inner, limit, peer, state: State::Asked(Vec::new()) }, service))
        })
    }
}

/// State of a connection.
#[derive(Debug)]
enum State {
    /// A request is read; this is its start.
    Asked(Vec<u8>),
    /// The response is written.
    Answering,
    /// A rejection is written; this many bytes are sent.
    Refusing(Vec<u8>, usize),
    /// A rejection was written.
    Refused {
        /// Number of bytes that may still be read.
        rest: usize,
        /// Until when; set once the connection is to be closed.
        until: Option<Pin<Box<Sleep>>>,
    },
    /// The connection was upgraded.
    Upgraded,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct HeadStream<T> {
    inner: T,
    limit: HeadLimit,
    peer: Option<SocketAddr>,
    state: State,
}

impl<T> HeadStream<T> {
    /// Records read bytes.
    fn note_read(&mut self, read: &[u8]) {
        if matches!(self.state, State::Answering) {
            self.state = State::Asked(Vec::new());
        }
        if let State::Asked(beginning) = &mut self.state {
            let room = BEGINNING.saturating_sub(beginning.len()).min(read.len());
            beginning.extend_from_slice(read.get(..room).unwrap_or_default());
        }
    }

    /// Checks bytes to be written: the first piece of a response identifies it.
    fn note_write(&mut self, piece: &[u8]) {
        let State::Asked(beginning) = &self.state else { return };
        let status = piece.strip_prefix(ANSWER).and_then(|rest| StatusCode::from_bytes(rest.get(..3)?).ok());
        let is_empty = || piece.windows(EMPTY.len()).any(|window| window == EMPTY);
        self.state = match status {
            Some(StatusCode::SWITCHING_PROTOCOLS) => State::Upgraded,
            Some(status @ (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::URI_TOO_LONG)) if is_empty() => {
                State::Refusing(self.refusal(beginning, status), 0)
            }
            _ => State::Answering,
        };
    }

    /// The response to the request with this start.
    fn refusal(&self, beginning: &[u8], status: StatusCode) -> Vec<u8> {
        let beginning = String::from_utf8_lossy(beginning);
        let (method, rest) = beginning.split_once(' ').unwrap_or(("GET", "/"));
        let end = rest.find(|character: char| character == '?' || character.is_whitespace());
        let path = rest.get(..end.unwrap_or(rest.len())).unwrap_or("/");
        let request = Request::builder().method(method).uri(path).body(());
        let (mut parts, ()) = request.unwrap_or_else(|_| Request::new(())).into_parts();
        if let Some(peer) = self.peer {
            parts.extensions.insert(ConnectInfo(peer));
        }
        // No layer of the router sees this response.
        let base = self.limit.base.as_ref();
        if let Some(uri) = reached::without(&parts.uri, base) {
            parts.uri = uri;
        }
        let (kind, text) = self.limit.refuse(&parts, status).text_for(&parts.uri);
        let is_page = kind.starts_with("text/html");
        let body = if is_page { rewrite::html(&text, Additions { base, field: None }) } else { text };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\ncache-control: no-store\r\n\
             x-content-type-options: nosniff\r\nreferrer-policy: same-origin\r\n\
             content-security-policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n\r\n",
            body.len(),
        );
        let body = if method == "HEAD" { String::new() } else { body };
        (head + &body).into_bytes()
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> HeadStream<T> {
    /// Writes the rejection, if there is one. Returns whether there was.
    fn poll_refuse(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while let State::Refusing(answer, written) = &mut self.state {
            let Some(rest) = answer.get(*written..).filter(|rest| !rest.is_empty()) else {
                self.state = State::Refused { rest: LINGER_BYTES, until: None };
                return Poll::Ready(Ok(true));
            };
            match ready!(Pin::new(&mut self.inner).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written = written.saturating_add(more),
            }
        }
        Poll::Ready(Ok(false))
    }

    /// Reads from a rejected client until it has read the response and closed, or for a while.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let State::Refused { rest, until } = &mut self.state else { return Poll::Ready(()) };
        let until = until.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        let mut scratch = [0_u8; 4 << 10];
        while *rest > 0 && until.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.inner).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => *rest = rest.saturating_sub(buffer.filled().len()),
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for HeadStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        self.note_read(buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HeadStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, piece: &[u8]) -> Poll<io::Result<usize>> {
        self.note_write(piece);
        if ready!(self.poll_refuse(context))? {
            return Poll::Ready(Ok(piece.len()));
        }
        Pin::new(&mut self.inner).poll_write(context, piece)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(first) = pieces.iter().find(|piece| !piece.is_empty()) {
            self.note_write(first);
        }
        if ready!(self.poll_refuse(context))? {
            return Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum()));
        }
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
        ready!(self.poll_linger(context));
        Poll::Ready(Ok(()))
    }
}
