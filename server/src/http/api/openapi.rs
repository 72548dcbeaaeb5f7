//! `/api/openapi.json`: the OpenAPI description of the JSON API.

use axum::{http::header::CONTENT_TYPE, response::IntoResponse};

use crate::http::reached::Reached;

/// The document, in a file of its own so that editors and linters can check it.
const DOCUMENT: &str = include_str!("../../../openapi.json");

/// `GET /api/openapi.json`: the document, with the base path at which this server was reached.
pub(super) async fn document(reached: Reached) -> impl IntoResponse {
    let base = Some(reached.base()).filter(|base| !base.is_empty()).unwrap_or("/");
    let members = DOCUMENT.strip_prefix('{').unwrap_or_default();
    // The base path has no characters that JSON escapes.
    let servers = format!("{{\n  \"servers\": [{{ \"url\": \"{base}\" }}],");
    ([(CONTENT_TYPE, "application/json")], servers + members)
}
