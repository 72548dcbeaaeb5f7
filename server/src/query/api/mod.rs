//! Prometheus' HTTP API under `/api/v1`, over whichever engine answers, and `/federate`.
//!
//! The embedded engine's answers are written here; an upstream's are passed on as they come.

mod exemplars;
mod federate;
mod metadata;
mod query;
mod series;
mod status;
mod syntax;
mod targets;

use axum::{
    Router,
    extract::{FromRequestParts, OriginalUri, Request},
    http::{Method, StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{Backend, ErrorKind, QueryError, envelope::failure, params::ENGINE};
use crate::state::AppState;

/// The routes, to be nested under `/api/v1`.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_exemplars", get(exemplars::query).post(exemplars::query))
        .route("/format_query", get(syntax::format).post(syntax::format))
        .route("/parse_query", get(syntax::parse).post(syntax::parse))
        .route("/labels", get(series::labels).post(series::labels))
        .route("/label/{name}/values", get(series::label_values))
        .route("/series", get(series::series).post(series::series))
        .route("/metadata", get(metadata::metadata))
        .route("/targets", get(targets::targets))
        .route("/targets/metadata", get(targets::metadata))
        .route("/alertmanagers", get(targets::alertmanagers))
        .route("/scrape_pools", get(targets::pools))
        .route("/status/buildinfo", get(status::buildinfo))
        .route("/status/runtimeinfo", get(status::runtimeinfo))
        .route("/status/walreplay", get(status::wal_replay))
        .route("/status/flags", get(status::flags))
        .route("/status/config", get(status::config))
        .route("/status/tsdb", get(status::tsdb))
        .fallback(unknown)
}

/// `/federate`, which stands beside the API.
pub fn federation() -> Router<AppState> {
    Router::new().route("/federate", get(federate::federate))
}

impl FromRequestParts<AppState> for Backend {
    type Rejection = QueryError;

    /// The engine that the parameter `engine` of the URL names, or the first one.
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, QueryError> {
        let query = parts.uri.query().unwrap_or_default();
        let name = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == ENGINE).map(|(_, name)| name);
        state.engines.get(name.as_deref()).cloned()
    }
}

type Answer = Result<Response, QueryError>;

fn bad_data(message: impl Into<String>) -> QueryError {
    QueryError::new(ErrorKind::BadData, message)
}

/// Says of an error of the query that it is in that parameter, as Prometheus does.
fn in_query(error: QueryError) -> QueryError {
    match error.kind {
        ErrorKind::BadData => bad_data(format!("invalid parameter \"query\": {}", error.message)),
        _ => error,
    }
}

/// A method that a path does not have; `OPTIONS` is answered everywhere, and allows no other site anything.
pub(crate) async fn other_method(OriginalUri(uri): OriginalUri, request: Request) -> Response {
    if request.method() == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let message = format!("{} does not take {}", uri.path(), request.method());
    failure(StatusCode::METHOD_NOT_ALLOWED, "bad_data", &message)
}

async fn unknown(OriginalUri(uri): OriginalUri, request: Request) -> Response {
    let message = format!("there is no endpoint {} {}", request.method(), uri.path());
    failure(StatusCode::NOT_FOUND, "not_found", &message)
}
