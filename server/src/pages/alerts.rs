//! The alert page: what its parts show is gathered here, and the app draws it.

use std::{collections::BTreeMap, sync::Arc};

use app::alerts::{
    AlertsView, Chart, Content, Detail, Draft, ListedAlerts, ShownAlert, ShownDelivery, ShownGroup, ShownRule,
    ShownSilence, Tab, ViewAddress,
};
use labels::Fingerprint;
use model::{
    dashboard::Query,
    live::Alert,
    panel::PanelData,
    range::{Instant, TimeRange},
    zone::Zone,
};
use notify::matcher::Matchers;
use serde::Deserialize;

use crate::{
    alerting::{CurrentAlerts, api::rule_groups, history::Wanted},
    api::silences,
    auth::Principal,
    delivery::{DeliveryFilter, DeliveryInfo},
    pictures::narrowed,
    query::params::Params,
    state::AppState,
    visible,
};

/// What the history goes back.
const HISTORY_MS: i64 = 30 * 86_400_000;
/// Changes that are listed.
const CHANGES: usize = 500;
/// Alerts that are drawn: the worst, and who wants others filters.
const SHOWN: usize = 200;
/// Messages that are listed, and those of one alert.
const DELIVERIES: i64 = 200;
const TOLD: i64 = 20;
/// What a chart shows at least, and of an old alert at most.
const CHART_MS: (i64, i64) = (3_600_000, 86_400_000);
/// What a chart shows of the time before the alert.
const BEFORE_MS: i64 = 1_800_000;
/// Why a token with matchers sees neither silences nor messages.
const SOME_ONLY: &str = "This token sees some alerts only, and silences and notifications speak of all.";

/// Gathers what the page at `query` shows.
pub(super) async fn gather(
    state: &AppState,
    principal: &Principal,
    query: &str,
    now_ms: i64,
    zone: Zone,
) -> AlertsView {
    let address = ViewAddress::read(|name| super::parameter(query, name));
    let current = state.alerting.current().await;
    let firing = current.firing(principal.scope());
    let is_whole = principal.scope().is_all();
    let content = match address.tab {
        Tab::Alerts => shown_alerts(state, principal, &address, &current, now_ms).await,
        Tab::Rules => rules(state, principal).await,
        Tab::History => history(state, principal, now_ms).await,
        Tab::Silences | Tab::Deliveries if !is_whole => Content::Unavailable(SOME_ONLY.to_owned()),
        Tab::Silences => silence_list(state, &address).await,
        Tab::Deliveries => {
            let filter = DeliveryFilter { limit: DELIVERIES, ..DeliveryFilter::default() };
            match state.notifier.deliveries(&filter).await {
                Ok(deliveries) => Content::Deliveries(deliveries.into_iter().map(delivery).collect()),
                Err(error) => {
                    tracing::error!(%error, "notifications could not be listed");
                    Content::Unavailable("The notifications cannot be read: the server's log says why.".to_owned())
                }
            }
        }
    };
    let may_operate = principal.session.role.operates() && is_whole;
    // It names alerts, which a token with matchers may not see.
    let troubles = if is_whole { state.notifier.troubles() } else { None };
    AlertsView { address, now_ms, zone, may_operate, firing, troubles, content }
}

async fn shown_alerts(
    state: &AppState,
    principal: &Principal,
    address: &ViewAddress,
    current: &CurrentAlerts,
    now_ms: i64,
) -> Content {
    let (filter, filter_error) = match address.filter.trim() {
        "" => (None, None),
        text => match text.parse::<Matchers>() {
            Ok(matchers) => (Some(matchers), None),
            Err(error) => (None, Some(error.to_string())),
        },
    };
    let mut matching: Vec<&Arc<Alert>> = current.seen_by(principal.scope()).collect();
    let before = matching.len();
    matching.retain(|alert| filter.as_ref().is_none_or(|filter| filter.matches(&alert.labels)));
    let hidden = before.saturating_sub(matching.len());
    // What is muted gives way to what is not.
    matching.sort_by_key(|alert| alert.muted().is_some());
    let muted = matching.iter().filter(|alert| alert.muted().is_some()).count();
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    for alert in matching.iter().filter(|alert| alert.muted().is_none()) {
        let value = alert.labels.get(address.grouping.label()).cloned().unwrap_or_default();
        *totals.entry(value).or_default() += 1;
    }
    let is_open = |alert: &Alert| address.open.as_ref() == Some(&alert.fingerprint);
    // The one that is open stays, wherever it stands.
    let open_beyond = matching
        .iter()
        .skip(SHOWN)
        .position(|alert| is_open(alert))
        .map(|position| matching.swap_remove(SHOWN + position));
    let more = matching.len().saturating_sub(SHOWN);
    matching.truncate(SHOWN);
    matching.extend(open_beyond);
    let mut shown = Vec::with_capacity(matching.len());
    for alert in matching {
        let fingerprint = Fingerprint::of(&alert.labels);
        let routed = state.notifier.routed(fingerprint, &alert.labels, now_ms);
        let is_seen = |by: &String| {
            principal.scope().is_all() || current.seen_by(principal.scope()).any(|alert| alert.fingerprint == *by)
        };
        let inhibitor = |by: &String| match is_seen(by) {
            true => by.parse().ok().and_then(|by| state.notifier.name_of(by)).unwrap_or_else(|| by.clone()),
            false => "an alert that this token does not see".to_owned(),
        };
        shown.push(ShownAlert {
            inhibited_by: alert.inhibited_by.iter().map(inhibitor).collect(),
            muted_by: routed.muted_by,
            receivers: routed.receivers,
            detail: if is_open(alert) {
                Some(Box::new(detail(state, principal, alert, fingerprint, now_ms).await))
            } else {
                None
            },
            alert: Alert::clone(alert),
        });
    }
    let unavailable = current.unavailable().cloned();
    Content::Alerts(ListedAlerts { hidden, more, totals, muted, alerts: shown, unavailable, filter_error })
}

async fn detail(
    state: &AppState,
    principal: &Principal,
    alert: &Alert,
    fingerprint: Fingerprint,
    now_ms: i64,
) -> Detail {
    let told = state.notifier.told_of(principal.scope(), fingerprint, TOLD).await.unwrap_or_else(|error| {
        tracing::error!(%error, "notifications could not be listed");
        Vec::new()
    });
    let expr = alert.threshold.as_ref().map_or_else(|| alert.expr.clone(), |threshold| threshold.expr.clone());
    let chart = if expr.is_empty() {
        None
    } else {
        let (least, most) = CHART_MS;
        let active_ms = alert.active_at.unwrap_or(now_ms);
        let window_ms = now_ms.saturating_sub(active_ms).saturating_add(BEFORE_MS).clamp(least, most);
        let start_ms = now_ms.saturating_sub(window_ms);
        // A fixed range: nobody follows it, so that no live query is kept for it.
        let range = TimeRange { from: Instant::At(start_ms), to: Instant::At(now_ms) };
        let step_ms = range.step_ms(now_ms);
        let query = Query { expr, ..Query::default() };
        let data = super::panels::query_state(state, principal.scope(), &query, range, now_ms);
        let data = tokio::time::timeout(super::PATIENCE, data).await.ok();
        data.map(|data| Chart {
            data: PanelData::Queries(vec![narrowed(data, &alert.labels)]),
            start_ms,
            end_ms: now_ms,
            step_ms,
        })
    };
    Detail { chart, told: told.into_iter().map(delivery).collect() }
}

fn delivery(info: DeliveryInfo) -> ShownDelivery {
    ShownDelivery {
        id: info.id,
        receiver: info.receiver,
        kind: info.kind,
        subject: info.subject,
        state: info.state,
        attempts: info.attempts,
        created_at: info.created_at,
        error: info.error,
    }
}

async fn silence_list(state: &AppState, address: &ViewAddress) -> Content {
    let listed = match silences::listed(state).await {
        Ok(listed) => listed,
        Err(error) => return Content::Unavailable(error.message),
    };
    let shown = |silence: silences::Shown| ShownSilence {
        id: silence.id,
        state: silence.state.to_owned(),
        matchers: silence.text,
        starts_at: silence.starts_at,
        ends_at: silence.ends_at,
        created_by: silence.created_by,
        comment: silence.comment,
        alerts: silence.alerts,
    };
    let draft = address.draft.clone().map(|matchers| {
        let preview = match matchers.trim() {
            "" => Ok(Vec::new()),
            text => text.parse::<Matchers>().map_err(|error| error.to_string()).map(|matchers| {
                let alerts = state.notifier.preview(&matchers);
                alerts.iter().map(|alert| named(alert.name(), &alert.labels)).collect()
            }),
        };
        Draft { matchers, preview }
    });
    Content::Silences { silences: listed.into_iter().map(shown).collect(), draft }
}

/// An alert's name with what tells it from its like.
fn named(name: &str, labels: &BTreeMap<String, String>) -> String {
    let others = labels.iter().filter(|(label, _)| !matches!(label.as_str(), "alertname" | "severity"));
    let others: Vec<String> = others.map(|(label, value)| format!("{label}={value}")).collect();
    if others.is_empty() { name.to_owned() } else { format!("{name} ({})", others.join(", ")) }
}

async fn history(state: &AppState, principal: &Principal, now_ms: i64) -> Content {
    let start_ms = now_ms.saturating_sub(HISTORY_MS);
    let wanted = Wanted { since_ms: Some(start_ms), limit: CHANGES, ..Wanted::default() };
    match state.alerting.history().read(&wanted).await {
        Ok(mut transitions) => {
            transitions.retain(|change| visible::alert(principal.scope(), &change.alert));
            transitions.sort_by_key(|change| std::cmp::Reverse(change.at));
            // A month with one busy hour would be an empty line with a dot at its end.
            let oldest_ms = transitions.last().map_or(start_ms, |change| change.at);
            let margin_ms = now_ms.saturating_sub(oldest_ms) / 20;
            Content::History { start_ms: oldest_ms.saturating_sub(margin_ms).max(start_ms), transitions }
        }
        Err(error) => {
            tracing::error!(%error, "the history of alerts could not be read");
            Content::Unavailable("The history cannot be read: the server's log says why.".to_owned())
        }
    }
}

/// A group in the shape of `/api/v1/rules`.
#[derive(Deserialize)]
struct GroupJson {
    name: String,
    #[serde(default)]
    file: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    interval: f64,
    #[serde(default, rename = "lastEvaluation")]
    last_evaluation: String,
    #[serde(default, rename = "evaluationTime")]
    evaluation_secs: f64,
    #[serde(default)]
    rules: Vec<RuleJson>,
}

#[derive(Deserialize)]
struct RuleJson {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    state: String,
    query: String,
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    health: String,
    #[serde(default, rename = "lastError")]
    last_error: String,
}

async fn rules(state: &AppState, principal: &Principal) -> Content {
    // The alerts of the rules are not shown, but tell the state of a rule to those who see some only.
    let params = if principal.scope().is_all() { Params::one("exclude_alerts", "true") } else { Params::none() };
    let groups = async { rule_groups(state, state.engines.first()?, principal, &params).await };
    let groups = match groups.await {
        Ok((groups, _)) => groups,
        Err(error) => return Content::Unavailable(error.message),
    };
    let groups: Vec<GroupJson> = match serde_json::from_value(groups) {
        Ok(groups) => groups,
        Err(error) => return Content::Unavailable(format!("The rules cannot be read: {error}.")),
    };
    Content::Rules(groups.into_iter().map(shown_group).collect())
}

fn shown_group(group: GroupJson) -> ShownGroup {
    let rule = |mut rule: RuleJson| ShownRule {
        severity: rule.labels.remove("severity").unwrap_or_default(),
        name: rule.name,
        kind: rule.kind,
        state: rule.state,
        expr: rule.query,
        hold_secs: rule.duration,
        health: rule.health,
        last_error: rule.last_error,
    };
    ShownGroup {
        evaluated_at: chrono::DateTime::parse_from_rfc3339(&group.last_evaluation)
            .ok()
            .map(|at| at.timestamp_millis())
            .filter(|at_ms| *at_ms > 0),
        name: group.name,
        file: group.file,
        source: group.source,
        interval_secs: group.interval,
        evaluation_secs: group.evaluation_secs,
        rules: group.rules.into_iter().map(rule).collect(),
    }
}
