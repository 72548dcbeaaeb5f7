//! `/api/upstreams`: the sources.

use access::{Principal, visible};
use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::source_list::SourceList;

/// `GET /api/upstreams`
pub(super) async fn list(State(sources): State<SourceList>, principal: Principal) -> Json<Value> {
    let mut statuses = sources.statuses();
    statuses.retain(|status| visible::upstream(principal.scope(), status));
    Json(json!({ "upstreams": statuses }))
}
