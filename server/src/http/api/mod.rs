//! The JSON API besides Prometheus' API: jobs, alerts, sources, dashboards. `/api/openapi.json` describes it.

pub(crate) mod alert_details;
mod alerts;
mod dashboards;
pub(crate) mod demo_receivers;
pub(crate) mod error;
pub(crate) mod extract;
mod frame;
pub(crate) mod jobs;
pub(crate) mod listed;
pub(crate) mod notifications;
mod openapi;
pub(crate) mod silences;
mod upstreams;
pub(crate) mod walls;

use super::{Rights, Route, Who, WithinMatchers};
use crate::state::AppState;

/// Rights to change silences and notifications, which concern all alerts.
pub(crate) const ACTS_ON_ALL: Rights = Rights::OF_ALL.of(Who::Operators);
/// Rights to change one job or alert that the token may see.
pub(crate) const ACTS: Rights = Rights::LISTS.of(Who::Operators);
/// Rights to read about this program, not about what it monitors.
pub(super) const ABOUT: Rights = Rights { within_matchers: WithinMatchers::Whole, ..Rights::LISTS };

/// The routes under `/api` that are not Prometheus'.
pub(crate) fn routes() -> Vec<Route<AppState>> {
    vec![
        Route::get("/api/jobs", Rights::LISTS, jobs::list),
        Route::get("/api/jobs/{daemon}/{id}", Rights::LISTS, jobs::detail),
        Route::post("/api/jobs/{daemon}/{id}/cancel", ACTS, jobs::cancel),
        Route::get("/api/alerts", Rights::LISTS, alerts::list),
        Route::get("/api/alerts/history", Rights::LISTS, alerts::history),
        Route::get("/api/alerts/past", Rights::LISTS, alerts::past),
        Route::get("/api/alerts/status", Rights::LISTS, alert_details::statuses),
        Route::get("/api/alerts/{fingerprint}", Rights::LISTS, alert_details::alert),
        Route::post("/api/alerts/{fingerprint}/ack", ACTS, alert_details::acknowledge),
        Route::delete("/api/alerts/{fingerprint}/ack", ACTS, alert_details::unacknowledge),
        Route::get("/api/silences", Rights::OF_ALL, silences::list),
        Route::post("/api/silences", ACTS_ON_ALL, silences::create),
        Route::get("/api/silences/preview", Rights::LISTS, silences::preview),
        Route::get("/api/silences/{id}", Rights::OF_ALL, silences::one),
        Route::patch("/api/silences/{id}", ACTS_ON_ALL, silences::change),
        Route::delete("/api/silences/{id}", ACTS_ON_ALL, silences::expire),
        Route::get("/api/notifications", Rights::OF_ALL, notifications::list),
        Route::post("/api/notifications/{id}/resend", ACTS_ON_ALL, notifications::resend),
        Route::get("/api/demo/receivers", Rights::OF_ALL, demo_receivers::list),
        Route::get("/api/upstreams", Rights::LISTS, upstreams::list),
        Route::get("/api/walls", Rights::LISTS, walls::list),
        // What a wall reports is about itself; a limited session is one of those that hang there.
        Route::post("/api/walls/{name}/report", Rights::PAGES, walls::report),
        Route::post("/api/walls/{name}/steer", ACTS, walls::steer),
        // The handler checks the topics that a limited session may follow.
        Route::get("/api/live", Rights::PAGES, super::live::long_poll::poll),
        Route::get("/api/openapi.json", ABOUT, openapi::document),
        Route::get("/api/dashboards", Rights::PAGES, dashboards::list),
        Route::get("/api/dashboards/{uid}", Rights::PAGES, dashboards::one),
        Route::get("/api/dashboards/{uid}/marks", Rights::PAGES, dashboards::marks),
        Route::get("/api/frame", Rights::PAGES, frame::frame),
    ]
}
