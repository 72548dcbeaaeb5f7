//! Prometheus' response envelope: `{"status":"success","data":...}` and its errors.

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use datasource::{ErrorKind, QueryError};
use serde::Serialize;

use crate::http::answers::with_retry_after;

#[derive(Serialize)]
struct Success<'a, T> {
    status: &'static str,
    data: &'a T,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    warnings: &'a [&'static str],
}

#[derive(Serialize)]
struct Failure<'a> {
    status: &'static str,
    #[serde(rename = "errorType")]
    error_type: &'static str,
    error: &'a str,
}

/// A response with data.
pub(crate) fn success<T: Serialize>(data: &T) -> Response {
    success_with(data, &[])
}

/// A response with data and warnings.
pub(crate) fn success_with<T: Serialize>(data: &T, warnings: &[&'static str]) -> Response {
    match serde_json::to_vec(&Success { status: "success", data, warnings }) {
        Ok(body) => json(StatusCode::OK, body),
        Err(error) => ErrorResponse(QueryError::new(ErrorKind::Internal, error.to_string())).into_response(),
    }
}

/// A response whose data is already JSON, with the engine's warnings and infos.
pub(crate) fn annotated_raw(data: &str, warnings: &[String], infos: &[String]) -> Response {
    let mut body = Vec::with_capacity(data.len() + 64);
    body.extend_from_slice(b"{\"status\":\"success\",\"data\":");
    body.extend_from_slice(data.as_bytes());
    for (name, notes) in [("warnings", warnings), ("infos", infos)] {
        if !notes.is_empty() {
            body.extend_from_slice(format!(",\"{name}\":").as_bytes());
            // Serialization of strings cannot fail.
            body.extend(serde_json::to_vec(notes).unwrap_or_default());
        }
    }
    body.push(b'}');
    json(StatusCode::OK, body)
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// A failed request of Prometheus' API, as a response.
#[derive(Debug)]
pub struct ErrorResponse(pub QueryError);

impl<E: Into<QueryError>> From<E> for ErrorResponse {
    fn from(error: E) -> Self {
        ErrorResponse(error.into())
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        let ErrorResponse(error) = self;
        let status = match error.kind {
            ErrorKind::BadData => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Busy => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let failure = Failure { status: "error", error_type: error.kind.name(), error: &error.message };
        let response = json(status, serde_json::to_vec(&failure).unwrap_or_default());
        match error.kind {
            ErrorKind::Busy | ErrorKind::TooMany => with_retry_after(response),
            _ => response,
        }
    }
}

/// An error other than [`datasource::ErrorKind`], by its status and `errorType`.
pub(crate) fn failure(status: StatusCode, error_type: &'static str, message: &str) -> Response {
    let failure = Failure { status: "error", error_type, error: message };
    json(status, serde_json::to_vec(&failure).unwrap_or_default())
}
