//! `/api/dashboards`: the dashboards as JSON.

use std::sync::Arc;

use access::Principal;
use alerting::Alerting;
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use dashboards::{DashboardRegistry, annotations::FiringChanges};
use model::{clock::now_ms, dashboard::Dashboard, page::DashboardLink, range::TimeRange};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    error::ApiError,
    extract::Parameters,
    listed::{Listed, Lists},
};

/// `GET /api/dashboards`
pub(super) async fn list(State(library): State<DashboardRegistry>, principal: Principal) -> Json<Value> {
    let links: Vec<DashboardLink> = library.links(&principal.session);
    Json(json!({ "dashboards": links }))
}

/// `GET /api/dashboards/{uid}`
pub(super) async fn one(
    State(library): State<DashboardRegistry>,
    principal: Principal,
    Path(uid): Path<String>,
) -> Result<Json<Dashboard>, ApiError> {
    seen(&library, &principal, &uid).cloned().map(Json)
}

/// Parameters of `GET /api/dashboards/{uid}/marks`: a range as in the URL of a page.
#[derive(Deserialize)]
pub(super) struct MarksParams {
    from: Option<String>,
    to: Option<String>,
}

/// `GET /api/dashboards/{uid}/marks`
pub(super) async fn marks(
    State(library): State<DashboardRegistry>,
    State(alerting): State<Alerting>,
    State(lists): State<Lists>,
    principal: Principal,
    Path(uid): Path<String>,
    Parameters(params): Parameters<MarksParams>,
) -> Result<Response, ApiError> {
    let dashboard = seen(&library, &principal, &uid)?.clone();
    let now_ms = now_ms();
    let range = TimeRange::parse(params.from.as_deref(), params.to.as_deref(), now_ms)
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    let (start_ms, end_ms) = range.resolve(now_ms);
    let current = alerting.current().await;
    let (marked, listed) = (alerting.clone(), Arc::clone(&current));
    let make = move |firing: Result<FiringChanges, sqlx::Error>| {
        let marks = marked.marks(firing?, &listed, principal.scope(), &dashboard, start_ms, end_ms);
        Ok(Json(marks).into_response())
    };
    let firing = alerting.history().firing_in(start_ms, end_ms);
    let found = lists.answer_after(Listed::Alerts(&current), firing, make).await?;
    found.map_err(|error: sqlx::Error| ApiError::internal("the history of alerts could not be read", error))
}

fn seen<'a>(library: &'a DashboardRegistry, principal: &Principal, uid: &str) -> Result<&'a Dashboard, ApiError> {
    let dashboard = library.get(uid).filter(|dashboard| principal.may_see(&dashboard.uid));
    dashboard.ok_or_else(|| ApiError::not_found(format!("there is no dashboard {uid:?} that you may see")))
}
