//! Groups of rules: their rules, their last evaluation, and its errors.

use chart::palette::Ink;
use leptos::prelude::*;
use model::{Severity, unit};

use super::{
    AlertsView, ShownGroup, ShownRule,
    words::{moment, nothing},
};
use crate::{explore::ExploreAddress, view::view};

pub(super) fn draw(page: &AlertsView, groups: &[ShownGroup]) -> AnyView {
    if groups.is_empty() {
        return nothing("No rules", "Give files of rules with --rules, or leave the built-in groups on.");
    }
    groups.iter().map(|group| one(page, group)).collect_view().into_any()
}

fn one(page: &AlertsView, group: &ShownGroup) -> AnyView {
    let troubled = group.rules.iter().filter(|rule| rule.health == "err").count();
    let trouble = (troubled > 0).then(|| view! { <span class="chip ink-red">{format!("{troubled} fail")}</span> });
    let evaluated = group.evaluated_at.map(|at_ms| {
        view! {
            "Evaluated "
            {moment(at_ms, page.now_ms, page.zone)}
            {format!(" in {}", unit::duration(group.evaluation_secs))}
        }
    });
    let rows = group.rules.iter().map(row).collect_view();
    view! {
        <section class="card rule-group">
            <h2>{group.name.clone()} " " {trouble}</h2>
            <p class="quiet-words">
                {format!("{}, every {}, by {}. ", group.file, unit::duration(group.interval_secs), group.source)} {evaluated}
            </p>
            <ul class="rule-list">{rows}</ul>
        </section>
    }
}

fn row(rule: &ShownRule) -> AnyView {
    let (word, ink) = match (rule.kind.as_str(), rule.state.as_str()) {
        ("recording", _) => ("records", "ink-gray"),
        (_, "firing") => ("firing", "ink-red"),
        (_, "pending") => ("pending", "ink-yellow"),
        _ => ("quiet", "ink-green"),
    };
    let hold = (rule.hold_secs > 0.0).then(|| format!("for {}", unit::duration(rule.hold_secs)));
    // A recording rule has no severity. An empty cell keeps the columns aligned.
    let severity = if rule.kind == "recording" {
        view! { <span class="rule-severity"></span> }
    } else {
        let (severity, word) = (Severity::of(&rule.severity), Severity::word(&rule.severity).to_owned());
        let class = format!("rule-severity chip {}", Ink::Meaning(severity.color()).class());
        view! { <span class=class><span aria-hidden="true">{severity.shape()}</span> {word}</span> }
    };
    let explore = ExploreAddress::of(&rule.expr);
    let error = (!rule.last_error.is_empty()).then(|| view! { <p class="form-error">{rule.last_error.clone()}</p> });
    view! {
        <li class="rule">
            <span class=format!("chip {ink}")>{word}</span>
            <span class="rule-name">{rule.name.clone()}</span>
            {severity}
            <span class="quiet-words">{hold}</span>
            <a class="rule-explore" href=explore aria-label=format!("Open {} in Explore", rule.name)>"Open in Explore"</a>
            <pre class="rule-expr"><code>{rule.expr.clone()}</code></pre>
            {error}
        </li>
    }
}
