//! `/api/dashboards`: what pages there are, as data.

use access::Principal;
use alerting::FiringChanges;
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use model::{clock::now_ms, dashboard::Dashboard, page::DashboardLink, range::TimeRange};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{error::ApiError, extract::Parameters, listed::Listed};
use crate::state::AppState;

/// `GET /api/dashboards`
pub(super) async fn list(State(state): State<AppState>, principal: Principal) -> Json<Value> {
    let links: Vec<DashboardLink> = state.library.links(&principal.session);
    Json(json!({ "dashboards": links }))
}

/// `GET /api/dashboards/{uid}`
pub(super) async fn one(
    State(state): State<AppState>,
    principal: Principal,
    Path(uid): Path<String>,
) -> Result<Json<Dashboard>, ApiError> {
    seen(&state, &principal, &uid).cloned().map(Json)
}

/// Parameters of `GET /api/dashboards/{uid}/marks`: a range as pages have it.
#[derive(Deserialize)]
pub(super) struct MarksParams {
    from: Option<String>,
    to: Option<String>,
}

/// `GET /api/dashboards/{uid}/marks`
pub(super) async fn marks(
    State(state): State<AppState>,
    principal: Principal,
    Path(uid): Path<String>,
    Parameters(params): Parameters<MarksParams>,
) -> Result<Response, ApiError> {
    let dashboard = seen(&state, &principal, &uid)?.clone();
    let now_ms = now_ms();
    let range = TimeRange::parse(params.from.as_deref(), params.to.as_deref(), now_ms)
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    let (start_ms, end_ms) = range.resolve(now_ms);
    let current = state.alerting.current().await;
    let cost = state.cost(&Listed::Alerts(&current));
    let alerting = state.alerting.clone();
    let make = move |firing: Result<FiringChanges, sqlx::Error>| {
        let marks = alerting.marks(firing?, &current, principal.scope(), &dashboard, start_ms, end_ms);
        Ok(Json(marks).into_response())
    };
    let found =
        state.embedded.reads().read_after(cost, state.alerting.history().firing_in(start_ms, end_ms), make).await?;
    found.map_err(|error: sqlx::Error| ApiError::internal("the history of alerts could not be read", error))
}

fn seen<'a>(state: &'a AppState, principal: &Principal, uid: &str) -> Result<&'a Dashboard, ApiError> {
    let dashboard = state.library.get(uid).filter(|dashboard| principal.may_see(&dashboard.uid));
    dashboard.ok_or_else(|| ApiError::not_found(format!("there is no dashboard {uid:?} that you may see")))
}
