//! Charges the memory of responses until the client has received them.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{OriginalUri, Request, State},
    http::{HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::Response,
};
use budget::{Charge, MemoryBudget, OverBudget, Requester};
use http_body::{Frame, SizeHint};

use super::auth::Denied;

/// Smaller responses are not charged, because a connection itself needs more.
const LIGHT_BYTES: u64 = 4 << 10;

/// `Retry-After` of responses that refuse for now, such as when the memory limit is reached.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The response, with `Retry-After` if it refuses for now.
pub(crate) fn with_retry_after(mut response: Response) -> Response {
    if matches!(response.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER.as_secs()));
    }
    response
}

/// Charges a response in memory to the request's token until it is sent or dropped. If the limit is exceeded, responds
/// with an error in the format of the path.
pub(crate) async fn layer(State(budget): State<MemoryBudget>, request: Request, next: Next) -> Response {
    let uri = asked_uri(&request);
    let response = next.run(request).await;
    weighed(&budget, response).unwrap_or_else(|over| refusal(over).for_path(&uri))
}

/// The original URI, before a base path was removed.
pub(super) fn asked_uri(request: &Request) -> Uri {
    request.extensions().get::<OriginalUri>().map_or_else(|| request.uri().clone(), |uri| uri.0.clone())
}

/// The error response, for any path.
pub(crate) fn refusal(over: OverBudget) -> Denied {
    let (status, code) = match over {
        OverBudget::Token(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
        OverBudget::Server(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    Denied::new(status, code, format!("{over}: try again in a moment, or ask for less")).retry_after(RETRY_AFTER)
}

fn weighed(budget: &MemoryBudget, response: Response) -> Result<Response, OverBudget> {
    let requester = response.extensions().get::<Requester>();
    let bytes = response.body().size_hint().exact().filter(|bytes| *bytes > LIGHT_BYTES);
    let Some((requester, bytes)) = requester.zip(bytes) else { return Ok(response) };
    let charge = budget.charge(&requester.account(), bytes)?;
    Ok(response.map(|body| Body::new(Weighed { body, _charge: charge })))
}

/// A body with its charge.
struct Weighed {
    body: Body,
    _charge: Charge,
}

impl HttpBody for Weighed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
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
    use axum::response::IntoResponse;

    use super::*;

    #[tokio::test]
    async fn an_answer_weighs_until_it_is_gone() {
        let budget = MemoryBudget::new("answers", 200 << 10, 150 << 10);
        let answer = |bytes: usize| {
            let mut response = vec![0_u8; bytes].into_response();
            response.extensions_mut().insert(Requester::Token("a".into()));
            weighed(&budget, response)
        };
        let light = answer(1_000).unwrap();
        let heavy = answer(100 << 10).unwrap();
        assert_eq!(budget.used(), 100 << 10);
        assert_eq!(answer(100 << 10).err(), Some(OverBudget::Token(150 << 10)));
        let sent = axum::body::to_bytes(heavy.into_body(), usize::MAX).await.unwrap();
        assert_eq!((sent.len(), budget.used()), (100 << 10, 0));
        drop(light);
    }
}
