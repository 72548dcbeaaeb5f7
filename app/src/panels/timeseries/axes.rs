//! The axes of a chart: text of the page, placed by percentages of the plot box.

use chart::{
    palette::Ink,
    scale::{TimeTick, ValueScale, time_ticks},
};
use leptos::prelude::*;
use model::dashboard::ThresholdStyle;

use super::{Chart, hover, options};

/// The axes as they are now. The value axis stays as long as it suits the data.
#[derive(Clone, Copy)]
pub(super) struct Axes {
    pub(super) scale: Memo<ValueScale>,
    times: Memo<Vec<TimeTick>>,
}

impl Axes {
    pub(super) fn of(chart: Chart) -> Self {
        let scale =
            Memo::new(move |previous: Option<&ValueScale>| chart.with_plot(previous.copied(), |plot| plot.scale));
        let times = Memo::new(move |_| {
            let viewport = chart.viewport.get();
            let most = chart.panel.with_value(|panel| options(panel, &viewport).time_ticks);
            time_ticks(viewport.start_ms, viewport.end_ms, viewport.tz_offset_min, most)
        });
        Axes { scale, times }
    }
}

/// The plot box with its axes around it.
pub(super) fn frame(axes: Axes, chart: Chart, label: String, plot: AnyView) -> impl IntoView {
    view! {
        <div class="chart-frame">
            <div class="axis-y" aria-hidden="true">
                {move || value_labels(chart, axes.scale.get())}
            </div>
            {hover::plot_box(chart, label, view! {
                {plot}
                <div class="limit-labels" aria-hidden="true">{move || limit_labels(chart, axes.scale.get())}</div>
            }.into_any())}
            <div class="axis-x" aria-hidden="true">
                {move || axes.times.with(|ticks| ticks.iter().map(time_label).collect_view())}
            </div>
        </div>
    }
}

fn value_labels(chart: Chart, scale: ValueScale) -> impl IntoView {
    let format = chart.panel.with_value(|panel| super::axis_unit(panel).axis(scale.greatest(), scale.step));
    let label = move |value: f64| {
        view! { <span style=format!("bottom:{}%", percent(scale.position(value)))>{format.label(value)}</span> }
    };
    scale.ticks().into_iter().map(label).collect_view()
}

fn time_label(tick: &TimeTick) -> impl IntoView + use<> {
    view! { <span style=format!("left:{}%", percent(tick.position))>{tick.label.clone()}</span> }
}

/// Names of the thresholds at their lines.
fn limit_labels(chart: Chart, scale: ValueScale) -> impl IntoView {
    chart.panel.with_value(|panel| {
        let named = panel.thresholds.iter().filter(|threshold| {
            !threshold.label.is_empty()
                && panel.threshold_style != ThresholdStyle::None
                && (0.0..=1.0).contains(&scale.position(threshold.value))
        });
        named
            .map(|threshold| {
                view! {
                    <span
                        class=Ink::Meaning(threshold.color).class()
                        style=format!("bottom:{}%", percent(scale.position(threshold.value)))
                    >
                        {threshold.label.clone()}
                    </span>
                }
            })
            .collect_view()
    })
}

/// A fraction as percent with two decimals, as text for a style.
pub(in crate::panels) fn percent(fraction: f64) -> f64 {
    (fraction * 10_000.0).round() / 100.0
}
