//! Charges the memory of request bodies from their arrival until the response.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use budget::{Charge, MemoryBudget, OverBudget, Requester, memory::megabytes};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;

use super::{answers, auth::Denied};

/// This part of a body is not charged, because the connection's buffers hold it anyway.
const LIGHT_BYTES: u64 = 64 << 10;

/// To which budget the bodies of a route are charged.
#[derive(Debug, Clone)]
pub(crate) enum Bodies {
    /// To the memory for responses, and to the token's part of it.
    OfViewers(MemoryBudget),
    /// To the memory for writes.
    OfWriters(MemoryBudget),
}

impl Bodies {
    fn budget(&self) -> &MemoryBudget {
        let (Bodies::OfViewers(budget) | Bodies::OfWriters(budget)) = self;
        budget
    }

    /// The error response, for any path.
    fn refusal(&self, over: OverBudget) -> Denied {
        match self {
            Bodies::OfViewers(_) => answers::refusal(over),
            Bodies::OfWriters(budget) => {
                let message = format!(
                    "the bodies of writes that arrive or wait are at their limit of memory, {}: try again in a moment",
                    megabytes(budget.limit())
                );
                Denied::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).retry_after(answers::RETRY_AFTER)
            }
        }
    }
}

/// Charges the body of a request to the current task's requester while it arrives and until the response. If the limit
/// is exceeded, the rest is not read, and the response is an error in the format of the path.
pub(crate) async fn layer(State(bodies): State<Bodies>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let uri = answers::asked_uri(&request);
    let charge = match bodies.budget().charge(&Requester::current().account(), 0) {
        Ok(charge) => charge,
        Err(over) => return bodies.refusal(over).for_path(&uri),
    };
    let held = Held(Arc::new(Mutex::new((charge, None))));
    let request = request.map(|body| Body::new(Arriving { body, arrived: 0, held: Held(Arc::clone(&held.0)) }));
    let response = next.run(request).await;
    let over = held.0.lock().1;
    over.map_or(response, |over| bodies.refusal(over).for_path(&uri))
}

/// The charge of a body, and the limit it exceeded, if any.
struct Held(Arc<Mutex<(Charge, Option<OverBudget>)>>);

/// A body that is charged as it arrives.
struct Arriving {
    body: Body,
    arrived: u64,
    held: Held,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            this.arrived = this.arrived.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
            if this.arrived > LIGHT_BYTES {
                let mut held = this.held.0.lock();
                if let Err(over) = held.0.resize(this.arrived) {
                    held.1 = Some(over);
                    return Poll::Ready(Some(Err(axum::Error::new(over))));
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::header::RETRY_AFTER, middleware::from_fn_with_state, routing::post};
    use futures_util::StreamExt;
    use tower::ServiceExt;

    use super::*;

    const KIB: u64 = 1 << 10;

    async fn send(bodies: &Bodies, token: &'static str, body: Body) -> Response {
        let router = Router::new()
            .route("/api/v1/write", post(async |body: Bytes| body.len().to_string()))
            .layer(from_fn_with_state(bodies.clone(), layer));
        let request = Request::post("/api/v1/write").body(body).unwrap();
        Requester::Token(token.into()).scope(router.oneshot(request)).await.unwrap()
    }

    async fn text(response: Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// A body that never ends; its first `bytes` bytes arrive at once.
    fn unfinished(bytes: u64) -> Body {
        let begin = Bytes::from(vec![0; usize::try_from(bytes).unwrap()]);
        let begin = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(begin)]);
        Body::from_stream(begin.chain(futures_util::stream::pending()))
    }

    #[tokio::test]
    async fn a_body_is_charged_while_it_arrives_and_until_it_is_answered() {
        let budget = MemoryBudget::new("bodies", 300 * KIB, 200 * KIB);
        for (bodies, of_token, of_all) in [
            (Bodies::OfViewers(budget.clone()), StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE),
            (Bodies::OfWriters(budget.clone()), StatusCode::SERVICE_UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let slow = bodies.clone();
            let slow = tokio::spawn(async move { send(&slow, "a", unfinished(150 * KIB)).await });
            while budget.used() < 150 * KIB {
                tokio::task::yield_now().await;
            }
            for (token, bytes, status) in [("a", 100, of_token), ("b", 160, of_all)] {
                let refused = send(&bodies, token, unfinished(bytes * KIB)).await;
                assert_eq!(refused.status(), status, "{token}");
                assert!(refused.headers().contains_key(RETRY_AFTER));
                let error: serde_json::Value = serde_json::from_str(&text(refused).await).unwrap();
                assert!(error["error"].as_str().unwrap().contains("try again in a moment"), "{error}");
            }
            assert_eq!(text(send(&bodies, "b", vec![0; 100 << 10].into()).await).await, "102400");
            assert_eq!(text(send(&bodies, "a", vec![0; 60 << 10].into()).await).await, "61440", "what is light");
            slow.abort();
            assert!(slow.await.unwrap_err().is_cancelled());
            assert_eq!(budget.used(), 0);
        }
    }
}
