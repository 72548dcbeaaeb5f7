//! The axes of a chart: HTML text, positioned by percentages of the plot box.

use crate::view::view;
use chart::{
    palette::Ink,
    scale::{TimeTick, ValueScale, time_ticks},
};
use leptos::prelude::*;
use model::dashboard::{Panel, ThresholdStyle};

use super::{
    Chart, fired,
    hover::{self, Line},
    is_drawn, options,
};
use crate::panels::{context::Viewport, percent};

/// The current value axis. It stays the same while it suits the data, and is computed again for another range.
pub(super) fn scale(chart: Chart) -> Memo<ValueScale> {
    let fitted = Memo::new(move |previous: Option<&(Viewport, ValueScale)>| {
        let viewport = chart.viewport.get();
        let previous = previous.filter(|(before, _)| viewport.continues(before)).map(|(_, scale)| *scale);
        (viewport, chart.with_plot(previous, |plot| plot.scale))
    });
    Memo::new(move |_| fitted.get().1)
}

/// The plot box with its axes around it.
pub(super) fn frame(scale: Memo<ValueScale>, chart: Chart, label: String, plot: AnyView) -> AnyView {
    let content = view! {
        {plot}
        <div class="limit-labels" aria-hidden="true">{move || limit_labels(chart, scale.get())}</div>
    };
    // Panel ids are unique in a page.
    let words = chart.panel.with_value(|panel| format!("marks-{}", panel.id));
    view! {
        <div class="chart-frame">
            <p class="sr-only" id=words.clone()>{move || fired::in_words(chart)}</p>
            <div class="axis-y" aria-hidden="true">{move || value_labels(chart, scale.get())}</div>
            {hover::plot_box(chart.viewport, label, words, move |at_ms| read(chart, at_ms), content.into_any())}
            <div class="axis-x" aria-hidden="true">{time_labels(chart.panel, chart.viewport)}</div>
        </div>
    }
}

/// The values of the drawn series at a time, after the alerts that fired at it.
fn read(chart: Chart, at_ms: i64) -> Option<Vec<Line>> {
    let step_ms = chart.viewport.get().step_ms;
    let isolated = chart.isolated.get();
    let mut read = Vec::new();
    fired::read(chart, at_ms, step_ms, &mut read);
    chart.with_shown(|panel, shown| {
        let lines = shown.iter().filter(|shown| is_drawn(&isolated, shown)).filter_map(|shown| {
            let value = shown.value_at(at_ms, step_ms)?;
            Some(Line { class: shown.ink.class(), name: shown.name.clone(), written: shown.written(panel, value) })
        });
        read.extend(lines);
        Some(read)
    })
}

/// The labels of the time axis.
pub(in crate::panels) fn time_labels(panel: StoredValue<Panel>, viewport: Signal<Viewport>) -> AnyView {
    let ticks = Memo::new(move |_| {
        let viewport = viewport.get();
        let most = panel.with_value(|panel| options(panel, &viewport).time_ticks);
        time_ticks(viewport.start_ms, viewport.end_ms, viewport.zone, most)
    });
    view! { {move || ticks.with(|ticks| ticks.iter().map(time_label).collect_view())} }
}

fn value_labels(chart: Chart, scale: ValueScale) -> impl IntoView {
    let format = chart.panel.with_value(|panel| super::axis_unit(panel).axis(scale.greatest(), scale.step));
    let label = move |value: f64| {
        view! { <span style=format!("bottom:{}%", percent(scale.position(value)))>{format.label(value)}</span> }
    };
    scale.ticks().into_iter().map(label).collect_view()
}

fn time_label(tick: &TimeTick) -> impl IntoView + use<> {
    view! { <span style=format!("--at:{}", percent(tick.position))>{tick.label.clone()}</span> }
}

/// Labels of the thresholds, at their lines.
fn limit_labels(chart: Chart, scale: ValueScale) -> impl IntoView {
    chart.panel.with_value(|panel| {
        let named = panel.thresholds.iter().filter(|threshold| {
            !threshold.label.is_empty()
                && panel.threshold_style != ThresholdStyle::None
                && (0.0..=1.0).contains(&scale.position(threshold.value))
        });
        // The style sheet hides a label that does not fit below the next one.
        let mut above = 1.0;
        named
            .rev()
            .map(|threshold| {
                let position = scale.position(threshold.value);
                let style = format!("--at:{};--above:{}", percent(position), percent(above));
                above = position;
                view! {
                    <span class=Ink::Meaning(threshold.color).class() style=style>
                        {threshold.label.clone()}
                    </span>
                }
            })
            .collect_view()
    })
}
