//! `/api/openapi.json`: the description of the JSON API, for programs and their authors.

use axum::{http::header::CONTENT_TYPE, response::IntoResponse};

/// The document; kept as a file, so that editors and linters know what it is.
const DOCUMENT: &str = include_str!("../../openapi.json");

/// `GET /api/openapi.json`
pub(super) async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT)
}
