//! The list of pending and firing alerts, in groups.

use std::collections::BTreeMap;

use chart::palette::Ink;
use leptos::prelude::*;
use model::{
    Severity,
    route::{PageKind, PageRoute},
    unit::{self, Unit},
};

use super::{
    AlertsView, Grouping, ListedAlerts, ShownAlert, Tab, ViewAddress, detail,
    words::{label_chip, lasting, nothing},
};
use crate::{panels::alert_look, view::view};

pub(super) fn draw(page: &AlertsView, list: &ListedAlerts) -> AnyView {
    let ListedAlerts { alerts, hidden, unavailable, .. } = list;
    let unavailable = unavailable.as_deref();
    let (muted, active): (Vec<_>, Vec<_>) = alerts.iter().partition(|shown| shown.alert.muted().is_some());
    let mut groups: BTreeMap<(Severity, String), Vec<&ShownAlert>> = BTreeMap::new();
    for shown in active {
        let value = shown.alert.labels.get(page.address.grouping.label()).cloned().unwrap_or_default();
        let by_severity = page.address.grouping == Grouping::Severity;
        let rank = if by_severity { Severity::of(&value) } else { Severity::Unknown };
        groups.entry((rank, value)).or_default().push(shown);
    }
    let total = |value: &str| list.totals.get(value).copied().unwrap_or_default();
    let label = page.address.grouping.label();
    let heading = |value: &str| if value.is_empty() { format!("no {label}") } else { value.to_owned() };
    let groups = groups
        .into_iter()
        .map(|((_, value), alerts)| group(page, &heading(&value), &alerts, total(&value)))
        .collect_view();
    let muted = (!muted.is_empty()).then(|| group(page, "muted", &muted, list.muted));
    let more = (list.more > 0).then(|| {
        let words = format!("{} more alerts match: filter by labels to see them.", list.more);
        view! { <p class="quiet-words alerts-partly" role="status">{words}</p> }
    });
    let empty = alerts.is_empty().then(|| match (unavailable, *hidden) {
        (Some(reason), 0) => nothing("No alerts to show", reason),
        (_, 0) => nothing("All quiet", "No alert is pending or firing."),
        (_, hidden) => nothing("Nothing matches", &format!("The filter hides all {hidden} alerts.")),
    });
    let partly = unavailable.filter(|_| !alerts.is_empty()).map(|reason| {
        view! { <p class="quiet-words alerts-partly">{reason.to_owned()}</p> }
    });
    let is_gone = page.address.open.is_some() && alerts.iter().all(|shown| shown.detail.is_none());
    let gone = is_gone.then(|| {
        let href = page.address.with_tab(Tab::History).href();
        view! {
            <p class="quiet-words alerts-partly" role="status">
                "The alert that was open is over, or the filter hides it. " <a href=href>"History"</a>
            </p>
        }
    });
    view! {
        {filter(page, *hidden, list.filter_error.as_deref())}
        {partly}
        {gone}
        {groups}
        {muted}
        {more}
        {empty}
    }
}

fn filter(page: &AlertsView, hidden: usize, error: Option<&str>) -> AnyView {
    let options = Grouping::ALL.map(|grouping| {
        let selected = page.address.grouping == grouping;
        view! { <option value=grouping.label() selected=selected>{format!("by {}", grouping.label())}</option> }
    });
    let said = error.map(|error| view! { <p class="form-error" role="alert">{error.to_owned()}</p> });
    let count = (hidden > 0).then(|| view! { <span class="quiet-words">{format!("{hidden} hidden")}</span> });
    view! {
        <form class="alerts-filter" method="get" action=PageRoute::path_of(PageKind::Alerts) data-live role="search">
            <label class="sr-only" for="alerts-filter">"Filter by labels"</label>
            <input
                id="alerts-filter"
                class="field"
                type="search"
                name="filter"
                value=page.address.filter.clone()
                placeholder="severity=\"critical\", provider=~\"aws|gcp\""
                spellcheck="false"
                autocomplete="off"
                aria-invalid=error.map(|_| "true")
            />
            <label class="sr-only" for="alerts-group">"Group"</label>
            <select id="alerts-group" class="field" name="group">{options.into_iter().collect_view()}</select>
            <button type="submit" class="button no-script-only">"Apply"</button>
            {count}
            {said}
        </form>
    }
}

fn group(page: &AlertsView, heading: &str, alerts: &[&ShownAlert], total: usize) -> AnyView {
    let items = alerts.iter().map(|shown| item(page, shown)).collect_view();
    view! {
        <section class="card alert-group">
            <h2>{heading.to_owned()} <span class="quiet-words">{total.max(alerts.len())}</span></h2>
            <ul class="alert-list">{items}</ul>
        </section>
    }
}

fn item(page: &AlertsView, shown: &ShownAlert) -> AnyView {
    let alert = &shown.alert;
    let (color, shape) = alert_look(alert);
    let is_open = shown.detail.is_some();
    let open = (!is_open).then(|| alert.fingerprint.clone());
    let href = ViewAddress { open, ..page.address.clone() }.href();
    let severity = Severity::word(&alert.severity).to_owned();
    let labels = alert
        .labels
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "alertname" | "severity" | "__name__"))
        .map(|(name, value)| label_chip(name, value))
        .collect_view();
    let detail = shown.detail.as_ref().map(|detail| detail::draw(page, shown, detail));
    view! {
        <li class=format!("alert-item {}", Ink::Meaning(color).class()) id=format!("alert-{}", alert.fingerprint)>
            <a
                class="alert-line"
                id=format!("open-{}", alert.fingerprint)
                href=href
                data-noscroll
                aria-expanded=if is_open { "true" } else { "false" }
            >
                <span class="chip"><span aria-hidden="true">{shape}</span> {severity}</span>
                <span class="alert-name">{alert.name.clone()}</span>
                <span class="alert-summary">{alert.summary.clone()}</span>
                <span class="alert-value">{value_words(shown)}</span>
                <span class="alert-since">{lasting(alert, page.now_ms, page.zone)}</span>
            </a>
            <div class="alert-labels-line">{labels} {quiet(page, shown)}</div>
            {detail}
        </li>
    }
}

/// The current value of an alert, and the threshold that it is compared with.
fn value_words(shown: &ShownAlert) -> String {
    let alert = &shown.alert;
    let written = |value: f64| Unit::Plain.format(value, None);
    match (alert.value, &alert.threshold) {
        (Some(value), Some(threshold)) => format!("{} {} {}", written(value), threshold.op, written(threshold.value)),
        (Some(value), None) => written(value),
        (None, _) => String::new(),
    }
}

/// Why an alert sends no notifications, who acknowledged it, and the age of its state if its source is unreachable.
fn quiet(page: &AlertsView, shown: &ShownAlert) -> AnyView {
    let alert = &shown.alert;
    let mut reasons = Vec::new();
    if !alert.silenced_by.is_empty() {
        reasons.extend(alert.muted_words(page.now_ms));
    }
    if !shown.inhibited_by.is_empty() {
        reasons.push(format!("inhibited by {}", shown.inhibited_by.join(", ")));
    }
    if !shown.muted_by.is_empty() {
        reasons.push(format!("muted at {}", shown.muted_by.join(", ")));
    }
    if let Some(who) = &alert.acknowledged_by {
        reasons.push(format!("{who} looks after it"));
    }
    if let Some(known_ms) = alert.stale_since {
        reasons.push(format!("last known {}", unit::age(page.now_ms.saturating_sub(known_ms))));
    }
    reasons.into_iter().map(|reason| view! { <span class="quiet-mark">{reason}</span> }).collect_view().into_any()
}
