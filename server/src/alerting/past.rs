//! Alerts as they were at a time: what the history says last of each before it.

use std::collections::HashSet;

use axum::{Json, extract::State};
use model::live::{Alert, AlertList, AlertState, AlertTransition};
use serde::Deserialize;

use super::history::{History, MAX_ANSWER, Wanted};
use crate::{
    api::{error::ApiError, given::Parameters},
    auth::Principal,
    query::Scope,
    state::AppState,
    visible,
};

/// The alerts that were pending or fired at `at_ms` (milliseconds since the Unix epoch), of which `scope` sees something; the worst
/// first, at most `most`.
///
/// # Errors
/// The database cannot be read.
pub async fn alerts_at(history: &History, scope: &Scope, at_ms: i64, most: usize) -> Result<AlertList, sqlx::Error> {
    let wanted = Wanted { until_ms: Some(at_ms), limit: MAX_ANSWER, ..Wanted::default() };
    let mut alerts = standing(history.read(&wanted).await?);
    alerts.retain(|alert| visible::alert(scope, alert));
    alerts.truncate(most);
    Ok(AlertList { alerts, ..AlertList::default() })
}

/// What stood after these changes, youngest first, the worst first.
fn standing(changes: Vec<AlertTransition>) -> Vec<Alert> {
    let mut known = HashSet::new();
    let newest = changes.into_iter().filter(|change| known.insert(change.alert.fingerprint.clone()));
    let standing = newest.filter(|change| change.to != AlertState::Inactive);
    let mut alerts: Vec<Alert> = standing.map(|change| Alert { state: change.to, ..change.alert }).collect();
    alerts.sort_by(Alert::order);
    alerts
}

/// The parameters of `/api/alerts/past`.
#[derive(Debug, Deserialize)]
pub(crate) struct At {
    /// Milliseconds since the Unix epoch.
    at: i64,
}

/// `GET /api/alerts/past?at=`
///
/// # Errors
/// The history cannot be read.
pub(crate) async fn past(
    State(state): State<AppState>,
    principal: Principal,
    Parameters(At { at }): Parameters<At>,
) -> Result<Json<AlertList>, ApiError> {
    let most = app::panels::MOST_ALERTS;
    let list = alerts_at(state.alerting.history(), principal.scope(), at, most).await;
    list.map(Json).map_err(|error| {
        tracing::error!(%error, "the history of alerts cannot be read");
        ApiError::internal("the history of alerts cannot be read: see the server's log")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(at: i64, name: &str, from: AlertState, to: AlertState) -> AlertTransition {
        let alert = Alert { name: name.to_owned(), fingerprint: name.to_owned(), state: to, ..Alert::default() };
        AlertTransition { at, from, to, alert }
    }

    #[test]
    fn what_was_said_last_counts() {
        use AlertState::{Firing, Inactive, Pending};
        let youngest_first = vec![
            change(50, "over", Firing, Inactive),
            change(40, "waits", Inactive, Pending),
            change(30, "over", Pending, Firing),
            change(20, "fires", Pending, Firing),
            change(10, "fires", Inactive, Pending),
        ];
        let seen: Vec<_> = standing(youngest_first).into_iter().map(|alert| (alert.name, alert.state)).collect();
        assert_eq!(seen, [("fires".to_owned(), Firing), ("waits".to_owned(), Pending)]);
    }

    #[test]
    fn the_worst_is_first_by_what_its_severity_means() {
        let of = |severity: &str| {
            let mut change = change(10, severity, AlertState::Pending, AlertState::Firing);
            change.alert.severity = severity.to_owned();
            change
        };
        let seen = standing(["info", "warning", "page"].map(of).into());
        assert_eq!(seen.iter().map(|alert| alert.name.as_str()).collect::<Vec<_>>(), ["page", "warning", "info"]);
    }
}
