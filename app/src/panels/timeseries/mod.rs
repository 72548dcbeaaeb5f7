//! The panel kind `timeseries`: lines or areas over time, with axes, a legend to isolate series, and a hover line shared by the page.

pub(super) mod axes;
#[cfg(feature = "browser")]
mod canvas;
#[cfg(feature = "browser")]
mod colors;
mod fired;
pub(super) mod hover;
mod legend;

use crate::view::view;
use chart::{
    plot::{PlotOptions, TimePlot},
    scale::ValueScale,
};
use leptos::prelude::*;
use model::{dashboard::Panel, panel::PanelData, words::Words};

use self::legend::legend;
use super::{
    colors::Colors,
    context::{PanelsContext, Viewport, is_still},
    plot_series::{MOST_SERIES, Shown, mark, shown, shown_in, unit_of, write},
    stat,
};

#[cfg(feature = "browser")]
pub(super) use self::colors::{color, watch_theme};

/// Height of a row of the page's grid with the gap below it, in CSS pixels.
const ROW_PX: usize = 46;
/// Height of a panel's parts around the plot, in CSS pixels: heading, time axis, legend.
const FRAME_PX: usize = 118;

/// The data and the state of a chart.
#[derive(Clone, Copy)]
struct Chart {
    panel: StoredValue<Panel>,
    data: Signal<PanelData>,
    viewport: Signal<Viewport>,
    /// The colours of the series, which known series keep.
    colors: StoredValue<Colors>,
    /// Identities of the series that are picked in the legend. If empty, all are drawn that are not hidden by default.
    isolated: RwSignal<Words>,
    /// Annotations: when related alerts fired.
    marks: RwSignal<PanelData>,
}

impl Chart {
    /// Calls `read` with the current series, in their colours.
    fn with_shown<T>(&self, read: impl FnOnce(&Panel, &[Shown<'_>]) -> T) -> T {
        self.data.with(|data| {
            self.panel.with_value(|panel| {
                let shown = self.colors.try_update_value(|colors| shown_in(panel, data, colors, MOST_SERIES));
                read(panel, &shown.unwrap_or_default())
            })
        })
    }

    /// Calls `draw` with the plot of the current data. `previous` is the value axis to reuse if it suits the data.
    fn with_plot<T>(&self, previous: Option<ValueScale>, draw: impl FnOnce(&TimePlot<'_>) -> T) -> T {
        let viewport = self.viewport.get();
        let isolated = self.isolated.get();
        self.with_shown(|panel, shown| {
            let traces: Vec<_> = shown.iter().filter(|shown| is_drawn(&isolated, shown)).map(Shown::trace).collect();
            let mut plot = TimePlot::new(&traces, &options(panel, &viewport), previous);
            for mark in fired::marks(*self) {
                plot.mark_fired(mark.fired);
            }
            draw(&plot)
        })
    }
}

/// Whether a series is drawn: if it is picked in the legend or, without any pick, if it is not hidden by default.
fn is_drawn(isolated: &Words, shown: &Shown<'_>) -> bool {
    if isolated.is_empty() { !shown.query.hidden } else { isolated.contains(&shown.identity()) }
}

pub(crate) fn options<'a>(panel: &'a Panel, viewport: &Viewport) -> PlotOptions<'a> {
    let height = (usize::from(panel.height) * ROW_PX).saturating_sub(FRAME_PX);
    let unit = model::unit::Unit::from_id(&panel.unit);
    PlotOptions {
        span: viewport.span(),
        stacked: panel.stacked,
        fixed: (panel.min, panel.max),
        roundness: unit.roundness(),
        thresholds: &panel.thresholds,
        threshold_style: panel.threshold_style,
        zone: viewport.zone,
        value_ticks: (height / 40).clamp(2, 8),
        time_ticks: (i64::from(panel.width) / 2).clamp(3, 10),
    }
}

/// The chart with its axes and its legend.
pub(super) fn body(panel: StoredValue<Panel>, data: Signal<PanelData>) -> AnyView {
    let context = PanelsContext::of_page();
    let chart = Chart {
        panel,
        data,
        viewport: context.viewport,
        colors: StoredValue::new(Colors::default()),
        isolated: RwSignal::new(Words::default()),
        marks: context.marks,
    };
    let scale = axes::scale(chart);
    let keys = if is_still() { "" } else { " Arrow keys read values." };
    let label = panel.with_value(|panel| format!("{} over time.{keys}", panel.title));
    let numbers = Memo::new(move |_| data.with(|data| panel.with_value(|panel| beside(panel, data))));
    view! {
        <div class="chart">
            <div class="chart-row">
                {axes::frame(scale, chart, label, plot_box(chart, scale))}
                {move || numbers.with(|numbers| (!numbers.is_empty()).then(|| beside_view(numbers)))}
            </div>
            {legend(chart)}
        </div>
    }
}

/// The content of the plot box: an SVG on the server, canvases in the browser.
#[cfg(not(feature = "browser"))]
fn plot_box(chart: Chart, scale: Memo<ValueScale>) -> AnyView {
    let svg = chart.with_plot(Some(scale.get()), |plot| plot.svg());
    view! { <div class="plot-layers" inner_html=svg></div> }
}

#[cfg(feature = "browser")]
fn plot_box(chart: Chart, scale: Memo<ValueScale>) -> AnyView {
    canvas::layers(chart, scale)
}

/// Numbers beside a chart: the newest values of series whose query has `stat`, at most three.
pub(crate) fn beside(panel: &Panel, data: &PanelData) -> Vec<(String, super::plot_series::Written)> {
    shown(panel, data)
        .into_iter()
        .filter(|shown| shown.query.stat)
        .filter_map(|shown| {
            let written = write(panel, shown.query, shown.series.last()?.1);
            Some((shown.name, written))
        })
        .take(3)
        .collect()
}

fn beside_view(numbers: &[(String, super::plot_series::Written)]) -> AnyView {
    let numbers = numbers.iter().map(|(name, written)| {
        let (digits, unit) = stat::split(&written.text);
        view! {
            <div class=format!("beside-number {}", written.class)>
                <span class="beside-value">
                    {digits} <span class="stat-unit">{unit}</span>
                    <i class=mark(written.meaning) aria-hidden="true"></i>
                </span>
                <span class="beside-name">{name.clone()}</span>
            </div>
        }
    });
    view! { <div class="chart-beside">{numbers.collect_view()}</div> }
}

/// Unit of the values of a chart's axis.
pub(crate) fn axis_unit(panel: &Panel) -> model::unit::Unit {
    panel.queries.first().map_or_else(|| model::unit::Unit::from_id(&panel.unit), |query| unit_of(panel, query))
}
