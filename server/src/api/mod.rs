//! The JSON API beside Prometheus': jobs, sources, dashboards. Described by `/api/openapi.json`.

mod dashboards;
pub mod error;
mod jobs;
mod live;
mod openapi;
mod upstreams;

use axum::{
    Router,
    routing::{get, post},
};

use crate::{alerting, state::AppState};

/// Routes that any reader may use, to be nested under `/api`.
pub fn reader_routes() -> Router<AppState> {
    Router::new()
        .route("/jobs", get(jobs::list))
        .route("/jobs/{daemon}/{id}", get(jobs::detail))
        .route("/alerts", get(alerting::api::list))
        .route("/alerts/history", get(alerting::api::past))
        .route("/upstreams", get(upstreams::list))
        .route("/live", get(live::poll))
        .route("/openapi.json", get(openapi::document))
}

/// Routes that a kiosk may use as well: they look after its limits themselves.
pub fn dashboard_routes() -> Router<AppState> {
    Router::new().route("/dashboards", get(dashboards::list)).route("/dashboards/{uid}", get(dashboards::one))
}

/// Routes for operators, to be nested under `/api`.
pub fn operator_routes() -> Router<AppState> {
    Router::new().route("/jobs/{daemon}/{id}/cancel", post(jobs::cancel))
}
