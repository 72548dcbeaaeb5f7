//! A connection that ends when its time is up: as if the peer had closed it, while it waits for a request; with an error, where the peer
//! takes nothing of what is written.

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

/// A connection with its limits of time.
pub(crate) struct Timed<T> {
    inner: T,
    connection: Arc<Connection>,
    /// When to look again whether it has waited for too long.
    look_again: Option<Pin<Box<Sleep>>>,
    /// Until when something has to be taken of what is written; none while nothing waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<T> Timed<T> {
    pub(super) fn new(inner: T, connection: Arc<Connection>) -> Self {
        Timed { inner, connection, look_again: None, stalled: None }
    }

    /// Ready once it has waited for a request for too long.
    fn poll_waited(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.connection.is_upgraded() {
            return Poll::Pending;
        }
        self.connection.wake_when_evicted(context.waker());
        let mut is_due = self.connection.is_evicted();
        loop {
            if is_due {
                let deadline = self.connection.deadline();
                if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    return Poll::Ready(());
                }
                // A request may end without this task being asked: then it is seen the next time.
                let next = deadline.unwrap_or_else(|| Instant::now() + self.connection.shared.limits.idle);
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

    /// The outcome of a write, which may not be pending for too long.
    fn unless_stalled<R>(&mut self, outcome: Poll<io::Result<R>>, context: &mut Context<'_>) -> Poll<io::Result<R>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let limit = self.connection.shared.limits.stalled_write;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + limit)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Timed<T> {
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

impl<T: AsyncWrite + Unpin> AsyncWrite for Timed<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, piece: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(context, piece);
        self.unless_stalled(outcome, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, pieces);
        self.unless_stalled(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(context);
        self.unless_stalled(outcome, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_shutdown(context);
        self.unless_stalled(outcome, context)
    }
}
