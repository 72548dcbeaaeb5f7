//! The alert page: gathers the data of its tabs, which the app renders.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use access::{Principal, Restricted, Scope};
use alerting::{CurrentAlerts, HistoryFilter as Wanted};
use alertmanager::matcher::Matchers;
use app::alerts::{
    AlertsView, Chart, Content, Detail, Draft, Grouping, ListedAlerts, ShownAlert, ShownDelivery, ShownGroup,
    ShownRule, ShownSilence, Tab, ViewAddress,
};
use labels::Fingerprint;
use model::{
    dashboard::Query,
    live::{Alert, AlertTransition},
    panel::PanelData,
    range::{Instant, TimeRange},
    zone::Zone,
};
use notify::{DeliveryFilter, DeliveryInfo, Notifier};
use render::narrowed;
use serde::Deserialize;

use crate::http::{
    api::{listed::Listed, silences},
    prometheus::{params::Params, rules::rule_groups},
    slices::{AlertState, PageState},
};

/// Length of the history, in milliseconds.
const HISTORY_MS: i64 = 30 * 86_400_000;
/// Most changes that are listed.
const CHANGES: usize = 500;
/// Most alerts that are rendered, active ones first. A filter shows the others.
const SHOWN: usize = 200;
/// Most notifications that are listed.
const DELIVERIES: i64 = 200;
/// Most notifications of one alert that are listed.
const TOLD: i64 = 20;
/// Shortest and longest range of a chart, in milliseconds.
const CHART_MS: (i64, i64) = (3_600_000, 86_400_000);
/// How long before the start of the alert a chart begins, in milliseconds.
const BEFORE_MS: i64 = 1_800_000;
/// Why there are no alerts if there are no rules.
const WITHOUT_RULES: &str = "No rules are evaluated: give files of them by --rules, or a daemon to watch.";
/// Why a token with matchers sees neither silences nor notifications.
const SOME_ONLY: &str = "This token sees some alerts only, and silences and notifications speak of all.";

/// Gathers the data of the page with the URL's `query`.
pub(super) async fn gather(
    state: &PageState,
    principal: &Principal,
    query: &str,
    now_ms: i64,
    zone: Zone,
) -> AlertsView {
    let address = ViewAddress::read(|name| super::parameter(query, name));
    let current = state.changes.alerts.alerting.current().await;
    let firing = current.firing(principal.scope());
    let is_whole = principal.scope().is_all();
    let content = match address.tab {
        Tab::Alerts => shown_alerts(state, principal, &address, &current, now_ms).await,
        Tab::Rules => rules(state, principal).await,
        Tab::History => history(&state.changes.alerts, principal, now_ms).await,
        Tab::Silences | Tab::Deliveries if !is_whole => Content::Unavailable(SOME_ONLY.to_owned()),
        Tab::Silences => silence_list(&state.changes.alerts, &current, &address).await,
        Tab::Deliveries => {
            let filter = DeliveryFilter { limit: DELIVERIES, ..DeliveryFilter::default() };
            match state.changes.alerts.notifier.deliveries(&filter).await {
                Ok(deliveries) => Content::Deliveries(deliveries.into_iter().map(delivery).collect()),
                Err(error) => {
                    tracing::error!(%error, "notifications could not be listed");
                    Content::Unavailable("The notifications cannot be read: the server's log says why.".to_owned())
                }
            }
        }
    };
    let may_operate = principal.session.role.operates() && is_whole;
    // The text names alerts, which a token with matchers may not see.
    let troubles = if is_whole { state.changes.alerts.notifier.troubles() } else { None };
    AlertsView { address, now_ms, zone, may_operate, firing, troubles, content }
}

async fn shown_alerts(
    state: &PageState,
    principal: &Principal,
    address: &ViewAddress,
    current: &Arc<CurrentAlerts>,
    now_ms: i64,
) -> Content {
    let selection = Selection {
        current: Arc::clone(current),
        scope: principal.scope().clone(),
        filter: address.filter.trim().to_owned(),
        grouping: address.grouping,
        open: address.open.clone(),
        now_ms,
    };
    let notifier = state.changes.alerts.notifier.clone();
    let listed = state.changes.alerts.lists.list(Listed::Alerts(current), move || selection.listed(&notifier)).await;
    let mut listed = match listed {
        Ok(listed) => listed,
        Err(error) => return Content::Unavailable(error.message),
    };
    let open = address.open.as_ref();
    if let Some(shown) = listed.alerts.iter_mut().find(|shown| Some(&shown.alert.fingerprint) == open) {
        let fingerprint = Fingerprint::of(&shown.alert.labels);
        shown.detail = Some(Box::new(detail(state, principal, &shown.alert, fingerprint, now_ms).await));
    }
    Content::Alerts(listed)
}

/// Selects the alerts to list for a scope.
struct Selection {
    current: Arc<CurrentAlerts>,
    scope: Scope,
    /// Matchers, or empty.
    filter: String,
    grouping: Grouping,
    /// Fingerprint of the alert whose details are open.
    open: Option<String>,
    now_ms: i64,
}

impl Selection {
    fn listed(&self, notifier: &Notifier) -> ListedAlerts {
        let (filter, filter_error) = match self.filter.as_str() {
            "" => (None, None),
            text => match text.parse::<Matchers>() {
                Ok(matchers) => (Some(matchers), None),
                Err(error) => (None, Some(error.to_string())),
            },
        };
        let mut matching: Vec<&Arc<Alert>> = self.current.seen_by(&self.scope).collect();
        let seen: Option<HashSet<&str>> =
            (!self.scope.is_all()).then(|| matching.iter().map(|alert| alert.fingerprint.as_str()).collect());
        let before = matching.len();
        matching.retain(|alert| filter.as_ref().is_none_or(|filter| filter.matches(&alert.labels)));
        let hidden = before.saturating_sub(matching.len());
        // Muted alerts come last.
        matching.sort_by_key(|alert| alert.muted().is_some());
        let muted = matching.iter().filter(|alert| alert.muted().is_some()).count();
        let mut totals: BTreeMap<String, usize> = BTreeMap::new();
        for alert in matching.iter().filter(|alert| alert.muted().is_none()) {
            let value = alert.labels.get(self.grouping.label()).cloned().unwrap_or_default();
            *totals.entry(value).or_default() += 1;
        }
        // The open alert is listed even if it is beyond the limit.
        let open_beyond = matching
            .iter()
            .skip(SHOWN)
            .position(|alert| self.open.as_ref() == Some(&alert.fingerprint))
            .map(|position| matching.swap_remove(SHOWN + position));
        let more = matching.len().saturating_sub(SHOWN);
        matching.truncate(SHOWN);
        matching.extend(open_beyond);
        let inhibitor = |by: &String| {
            if seen.as_ref().is_none_or(|seen| seen.contains(by.as_str())) {
                by.parse().ok().and_then(|by| notifier.name_of(by)).unwrap_or_else(|| by.clone())
            } else {
                "an alert that this token does not see".to_owned()
            }
        };
        let shown = matching.into_iter().map(|alert| {
            let routed = notifier.routed(Fingerprint::of(&alert.labels), &alert.labels, self.now_ms);
            ShownAlert {
                inhibited_by: alert.inhibited_by.iter().map(inhibitor).collect(),
                muted_by: routed.muted_by,
                receivers: routed.receivers,
                detail: None,
                alert: Alert::clone(alert),
            }
        });
        let alerts = shown.collect();
        let without_rules = self.current.is_without_rules().then(|| WITHOUT_RULES.to_owned());
        ListedAlerts {
            hidden,
            more,
            totals,
            muted,
            alerts,
            unavailable: self.current.unavailable().cloned().or(without_rules.filter(|_| before == 0)),
            filter_error,
        }
    }
}

async fn detail(
    state: &PageState,
    principal: &Principal,
    alert: &Alert,
    fingerprint: Fingerprint,
    now_ms: i64,
) -> Detail {
    let told =
        state.changes.alerts.notifier.told_of(principal.scope(), fingerprint, TOLD).await.unwrap_or_else(|error| {
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
        // A fixed range, so that no live query is created for it.
        let range = TimeRange { from: Instant::At(start_ms), to: Instant::At(now_ms) };
        let step_ms = range.step_ms(now_ms);
        let query = Query { expr, ..Query::default() };
        let data = super::panels::query_state(&state.panels, principal.scope(), &query, range, now_ms);
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

async fn silence_list(state: &AlertState, current: &CurrentAlerts, address: &ViewAddress) -> Content {
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
    let draft = match address.draft.clone() {
        None => None,
        Some(matchers) => {
            let text = matchers.trim().to_owned();
            let notifier = state.notifier.clone();
            match state.lists.list(Listed::Alerts(current), move || preview(&notifier, &text)).await {
                Ok(preview) => Some(Draft { matchers, preview }),
                Err(error) => return Content::Unavailable(error.message),
            }
        }
    };
    Content::Silences { silences: listed.into_iter().map(shown).collect(), draft }
}

/// The names of the alerts that matchers would mute, or why the matchers are invalid.
fn preview(notifier: &Notifier, matchers: &str) -> Result<Vec<String>, String> {
    if matchers.is_empty() {
        return Ok(Vec::new());
    }
    let matchers: Matchers =
        matchers.parse().map_err(|error: alertmanager::matcher::WrongMatcher| error.to_string())?;
    Ok(notifier.preview(&matchers).for_all().iter().map(|alert| named(alert.name(), &alert.labels)).collect())
}

/// An alert's name with its labels, which distinguish it from others of its rule.
fn named(name: &str, labels: &BTreeMap<String, String>) -> String {
    let others = labels.iter().filter(|(label, _)| !matches!(label.as_str(), "alertname" | "severity"));
    let others: Vec<String> = others.map(|(label, value)| format!("{label}={value}")).collect();
    if others.is_empty() { name.to_owned() } else { format!("{name} ({})", others.join(", ")) }
}

async fn history(state: &AlertState, principal: &Principal, now_ms: i64) -> Content {
    let start_ms = now_ms.saturating_sub(HISTORY_MS);
    let wanted = Wanted { since_ms: Some(start_ms), limit: CHANGES, ..Wanted::default() };
    let scope = principal.scope().clone();
    let shown = move |found: Result<Restricted<Vec<AlertTransition>>, sqlx::Error>| {
        found.map(|transitions| {
            let mut transitions = transitions.visible_to(&scope).into_inner();
            transitions.sort_by_key(|change| std::cmp::Reverse(change.at));
            transitions
        })
    };
    match state.lists.answer_after(Listed::Changes(CHANGES), state.alerting.history().read(&wanted), shown).await {
        Ok(Ok(transitions)) => {
            // The timeline begins shortly before the oldest change, because most of a whole month may be empty.
            let oldest_ms = transitions.last().map_or(start_ms, |change| change.at);
            let margin_ms = now_ms.saturating_sub(oldest_ms) / 20;
            Content::History { start_ms: oldest_ms.saturating_sub(margin_ms).max(start_ms), transitions }
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "the history of alerts could not be read");
            Content::Unavailable("The history cannot be read: the server's log says why.".to_owned())
        }
        Err(error) => Content::Unavailable(error.message),
    }
}

/// A group of rules as in the JSON of `/api/v1/rules`.
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

async fn rules(state: &PageState, principal: &Principal) -> Content {
    // The alerts are not shown. But for a token with matchers, the state of a rule is derived from the alerts that it sees.
    let params = if principal.scope().is_all() { Params::one("exclude_alerts", "true") } else { Params::none() };
    let groups = async { rule_groups(&state.changes.alerts, state.panels.engines.first()?, principal, &params).await };
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
        evaluated_at: group
            .last_evaluation
            .parse::<jiff::Timestamp>()
            .ok()
            .map(jiff::Timestamp::as_millisecond)
            .filter(|at_ms| *at_ms > 0),
        name: group.name,
        file: group.file,
        source: group.source,
        interval_secs: group.interval,
        evaluation_secs: group.evaluation_secs,
        rules: group.rules.into_iter().map(rule).collect(),
    }
}
