//! `/api/dashboards`: what pages there are, as data.

use axum::{
    Json,
    extract::{Path, State},
};
use model::{dashboard::Dashboard, page::DashboardLink};
use serde_json::{Value, json};

use super::error::ApiError;
use crate::{auth::Principal, state::AppState};

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
    state
        .library
        .get(&uid)
        .filter(|dashboard| principal.may_see(&dashboard.uid))
        .cloned()
        .map(Json)
        .ok_or_else(|| ApiError::not_found(format!("there is no dashboard {uid:?} that you may see")))
}
