//! The panel kind `heatmap`: buckets over time, shaded by their counts.

use crate::{platform, view::view};
use chart::{
    heatmap::{Bucket, Heatmap},
    palette::Ink,
};
use leptos::prelude::*;
use model::{dashboard::Panel, panel::PanelData, unit::Unit};

use super::{
    context::PanelsContext,
    percent,
    plot_series::{Written, every, unit_of},
    timeseries::hover::{self, Line},
};

/// Most labels beside the rows.
pub(crate) const MOST_LABELS: usize = 8;

pub(super) fn body(panel: StoredValue<Panel>, data: Signal<PanelData>) -> AnyView {
    let viewport = PanelsContext::of_page().viewport;
    let heatmap = Memo::new(move |_| {
        let span = viewport.get().span();
        data.with(|data| panel.with_value(|panel| heatmap(panel, data, span)))
    });
    let bounds = Memo::new(move |_| heatmap.with(|heatmap| heatmap.bounds.clone()));
    let unit = panel.with_value(unit);
    let row_unit = unit.clone();
    let read = move |at_ms: i64| heatmap.with(|heatmap| read(heatmap, at_ms, &row_unit));
    let label = panel.with_value(|panel| format!("{}, buckets over time. Arrow keys read counts.", panel.title));
    view! {
        <div class="chart">
            <div class="chart-row">
                <div class="chart-frame">
                    <div class="axis-y" aria-hidden="true">
                        {move || bounds.with(|bounds| bound_labels(bounds, &unit))}
                    </div>
                    {hover::plot_box(viewport, label, String::new(), read, picture(heatmap))}
                    <div class="axis-x" aria-hidden="true">
                        {super::timeseries::axes::time_labels(panel, viewport)}
                    </div>
                </div>
            </div>
            <div class="heat-legend" aria-hidden="true">
                <span>"few"</span>
                {(0..chart::palette::HEAT_STEPS).map(|shade| view! { <i class=Ink::Heat(shade).class()></i> }).collect_view()}
                <span>"many"</span>
            </div>
        </div>
    }
}

/// The cells as SVG, on the server.
#[cfg(not(feature = "browser"))]
fn picture(heatmap: Memo<Heatmap>) -> AnyView {
    view! { <div class="plot-layers" inner_html=move || heatmap.with(Heatmap::svg)></div> }
}

/// The cells on a canvas, in the browser: one rectangle for each run of equal cells.
#[cfg(feature = "browser")]
fn picture(heatmap: Memo<Heatmap>) -> AnyView {
    use super::{
        canvas::{on_frame, prepare, size_of},
        timeseries::color,
    };
    let canvas = NodeRef::<leptos::html::Canvas>::new();
    let theme = PanelsContext::of_page().theme;
    let size = size_of(canvas);
    let watch = move || {
        heatmap.track();
        size.track();
        theme.track();
    };
    let draw = move || {
        let (Some(canvas), size) = (canvas.get(), size.get()) else { return };
        let Some(context) = prepare(&canvas, size) else { return };
        context.clear_rect(0.0, 0.0, size.width, size.height);
        let mut runs = heatmap.with(Heatmap::runs);
        model::sort::sort_by(&mut runs, |one, other| one.shade.cmp(&other.shade));
        let mut shade = None;
        for run in runs {
            if shade != Some(run.shade) {
                context.set_fill_style_str(&color(Ink::Heat(run.shade)));
                shade = Some(run.shade);
            }
            let (left, right) = ((run.left * size.width).round(), (run.right * size.width).round());
            let (top, bottom) = (((1.0 - run.top) * size.height).round(), ((1.0 - run.bottom) * size.height).round());
            context.fill_rect(left, top, right - left, bottom - top);
        }
    };
    on_frame(watch, draw);
    view! {
        <div class="plot-layers">
            <canvas node_ref=canvas></canvas>
        </div>
    }
}

pub(crate) fn unit(panel: &Panel) -> Unit {
    panel.queries.first().map_or(Unit::Plain, |query| unit_of(panel, query))
}

pub(crate) fn heatmap(panel: &Panel, data: &PanelData, span: chart::plot::TimeSpan) -> Heatmap {
    let shown = every(panel, data);
    let buckets: Vec<Bucket<'_>> = shown
        .iter()
        .filter_map(|shown| {
            let upper = platform::sample_value(shown.series.labels.get("le")?)?;
            Some(Bucket { upper, timestamps: &shown.series.timestamps, values: &shown.series.values })
        })
        .collect();
    Heatmap::new(&buckets, span)
}

/// Bounds at the edges between rows, at most [`MOST_LABELS`].
fn bound_labels(bounds: &[f64], unit: &Unit) -> impl IntoView + use<> {
    let rows = bounds.len().max(1);
    let every = rows.div_ceil(MOST_LABELS);
    let labels = bounds.iter().enumerate().filter(|(row, bound)| bound.is_finite() && (row + 1) % every == 0);
    labels
        .map(|(row, bound)| {
            #[allow(clippy::cast_precision_loss)] // rows of a picture
            let place = (row + 1) as f64 / rows as f64;
            view! { <span style=format!("bottom:{}%", percent(place))>{unit.brief(*bound)}</span> }
        })
        .collect_view()
}

/// Counts of the buckets at a time, without empty ones, the highest bucket first.
fn read(heatmap: &Heatmap, at_ms: i64, unit: &Unit) -> Option<Vec<Line>> {
    let counts = heatmap.column_at(at_ms);
    if counts.is_empty() {
        return None;
    }
    let lowers = std::iter::once(0.0).chain(heatmap.bounds.iter().copied());
    let rows = heatmap.bounds.iter().zip(lowers).zip(counts);
    let mut lines: Vec<Line> = rows
        .filter(|(_, count)| *count > 0.0)
        .map(|((upper, lower), count)| Line {
            class: String::new(),
            name: if upper.is_finite() {
                format!("{} \u{2013} {}", unit.brief(lower), unit.brief(*upper))
            } else {
                format!("over {}", unit.brief(lower))
            },
            written: Written { text: Unit::from_id("short").format(count, None), ..Written::default() },
        })
        .collect();
    lines.reverse();
    Some(lines)
}

#[cfg(test)]
mod tests {
    use chart::plot::TimeSpan;

    use super::*;

    #[test]
    fn counts_are_listed_from_the_highest_bucket() {
        let span = TimeSpan { start_ms: 0, end_ms: 10, step_ms: 10 };
        let bucket = |upper, values: &'static [f64]| Bucket { upper, timestamps: &[5], values };
        let heatmap = Heatmap::new(&[bucket(1.0, &[2.0]), bucket(2.0, &[2.0]), bucket(f64::INFINITY, &[5.0])], span);
        let lines = read(&heatmap, 5, &Unit::from_id("s")).unwrap();
        let texts: Vec<_> = lines.iter().map(|line| format!("{}: {}", line.name, line.written.text)).collect();
        assert_eq!(texts, ["over 2 s: 3", "0 s \u{2013} 1 s: 2"]);
        assert!(read(&heatmap, 11, &Unit::Plain).is_none());
    }
}
