//! Tracks which requests of a connection are in progress, from their head to the end of their response.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    http::{HeaderValue, Request, Response, StatusCode, header::CONNECTION},
};
use tokio::time::Instant;
use tower::Service;

use super::{Connection, answer_body::AnswerBody};

/// A request in progress.
pub(super) struct UnderWay {
    connection: Arc<Connection>,
    /// Number of its response within the connection, once it has started.
    answer: Option<u64>,
}

impl UnderWay {
    /// `None` if the connection was closed to make room.
    fn begin(connection: &Arc<Connection>) -> Option<Self> {
        let admitted = connection.shared.table().begin(connection.id);
        admitted.then(|| UnderWay { connection: Arc::clone(connection), answer: None })
    }

    fn answer(&mut self) {
        self.answer = self.connection.shared.table().answer(self.connection.id);
    }

    /// A piece of the response was handed over; now the client must read.
    pub(super) fn take(&self) {
        self.await_reader(Some(Instant::now()));
    }

    /// The next piece is not available yet, so the client is not to blame.
    pub(super) fn await_server(&self) {
        self.await_reader(None);
    }

    fn await_reader(&self, since: Option<Instant>) {
        if let Some(answer) = self.answer {
            self.connection.shared.table().await_reader(self.connection.id, answer, since);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.connection.shared.table().end(self.connection.id, self.answer, Instant::now());
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
            // The request is not processed; the connection ends.
            return Box::pin(async { Ok(too_late()) });
        };
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await?;
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                under_way.connection.set_upgraded();
            }
            under_way.answer();
            Ok(answer.map(|body| Body::new(AnswerBody::new(body, under_way))))
        })
    }
}

fn too_late() -> Response<Body> {
    let mut answer = Response::new(Body::from("too many connections: try again\n"));
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}
