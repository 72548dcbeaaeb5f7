//! Ends a connection, as if the peer had closed it, when it has waited for too long.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::Connection;

/// Shorter writes contain no response: they are HTTP/2 pings and acknowledgements, which must not keep a silent
/// connection open.
const SHORTEST_ANSWER: usize = 64;

/// A connection with the check.
pub(crate) struct Impatient<T> {
    inner: T,
    connection: Arc<Connection>,
    /// When a piece of a response was last written.
    written: Instant,
    /// When to check again.
    look_again: Option<Pin<Box<Sleep>>>,
}

impl<T> Impatient<T> {
    pub(super) fn new(inner: T, connection: Arc<Connection>) -> Self {
        let written = connection.opened;
        Impatient { inner, connection, written, look_again: None }
    }

    /// Completes once it has waited for too long.
    fn poll_waited(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.connection.is_upgraded() {
            return Poll::Pending;
        }
        self.connection.wake_when_evicted(context.waker());
        let mut is_due = self.connection.is_evicted();
        loop {
            if is_due {
                let deadline = self.connection.deadline(self.written);
                if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    return Poll::Ready(());
                }
                // A request may end without waking this task; the next check notices that.
                let limits = &self.connection.shared.limits;
                let next = deadline.unwrap_or_else(|| Instant::now() + limits.idle.min(limits.stalled_write));
                self.look_again = Some(Box::pin(sleep_until(next)));
            }
            let Some(look_again) = &mut self.look_again else {
                is_due = true;
                continue;
            };
            if look_again.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            is_due = true;
        }
    }

    fn note(&mut self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(outcome, Poll::Ready(Ok(length)) if length >= SHORTEST_ANSWER) {
            self.written = Instant::now();
        }
        outcome
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Impatient<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_read(context, buffer);
        if outcome.is_ready() {
            return outcome;
        }
        self.poll_waited(context).map(Ok)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Impatient<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, piece: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(context, piece);
        self.note(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, pieces);
        self.note(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
