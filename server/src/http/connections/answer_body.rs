//! Sends a response body piece by piece, so that the request only ends when the client has room for the last piece.
//!
//! hyper takes a piece completely and drops the body with its last piece: a response in one piece would be out of the
//! accounting while it waits in a buffer for a slow client. With HTTP/2 a piece is taken once the previous one has
//! room, so that only the last piece is not accounted for, which is small.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};

use super::service::UnderWay;

/// Maximum size of a piece, in bytes: the usual size of an HTTP/2 frame.
const PIECE_BYTES: usize = 16 << 10;
/// Size of the last piece, in bytes.
const LAST_BYTES: usize = 64;

/// The body of a response. When it is sent or dropped, the request ends.
pub(super) struct AnswerBody {
    body: Body,
    /// Data that is available but not sent.
    rest: Bytes,
    under_way: UnderWay,
}

impl AnswerBody {
    pub(super) fn new(body: Body, under_way: UnderWay) -> Self {
        AnswerBody { body, rest: Bytes::new(), under_way }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                self.under_way.await_server();
                return Poll::Pending;
            };
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        self.under_way.take();
        let length = next_length(self.rest.len());
        let piece = self.rest.split_to(length);
        // Copied, because a slice would keep the whole response in memory.
        Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(&piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        let body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower().saturating_add(rest));
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

/// Length of the next piece if `left` bytes are left.
fn next_length(left: usize) -> usize {
    match left {
        0..=LAST_BYTES => left,
        _ => (left - LAST_BYTES).min(PIECE_BYTES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_piece_is_small_and_none_is_large() {
        for length in [0, 1, LAST_BYTES, LAST_BYTES + 1, PIECE_BYTES, PIECE_BYTES + LAST_BYTES + 1, 1 << 20] {
            let (mut left, mut last) = (length, 0);
            while left > 0 {
                last = next_length(left);
                assert!((1..=PIECE_BYTES).contains(&last), "{last} of {length}");
                left -= last;
            }
            assert!(last <= LAST_BYTES, "{last} of {length}");
        }
    }
}
