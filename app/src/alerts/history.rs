//! The history of alerts: a timeline of the firings of each alert, and a list of the changes.

use std::{cmp::Reverse, collections::BTreeMap};

use chart::palette::Ink;
use leptos::prelude::*;
use model::live::{AlertState, AlertTransition};

use super::{
    AlertsView,
    words::{moment, nothing},
};
use crate::view::view;

/// Most alerts with a timeline: those that changed last. The list below has all changes.
const LINES: usize = 40;

pub(super) fn draw(page: &AlertsView, start_ms: i64, transitions: &[AlertTransition]) -> AnyView {
    if transitions.is_empty() {
        return nothing("Nothing happened", "No alert changed in the last 30 days.");
    }
    let mut by_alert: BTreeMap<(&str, &str), Vec<&AlertTransition>> = BTreeMap::new();
    for change in transitions {
        by_alert.entry((&change.alert.name, &change.alert.fingerprint)).or_default().push(change);
    }
    let mut by_alert: Vec<_> = by_alert.into_values().collect();
    // Changes come newest first, and so do the alerts.
    by_alert.sort_by_key(|changes| Reverse(changes.first().map(|change| change.at)));
    let left_out = by_alert.len().saturating_sub(LINES);
    let lines = by_alert.iter().take(LINES).map(|changes| line(page, start_ms, changes)).collect_view();
    let items = transitions.iter().map(|change| item(page, change)).collect_view();
    let (from, to) = (page.zone.civil(start_ms), page.zone.civil(page.now_ms));
    view! {
        <section class="card">
            <h2>"Timeline"</h2>
            <ul class="timeline">{lines}</ul>
            <p class="timeline-ends quiet-words"><span>{from.to_string()}</span> <span>{to.to_string()}</span></p>
            {(left_out > 0).then(|| view! { <p class="quiet-words">{format!("and {left_out} alerts that changed earlier")}</p> })}
        </section>
        <section class="card">
            <h2>"Changes"</h2>
            <ul class="history-list">{items}</ul>
        </section>
    }
}

/// The periods in which an alert fired.
fn line(page: &AlertsView, start_ms: i64, changes: &[&AlertTransition]) -> AnyView {
    let Some(alert) = changes.first().map(|change| &change.alert) else { return view! { <li></li> } };
    let mut bars = Vec::new();
    let mut until_ms = page.now_ms;
    // The newest first: a firing lasts until the next later change.
    for change in changes {
        if change.to == AlertState::Firing {
            bars.push((change.at, until_ms));
        }
        until_ms = change.at;
    }
    let whole_ms = page.now_ms.saturating_sub(start_ms).max(1);
    let color = alert.severity().color();
    let bars = bars.into_iter().map(|(from_ms, to_ms)| {
        let left = share(from_ms.saturating_sub(start_ms), whole_ms);
        let width = share(to_ms.saturating_sub(from_ms.max(start_ms)), whole_ms);
        view! { <i class=Ink::Meaning(color).class() style=format!("left:{left}%;width:max(3px,{width}%)")></i> }
    });
    let labels: Vec<String> = alert
        .labels
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "alertname" | "severity"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    view! {
        <li>
            <span class="timeline-name" title=labels.join(", ")>
                {alert.name.clone()} " " <span class="quiet-words">{labels.join(", ")}</span>
            </span>
            <span class="timeline-bars" aria-hidden="true">{bars.collect_view()}</span>
        </li>
    }
}

/// `part_ms` of `whole_ms` in percent, with two decimals.
#[allow(clippy::cast_precision_loss)] // spans of milliseconds are far below 2^53
fn share(part_ms: i64, whole_ms: i64) -> f64 {
    let share = part_ms.clamp(0, whole_ms) as f64 / whole_ms as f64;
    (share * 10_000.0).round() / 100.0
}

fn item(page: &AlertsView, change: &AlertTransition) -> AnyView {
    let alert = &change.alert;
    let (color, shape) = match change.to {
        AlertState::Firing => (alert.severity().color(), alert.severity().shape()),
        AlertState::Pending => (model::dashboard::Color::Gray, "\u{25cb}"),
        AlertState::Inactive => (model::dashboard::Color::Green, "\u{2713}"),
    };
    view! {
        <li class="history-item">
            <span class="quiet-words">{moment(change.at, page.now_ms, page.zone)}</span>
            <span class=format!("chip {}", Ink::Meaning(color).class())>
                <span aria-hidden="true">{shape}</span>
                " "
                {change.to.word()}
            </span>
            <span class="alert-name">{alert.name.clone()}</span>
            <span class="alert-summary">{alert.summary.clone()}</span>
        </li>
    }
}
