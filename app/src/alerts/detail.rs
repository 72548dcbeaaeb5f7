//! The details of an alert: its description, a chart of its expression, its notifications, and actions.

use chart::palette::Ink;
use leptos::prelude::*;
use model::{
    dashboard::{Color, Panel, Query, Threshold, ThresholdStyle},
    label::{name_in_matcher, quoted},
    live::AlertState,
};

use super::{AlertsView, Chart, Detail, ShownAlert, deliveries, words::moment};
use crate::{
    explore::ExploreAddress,
    functions::{AcknowledgeAlert, UnacknowledgeAlert, path_of},
    panels::{self, Viewport},
    view::view,
};

pub(super) fn draw(page: &AlertsView, shown: &ShownAlert, detail: &Detail) -> AnyView {
    let alert = &shown.alert;
    let description = (!alert.description.is_empty()).then(|| view! { <p>{alert.description.clone()}</p> });
    let runbook = alert.runbook.clone().filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    let runbook = runbook.map(|url| {
        view! { <dt>"Runbook"</dt> <dd><a href=url.clone() rel="external noopener noreferrer">{url.clone()}</a></dd> }
    });
    let receivers = (!shown.receivers.is_empty()).then(|| {
        view! { <dt>"Goes to"</dt> <dd>{shown.receivers.join(", ")}</dd> }
    });
    let source = (!alert.source.is_empty()).then(|| view! { <dt>"Evaluated by"</dt> <dd>{alert.source.clone()}</dd> });
    let since = alert.active_at.map(|at_ms| {
        view! { <dt>"True since"</dt> <dd>{moment(at_ms, page.now_ms, page.zone)}</dd> }
    });
    let silenced = alert.silenced_by.iter().map(|id| {
        let href = page.address.with_tab(super::Tab::Silences).href();
        view! { <dt>"Silenced by"</dt> <dd><a href=format!("{href}#silence-{id}")>{id.clone()}</a></dd> }
    });
    let told = (!detail.told.is_empty()).then(|| {
        view! { <h3>"Who was told"</h3> {deliveries::list(page, &detail.told)} }
    });
    view! {
        <div class="alert-detail">
            {description}
            <div class="alert-actions">
                {page.may_operate.then(|| actions(page, shown))}
                {(!alert.expr.is_empty()).then(|| view! { <a class="button" href=ExploreAddress::of(&alert.expr)>"Open in Explore"</a> })}
            </div>
            {detail.chart.as_ref().map(|chart| course(page, shown, chart))}
            <pre class="alert-expr"><code>{alert.expr.clone()}</code></pre>
            <dl class="facts">
                {since}
                {source}
                {receivers}
                {silenced.collect_view()}
                {runbook}
            </dl>
            {told}
        </div>
    }
}

/// A chart of the expression with a line at the threshold of the rule.
fn course(page: &AlertsView, shown: &ShownAlert, chart: &Chart) -> AnyView {
    let color = shown.alert.severity().color();
    let threshold = shown.alert.threshold.as_ref();
    let query = Query {
        expr: threshold.map_or_else(|| shown.alert.expr.clone(), |threshold| threshold.expr.clone()),
        color: Some(Color::Blue),
        ..Query::default()
    };
    let line = threshold.map(|threshold| Threshold { value: threshold.value, color, label: String::new() });
    let panel = Panel {
        thresholds: line.into_iter().collect(),
        threshold_style: ThresholdStyle::Line,
        ..Panel::timeseries("alert", &shown.alert.name, 6, query)
    };
    let viewport = Viewport { start_ms: chart.start_ms, end_ms: chart.end_ms, step_ms: chart.step_ms, zone: page.zone };
    let picture = panels::still(panel, chart.data.clone(), viewport, page.now_ms);
    view! { <div class=format!("alert-course {}", Ink::Meaning(color).class())>{picture}</div> }
}

fn actions(page: &AlertsView, shown: &ShownAlert) -> AnyView {
    let alert = &shown.alert;
    let matchers: Vec<String> = alert
        .labels
        .iter()
        .filter(|(name, _)| name.as_str() != "__name__")
        .map(|(name, value)| format!("{}={}", name_in_matcher(name), quoted(value)))
        .collect();
    let silence = page.address.drafting(matchers.join(", ")).href();
    let back = page.address.href();
    let (verb, action) = match &alert.acknowledged_by {
        Some(_) => ("Give it back", path_of::<UnacknowledgeAlert>()),
        None => ("I look after it", path_of::<AcknowledgeAlert>()),
    };
    // A pending alert may never fire, so it cannot be acknowledged.
    let fires = alert.state == AlertState::Firing;
    view! {
        <a class="button primary" href=silence>"Silence it"</a>
        {fires.then(|| view! {
            <form method="post" action=action>
                <input type="hidden" name="fingerprint" value=alert.fingerprint.clone() />
                <input type="hidden" name="back" value=back />
                <button type="submit" class="button">{verb}</button>
            </form>
        })}
    }
}
