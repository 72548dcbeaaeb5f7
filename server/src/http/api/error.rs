//! Errors of the JSON API: `{"error":{"code","message"}}`.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::http::answers::with_retry_after;

/// An error with its status.
#[derive(Debug)]
pub(crate) struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// A code for programs.
    pub code: &'static str,
    /// What is wrong and how to correct it.
    pub message: String,
}

impl ApiError {
    /// 400.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        ApiError { status: StatusCode::BAD_REQUEST, code: "bad_request", message: message.into() }
    }

    /// 403.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        ApiError { status: StatusCode::FORBIDDEN, code: "forbidden", message: message.into() }
    }

    /// 404.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        ApiError { status: StatusCode::NOT_FOUND, code: "not_found", message: message.into() }
    }

    /// 500: an error that is not the caller's fault. The reason is only logged, because the error of a database may contain paths and tables.
    pub(crate) fn internal(what: &str, why: impl std::fmt::Display) -> Self {
        tracing::error!(%why, "{what}");
        let message = format!("{what}: the server's log says why");
        ApiError { status: StatusCode::INTERNAL_SERVER_ERROR, code: "internal", message }
    }

    /// 503: the server is busy, and the caller should retry.
    pub(crate) fn busy(message: impl Into<String>) -> Self {
        ApiError { status: StatusCode::SERVICE_UNAVAILABLE, code: "busy", message: message.into() }
    }

    /// 502: a source refused or failed.
    pub(crate) fn upstream(message: impl Into<String>) -> Self {
        ApiError { status: StatusCode::BAD_GATEWAY, code: "upstream", message: message.into() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": { "code": self.code, "message": self.message } });
        with_retry_after((self.status, Json(body)).into_response())
    }
}
