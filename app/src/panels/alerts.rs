//! Alerts that fire or are about to.

use crate::view::view;
use chart::palette::Ink;
use leptos::prelude::*;
use model::{
    dashboard::Color,
    live::{Alert, AlertList, AlertState},
    panel::PanelData,
    unit,
};

use super::{context::PanelsContext, look::message_view};

/// Alerts that a panel shows, at most.
pub const MOST_ALERTS: usize = 200;

pub(super) fn body(data: Signal<PanelData>) -> AnyView {
    let now_ms = PanelsContext::of_page().now_ms;
    let list = Memo::new(move |_| {
        data.with(|data| match data {
            PanelData::Alerts(list) => list.clone(),
            _ => AlertList::default(),
        })
    });
    view! { <div class="look">{move || list.with(|list| list_view(list, now_ms))}</div> }
}

fn list_view(list: &AlertList, now_ms: Signal<i64>) -> AnyView {
    let shown: Vec<&Alert> =
        list.alerts.iter().filter(|alert| alert.state != AlertState::Inactive).take(MOST_ALERTS).collect();
    if shown.is_empty() {
        if let Some(reason) = &list.unavailable {
            return message_view("failed", "Alerts are unknown", reason.clone(), String::new());
        }
        if list.without_rules {
            let advice = "Give files of them by --rules, or a daemon to watch.".to_owned();
            return message_view("empty", "No alerts to show", "No rules are evaluated.".to_owned(), advice);
        }
        return message_view("calm", "All quiet", "No alert is pending or firing.".to_owned(), String::new());
    }
    let items = shown.into_iter().map(|alert| item(alert, now_ms)).collect_view();
    let warning =
        list.unavailable.clone().map(|reason| view! { <li class="alerts-warning">"Not all are known: " {reason}</li> });
    view! { <ul class="alerts" tabindex="0" aria-label="Alerts">{warning} {items}</ul> }
}

fn item(alert: &Alert, now_ms: Signal<i64>) -> AnyView {
    let (color, shape) = look_of(alert);
    let state = match alert.state {
        AlertState::Firing => "firing",
        AlertState::Pending => "pending",
        AlertState::Inactive => "inactive",
    };
    let severity = if alert.severity.is_empty() { "no severity".to_owned() } else { alert.severity.clone() };
    let labels: Vec<String> = alert
        .labels
        .iter()
        .filter(|(label, _)| !matches!(label.as_str(), "alertname" | "severity"))
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    let since = alert.active_at;
    view! {
        <li class=format!("alert {}", Ink::Meaning(color).class()) title=alert.description.clone()>
            <span class="chip">
                <span aria-hidden="true">{shape}</span>
                {severity}
            </span>
            <span class="alert-name">{alert.name.clone()}</span>
            <span class="alert-state">
                {state}
                {move || since.map(|since| format!(", {}", unit::age(now_ms.get() - since)))}
            </span>
            <span class="alert-summary">{alert.summary.clone()}</span>
            <span class="alert-labels">{labels.join("  ")}</span>
        </li>
    }
}

pub(crate) fn look_of(alert: &Alert) -> (Color, &'static str) {
    match (alert.state, alert.severity.as_str()) {
        (AlertState::Pending, _) => (Color::Gray, "\u{25cb}"),
        (_, severity) => severity_look(severity),
    }
}

/// Colour and shape of a severity. A shape beside the colour, for those who do not see the colour.
pub(crate) fn severity_look(severity: &str) -> (Color, &'static str) {
    match severity {
        "critical" | "page" | "error" => (Color::Red, "\u{25c6}"),
        "warning" => (Color::Yellow, "\u{25b2}"),
        _ => (Color::Blue, "\u{25cf}"),
    }
}
