//! The JSON API beside Prometheus': jobs, sources, dashboards. Described by `/api/openapi.json`.

pub(crate) mod alert_forms;
mod alertmanager;
mod dashboards;
pub mod error;
mod frame;
pub(crate) mod given;
mod jobs;
mod live;
mod notifications;
mod openapi;
pub mod showcase;
pub(crate) mod silences;
mod upstreams;

use axum::{
    Router,
    routing::{delete, get, patch, post},
};

use crate::{alerting, state::AppState};

/// Routes that any reader may use, to be nested under `/api`.
pub fn reader_routes() -> Router<AppState> {
    Router::new()
        .route("/jobs", get(jobs::list))
        .route("/jobs/{daemon}/{id}", get(jobs::detail))
        .route("/alerts", get(alerting::api::list))
        .route("/alerts/history", get(alerting::api::past))
        .route("/alerts/past", get(alerting::past::past))
        .route("/alerts/status", get(silences::statuses))
        .route("/alerts/{fingerprint}", get(silences::alert))
        .route("/silences", get(silences::list))
        .route("/silences/preview", get(silences::preview))
        .route("/silences/{id}", get(silences::one))
        .route("/notifications", get(notifications::list))
        .route("/demo/receivers", get(showcase::list))
        .route("/v2/status", get(alertmanager::status))
        .route("/v2/receivers", get(alertmanager::receivers))
        .route("/v2/alerts", get(alertmanager::alerts))
        .route("/v2/alerts/groups", get(alertmanager::groups))
        .route("/v2/silences", get(alertmanager::silences))
        .route("/v2/silence/{id}", get(alertmanager::silence))
        .route("/upstreams", get(upstreams::list))
        .route("/live", get(live::poll))
        .route("/openapi.json", get(openapi::document))
}

/// Routes that a kiosk may use as well: they look after its limits themselves.
pub fn dashboard_routes() -> Router<AppState> {
    Router::new()
        .route("/dashboards", get(dashboards::list))
        .route("/dashboards/{uid}", get(dashboards::one))
        .route("/frame", get(frame::frame))
        .route("/dashboards/{uid}/marks", get(dashboards::marks))
}

/// Routes for operators, to be nested under `/api`.
pub fn operator_routes() -> Router<AppState> {
    Router::new()
        .route("/jobs/{daemon}/{id}/cancel", post(jobs::cancel))
        .route("/alerts/{fingerprint}/ack", post(silences::acknowledge).delete(silences::unacknowledge))
        .route("/silences", post(silences::create))
        .route("/silences/{id}", patch(silences::change).delete(silences::expire))
        .route("/notifications/{id}/resend", post(notifications::resend))
        .route("/v2/silences", post(alertmanager::post_silence))
        .route("/v2/silence/{id}", delete(alertmanager::expire))
}

/// Routes for whoever evaluates rules elsewhere, to be nested under `/api`.
pub fn alert_routes() -> Router<AppState> {
    Router::new().route("/v2/alerts", post(alertmanager::post_alerts))
}
