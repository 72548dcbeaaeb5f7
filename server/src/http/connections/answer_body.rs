//! The body of an answer, handed over piece by piece, so that it is over no sooner than its reader has made room for it.
//!
//! hyper takes a piece whole and lets go of a body with its last one, whatever becomes of them: an answer that is one piece would be out
//! of the accounts while it waits in a buffer for a reader that takes a byte at a time. In HTTP/2 a piece is taken once the one before it
//! has room, so that what is left behind is the last piece, which is small.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};

use super::service::UnderWay;

/// Largest piece, in bytes: as long as an HTTP/2 frame usually is.
const PIECE_BYTES: usize = 16 << 10;
/// Length of the last piece, in bytes.
const LAST_BYTES: usize = 64;

/// The body of an answer; once it is out or given up, the request is over.
pub(super) struct AnswerBody {
    body: Body,
    /// What is there and not handed over.
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
        // A copy: a part of the answer would keep all of it in memory.
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

/// How long the next piece is where so many bytes are left.
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
