//! `/api/frame`: the result of one query over a fixed range, in the format of the live socket.

use access::Principal;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::CACHE_CONTROL},
    response::{IntoResponse, Response},
};
use dashboards::DashboardRegistry;
use datasource::{Engines, ErrorKind, QueryError, fixed};
use model::{
    dashboard,
    live::{LiveQuery, Topic},
};
use serde::Deserialize;

use super::{error::ApiError, extract::Parameters};
use crate::http::limited::may_follow;

/// Parameters of `GET /api/frame`.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    /// PromQL.
    query: String,
    /// Start of the range, in milliseconds since the Unix epoch. An instant query ignores it.
    #[serde(default)]
    start_ms: i64,
    /// End of the range, in milliseconds since the Unix epoch.
    end_ms: i64,
    /// Step in milliseconds.
    step_ms: i64,
    /// Whether to evaluate only at the end.
    #[serde(default)]
    instant: bool,
    /// Name of the engine; `None` for the first one.
    engine: Option<String>,
}

/// `GET /api/frame?query=&start_ms=&end_ms=&step_ms=&instant=&engine=`
pub(super) async fn frame(
    State(library): State<DashboardRegistry>,
    State(engines): State<Engines>,
    principal: Principal,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, ApiError> {
    let Asked { query: expr, start_ms, end_ms, step_ms, instant, engine } = asked;
    if step_ms <= 0 {
        return Err(ApiError::bad_request("step_ms is the time between points in milliseconds: more than 0"));
    }
    let topic = Topic::Query(LiveQuery { expr: expr.clone(), window_ms: 0, step_ms, instant, engine: engine.clone() });
    if !may_follow(&library, &principal, &topic) {
        return Err(ApiError::forbidden("this session is limited to what is on its dashboards"));
    }
    let query = dashboard::Query { expr, instant, engine, ..dashboard::Query::default() };
    let frame = fixed::frame(&engines, principal.scope(), &query, (start_ms, end_ms), step_ms).await?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(frame)).into_response())
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let (status, code) = match error.kind {
            ErrorKind::BadData => (StatusCode::BAD_REQUEST, "bad_query"),
            ErrorKind::Execution => (StatusCode::UNPROCESSABLE_ENTITY, "bad_query"),
            ErrorKind::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            ErrorKind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            ErrorKind::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too_many"),
        };
        ApiError { status, code, message: error.message }
    }
}
