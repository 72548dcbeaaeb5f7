//! Answers in the forms that the daemon uses: JSON, its two kinds of errors, and none at all.

use axum::{
    extract::{State, rejection::BytesRejection},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
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

/// Marks an answer that is not to be sent: the connection is closed instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoAnswer;

/// An answer that is none.
pub(super) fn no_answer() -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(NoAnswer);
    response
}

/// JSON as Go's encoder writes it.
pub(super) fn json_answer(status: StatusCode, body: &impl Serialize) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], go_json(body)).into_response()
}

/// JSON with status 200.
pub(super) fn json_ok(body: &impl Serialize) -> Response {
    json_answer(StatusCode::OK, body)
}

/// Adds a key to a JSON object; one whose value is `None` stays absent.
pub(super) fn put(object: &mut Value, key: &str, value: Option<Value>) {
    if let (Value::Object(object), Some(value)) = (object, value) {
        object.insert(key.to_owned(), value);
    }
}

/// A bare text, as `http.Error` writes it.
pub(super) fn text_error(status: StatusCode, text: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, format!("{text}\n")).into_response()
}

/// 405 in the daemon's words.
pub(super) fn method_not_allowed() -> Response {
    text_error(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
}

/// 404 in the daemon's words.
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

/// Largest body that the daemon reads.
pub(super) const BODY_LIMIT: usize = 10 << 20;

/// Why a body could not be read, in the words of the daemon.
pub(super) fn body_error(rejection: &BytesRejection) -> &'static str {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { "http: request body too large" } else { "unexpected EOF" }
}

/// Carries out the faults that concern every request: late answers, and errors.
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
    next.run(request).await
}
