//! `/api/upstreams`: the sources.

use access::{Principal, visible};
use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::state::AppState;

/// `GET /api/upstreams`
pub(super) async fn list(State(state): State<AppState>, principal: Principal) -> Json<Value> {
    let mut statuses = state.sources.statuses();
    statuses.retain(|status| visible::upstream(principal.scope(), status));
    Json(json!({ "upstreams": statuses }))
}
