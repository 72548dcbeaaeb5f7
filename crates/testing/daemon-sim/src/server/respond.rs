//! Answers in the formats of the daemon: JSON, its two kinds of errors, and no answer at all.

use axum::{
    extract::{State, rejection::BytesRejection},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

use super::{
    Dialect,
    fault::FaultKind,
    shared::{Shared, wall_ms},
};
use crate::go_format::{go_json, utc_millis};

/// Marks an answer that must not be sent: the connection is closed instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoAnswer;

/// A response that closes the connection without an answer.
pub(super) fn no_answer() -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(NoAnswer);
    response
}

/// JSON in the format of Go's encoder.
pub(super) fn json_answer(status: StatusCode, body: &impl Serialize) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], go_json(body)).into_response()
}

/// JSON with status 200.
pub(super) fn json_ok(body: &impl Serialize) -> Response {
    json_answer(StatusCode::OK, body)
}

/// Adds a key to a JSON object; a key with the value `None` is not added.
pub(super) fn put(object: &mut Value, key: &str, value: Option<Value>) {
    if let (Value::Object(object), Some(value)) = (object, value) {
        object.insert(key.to_owned(), value);
    }
}

/// A plain text, in the format of `http.Error`.
pub(super) fn text_error(status: StatusCode, text: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, format!("{text}\n")).into_response()
}

/// 405 with the daemon's text.
pub(super) fn method_not_allowed() -> Response {
    text_error(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
}

/// 404 with the daemon's text.
pub(super) async fn not_found() -> Response {
    text_error(StatusCode::NOT_FOUND, "404 page not found")
}

impl Shared {
    /// `{"error", "timestamp"}`.
    pub(super) fn error(&self, status: StatusCode, message: &str) -> Response {
        let timestamp = match self.options.dialect {
            Dialect::Documented => utc_millis(wall_ms()),
            Dialect::Stock | Dialect::Custom => self.time.seconds(wall_ms()),
        };
        json_answer(status, &json!({"error": message, "timestamp": timestamp}))
    }
}

/// Maximum size of a body that the daemon reads.
pub(super) const BODY_LIMIT: usize = 10 << 20;

/// The daemon's text for a body that could not be read.
pub(super) fn body_error(rejection: &BytesRejection) -> &'static str {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { "http: request body too large" } else { "unexpected EOF" }
}

/// Applies the faults that affect every request: delays and errors.
pub(super) async fn misbehave(
    State(shared): State<Arc<Shared>>,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    if let Some(delay) = shared.faults.delay() {
        tokio::time::sleep(delay).await;
    }
    if shared.faults.is_on(FaultKind::Http500) {
        return shared.error(StatusCode::INTERNAL_SERVER_ERROR, "internal error (asked for)");
    }
    if shared.faults.is_on(FaultKind::Html) {
        return Html("<!doctype html>\n<title>Welcome</title>\n<p>It works.</p>\n").into_response();
    }
    let response = next.run(request).await;
    if shared.faults.is_on(FaultKind::HalfJson) { half(response).await } else { response }
}

/// The first half of a response; an upgrade has no content.
async fn half(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return (head, body).into_response();
    }
    head.headers.remove(header::CONTENT_LENGTH);
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(content) => (head, content.slice(..content.len() / 2)).into_response(),
        Err(_) => no_answer(),
    }
}
