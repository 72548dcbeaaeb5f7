//! The panel kind `alerts`: firing and pending alerts.

use crate::view::view;
use chart::palette::Ink;
use leptos::prelude::*;
use model::{
    Severity,
    dashboard::Color,
    live::{Alert, AlertList, AlertState},
    panel::PanelData,
    unit,
};

use super::{context::PanelsContext, look::message_view};

/// Most active alerts, and most muted alerts, that a panel shows.
pub const MOST_ALERTS: usize = 200;

pub(super) fn body(data: Signal<PanelData>) -> AnyView {
    let now_ms = PanelsContext::of_page().now_ms;
    let list = Memo::new(move |_| {
        data.with(|data| match data {
            PanelData::Alerts(list) => list.clone(),
            _ => AlertList::default(),
        })
    });
    view! { {move || list.with(|list| list_view(list, now_ms))} }.into_any()
}

fn list_view(list: &AlertList, now_ms: Signal<i64>) -> AnyView {
    let shown = shown(list);
    if shown.is_empty() {
        if let Some(reason) = &list.unavailable {
            // Alerts are unknown but not failed until the first evaluation of the rules.
            let look = if list.without_rules { "empty" } else { "failed" };
            return message_view(look, "Alerts are unknown", reason.clone(), String::new());
        }
        if list.without_rules {
            let advice = "Give files of them by --rules, or a daemon to watch.".to_owned();
            return message_view("empty", "No alerts to show", "No rules are evaluated.".to_owned(), advice);
        }
        return message_view("calm", "All quiet", "No alert is pending or firing.".to_owned(), String::new());
    }
    let muted = shown.iter().filter(|alert| alert.muted().is_some()).count();
    let (active, quiet) = shown.split_at(shown.len().saturating_sub(muted));
    let items = |alerts: &[&Alert]| alerts.iter().take(MOST_ALERTS).map(|alert| item(alert, now_ms)).collect_view();
    let heading = (muted > 0).then(|| view! { <li class="alerts-muted">{muted} " muted"</li> });
    let warning =
        list.unavailable.clone().map(|reason| view! { <li class="alerts-warning">"Not all are known: " {reason}</li> });
    view! { <ul class="alerts" tabindex="0" aria-label="Alerts">{warning} {items(active)} {heading} {items(quiet)}</ul> }
}

/// The pending and firing alerts of a list. Muted alerts come last.
pub(crate) fn shown(list: &AlertList) -> Vec<&Alert> {
    let (mut active, muted): (Vec<_>, Vec<_>) = list
        .alerts
        .iter()
        .filter(|alert| alert.state != AlertState::Inactive)
        .partition(|alert| alert.muted().is_none());
    active.extend(muted);
    active
}

/// The labels that distinguish an alert from others of its rule: all but name and severity.
pub(crate) fn identifying_labels(alert: &Alert) -> String {
    let labels =
        alert.labels.iter().filter(|(name, _)| !matches!(name.as_str(), "alertname" | "severity" | "__name__"));
    labels.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("  ")
}

/// What mutes an alert, and the age of its state if its source is unreachable; often empty.
pub(crate) fn note_words(alert: &Alert, now_ms: i64) -> String {
    let known = alert.stale_since.map(|since_ms| format!("last known {}", unit::age(now_ms.saturating_sub(since_ms))));
    alert.muted_words(now_ms).into_iter().chain(known).collect::<Vec<_>>().join(", ")
}

fn item(alert: &Alert, now_ms: Signal<i64>) -> AnyView {
    let (color, shape) = look_of(alert);
    let severity = Severity::word(&alert.severity).to_owned();
    let (state, note) = (alert.clone(), alert.clone());
    view! {
        <li
            class=format!("alert {}", Ink::Meaning(color).class())
            class:is-muted=alert.muted().is_some()
            title=alert.description.clone()
        >
            <span class="chip">
                <span aria-hidden="true">{shape}</span>
                {severity}
            </span>
            <span class="alert-name">{alert.name.clone()}</span>
            <span class="alert-state">{move || state.state_words(now_ms.get())}</span>
            <span class="alert-note">{move || note_words(&note, now_ms.get())}</span>
            <span class="alert-summary">{alert.summary.clone()}</span>
            <span class="alert-labels">{identifying_labels(alert)}</span>
        </li>
    }
}

/// Colour and shape of an alert: grey if nobody has to act.
pub(crate) fn look_of(alert: &Alert) -> (Color, &'static str) {
    let severity = alert.severity();
    match (alert.state, alert.muted()) {
        (AlertState::Pending, _) => (Color::Gray, "\u{25cb}"),
        (_, Some(_)) => (Color::Gray, severity.shape()),
        (_, None) => (severity.color(), severity.shape()),
    }
}
