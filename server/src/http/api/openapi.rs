//! `/api/openapi.json`: the description of the JSON API, for programs and their authors.

use axum::{http::header::CONTENT_TYPE, response::IntoResponse};

use crate::http::reached::Reached;

/// The document; kept as a file, so that editors and linters know what it is.
const DOCUMENT: &str = include_str!("../../../openapi.json");

/// `GET /api/openapi.json`: its paths begin where this server was reached.
pub(super) async fn document(reached: Reached) -> impl IntoResponse {
    let base = Some(reached.base()).filter(|base| !base.is_empty()).unwrap_or("/");
    let members = DOCUMENT.strip_prefix('{').unwrap_or_default();
    // The base has nothing that JSON would escape.
    let servers = format!("{{\n  \"servers\": [{{ \"url\": \"{base}\" }}],");
    ([(CONTENT_TYPE, "application/json")], servers + members)
}
