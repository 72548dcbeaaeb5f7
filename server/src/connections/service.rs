//! Notes which requests of a connection are under way, from their head to the end of their answer.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderValue, Request, Response, StatusCode, header::CONNECTION},
};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;
use tower::Service;

use super::Connection;

/// A request that is under way.
struct UnderWay {
    connection: Arc<Connection>,
    answered: bool,
}

impl UnderWay {
    /// None if the connection was closed to make room.
    fn begin(connection: &Arc<Connection>) -> Option<Self> {
        let admitted = connection.shared.table().begin(connection.id);
        admitted.then(|| UnderWay { connection: Arc::clone(connection), answered: false })
    }

    fn answer(&mut self) {
        self.answered = true;
        self.connection.shared.table().answer(self.connection.id, Instant::now());
    }

    fn take(&self) {
        self.connection.shared.table().take(self.connection.id, Instant::now());
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.connection.shared.table().end(self.connection.id, self.answered, Instant::now());
    }
}

/// The service of one connection.
#[derive(Clone)]
pub(crate) struct Counted<S> {
    pub(super) inner: S,
    pub(super) connection: Arc<Connection>,
}

impl<S, B> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(mut under_way) = UnderWay::begin(&self.connection) else {
            // Nothing of it is carried out: the connection ends.
            return Box::pin(async { Ok(too_late()) });
        };
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await?;
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                under_way.connection.set_upgraded();
            }
            under_way.answer();
            Ok(answer.map(|body| Body::new(CountedBody { body, under_way })))
        })
    }
}

fn too_late() -> Response<Body> {
    let mut answer = Response::new(Body::from("too many connections: try again\n"));
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// The body of an answer; once it is out or given up, the request is over.
struct CountedBody {
    body: Body,
    under_way: UnderWay,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_ready() {
            self.under_way.take();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
