//! The panel kind `gauge`: an arc for each series, from the panel's `min` to its `max`, with the zones of its thresholds.

use crate::view::view;
use chart::{
    palette::{Ink, threshold_color},
    round::{Zone, gauge},
};
use leptos::prelude::*;
use model::{dashboard::Panel, panel::PanelData};

use super::{
    cells::Cells,
    plot_series::{Shown, Written, every, mark, thresholds_of, unit_of, write},
    stat::{more, split},
};

/// Minimum width and height of an arc with its name, in CSS pixels.
pub(crate) const LEAST: (f64, f64) = (92.0, 80.0);

/// The content of an arc.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    /// Name of the series.
    pub(crate) name: String,
    /// Part of the arc that is filled, 0 to 1.
    pub(crate) fraction: f64,
    pub(crate) ink: Ink,
    pub(crate) zones: Vec<Zone>,
    pub(crate) written: Written,
}

pub(super) fn body(panel: StoredValue<Panel>, data: Signal<PanelData>) -> AnyView {
    let readings = Memo::new(move |_| data.with(|data| panel.with_value(|panel| readings(panel, data))));
    view! {
        <div class="gauges">
            {move || readings.with(|readings| panel.with_value(|panel| dials(panel, readings)))}
        </div>
    }
}

fn dials(panel: &Panel, readings: &[Reading]) -> AnyView {
    let Cells { columns, shown, left_out, .. } = Cells::of_panel(panel, readings.len(), LEAST);
    let dials: Vec<_> = readings.iter().take(shown).map(|reading| dial(panel, reading, shown > 1)).collect();
    view! {
        <div class="cells" style=format!("--columns:{columns}")>{dials}</div>
        {more(left_out)}
    }
}

fn dial(panel: &Panel, reading: &Reading, named: bool) -> AnyView {
    let (low, high) = ends(panel);
    let (digits, unit) = split(&reading.written.text);
    view! {
        <div class="gauge">
            <div class="gauge-dial">
                <div class="gauge-picture" inner_html=gauge(reading.fraction, reading.ink, &reading.zones)></div>
                <div class="gauge-text">
                    <span class=format!("gauge-number {}", reading.written.class)>
                        {digits} <span class="stat-unit">{unit}</span>
                        <i class=mark(reading.written.meaning) aria-hidden="true"></i>
                        <span class="sr-only">{reading.written.meaning}</span>
                    </span>
                </div>
                <div class="gauge-ends" aria-hidden="true">
                    <span>{low}</span>
                    <span>{high}</span>
                </div>
            </div>
            {named.then(|| view! { <span class="stat-name">{reading.name.clone()}</span> })}
        </div>
    }
}

/// Ends of the scale as text with unit.
pub(crate) fn ends(panel: &Panel) -> (String, String) {
    let (low, high) = bounds(panel);
    let unit = panel.queries.first().map_or(model::unit::Unit::Plain, |query| unit_of(panel, query));
    (unit.format(low, None), unit.format(high, None))
}

/// Ends of the scale.
pub(crate) fn bounds(panel: &Panel) -> (f64, f64) {
    let low = panel.min.unwrap_or(0.0);
    let last_threshold = panel.thresholds.last().map(|threshold| threshold.value * 1.25);
    let high = panel.max.or(last_threshold).unwrap_or(100.0);
    (low, if high > low { high } else { low + 1.0 })
}

/// An arc for each series.
pub(crate) fn readings(panel: &Panel, data: &PanelData) -> Vec<Reading> {
    every(panel, data).into_iter().filter_map(|shown| read(panel, shown)).collect()
}

fn read(panel: &Panel, shown: Shown<'_>) -> Option<Reading> {
    let (_, value) = shown.series.last()?;
    let (low, high) = bounds(panel);
    let place = |value: f64| ((value - low) / (high - low)).clamp(0.0, 1.0);
    let thresholds = thresholds_of(panel, shown.query);
    let ends = thresholds.iter().skip(1).map(|next| next.value).chain([high]);
    let zones: Vec<Zone> = thresholds
        .iter()
        .zip(ends)
        .map(|(threshold, end)| Zone {
            from: place(threshold.value),
            to: place(end),
            ink: Ink::Meaning(threshold.color),
        })
        .collect();
    let ink = threshold_color(thresholds, value).map_or(shown.ink, Ink::Meaning);
    let written = write(panel, shown.query, value);
    Some(Reading { name: shown.name, fraction: place(value), ink, zones, written })
}
