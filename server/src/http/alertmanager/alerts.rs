//! `/api/v2/alerts`: which alerts fire, alone and in groups.

use std::{collections::HashMap, sync::Arc};

use access::Principal;
use alertmanager::{alert::Alert, matcher::Matchers};
use axum::{
    Json,
    extract::{RawQuery, State},
    response::Response,
};
use labels::Fingerprint;
use notify::time;
use serde_json::{Value, json};

use super::{Parameters, Refused};
use crate::http::{api::listed::Listed, slices::AlertState};

/// Filter for alerts.
struct Wanted {
    matchers: Matchers,
    receiver: Option<regex::Regex>,
    active: bool,
    silenced: bool,
    inhibited: bool,
}

impl Wanted {
    fn read(parameters: &Parameters) -> Result<Self, Refused> {
        Ok(Wanted {
            matchers: parameters.filter()?,
            receiver: parameters.receiver()?,
            active: parameters.is_wanted("active"),
            silenced: parameters.is_wanted("silenced"),
            inhibited: parameters.is_wanted("inhibited"),
        })
    }

    fn takes(&self, status: &alertmanager::dispatch::Status) -> bool {
        let is_receiver = |regex: &regex::Regex| status.receivers.iter().any(|name| regex.is_match(name));
        (self.silenced || status.silenced_by.is_empty())
            && (self.inhibited || status.inhibited_by.is_empty())
            && (self.active || status.state != "active")
            && self.receiver.as_ref().is_none_or(is_receiver)
    }

    /// The selected alerts in the API's JSON, with their receivers.
    fn shown(&self, state: &AlertState, principal: &Principal) -> Vec<(Value, Arc<Alert>)> {
        let alerts = state.notifier.preview(&self.matchers).visible_to(principal.scope());
        let shown = alerts.into_inner().into_iter().filter_map(|alert| {
            let status = state.notifier.status(&alert.labels);
            self.takes(&status).then(|| (alert_json(&alert, &status), alert))
        });
        shown.collect()
    }
}

fn alert_json(alert: &Alert, status: &alertmanager::dispatch::Status) -> Value {
    let receivers: Vec<Value> = status.receivers.iter().map(|name| json!({ "name": name })).collect();
    json!({
        "fingerprint": alert.fingerprint,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": time(alert.starts_at_ms),
        "endsAt": time(alert.ends_at_ms),
        "updatedAt": time(alert.updated_at_ms),
        "generatorURL": alert.generator_url,
        "receivers": receivers,
        "status": status,
    })
}

/// `GET /api/v2/alerts`
pub(super) async fn alerts(
    State(state): State<AlertState>,
    principal: Principal,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let wanted = Wanted::read(&Parameters::new(query)?)?;
    let (lists, current) = (state.lists.clone(), state.alerting.current().await);
    let make = move || -> Json<Value> {
        let shown = wanted.shown(&state, &principal);
        Json(shown.into_iter().map(|(alert, ..)| alert).collect())
    };
    Ok(lists.answer(Listed::Alerts(&current), make).await?)
}

/// `GET /api/v2/alerts/groups`: alerts by receiver and by the labels that the routes group by.
pub(super) async fn groups(
    State(state): State<AlertState>,
    principal: Principal,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let wanted = Wanted::read(&Parameters::new(query)?)?;
    let (lists, current) = (state.lists.clone(), state.alerting.current().await);
    let make = move || -> Json<Value> {
        let shown = wanted.shown(&state, &principal);
        let by_alert: HashMap<Fingerprint, &Value> =
            shown.iter().map(|(shown, alert)| (alert.fingerprint, shown)).collect();
        let groups = state.notifier.groups_of(shown.iter().map(|(_, alert)| alert)).into_iter().map(|group| {
            let alerts: Vec<&Value> =
                group.alerts.iter().filter_map(|alert| by_alert.get(&alert.fingerprint).copied()).collect();
            json!({
                "labels": group.labels,
                "routeLabels": group.route_labels,
                "receiver": { "name": group.receiver },
                "alerts": alerts,
            })
        });
        Json(groups.collect())
    };
    Ok(lists.answer(Listed::Alerts(&current), make).await?)
}
