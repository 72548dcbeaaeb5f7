//! `/api/upstreams`: the sources.

use access::{Principal, Visible};
use axum::{Json, extract::State};
use model::upstream::UpstreamStatus;
use serde::Serialize;

use crate::http::watched::Watched;

/// The response of `GET /api/upstreams`.
#[derive(Serialize)]
pub(super) struct UpstreamList {
    upstreams: Visible<Vec<UpstreamStatus>>,
}

/// `GET /api/upstreams`
pub(super) async fn list(State(watched): State<Watched>, principal: Principal) -> Json<UpstreamList> {
    Json(UpstreamList { upstreams: watched.sources().visible_to(principal.scope()) })
}
