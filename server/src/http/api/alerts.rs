//! The alerts of pages: the current ones, those at a time in the past, and their changes.

use std::sync::Arc;

use access::{Principal, Restricted};
use alerting::{HistoryFilter, MAX_ANSWER};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use model::live::{AlertList, AlertTransition};
use serde::Deserialize;
use serde_json::json;

use super::{error::ApiError, extract::Parameters, listed::Listed};
use crate::http::slices::AlertState;

/// Most changes in a response if the request has no limit.
const USUAL_ANSWER: usize = 1_000;

/// `GET /api/alerts`
pub(super) async fn list(State(state): State<AlertState>, principal: Principal) -> Result<Response, ApiError> {
    let current = state.alerting.current().await;
    let listed = Arc::clone(&current);
    Ok(state.lists.answer(Listed::Alerts(&current), move || Json(listed.list(principal.scope()))).await?)
}

/// Parameters of `/api/alerts/history`.
#[derive(Debug, Deserialize)]
pub(super) struct HistoryParams {
    /// Milliseconds since the Unix epoch.
    since: Option<i64>,
    /// Milliseconds since the Unix epoch.
    until: Option<i64>,
    /// Name of the alert.
    name: Option<String>,
    /// Most changes in the response.
    limit: Option<usize>,
}

/// `GET /api/alerts/history`
pub(super) async fn history(
    State(state): State<AlertState>,
    principal: Principal,
    Parameters(params): Parameters<HistoryParams>,
) -> Result<Response, ApiError> {
    let wanted = HistoryFilter {
        since_ms: params.since,
        until_ms: params.until,
        name: params.name.filter(|name| !name.is_empty()),
        limit: params.limit.unwrap_or(USUAL_ANSWER).min(MAX_ANSWER),
    };
    let shown = move |found: Result<Restricted<Vec<AlertTransition>>, sqlx::Error>| {
        found.map(|transitions| {
            Json(json!({ "transitions": transitions.visible_to(principal.scope()) })).into_response()
        })
    };
    let read = state.alerting.history().read(&wanted);
    let found = state.lists.answer_after(Listed::Changes(wanted.limit), read, shown).await?;
    found.map_err(|error| ApiError::internal("the history of alerts could not be read", error))
}

/// The parameters of `/api/alerts/past`.
#[derive(Debug, Deserialize)]
pub(super) struct At {
    /// Milliseconds since the Unix epoch.
    at: i64,
}

/// `GET /api/alerts/past?at=`
///
/// # Errors
/// The history of alerts cannot be read.
pub(super) async fn past(
    State(state): State<AlertState>,
    principal: Principal,
    Parameters(At { at }): Parameters<At>,
) -> Result<Response, ApiError> {
    let most = app::panels::MOST_ALERTS;
    let list = state.alerting.alerts_at(principal.scope(), at, most);
    let answered = |list: Result<AlertList, sqlx::Error>| list.map(|list| Json(list).into_response());
    let list = state.lists.answer_after(Listed::Changes(MAX_ANSWER), list, answered).await?;
    list.map_err(|error| ApiError::internal("the history of alerts could not be read", error))
}
