//! `/api/walls`: what the walls show, and what they are asked to show.

use access::{Action, Principal, Scope};
use alerting::{Alerting, CurrentAlerts};
use axum::{
    Json,
    extract::{OriginalUri, Path, State},
    response::{IntoResponse, Redirect, Response},
};
use dashboards::{DashboardRegistry, related_panels};
use model::{clock::now_ms, live::Alert};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    error::ApiError,
    extract::{Body, Parameters},
};
use crate::{
    http::auth::Denied,
    walls::{Steering, SteeringError, WallOrders, WallReport, Walls},
};

/// Critical alerts that are looked at, from the newest: a wall shows one dashboard.
const MOST_ALERTS: usize = 20;
/// Longest UID in a report, in bytes.
const UID_BYTES: usize = 64;

/// `GET /wall/{name}`: leads to the page that the wall shows.
pub(crate) async fn open(
    State(walls): State<Walls>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Response {
    match walls.config(&name) {
        Some(config) => Redirect::to(&config.address).into_response(),
        None => {
            let ApiError { status, code, message } = unknown(&name);
            Denied::new(status, code, message).for_path(&uri)
        }
    }
}

/// `GET /api/walls`
pub(super) async fn list(State(walls): State<Walls>) -> Json<Value> {
    Json(json!({ "walls": walls.statuses(now_ms()) }))
}

/// `POST /api/walls/{name}/report?shows=&width=&height=`
pub(super) async fn report(
    State(walls): State<Walls>,
    State(library): State<DashboardRegistry>,
    State(alerting): State<Alerting>,
    principal: Principal,
    Path(name): Path<String>,
    Parameters(mut report): Parameters<WallReport>,
) -> Result<Json<WallOrders>, ApiError> {
    let config = walls.config(&name).ok_or_else(|| unknown(&name))?;
    if report.shows.len() > UID_BYTES {
        report.shows.clear();
    }
    let breaks = if config.jump {
        let current = alerting.current().await;
        breaking(&current, principal.scope(), &library, &config.dashboards)
    } else {
        None
    };
    walls.report(&name, report, breaks, now_ms()).map(Json).ok_or_else(|| unknown(&name))
}

/// The dashboard, by UID, that the newest active critical alert concerns which concerns one.
fn breaking(current: &CurrentAlerts, scope: &Scope, library: &DashboardRegistry, uids: &[String]) -> Option<String> {
    let is_breaking = |alert: &&std::sync::Arc<Alert>| alert.is_active() && alert.severity().covers_wall();
    let mut alerts: Vec<_> = current.seen_by(scope).filter(is_breaking).collect();
    alerts.sort_by_key(|alert| std::cmp::Reverse(alert.began_at()));
    alerts.into_iter().take(MOST_ALERTS).find_map(|alert| {
        let shown = uids.iter().filter_map(|uid| library.get(uid));
        related_panels::best(shown, &alert.expr).map(|(dashboard, _)| dashboard.uid.clone())
    })
}

/// What an operator asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    action: String,
    #[serde(default)]
    dashboard: String,
}

/// `POST /api/walls/{name}/steer`
pub(super) async fn steer(
    State(walls): State<Walls>,
    principal: Principal,
    Path(name): Path<String>,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Value>, ApiError> {
    steer_one(&walls, &principal, &name, &wanted.action, wanted.dashboard)?;
    Ok(Json(json!({})))
}

/// Steers a wall by the name of what is done.
pub(crate) fn steer_one(
    walls: &Walls,
    principal: &Principal,
    name: &str,
    action: &str,
    dashboard: String,
) -> Result<(), ApiError> {
    let steering = match action {
        "next" => Steering::Next,
        "back" => Steering::Back,
        "pin" => Steering::Pin(dashboard.clone()),
        "unpin" => Steering::Unpin,
        other => {
            return Err(ApiError::bad_request(format!("action {other:?} is none: use next, back, pin or unpin")));
        }
    };
    walls.steer(name, steering).map_err(|error| match error {
        SteeringError::Unknown(_) => ApiError::not_found(error.to_string()),
        SteeringError::NoDashboard { .. } => ApiError::bad_request(error.to_string()),
    })?;
    principal.actor().did(Action::SteerWall, name, &format!("{action} {dashboard}"));
    Ok(())
}

fn unknown(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no wall {name:?} in the configuration"))
}
