//! Prometheus' HTTP API under `/api/v1` for all engines, and `/federate`.
//!
//! Responses of the embedded engine are written here; those of a remote engine are passed on.

pub(crate) mod envelope;
mod exemplars;
mod federate;
pub(crate) mod json;
mod metadata;
pub(crate) mod params;
mod query;
pub(crate) mod rules;
pub(crate) mod scope_filter;
mod series;
mod snapshot;
mod status;
mod syntax;
mod targets;
mod tsdb_status;

use access::{ENGINE, ScopedRequest};
use axum::{
    extract::FromRequestParts,
    http::{header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
};
use datasource::{Backend, EngineResponse, ErrorKind, Prometheus, QueryError};

use self::envelope::ErrorResponse;
use super::{OnDashboards, Rights, Route, Who, WithinMatchers};
use crate::state::AppState;

/// A query; a session that is limited to dashboards may only send those on its dashboards.
const QUERY: Rights = Rights { on_dashboards: OnDashboards::Queries, ..Rights::LISTS };
/// About this program and its settings, without observed data.
const ABOUT: Rights = Rights { within_matchers: WithinMatchers::Whole, ..Rights::LISTS };

/// The reading routes under `/api/v1`, and `/federate`.
pub(crate) fn routes() -> Vec<Route<AppState>> {
    vec![
        Route::get_or_post("/api/v1/query", QUERY, query::instant),
        Route::get_or_post("/api/v1/query_range", QUERY, query::range),
        Route::get_or_post("/api/v1/query_exemplars", Rights::LISTS, exemplars::query),
        Route::get_or_post("/api/v1/format_query", ABOUT, syntax::format),
        Route::get_or_post("/api/v1/parse_query", ABOUT, syntax::parse),
        Route::get_or_post("/api/v1/labels", Rights::LISTS, series::labels),
        Route::get("/api/v1/label/{name}/values", Rights::LISTS, series::label_values),
        Route::get_or_post("/api/v1/series", Rights::LISTS, series::series),
        Route::get("/api/v1/metadata", Rights::LISTS, metadata::metadata),
        Route::get("/api/v1/targets", Rights::LISTS, targets::targets),
        Route::get("/api/v1/targets/metadata", Rights::LISTS, targets::metadata),
        Route::get("/api/v1/alertmanagers", Rights::LISTS, targets::alertmanagers),
        Route::get("/api/v1/scrape_pools", Rights::LISTS, targets::pools),
        Route::get("/api/v1/status/buildinfo", ABOUT, status::buildinfo),
        Route::get("/api/v1/status/walreplay", ABOUT, status::wal_replay),
        Route::get("/api/v1/status/runtimeinfo", Rights::OF_ALL, status::runtimeinfo),
        Route::get("/api/v1/status/flags", Rights::OF_ALL, status::flags),
        Route::get("/api/v1/status/config", Rights::OF_ALL, status::config),
        Route::get("/api/v1/status/tsdb", Rights::OF_ALL, status::tsdb),
        Route::post_or_put("/api/v1/admin/tsdb/snapshot", Rights::OF_ALL.of(Who::Admins), snapshot::take),
        Route::get("/api/v1/rules", Rights::LISTS, rules::rules),
        Route::get("/api/v1/alerts", Rights::LISTS, rules::alerts),
        Route::get("/federate", Rights::LISTS.of(Who::Scrapers), federate::federate),
    ]
}

impl FromRequestParts<AppState> for Backend {
    type Rejection = ErrorResponse;

    /// The engine in the parameter `engine` of the URL, or the default one.
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ErrorResponse> {
        let query = parts.uri.query().unwrap_or_default();
        let name = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == ENGINE).map(|(_, name)| name);
        Ok(state.engines.get(name.as_deref()).cloned()?)
    }
}

type Answer = Result<Response, ErrorResponse>;

/// Passes a request on to a remote engine, and its response back.
async fn pass_on(engine: &Prometheus, request: &ScopedRequest) -> Answer {
    let EngineResponse { status, content_type, body, charge: _charge } = engine.pass_on(request).await?;
    let mut response = (status, body).into_response();
    match content_type {
        Some(content_type) => response.headers_mut().insert(CONTENT_TYPE, content_type),
        // A response without a content type stays without one.
        None => response.headers_mut().remove(CONTENT_TYPE),
    };
    Ok(response)
}

fn bad_data(message: impl Into<String>) -> QueryError {
    QueryError::new(ErrorKind::BadData, message)
}

/// Adds the parameter `query` to an error, as in Prometheus.
fn in_query(error: impl Into<QueryError>) -> QueryError {
    let error = error.into();
    match error.kind {
        ErrorKind::BadData => bad_data(format!("invalid parameter \"query\": {}", error.message)),
        _ => error,
    }
}
